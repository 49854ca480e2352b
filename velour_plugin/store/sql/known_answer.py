"""An answer that the cache holds, in one statement by the database's own driver.

SQLAlchemy takes several times longer to import than this takes. Whatever is not plain here – a URL
with options, a schema that is not at its head, a database that does not answer – is left to the
store, which knows what to say.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any
from urllib.parse import quote

from velour_plugin.store.sql.head import HEAD, VERSION_TABLE

_SQLITE = re.compile(r"sqlite:///(?P<path>[^?]+)")
_POSTGRES = re.compile(r"postgres(ql)?(\+psycopg2)?(?P<rest>://[^?]*/[^?/%]+)")
_PATIENCE = 30
"""Seconds to wait for a writer, as a store does."""


def known_answer(
    url: str, key: str, datasets: Sequence[str] | None, heads: Mapping[str, str]
) -> Any | None:
    """Read an answer that is valid at the present revision of some datasets.

    Args:
        url: of an SQL store.
        key: of the question.
        datasets: that it is about; ``None`` for all in the store.
        heads: of plugins' tables: by version table, the revision that is needed.

    Returns:
        The answer as JSON; ``None`` when there is none, it is out of date, or only an open store
        can tell.
    """
    revisions = {VERSION_TABLE: HEAD, **heads}
    names = None if datasets is None else ["", *datasets]  # "" counts what concerns every dataset
    statement = _statement(revisions, names)
    if found := _SQLITE.fullmatch(url):
        row = _from_sqlite(found["path"], statement, [*(names or ()), key])
    elif found := _POSTGRES.fullmatch(url):
        row = _from_postgres(
            f"postgresql{found['rest']}", statement.replace("?", "%s"), [*(names or ()), key]
        )
    else:
        return None
    if row is None:
        return None
    *known, is_fresh, content = row
    if not is_fresh or known != [*revisions.values()]:
        return None
    return json.loads(content) if isinstance(content, str) else content


def _statement(tables: Mapping[str, str], names: Sequence[str] | None) -> str:
    """Schema revisions, whether the answer is of the present revision, and the answer."""
    heads = (f"(SELECT version_num FROM {table})" for table in tables)
    which = "" if names is None else f" WHERE name IN ({', '.join('?' * len(names))})"
    now = f"(SELECT coalesce(sum(value), 0) FROM revisions{which})"
    return f"SELECT {', '.join(heads)}, revision = {now}, content FROM answers WHERE key = ?"


def _from_sqlite(path: str, statement: str, values: Sequence[str]) -> Sequence[Any] | None:
    """The row of a file; one that is not there is not made."""
    address = f"file:{quote(os.path.abspath(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, timeout=_PATIENCE, uri=True)) as connection:
            row: Sequence[Any] | None = connection.execute(statement, values).fetchone()
    except sqlite3.Error:
        return None
    return row


def _from_postgres(url: str, statement: str, values: Sequence[str]) -> Sequence[Any] | None:
    import psycopg2

    try:
        with closing(psycopg2.connect(url, connect_timeout=10)) as connection:
            cursor = connection.cursor()
            cursor.execute(statement, values)
            row: Sequence[Any] | None = cursor.fetchone()
    except psycopg2.Error:
        return None
    return row
