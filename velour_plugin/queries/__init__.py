"""Queries: parameters of one question, as values that are checked, compared and stored."""
