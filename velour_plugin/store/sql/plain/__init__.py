"""Queries answered by the database driver without SQLAlchemy, so that commands start faster."""
