"""Arithmetic of semantic segmentation on arrays: pixels counted by runs, boundaries."""
