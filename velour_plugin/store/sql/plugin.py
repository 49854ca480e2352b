"""The SQL stores as a plugin: SQLite and PostgreSQL, by the hook that any store uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from velour_plugin.hookspecs import hookimpl
from velour_plugin.store.sql.head import HEAD, VERSION_TABLE

if TYPE_CHECKING:
    from velour_plugin.domain.datasets import Dataset
    from velour_plugin.domain.evaluation import Evaluation
    from velour_plugin.queries.query import Query
    from velour_plugin.store.opening import StoreOpener
    from velour_plugin.store.protocol import Store
    from velour_plugin.store.sql.plain.plain_store import PlainStore
    from velour_plugin.store.sql.store import SqlStore
    from velour_plugin.store.values import Version


@hookimpl
def velour_stores() -> Mapping[str, StoreOpener]:
    """Offer the opener of SQLite and PostgreSQL; many hosts still write ``postgres://``."""
    return dict.fromkeys(("sqlite", "postgresql", "postgres"), _SqlOpener())


class _SqlOpener:
    """Opens SQL stores; SQLAlchemy is imported when one is opened."""

    def __call__(self, url: str, *, create: bool) -> SqlStore:
        from velour_plugin.store.sql.opening import open_sql_store

        return open_sql_store(url, create=create)

    def is_missing(self, url: str) -> bool:
        """Whether there is no store yet that :meth:`save_first` may make."""
        from velour_plugin.store.sql.plain.driver import is_missing

        return is_missing(url) and [*_heads()] == [VERSION_TABLE]

    def save_first(self, url: str, dataset: Dataset, evaluation: Evaluation) -> Version | None:
        """Make a store with one evaluation; ``None`` where another process was quicker."""
        from velour_plugin.store.sql.plain.driver import NotPlain, new_file
        from velour_plugin.store.sql.plain.first_save import write_first

        with suppress(NotPlain), new_file(url) as file:
            return write_first(file, dataset, evaluation)
        return None

    def known_answer(self, url: str, key: str, datasets: Sequence[str] | None) -> Any | None:
        """Return the valid answer cached under a key, as JSON, or ``None``; opens no store."""
        from velour_plugin.store.sql.plain.known_answer import known_answer

        return known_answer(url, key, datasets, _heads())

    def answer(self, url: str, query: Query[Any]) -> Any | None:
        """Answer a query without SQLAlchemy; ``None`` where only an open store can."""
        from velour_plugin.ranking import answer

        return self._plainly(url, lambda store: answer(cast("Store", store), query))

    def read(self, url: str, read: Callable[[Any], Any]) -> Any | None:
        """Call a function with a snapshot, and return its result; ``None`` if this cannot."""

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

    plugins = {tables.version_table: tables.head for tables in installed().tables.values()}
    return {VERSION_TABLE: HEAD, **plugins}
