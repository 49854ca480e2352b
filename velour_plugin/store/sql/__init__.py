"""A store in an SQL database: SQLite or PostgreSQL with PostGIS."""
