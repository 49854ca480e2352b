"""Open an SQL database as a store, and upgrade or delete its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os.path import isdir

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from velour_plugin.errors import InvalidInput, NotFound
from velour_plugin.store.opening import ENVIRONMENT, masked, store_url
from velour_plugin.store.sql import migrate
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.store import SqlStore


def open_sql_store(url: str, *, create: bool) -> SqlStore:
    """Open a store in SQLite or PostgreSQL.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/database``.
        create: whether a missing SQLite file is created.

    Raises:
        InvalidInput: the URL names no SQL database that Velour knows.
        NotFound: there is no such file, and ``create`` is false.
        StoreUnavailable: the database does not answer, lacks PostGIS, or has an old schema.
    """
    store = _connect(url)
    if not create and not store.backend.exists(store.engine.url):
        raise NotFound(
            f"there is no store {store.display_url} yet: run 'velour evaluate' to create it, or "
            f"pass another with --store URL or {ENVIRONMENT}."
        )
    migrate.prepare(store.engine, store.backend, store.display_url)
    return store


def upgrade_store(url: str | None = None) -> str:
    """Upgrade all tables of an SQL store to the installed versions; return the schema's revision.

    Raises:
        InvalidInput: the URL names no SQL database that Velour knows.
        NewerSchema: some of them were made by a newer version than the one that is installed.
        StoreUnavailable: the database does not answer, or lacks PostGIS.
    """
    store = _connect(store_url(url))
    return migrate.upgrade(store.engine, store.backend, store.display_url)


def delete_tables(name: str, url: str | None = None) -> None:
    """Delete the tables of a plugin, with their content, from an SQL store.

    Raises:
        UnknownName: no installed plugin has tables of that name.
        NewerSchema: some tables were made by a newer version than the one that is installed.
        StoreUnavailable: the database does not answer.
    """
    store = _connect(store_url(url))
    migrate.delete_tables(store.engine, store.display_url, name)


def _connect(url: str) -> SqlStore:
    try:
        parsed = make_url(url)
        backend = _BACKENDS[parsed.drivername.partition("+")[0]]
    except (ArgumentError, KeyError, ValueError):
        raise InvalidInput(
            f"store {masked(url)!r} is no SQL database: expected sqlite:///path/to/file.db or "
            "postgresql://user:password@host:port/database."
        ) from None  # the cause would show the password
    if parsed.drivername.startswith("sqlite") and parsed.database and isdir(parsed.database):
        raise InvalidInput(
            f"store {masked(url)!r}: {parsed.database} is a directory: name a file in it, such as "
            f"{url.rstrip('/')}/velour.db."
        )
    return SqlStore(parsed, backend())


def _sqlite() -> Backend:
    from velour_plugin.store.sql.databases.sqlite import Sqlite

    return Sqlite()


def _postgis() -> Backend:
    from velour_plugin.store.sql.databases.postgis import (
        PostGIS,  # with its dialect, which loads slowly
    )

    return PostGIS()


_BACKENDS: Mapping[str, Callable[[], Backend]] = {
    "sqlite": _sqlite,
    "postgresql": _postgis,
    "postgres": _postgis,
}
