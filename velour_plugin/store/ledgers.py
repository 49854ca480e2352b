"""Ledgers as bytes: parquet tables one after another, behind a header that describes them.

Layout: the bytes ``VLD1``, the header's length as four bytes, little-endian, the
header in JSON, then the tables in the header's order, then the CRC-32 of all that, as four bytes;
older ledgers end before it. A table is decoded when it is first used: most queries need a third
of a ledger.

A store keeps a ledger in three pieces (:class:`LedgerPieces`): the tables for metrics, those of
details once they were used, and the list of datums, which many ledgers share.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.encoding.arrow import (
    column_to_numpy,
    columns_to_parquet,
    parquet_to_table,
)
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.ledger import Columns, LazyTables, Ledger
from velour_plugin.errors import DamagedContent, StoreUnavailable

_MAGIC = b"VLD1"
_UIDS = ""
"""The name of the table of datums, where a ledger is in one piece."""
_EXPANSION = 8
"""Estimated ratio of bytes in memory to bytes of parquet, where the header does not say."""


def ledger_to_bytes(ledger: Ledger) -> bytes:
    """Encode a ledger; :func:`ledger_from_bytes` undoes it exactly."""
    return _packed(_head(ledger), {_UIDS: _uid_column(ledger.datums), **ledger.tables})


def ledger_from_bytes(content: bytes) -> Ledger:
    """Decode what :func:`ledger_to_bytes` made.

    Raises:
        StoreUnavailable: the bytes are no ledger, or one of a newer version of Velour.
    """
    with undamaged("a ledger"):
        header, tables = _unpacked(content, "a ledger")
        return _ledger(header, tables, _uids(tables.pop(_UIDS)))


@dataclass(frozen=True, slots=True)
class LedgerPieces:
    """A ledger as a store keeps it.

    Args:
        digest: of the list of datums: SHA-256 of ``uids``, as hexadecimal.
        uids: the list of datums.
        content: the tables for metrics, and the names of the tables of details.
        details: tables of details; ``None`` where there are none, or they are not computed yet.
    """

    digest: str
    uids: bytes
    content: bytes
    details: bytes | None

    @classmethod
    def of(
        cls, ledger: Ledger, detail_tables: Collection[str], *, measured_only: bool = False
    ) -> LedgerPieces:
        """Divide a ledger; tables of details that are not computed yet stay so.

        Args:
            ledger: of an evaluation.
            detail_tables: names of the tables of details, where it has them.
            measured_only: whether only its measured metrics are stored, without those of details.
        """
        apart = [name for name in ledger.tables if name in detail_tables]
        lean = {name: ledger.tables[name] for name in ledger.tables if name not in apart}
        uids = columns_to_parquet(_uid_column(ledger.datums))
        digest = hashlib.sha256(uids).hexdigest()
        head = {**_head(ledger), "uids": digest, "details": apart, "measured_only": measured_only}
        made = {name: ledger.tables[name] for name in apart if name not in ledger.waiting}
        return cls(digest, uids, _packed(head, lean), details_to_bytes(made) if made else None)


@dataclass(frozen=True, slots=True)
class LeanLedger:
    """A stored ledger without its details, and the names of their tables.

    Args:
        ledger: without details.
        details: names of their tables.
        nbytes: its size in memory, once all of its tables have been decoded.
        measured_only: whether only measured metrics are stored with it, so that details
            are computed; older versions of Velour stored all.
    """

    ledger: Ledger
    details: tuple[str, ...]
    nbytes: int
    measured_only: bool = False

    @classmethod
    def of(
        cls, content: bytes, datums: Callable[[str], tuple[str, ...]], evaluation_id: str = "?"
    ) -> LeanLedger:
        """Decode a piece; details are not read.

        Args:
            content: :attr:`LedgerPieces.content`.
            datums: the list of datums of a digest.
            evaluation_id: for messages.

        Raises:
            DamagedContent: the bytes are not those that were stored.
            StoreUnavailable: the bytes are no ledger, or one of a newer version of Velour.
        """
        name = f"the ledger of evaluation {evaluation_id}"
        with undamaged(name):
            header, tables = _unpacked(content, name)
            ledger = _ledger(header, tables, datums(header["uids"]))
            nbytes = len(content) + tables.nbytes
            measured_only = header.get("measured_only", False)
            return cls(ledger, tuple(header["details"]), nbytes, measured_only)

    def check(self) -> None:
        """Read every table of a ledger without a checksum, as older versions of Velour wrote it.

        Raises:
            DamagedContent: one cannot be read back.
        """
        if not getattr(self.ledger.tables, "has_checksum", True):
            list(self.ledger.tables.values())

    def with_details(self, load: Callable[[], Mapping[str, Columns]]) -> Ledger:
        """Return the whole ledger; details are loaded when one of their tables is first used."""
        if not self.details:
            return self.ledger
        return replace(self.ledger, tables=LazyTables(self.ledger.tables, self.details, load))


def details_to_bytes(tables: Mapping[str, Columns]) -> bytes:
    """Encode tables of details, for :attr:`LedgerPieces.details`."""
    return _packed({}, tables)


def details_from_bytes(content: bytes, evaluation_id: str = "?") -> Mapping[str, Columns]:
    """Decode tables of details, each when it is first used.

    Raises:
        DamagedContent: the bytes are not those that were stored.
        StoreUnavailable: the bytes are no tables, or those of a newer version of Velour.
    """
    name = f"the details of evaluation {evaluation_id}"
    with undamaged(name):
        return _unpacked(content, name)[1]


def uids_from_bytes(content: bytes, digest: str) -> tuple[str, ...]:
    """Decode a list of datums: :attr:`LedgerPieces.uids` with its :attr:`LedgerPieces.digest`.

    Raises:
        ValueError: it is not what was stored.
    """
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("its list of datums differs from its digest")
    return _uids(_from_parquet(content, 0, len(content)))


@contextmanager
def undamaged(name: str, is_replaced: bool = True) -> Iterator[None]:
    """Context manager that names what could not be read back, whatever a decoder stumbled over.

    Args:
        name: of what is read, with its evaluation, for the message.
        is_replaced: whether evaluating the same predictions again stores it anew.

    Raises:
        DamagedContent: reading it failed.
    """
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception as error:
        again = (
            "Evaluate the same predictions again, which replaces it; or leave"
            if is_replaced
            else "Leave"
        )
        raise DamagedContent(
            f"{name} is damaged in the store ({type(error).__name__}: {error}). {again} its run "
            "out with runs= or --runs, or a filter such as \"model <> 'name'\"."
        ) from error


def _head(ledger: Ledger) -> dict[str, Any]:
    return {
        "task": ledger.task,
        "labels": ledger.labels,
        "parameters": dict(ledger.parameters),
    }


def _ledger(header: Mapping[str, Any], tables: _Tables, datums: tuple[str, ...]) -> Ledger:
    labels = tuple((key, value) for key, value in header["labels"])
    return Ledger(header["task"], datums, labels, header["parameters"], tables)


def _uid_column(uids: tuple[str, ...]) -> Columns:
    return {"uid": np.array(uids, dtype=object)}


def _uids(table: Columns) -> tuple[str, ...]:
    return tuple(table["uid"].tolist())


def _packed(head: Mapping[str, Any], tables: Mapping[str, Columns]) -> bytes:
    """Tables behind a header with each one's name, size here and size in memory."""
    blobs = {name: columns_to_parquet(table, compact=True) for name, table in tables.items()}
    sizes = [
        [name, len(content), sum(column.nbytes for column in tables[name].values())]
        for name, content in blobs.items()
    ]
    header = canonical_json({**head, "tables": sizes}).encode()
    size = len(header).to_bytes(4, "little")
    content = b"".join((_MAGIC, size, header, *blobs.values()))
    return content + zlib.crc32(content).to_bytes(4, "little")


def _unpacked(content: bytes, name: str) -> tuple[dict[str, Any], _Tables]:
    if not re.match(rb"VLD\d.{4}", content, re.DOTALL):
        raise ValueError(f"it begins with {content[:4]!r}")
    if not content.startswith(_MAGIC):
        raise StoreUnavailable(
            f"{name} begins with {content[:4]!r}, not {_MAGIC!r}: it was written by another "
            "version of Velour; upgrade this one."
        )
    at = 8 + int.from_bytes(content[4:8], "little")
    header = json.loads(content[8:at])
    spans: dict[str, tuple[int, int]] = {}
    nbytes = 0
    for name, size, *in_memory in header["tables"]:
        spans[name] = (at, size)
        at += size
        nbytes += in_memory[0] if in_memory else _EXPANSION * size
    return header, _Tables(content, spans, nbytes, name, has_checksum=_check(content, at))


def _check(content: bytes, end: int) -> bool:
    """Compare the checksum behind the tables; false where there is none.

    Raises:
        ValueError: it differs, or the tables are cut.
    """
    checksum = content[end:]
    if len(content) < end:
        raise ValueError(f"{end} bytes were written, and {len(content)} are there")
    if checksum and zlib.crc32(memoryview(content)[:end]).to_bytes(4, "little") != checksum:
        raise ValueError("its checksum differs")
    return bool(checksum)


class _Tables(Mapping[str, Columns]):
    """Tables by name, each decoded from its parquet when it is first used."""

    def __init__(
        self,
        content: bytes,
        spans: Mapping[str, tuple[int, int]],
        nbytes: int,
        name: str,
        *,
        has_checksum: bool,
    ) -> None:
        self.has_checksum = has_checksum
        self._content, self._spans, self._name = content, dict(spans), name
        self._read: dict[str, Columns] = {}
        self.nbytes = nbytes

    def pop(self, name: str) -> Columns:
        """Remove a table that is not part of the ledger, and return it."""
        return _from_parquet(self._content, *self._spans.pop(name))

    def __getitem__(self, name: str) -> Columns:
        if name not in self._read:
            span = self._spans[name]
            with undamaged(self._name):
                self._read[name] = _from_parquet(self._content, *span)
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._spans

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)


def _from_parquet(content: bytes, at: int, size: int) -> dict[str, NDArray[Any]]:
    import pyarrow as pa

    table = parquet_to_table(pa.py_buffer(content).slice(at, size))
    return {name: column_to_numpy(table[name]) for name in table.column_names}
