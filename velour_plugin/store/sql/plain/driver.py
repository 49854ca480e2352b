"""Run text statements by the database's own driver, without SQLAlchemy.

SQLAlchemy takes longer to import than most queries take. Whatever is not plain
here – a URL with options, tables that are not at their newest revision, a database that does not
answer – raises :class:`NotPlain`, and is left to the store, which words the error.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote

_SQLITE = re.compile(r"sqlite:///(?P<path>[^?]+)")
_POSTGRES = re.compile(r"postgres(ql)?(\+psycopg2)?(?P<rest>://([^@/?#]*@)?[^@/?#]*/[^@/?#%]+)")
"""Only what the driver and SQLAlchemy read alike: no password with ``@``, ``/``, ``?`` or ``#``."""
_PATIENCE = 30
"""Seconds to wait for a writer, as a store does."""

Row = tuple[Any, ...]


class NotPlain(Exception):
    """Raised where this package cannot answer: the store must be opened."""


class Transaction(Protocol):
    """One connection in a transaction; parameters in a statement are written ``?``."""

    location_sql: str
    """The SQL expression that selects a datum's location as WKB."""

    def rows(
        self, statement: str, values: Sequence[Any] = (), large: bool = False
    ) -> Iterable[Row]:
        """Execute a statement and iterate over its rows; if ``large``, fetch a few at a time."""

    def moment(self, moment: dt.datetime) -> Any:
        """Convert a moment to a parameter, as the store writes it."""


Driver = Callable[[bool], AbstractContextManager[Transaction]]
"""Connects and begins a transaction: to read from one moment, or if ``True`` to write."""


def driver_of(url: str) -> Driver:
    """Return the driver behind the URL of a store.

    Raises:
        NotPlain: the URL has options, or is of another database.
    """
    if match := _SQLITE.fullmatch(url):
        return partial(_sqlite, f"file:{quote(os.path.abspath(match['path']))}?mode=rw")
    if match := _POSTGRES.fullmatch(url):
        return partial(_postgres, f"postgresql{match['rest']}")
    raise NotPlain


def check_revisions(transaction: Transaction, heads: Mapping[str, str]) -> None:
    """Check that all tables are at their newest revisions, in one statement.

    Raises:
        NotPlain: some are not.
    """
    selects = (f"(SELECT version_num FROM {table})" for table in heads)
    (known,) = transaction.rows(f"SELECT {', '.join(selects)}")
    if [*known] != [*heads.values()]:
        raise NotPlain


def is_missing(url: str) -> bool:
    """Whether a URL names an SQLite file that is not there, in a folder that is."""
    found = _SQLITE.fullmatch(url)
    path = os.path.abspath(found["path"]) if found and found["path"] != ":memory:" else None
    return path is not None and not os.path.exists(path) and os.path.isdir(os.path.dirname(path))


@contextmanager
def new_file(url: str) -> Iterator[NewFile]:
    """Context manager that makes an SQLite file in one transaction: nobody sees it half written.

    Raises:
        NotPlain: there is something in it by now, or it cannot be written.
    """
    address = f"file:{quote(os.path.abspath(url.removeprefix('sqlite:///')))}?mode=rwc"
    try:
        with closing(_connect(address)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise NotPlain
            yield NewFile(connection)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise NotPlain from error


@contextmanager
def _sqlite(address: str, writes: bool) -> Iterator[Transaction]:
    """A transaction on a file, which is never created; every transaction is a snapshot."""
    try:
        with closing(_connect(address)) as connection:
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            yield _Sqlite(connection)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise NotPlain from error


def _connect(address: str) -> sqlite3.Connection:
    """A connection that any thread may use, as details are read lazily."""
    return sqlite3.connect(
        address, _PATIENCE, uri=True, isolation_level=None, check_same_thread=False
    )


class _Sqlite:
    location_sql = "datums.location"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(
        self, statement: str, values: Sequence[Any] = (), large: bool = False
    ) -> Iterable[Row]:
        try:
            yield from self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise NotPlain from error

    def moment(self, moment: dt.datetime) -> str:
        """Write a moment in UTC, without a zone in the text."""
        return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


class NewFile(_Sqlite):
    """A new SQLite file, in whose only transaction tables are made and filled."""

    def execute(self, statements: str) -> None:
        """Execute statements that end with a semicolon each, where a line ends."""
        for statement in statements.split(";\n"):
            self._connection.execute(statement)

    def write(self, table: str, columns: Mapping[str, Any]) -> None:
        """Write rows: values by column name, equally long; JSON as values, NaN is NULL."""
        names, marks = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
        values = [
            [_literal(value) for value in column] if name in _JSON else column
            for name, column in columns.items()
        ]
        plain = (getattr(column, "tolist", column.__iter__)() for column in values)
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        self._connection.executemany(statement, zip(*plain, strict=True))


_JSON = frozenset(
    (
        "metadata",
        "labels",
        "properties",
        "certificate",
        "parameters",
        "content",
        "reading",
        "declared_groups",
    )
)
"""Columns of JSON; blobs among them are none."""
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def _literal(value: Any) -> str | bytes | None:
    return value if value is None or isinstance(value, bytes) else _ENCODER.encode(value)


@contextmanager
def _postgres(url: str, writes: bool) -> Iterator[Transaction]:
    """A transaction on a server's database."""
    import psycopg2

    level = "READ COMMITTED" if writes else "REPEATABLE READ"
    try:
        with closing(psycopg2.connect(url, connect_timeout=10)) as connection:
            connection.set_session(isolation_level=level, readonly=not writes)
            yield _Postgres(connection)
            connection.commit()
    except psycopg2.Error as error:
        raise NotPlain from error


class _Postgres:
    location_sql = "ST_AsBinary(datums.location)"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(
        self, statement: str, values: Sequence[Any] = (), large: bool = False
    ) -> Iterable[Row]:
        """Execute a statement with ``?`` as placeholder, and yield its rows.

        Args:
            statement: in text.
            values: for the placeholders.
            large: whether the result may not fit in memory: a server-side cursor reads it.

        Raises:
            NotPlain: the database refused it.
        """
        import psycopg2

        try:
            with self._connection.cursor("velour" if large else None) as cursor:
                cursor.itersize = _AT_ONCE
                cursor.execute(statement.replace("?", "%s"), values)
                yield from cursor if cursor.description or large else ()
        except psycopg2.Error as error:
            raise NotPlain from error

    def moment(self, moment: dt.datetime) -> dt.datetime:
        return moment


def from_json(value: Any) -> Any:
    """Return JSON of either driver as values: SQLite's comes as text."""
    return json.loads(value) if isinstance(value, str) else value


def moment_of(value: Any) -> dt.datetime | None:
    """Return a moment of either driver, in UTC: SQLite's comes as text; ``None`` stays."""
    if not isinstance(value, str):
        known: dt.datetime | None = value
        return known
    return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)


_AT_ONCE = 4
