"""Formats of annotation files: one file a format. They read and check; they evaluate nothing."""
