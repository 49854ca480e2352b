"""The evaluation store: an SQLite file by default, PostgreSQL with PostGIS for a team.

``sql/`` is the only package that knows SQL; within it, ``sqlite.py`` and ``postgis.py``
are the only files that know one database from the other.
"""

from velour_plugin.store.opening import open_store, upgrade_store
from velour_plugin.store.sql.store import SqlStore as Store
from velour_plugin.store.values import Candidate, Version, VersionDiff

__all__ = ["Candidate", "Store", "Version", "VersionDiff", "open_store", "upgrade_store"]
