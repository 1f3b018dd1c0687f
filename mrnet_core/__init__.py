"""MRNet for knee MRI: DICOM, preprocessing, networks, heatmaps, reader statistics."""

__version__ = "0.1.0"
