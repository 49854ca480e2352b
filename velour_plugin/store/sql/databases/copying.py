"""Rows in PostgreSQL's binary COPY format, written by numpy."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Float, Table
from sqlalchemy.types import BigInteger, Integer

from velour_plugin.store.sql.databases.backend import Columns
from velour_plugin.store.sql.schema import datums

_COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
_DTYPES = {BigInteger: ">i8", Integer: ">i4", Float: ">f8"}
_COPY_END = struct.pack(">h", -1)


def binary_rows(table: Table, values_of: Columns) -> bytes:
    """Encode rows in PostgreSQL's binary COPY format.

    Rows are grouped by which of their values are NULL, so that all rows of a group
    have the same layout and numbers are written as one numpy array.

    Args:
        table: gives the type of each column.
        values_of: values by column, equally long.
    """
    columns = [_CopyColumn(table.c[name].type, values) for name, values in values_of.items()]
    pattern = np.zeros(len(columns[0].null), np.int64)
    for index, column in enumerate(columns):
        pattern |= column.null.astype(np.int64) << index
    chunks = [_COPY_HEADER]
    for value in np.unique(pattern):
        rows = np.flatnonzero(pattern == value)
        chunks.append(_group(columns, int(value), rows))
    return b"".join([*chunks, _COPY_END])


class _CopyColumn:
    """One column's values, prepared for COPY."""

    def __init__(self, kind: Any, values: Sequence[Any]) -> None:
        self.numbers: NDArray[Any] | None = None
        self.encode: Callable[[Any], bytes] | None = None
        dtype = _DTYPES.get(_family(kind))
        if dtype is None:
            self.values = values
            self.encode = _encoder(kind)
            self.null = np.array([value is None for value in values], bool)
            return
        numbers = np.asarray(values)
        if numbers.dtype == object:  # where None is NULL as well
            numbers = numbers.astype(np.float64)
        self.null = np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros(len(numbers), bool)
        self.numbers = np.where(self.null, 0, numbers).astype(dtype)


def _family(kind: Any) -> type:
    return next((base for base in _DTYPES if isinstance(kind, base)), object)


def _encoder(kind: Any) -> Callable[[Any], bytes]:
    if isinstance(kind, type(datums.c.metadata.type)):  # JSONB on the wire: a version, then text
        return lambda value: b"\x01" + json.dumps(value).encode()
    return lambda value: value.encode() if isinstance(value, str) else bytes(value)


def _group(columns: Sequence[_CopyColumn], nulls: int, rows: NDArray[np.intp]) -> bytes:
    """Rows of one layout: runs of numbers as one structured array, other values between them."""
    layout: list[tuple[str, str]] = [("count", ">i2")]
    parts: list[tuple[list[tuple[str, str]], _CopyColumn | None]] = []
    for index, column in enumerate(columns):
        if nulls >> index & 1:
            layout.append((f"null{index}", ">i4"))
        elif column.numbers is not None:
            layout += [(f"size{index}", ">i4"), (f"value{index}", column.numbers.dtype.str)]
        else:
            parts.append((layout, column))
            layout = []
    parts.append((layout, None))
    fixed = [_fixed(columns, part, rows) for part, _ in parts]
    if len(parts) == 1:
        return fixed[0].tobytes()
    pieces: list[list[bytes]] = []
    for numbers, (_, between) in zip(fixed, parts, strict=True):
        width = numbers.dtype.itemsize
        data = numbers.tobytes()
        pieces.append([data[at * width : (at + 1) * width] for at in range(len(rows))])
        if between is not None and between.encode is not None:
            values = [between.encode(between.values[row]) for row in rows]
            pieces.append([struct.pack(">i", len(value)) + value for value in values])
    return b"".join(piece for row in zip(*pieces, strict=True) for piece in row)


def _fixed(
    columns: Sequence[_CopyColumn], layout: list[tuple[str, str]], rows: NDArray[np.intp]
) -> NDArray[Any]:
    block = np.zeros(len(rows), np.dtype(layout))
    for name, _ in layout:
        if name == "count":
            block[name] = len(columns)
        elif name.startswith("null"):
            block[name] = -1
        elif name.startswith("size"):
            numbers = columns[int(name[4:])].numbers
            assert numbers is not None
            block[name] = numbers.dtype.itemsize
        else:
            numbers = columns[int(name[5:])].numbers
            assert numbers is not None
            block[name] = numbers[rows]
    return block
