"""Ledgers at rest: the same bits, read when they are asked for, and without pandas."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from velour_plugin.domain.ledger import Ledger
from velour_plugin.store import ledgers
from velour_plugin.store.ledgers import ledger_from_bytes, ledger_to_bytes

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
