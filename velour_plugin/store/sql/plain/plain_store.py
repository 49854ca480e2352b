"""A store for one query without SQLAlchemy: its snapshot, and caching the answer."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from velour_plugin.store.sql.plain.driver import Driver, NotPlain, check_revisions
from velour_plugin.store.sql.plain.plain_snapshot import PlainSnapshot

if TYPE_CHECKING:
    from velour_plugin.store.protocol import Store


class PlainStore:
    """The part of a store that answering a query needs, without SQLAlchemy.

    Args:
        driver: of its database.
        heads: by version table, the revision that is needed.
        open_store: opens the whole store, for other reads.
    """

    def __init__(
        self, driver: Driver, heads: Mapping[str, str], open_store: Callable[[], Store]
    ) -> None:
        self._driver, self._heads, self._open = driver, heads, open_store
        self._closing = ExitStack()

    @contextmanager
    def snapshot(self) -> Iterator[PlainSnapshot]:
        """Context manager of a snapshot: reads inside the block are of one moment of the store."""
        snapshot = PlainSnapshot(self._driver, lambda: self.opened)
        try:
            check_revisions(snapshot.transaction, self._heads)
            yield snapshot
        finally:
            snapshot.release()

    def keep_answer(self, key: str, revision: int, content: Any) -> None:
        """Cache an answer, if possible: a user who may only read gets it all the same."""
        text, now = json.dumps(content, ensure_ascii=False), dt.datetime.now(dt.UTC)
        with suppress(NotPlain), self._driver(True) as transaction:
            values = (key, revision, text, transaction.moment(now))
            list(transaction.rows(_KEEP, values))

    @cached_property
    def opened(self) -> Store:
        """The store itself, opened when this is first read."""
        store = self._open()
        self._closing.callback(store.close)
        return store

    def close(self) -> None:
        """Close the store itself, if it was opened."""
        self._closing.close()


_KEEP = """
INSERT INTO answers (key, revision, content, created_at) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, content = excluded.content,
    created_at = excluded.created_at WHERE answers.revision <= excluded.revision"""
