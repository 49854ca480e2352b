"""Queries: what a store can be asked, as values that are checked, compared, stored and sent."""
