"""Atrous: open, self-hosted semantic segmentation."""

__version__ = "0.1.0"
