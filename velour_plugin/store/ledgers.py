"""Ledgers at rest: one parquet table after another, behind a header that says what they are.

Layout: the bytes ``VLD1``, the header's length as four bytes, little-endian, the
header in JSON, then the tables in the header's order.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.canonical import canonical_json
from velour_plugin.domain.ledger import Columns, Ledger
from velour_plugin.errors import StoreUnavailable

_MAGIC = b"VLD1"


def ledger_to_bytes(ledger: Ledger) -> bytes:
    """Spell a ledger in bytes; :func:`ledger_from_bytes` undoes it exactly."""
    tables = {"": {"uid": np.array(ledger.datums, dtype=object)}, **ledger.tables}
    spelled = {name: _to_parquet(columns) for name, columns in tables.items()}
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
    tables: dict[str, Columns] = {}
    for name, size in header["tables"]:
        tables[name] = _from_parquet(content[at : at + size])
        at += size
    return Ledger(
        header["task"],
        tuple(tables.pop("")["uid"].tolist()),
        tuple((key, value) for key, value in header["labels"]),
        header["parameters"],
        tables,
    )


def _to_parquet(columns: Columns) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: pa.array(column) for name, column in columns.items()}
    floats = [
        name
        for name, array in arrays.items()
        if pa.types.is_floating(array.type) and 2 * len(np.unique(columns[name])) >= len(array)
    ]  # numbers that repeat, as scores of few decimals do, are smaller in a dictionary
    rising = [name for name, column in columns.items() if _rises(column)]
    sink = io.BytesIO()
    pq.write_table(
        pa.table(arrays),
        sink,
        compression="zstd",
        use_dictionary=[name for name in arrays if name not in (*floats, *rising)],
        use_byte_stream_split=floats,
        column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
        write_statistics=False,
    )
    return sink.getvalue()


def _rises(column: NDArray[Any]) -> bool:
    """Positions that never fall are a tenth as large by their differences."""
    return column.dtype in (np.int32, np.int64) and not (np.diff(column) < 0).any()


def _from_parquet(content: bytes) -> dict[str, NDArray[Any]]:
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content), use_threads=False)
    return {name: table[name].to_numpy() for name in table.column_names}
