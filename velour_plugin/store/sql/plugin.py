"""The SQL stores as a plugin: SQLite and PostgreSQL, by the hook that any store uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from velour_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from velour_plugin.queries.query import Query
    from velour_plugin.store.opening import StoreOpener
    from velour_plugin.store.protocol import Store
    from velour_plugin.store.sql.plain.plain_store import PlainStore
    from velour_plugin.store.sql.store import SqlStore


@hookimpl
def velour_stores() -> Mapping[str, StoreOpener]:
    """One opener for both; many hosts still write ``postgres://``."""
    return dict.fromkeys(("sqlite", "postgresql", "postgres"), _SqlOpener())


class _SqlOpener:
    """Opens SQL stores; SQLAlchemy is imported when one is opened."""

    def __call__(self, url: str, *, create: bool) -> SqlStore:
        from velour_plugin.store.sql.opening import open_sql_store

        return open_sql_store(url, create=create)

    def known_answer(self, url: str, key: str, datasets: Sequence[str] | None) -> Any | None:
        """The valid cached answer of a key, without opening the store."""
        from velour_plugin.store.sql.plain.known_answer import known_answer

        return known_answer(url, key, datasets, _heads())

    def answer(self, url: str, query: Query[Any]) -> Any | None:
        """Answer a query without SQLAlchemy; ``None`` where only an open store can."""
        from velour_plugin.ranking import answer

        return self._plainly(url, lambda store: answer(cast("Store", store), query))

    def read(self, url: str, read: Callable[[Any], Any]) -> Any | None:
        """Call a function with a snapshot; ``None`` where only an open store can answer."""

        def look(store: PlainStore) -> Any:
            with store.snapshot() as reader:
                return read(reader)

        return self._plainly(url, look)

    def _plainly(self, url: str, use: Callable[[PlainStore], Any]) -> Any | None:
        from velour_plugin.store.sql.plain.driver import NotPlain, driver_of
        from velour_plugin.store.sql.plain.plain_store import PlainStore

        with suppress(NotPlain):
            open_store = partial(self, url, create=False)
            with closing(PlainStore(driver_of(url), _heads(), open_store)) as store:
                return use(store)
        return None


def _heads() -> dict[str, str]:
    """The revision that each group of tables must have, by version table."""
    from velour_plugin.plugins.installed import installed
    from velour_plugin.store.sql.head import HEAD, VERSION_TABLE

    plugins = {tables.version_table: tables.head for tables in installed().tables.values()}
    return {VERSION_TABLE: HEAD, **plugins}
