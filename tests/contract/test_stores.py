"""SQLite and PostgreSQL keep the contract of stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from memory_store import MemoryStore

import velour_plugin as velour
from velour_plugin.store import Store, upgrade_store
from velour_plugin.testing.stores import StoreContract


class TestSqlStores(StoreContract):
    """Both databases."""

    @pytest.fixture(autouse=True)
    def _url(self, store_url: str) -> None:
        self.url = store_url

    @contextmanager
    def empty(self, tmp_path: Path) -> Iterator[Store]:
        """A new file or database."""
        upgrade_store(self.url)
        with velour.open_store(self.url) as store:
            yield store


class TestStoreOfAPlugin(StoreContract):
    """A store in memory, of what plugins may import; it knows no SQL."""

    @contextmanager
    def empty(self, tmp_path: Path) -> Iterator[Store]:
        """A new one."""
        with MemoryStore() as store:
            yield store
