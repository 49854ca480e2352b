"""Semantic segmentation: label images, confusion counts, IoU and boundaries."""
