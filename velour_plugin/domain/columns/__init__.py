"""Annotations, datums and regions as columns: no object is made for a row."""
