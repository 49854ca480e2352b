"""The schema that this Velour needs: its newest revision, and the table that holds a database's."""

HEAD = "0005"
"""A test holds it to the migrations."""

VERSION_TABLE = "velour_schema"

STATISTICS = {
    "sqlite_autoindex_version_datums_1": "1000000 100000 1",
    "ix_version_datums_datum_id": "1000000 2",
}
"""What SQLite's planner is told: rows of an index, of a version and of a place; and of a datum."""
