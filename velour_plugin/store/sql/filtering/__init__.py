"""Compile filters to SQL conditions on datums."""
