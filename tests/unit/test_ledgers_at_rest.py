"""Ledgers at rest: the same bits, read when they are asked for, and without pandas."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from velour_plugin.domain.ledger import Columns, LazyTables, Ledger
from velour_plugin.errors import StoreUnavailable
from velour_plugin.store import ledgers
from velour_plugin.store.ledgers import (
    LeanLedger,
    LedgerPieces,
    details_from_bytes,
    details_to_bytes,
    ledger_from_bytes,
    ledger_to_bytes,
    uids_from_bytes,
)
from velour_plugin.store.memory import BoundedCache

LEDGER = Ledger(
    "a-task",
    ("1", "zwei"),
    (("class", "fire"),),
    {"level": 0.5},
    {
        "numbers": {
            "whole": np.array([-1, 0, 7], np.int32),
            "bits": np.array([0, 1, 2**64 - 1], np.uint64),
            "small": np.array([0, 1, 255], np.uint8),
            "real": np.array([1.5, np.nan, -0.0]),
            "short": np.array([1.5, np.nan, -0.0], np.float32),
        },
        "flags": {"right": np.arange(19) % 3 == 0, "name": np.array(["ä"] * 19, object)},
        "nothing": {"number": np.zeros(0), "flag": np.zeros(0, bool), "name": np.zeros(0, object)},
    },
)  # fmt: skip


def test_columns_come_back_to_the_bit() -> None:
    again = ledger_from_bytes(ledger_to_bytes(LEDGER))

    assert (again.datums, again.labels, again.parameters) == (
        LEDGER.datums, LEDGER.labels, LEDGER.parameters,
    )  # fmt: skip
    assert list(again.tables) == list(LEDGER.tables)
    for name, columns in LEDGER.tables.items():
        assert list(again.tables[name]) == list(columns)
        for column, values in columns.items():
            read = again.tables[name][column]
            assert read.dtype == values.dtype
            assert read.tolist() == values.tolist() or read.tobytes() == values.tobytes()


def test_only_the_tables_that_are_asked_for_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of datums is a table as well, which every question needs."""
    read: list[int] = []
    real = ledgers._from_parquet
    monkeypatch.setattr(ledgers, "_from_parquet", lambda *part: read.append(1) or real(*part))

    again = ledger_from_bytes(ledger_to_bytes(LEDGER))
    assert "numbers" in again.tables
    assert "pairs" not in again.tables
    assert len(read) == 1
    first = again.tables["numbers"]["real"]
    assert again.tables["numbers"]["real"] is first
    assert len(read) == 2


def test_a_ledger_travels_to_other_processes() -> None:
    again = pickle.loads(pickle.dumps(ledger_from_bytes(ledger_to_bytes(LEDGER))))

    assert again.tables["numbers"]["whole"].tolist() == [-1, 0, 7]


def test_reading_a_ledger_imports_no_pandas() -> None:
    """It takes half a second, as long as ranking twenty runs."""
    program = (
        "import sys; from velour_plugin.store.ledgers import ledger_from_bytes\n"
        "ledger = ledger_from_bytes(sys.stdin.buffer.read())\n"
        "assert all(len(table) for table in ledger.tables.values())\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], input=ledger_to_bytes(LEDGER), check=True)


def test_a_ledger_in_pieces_is_whole_again() -> None:
    """What is measured without details, details when they are looked at, datums by their digest."""
    pieces = LedgerPieces.of(LEDGER, {"flags", "pairs"})
    assert pieces.details is not None
    assert len(pieces.digest) == 64
    assert LedgerPieces.of(LEDGER, ()).digest == pieces.digest
    loaded: list[int] = []

    def load() -> Mapping[str, Columns]:
        loaded.append(1)
        assert pieces.details is not None
        return details_from_bytes(pieces.details)

    lean = LeanLedger.of(
        pieces.content, {pieces.digest: uids_from_bytes(pieces.uids, pieces.digest)}.__getitem__
    )
    assert list(lean.ledger.tables) == ["numbers", "nothing"]
    assert lean.details == ("flags",)
    assert not lean.measured_only
    assert lean.nbytes > len(pieces.content)
    again = lean.with_details(load)
    assert (again.datums, again.labels, again.parameters) == (
        LEDGER.datums, LEDGER.labels, LEDGER.parameters,
    )  # fmt: skip
    assert "flags" in again.tables
    assert again.tables["numbers"]["whole"].tolist() == [-1, 0, 7]
    assert loaded == []
    assert again.tables["flags"]["right"].tolist() == (np.arange(19) % 3 == 0).tolist()
    assert again.tables["flags"]["name"].tolist() == ["ä"] * 19
    assert loaded == [1]


def test_a_ledger_without_details_has_no_piece_of_them() -> None:
    pieces = LedgerPieces.of(LEDGER, {"pairs"})
    assert pieces.details is None
    lean = LeanLedger.of(pieces.content, lambda _: LEDGER.datums)
    assert lean.with_details(dict).tables is lean.ledger.tables


def test_details_that_nobody_has_looked_at_wait_on() -> None:
    """They are neither made nor spelled; their names are there."""
    late = {"flags": LEDGER.tables["flags"]}
    known = {name: table for name, table in LEDGER.tables.items() if name != "flags"}
    ledger = replace(LEDGER, tables=LazyTables(known, ("flags",), lambda: late))
    assert (LEDGER.waiting, ledger.waiting) == ((), ("flags",))
    pieces = LedgerPieces.of(ledger, {"flags", "pairs"}, measured_only=True)
    assert pieces.details is None
    assert ledger.waiting == ("flags",)
    lean = LeanLedger.of(pieces.content, lambda _: LEDGER.datums)
    assert (lean.details, lean.measured_only) == (("flags",), True)
    again = lean.with_details(lambda: details_from_bytes(details_to_bytes(late)))
    assert again.waiting == ("flags",)
    assert again.tables["flags"]["right"].tolist() == late["flags"]["right"].tolist()
    assert again.waiting == ()

    ledger.load_details()
    assert LedgerPieces.of(ledger, {"flags"}).details is not None


def test_what_is_no_ledger_is_refused() -> None:
    with pytest.raises(StoreUnavailable, match="begins with b'VLD9'"):
        LeanLedger.of(b"VLD9" + bytes(8), lambda _: ())


def test_tables_are_made_once_and_travel_as_what_they_are() -> None:
    made: list[int] = []

    def make() -> dict[str, Columns]:
        made.append(1)
        return {"late": {"number": np.arange(3)}}

    tables = LazyTables({"early": {"number": np.arange(2)}}, ("late",), make)
    assert list(tables) == ["early", "late"]
    assert len(tables) == 2
    assert "late" in tables
    assert "never" not in tables
    with pytest.raises(KeyError):
        tables["never"]
    assert repr(Ledger("t", (), (), {}, tables)).endswith("early, late>")
    assert made == []
    travelled = pickle.loads(pickle.dumps(tables))
    assert {name: table["number"].tolist() for name, table in travelled.items()} == {
        "early": [0, 1], "late": [0, 1, 2],
    }  # fmt: skip
    assert tables["late"] is tables["late"]
    assert made == [1]


def test_what_was_not_used_for_longest_leaves_the_memory_first() -> None:
    cache: BoundedCache[str] = BoundedCache(10)
    for name in "abc":
        cache.keep(name, name.upper(), 3)
    assert cache.known("abz") == {"a": "A", "b": "B"}
    cache.keep("d", "D", 4)  # in place of c, which was not asked for
    assert cache.known("abcd") == {"a": "A", "b": "B", "d": "D"}
    cache.keep("large", "L", 11)
    cache.keep("a", "another", 1)
    assert cache.known(["a", "large"]) == {"a": "A"}
    assert len(cache) == 3
