"""The schema that this Velour needs: its newest revision, and the table that holds a database's."""

HEAD = "0005"
"""A test holds it to the migrations."""

VERSION_TABLE = "velour_schema"
