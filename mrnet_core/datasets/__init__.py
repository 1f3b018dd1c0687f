"""Data sets on disk as checked values: exams as arrays, splits, reader-study tables."""
