"""The newest revision of the schema, and the table that holds a database's revision."""

HEAD = "0007"
"""A test compares it with the migrations."""

VERSION_TABLE = "velour_schema"

DELETED = "deleted"
"""The state of a run that its tracker has deleted."""

STATISTICS = {
    "sqlite_autoindex_version_datums_1": "1000000 100000 1",
    "ix_version_datums_datum_id": "1000000 2",
}
"""Statistics for SQLite's planner: rows of an index, a version and a position; and of a datum."""
