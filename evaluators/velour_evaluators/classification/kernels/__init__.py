"""Arithmetic of classification on arrays: no files, no store, no objects of the domain."""
