"""Open a store by its URL."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from velour_plugin.errors import InvalidInput, NotFound
from velour_plugin.store.protocol import Store
from velour_plugin.store.sql import migrate
from velour_plugin.store.sql.store import SqlStore
from velour_plugin.usage import in_use

if TYPE_CHECKING:
    from velour_plugin.store.sql.backend import Backend

DEFAULT_URL = "sqlite:///velour.db"
ENVIRONMENT = "VELOUR_STORE_URI"


def open_store(url: str | None = None, create: bool = True) -> SqlStore:
    """Open the evaluation store.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/database``; when left out, that of
            the environment variable ``VELOUR_STORE_URI``, else ``sqlite:///velour.db``.
        create: make an SQLite file that is not there; those who only read say ``False``.

    Raises:
        NotFound: there is no such file, and it was not to be made.
        InvalidInput: the URL names no database that Velour knows.
        StoreUnavailable: the database does not answer, lacks PostGIS, or has an old schema.
    """
    store = _connect(url)
    if not create and not store.backend.exists(store.engine.url):
        raise NotFound(
            f"there is no store {store.display_url} yet: velour evaluate makes it; another one is "
            f"named with --store or {ENVIRONMENT}."
        )
    migrate.prepare(store.engine, store.backend, store.display_url)
    in_use.store = store.display_url
    return store


def upgrade_store(url: str | None = None) -> str:
    """Bring a store's schema up to this version; returns the schema's revision."""
    store = _connect(url)
    return migrate.upgrade(store.engine, store.backend, store.display_url)


def _connect(url: str | None) -> SqlStore:
    chosen = url or os.environ.get(ENVIRONMENT) or DEFAULT_URL
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(chosen)
        backend = _BACKENDS[parsed.drivername.partition("+")[0]]
    except (ArgumentError, KeyError, ValueError):
        shown = re.sub(r":[^:@/]*@", ":***@", chosen)
        raise InvalidInput(
            f"store {shown!r}: expected sqlite:///path/to/file.db or "
            "postgresql://user:password@host:port/database."
        ) from None  # the cause would show the password
    return SqlStore(parsed, backend())


def _sqlite() -> Backend:
    from velour_plugin.store.sql.sqlite import Sqlite

    return Sqlite()


def _postgis() -> Backend:
    from velour_plugin.store.sql.postgis import PostGIS  # with its dialect, which loads slowly

    return PostGIS()


_BACKENDS: Mapping[str, Callable[[], Backend]] = {
    "sqlite": _sqlite,
    "postgresql": _postgis,
    "postgres": _postgis,  # as many hosts still spell it
}


@contextmanager
def opened(store: Store | str | None, create: bool = False) -> Iterator[Store]:
    """A store that was handed over, or the one behind a URL until the block ends.

    Args:
        store: an open store, which stays open; a URL; or ``None`` for the default store.
        create: make an SQLite file that is not there; those who only read do not.

    Raises:
        NotFound: there is no store at the URL.
        InvalidInput: it is neither.
    """
    if store is None or isinstance(store, str):
        with open_store(store, create=create) as own:
            yield own
    elif isinstance(store, Store):
        yield store
    else:
        raise InvalidInput(
            f"store {store!r}: expected an open store, a URL such as sqlite:///velour.db, or None "
            "for the default one."
        )
