"""Small helpers: progress, lazy imports, parquet files."""
