"""Arithmetic on arrays: no files, no store, no objects of the domain where columns will do."""
