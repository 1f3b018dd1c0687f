"""Figures for LOG.md: each module measures one thing and prints it; nothing here is a test."""
