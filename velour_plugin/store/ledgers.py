"""Ledgers at rest: one parquet table after another, behind a header that says what they are.

Layout: the bytes ``VLD1``, the header's length as four bytes, little-endian, the
header in JSON, then the tables in the header's order. A table is read when it is first
asked for: most questions need a third of a ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.arrow import column_to_numpy, columns_to_parquet, parquet_to_table
from velour_plugin.domain.canonical import canonical_json
from velour_plugin.domain.ledger import Columns, Ledger
from velour_plugin.errors import StoreUnavailable

_MAGIC = b"VLD1"


def ledger_to_bytes(ledger: Ledger) -> bytes:
    """Spell a ledger in bytes; :func:`ledger_from_bytes` undoes it exactly."""
    tables = {"": {"uid": np.array(ledger.datums, dtype=object)}, **ledger.tables}
    spelled = {name: columns_to_parquet(columns) for name, columns in tables.items()}
    header = canonical_json(
        {
            "task": ledger.task,
            "labels": ledger.labels,
            "parameters": dict(ledger.parameters),
            "tables": [[name, len(content)] for name, content in spelled.items()],
        }
    ).encode()
    size = len(header).to_bytes(4, "little")
    return b"".join((_MAGIC, size, header, *spelled.values()))


def ledger_from_bytes(content: bytes) -> Ledger:
    """Read a ledger back.

    Raises:
        StoreUnavailable: the bytes are no ledger, or one of a newer version of Velour.
    """
    if content[:4] != _MAGIC:
        raise StoreUnavailable(
            f"a ledger begins with {content[:4]!r}, not {_MAGIC!r}: it was written by another "
            "version of Velour; upgrade this one."
        )
    at = 8 + int.from_bytes(content[4:8], "little")
    header = json.loads(content[8:at])
    places: dict[str, tuple[int, int]] = {}
    for name, size in header["tables"]:
        places[name] = (at, size)
        at += size
    datums = _from_parquet(content, *places.pop(""))["uid"]
    return Ledger(
        header["task"],
        tuple(datums.tolist()),
        tuple((key, value) for key, value in header["labels"]),
        header["parameters"],
        _Tables(content, places),
    )


class _Tables(Mapping[str, Columns]):
    """Tables by name, each read from its parquet when it is first asked for."""

    def __init__(self, content: bytes, places: Mapping[str, tuple[int, int]]) -> None:
        self._content, self._places = content, places
        self._read: dict[str, Columns] = {}

    def __getitem__(self, name: str) -> Columns:
        if name not in self._read:
            self._read[name] = _from_parquet(self._content, *self._places[name])
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _from_parquet(content: bytes, at: int, size: int) -> dict[str, NDArray[Any]]:
    import pyarrow as pa

    table = parquet_to_table(pa.py_buffer(content).slice(at, size))
    return {name: column_to_numpy(table[name]) for name in table.column_names}
