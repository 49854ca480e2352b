"""A cache in memory of what an open store has read, for the next query."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")

LEDGERS_IN_MEMORY = 256 << 20
"""Bytes of all ledgers of a store: twenty with a quarter of a million detections each take 110 MB.
"""
VERSIONS_IN_MEMORY = 128 << 20
"""Bytes of the ground truth of all versions of a store that were matched again."""


class BoundedCache(Generic[Value]):
    """Values by name, up to a number of bytes; the least recently used go first.

    Its values never change in the store, so they never go stale: ledgers by their
    evaluation, datasets by the digest of their version. Threads may share a cache.

    Args:
        most: bytes that all values may take; a value that alone takes more is not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._nbytes = 0
        self._values: OrderedDict[str, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def known(self, names: Iterable[str]) -> dict[str, Value]:
        """Return the cached ones among some names, by name."""
        with self._lock:
            cached = {name: self._values[name][0] for name in names if name in self._values}
            for name in cached:
                self._values.move_to_end(name)
            return cached

    def forget(self, name: str) -> None:
        """Remove a value that was replaced in the store."""
        with self._lock:
            _, freed = self._values.pop(name, (None, 0))
            self._nbytes -= freed

    def keep(self, name: str, value: Value, nbytes: int) -> None:
        """Cache a value of ``nbytes`` bytes; the least recently used go where there is no room."""
        with self._lock:
            if name in self._values or nbytes > self._most:
                return
            self._values[name] = (value, nbytes)
            self._nbytes += nbytes
            while self._nbytes > self._most:
                _, (_, freed) = self._values.popitem(last=False)
                self._nbytes -= freed
