"""Ledgers of an open store that stay in memory, so that the next question does not read them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from velour_plugin.store.ledgers import LeanLedger

MOST_IN_MEMORY = 256 << 20
"""Bytes of all ledgers of one store: twenty runs with a quarter of a million detections each
take 110 MB."""


class LedgerCache:
    """Ledgers by their evaluation's id, without details; the least recently used go first.

    Evaluations never change, so that what is here is what is stored. Threads may share it.

    Args:
        most: bytes that all of them may take; a ledger that alone takes more is not kept.
    """

    def __init__(self, most: int = MOST_IN_MEMORY) -> None:
        self._most = most
        self._nbytes = 0
        self._ledgers: OrderedDict[str, LeanLedger] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._ledgers)

    def known(self, evaluation_ids: Sequence[str]) -> dict[str, LeanLedger]:
        """Those ledgers that are here, by id."""
        with self._lock:
            here = {name: self._ledgers[name] for name in evaluation_ids if name in self._ledgers}
            for name in here:
                self._ledgers.move_to_end(name)
            return here

    def keep(self, evaluation_id: str, ledger: LeanLedger) -> None:
        """Keep a ledger, in place of others where there is no room."""
        with self._lock:
            if evaluation_id in self._ledgers or ledger.nbytes > self._most:
                return
            self._ledgers[evaluation_id] = ledger
            self._nbytes += ledger.nbytes
            while self._nbytes > self._most:
                _, oldest = self._ledgers.popitem(last=False)
                self._nbytes -= oldest.nbytes
