"""Open an SQL database as a store, and upgrade or delete its tables."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from os.path import isdir

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import InvalidInput, NotFound, VelourError
from velour_plugin.helpers.store_urls import is_ambiguous, masked_url, without_secrets
from velour_plugin.store.opening import ENVIRONMENT, store_url
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
    migrate.prepare(store.engine, store.backend, store.url)
    return store


def upgrade_store(url: str | None = None) -> str:
    """Upgrade all tables of an SQL store to the installed versions; return the schema's revision.

    Raises:
        InvalidInput: the URL names no SQL database that Velour knows.
        NewerSchema: some of them were made by a newer version than the one that is installed.
        StoreUnavailable: the database does not answer, or lacks PostGIS.
    """
    store = _connect(store_url(url))
    return migrate.upgrade(store.engine, store.backend, store.url)


def delete_tables(name: str, url: str | None = None) -> None:
    """Delete the tables of a plugin, with their content, from an SQL store.

    Raises:
        UnknownName: no installed plugin has tables of that name.
        NewerSchema: some tables were made by a newer version than the one that is installed.
        StoreUnavailable: the database does not answer.
    """
    store = _connect(store_url(url))
    migrate.delete_tables(store.engine, store.url, name)


def _connect(url: str) -> SqlStore:
    """A store whose tables are not looked at yet.

    Raises:
        InvalidInput: the URL names no SQL database that Velour knows, or has a wrong option.
    """
    shown = masked_url(url)
    if not is_storable(url):
        raise InvalidInput(f"store {shown!r}: expected text without U+0000.")
    try:
        parsed = make_url(url)
        backend = _BACKENDS[parsed.drivername.partition("+")[0]]
    except (ArgumentError, KeyError, ValueError):
        raise InvalidInput(
            f"store {shown!r} is no SQL database: expected sqlite:///path/to/file.db or "
            "postgresql://user:password@host:port/database."
        ) from None  # the cause would show the password
    if parsed.drivername.startswith("sqlite"):
        _check_file(parsed, shown)
    elif is_ambiguous(url) or not _DATABASE.fullmatch(parsed.database or ""):
        raise InvalidInput(
            f"store {shown!r}: where its password ends cannot be said. In passwords, options and "
            "names @ is written %40, : is %3A, / is %2F, ? is %3F, # is %23, & is %26."
        )
    try:
        return SqlStore(parsed, backend())
    except VelourError:
        raise
    except (ArgumentError, ImportError, TypeError, ValueError) as error:
        reason = without_secrets(str(error), url)
        raise InvalidInput(f"store {shown!r} cannot be opened: {reason}.") from None


def _check_file(url: URL, shown: str) -> None:
    """Refuse a URL of SQLite that names no file.

    Raises:
        InvalidInput: it names a server, a folder, or nothing.
    """
    if url.host or url.username or url.password:
        raise InvalidInput(
            f"store {shown!r}: SQLite is a file without host and password: expected three slashes "
            "before a relative path, as in sqlite:///velour.db, and four before an absolute one."
        )
    if not url.database:
        raise InvalidInput(
            f"store {shown!r} names no file: expected sqlite:///path/to/file.db; a store in "
            "memory, which ends with its process, is sqlite:///:memory:."
        )
    try:
        os.stat(url.database)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # too long a name, or U+0000 in it
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput(f"store {shown!r} can be no file: {reason}.") from None
    if isdir(url.database):
        raise InvalidInput(
            f"store {shown!r}: {url.database} is a directory: name a file in it, such as "
            f"{shown.rstrip('/')}/velour.db."
        )


def _sqlite() -> Backend:
    from velour_plugin.store.sql.databases.sqlite import Sqlite

    return Sqlite()


def _postgis() -> Backend:
    from velour_plugin.store.sql.databases.postgis import (
        PostGIS,  # with its dialect, which loads slowly
    )

    return PostGIS()


_DATABASE = re.compile("[^@:?#&;=]*")

_BACKENDS: Mapping[str, Callable[[], Backend]] = {
    "sqlite": _sqlite,
    "postgresql": _postgis,
    "postgres": _postgis,
}
