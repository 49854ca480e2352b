"""SQLite and PostgreSQL with PostGIS: all that is different between them."""
