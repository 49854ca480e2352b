"""The newest revision of the schema, and the table that holds a database's revision."""

HEAD = "0005"
"""A test compares it with the migrations."""

VERSION_TABLE = "velour_schema"
