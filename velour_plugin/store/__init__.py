"""The evaluation store: an SQLite file by default, PostgreSQL with PostGIS for a team.

``sql/`` is the only package that knows SQL; within it, ``sqlite.py`` and ``postgis.py``
are the only files that know one database from the other.
"""

from velour_plugin.store.opening import open_store, opened, upgrade_store
from velour_plugin.store.protocol import Reader, Snapshot, Store
from velour_plugin.store.values import Candidate, DatumSelection, Version, VersionDiff

__all__ = [
    "Candidate",
    "DatumSelection",
    "Reader",
    "Snapshot",
    "Store",
    "Version",
    "VersionDiff",
    "open_store",
    "opened",
    "upgrade_store",
]
