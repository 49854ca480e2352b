"""Content as bytes: canonical JSON, digests, parquet, WKB and RLE."""
