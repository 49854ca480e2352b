"""The evaluation store: an SQLite file by default, PostgreSQL with PostGIS for a team.

``sql/`` is the only package that knows SQL; within it, ``sqlite.py`` and ``postgis.py``
are the only files that know one database from the other. Names load when they are first used:
plugins register their stores in every process, and few processes open one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from velour_plugin.store.opening import StoreOpener as StoreOpener
    from velour_plugin.store.opening import open_store as open_store
    from velour_plugin.store.opening import opened as opened
    from velour_plugin.store.protocol import Reader as Reader
    from velour_plugin.store.protocol import Snapshot as Snapshot
    from velour_plugin.store.protocol import Store as Store
    from velour_plugin.store.sql.opening import upgrade_store as upgrade_store
    from velour_plugin.store.tables import StoreTables as StoreTables
    from velour_plugin.store.values import Candidate as Candidate
    from velour_plugin.store.values import DatumSelection as DatumSelection
    from velour_plugin.store.values import RunState as RunState
    from velour_plugin.store.values import Version as Version
    from velour_plugin.store.values import VersionDiff as VersionDiff

_HOME = {
    "Candidate": "values",
    "DatumSelection": "values",
    "Reader": "protocol",
    "RunState": "values",
    "Snapshot": "protocol",
    "Store": "protocol",
    "StoreOpener": "opening",
    "StoreTables": "tables",
    "Version": "values",
    "VersionDiff": "values",
    "open_store": "opening",
    "opened": "opening",
    "upgrade_store": "sql.opening",
}

__all__ = [
    "Candidate",
    "DatumSelection",
    "Reader",
    "RunState",
    "Snapshot",
    "Store",
    "StoreOpener",
    "StoreTables",
    "Version",
    "VersionDiff",
    "open_store",
    "opened",
    "upgrade_store",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"velour_plugin.store.{_HOME[name]}"), name)
