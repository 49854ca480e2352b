"""Small helpers: input files, JSON, limits, progress, lazy imports, parquet files."""
