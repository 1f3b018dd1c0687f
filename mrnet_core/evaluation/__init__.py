"""Results from predictions, reads and counts: no files, no plots."""
