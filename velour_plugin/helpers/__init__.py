"""Small tools without a concept of Velour's: progress, lazy imports, parquet files."""
