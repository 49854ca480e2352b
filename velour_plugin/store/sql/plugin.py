"""SQLite and PostgreSQL, offered through the same door as a stranger's store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from velour_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from velour_plugin.store.opening import StoreOpener
    from velour_plugin.store.sql.store import SqlStore


@hookimpl
def velour_stores() -> Mapping[str, StoreOpener]:
    """One opener for both; many hosts still write ``postgres://``."""
    return dict.fromkeys(("sqlite", "postgresql", "postgres"), _open)


def _open(url: str, *, create: bool) -> SqlStore:
    from velour_plugin.store.sql.opening import open_sql_store

    return open_sql_store(url, create=create)
