"""SHA-256 digests of many things at once: kept as 32 bytes each, read as hexadecimal."""

from __future__ import annotations

import hashlib
from binascii import hexlify
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.encoding.canonical import measured
from velour_plugin.native.digest import measured_digits
from velour_plugin.native.library import library

Bytes32 = NDArray[np.uint8]


class Digests(Sequence[str]):
    """A sequence of digests: each is kept as 32 bytes and read as 64 hexadecimal digits.

    Args:
        values: ``(n, 32)`` uint8.

    >>> digests = Digests(np.zeros((2, 32), np.uint8))
    >>> len(digests), digests[1] == "0" * 64, digests[:1] == ["0" * 64]
    (2, True, True)
    """

    __slots__ = ("values",)

    def __init__(self, values: Bytes32) -> None:
        self.values = values

    @classmethod
    def of(cls, names: Sequence[str]) -> Digests:
        """Convert from texts of hexadecimal digits; :class:`Digests` are returned as they are."""
        if isinstance(names, Digests):
            return names
        return cls(np.frombuffer(bytes.fromhex("".join(names)), np.uint8).reshape(-1, 32))

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Digests: ...
    def __getitem__(self, index: int | slice) -> str | Digests:
        if isinstance(index, slice):
            return Digests(self.values[index])
        return bytes(self.values[index]).hex()

    def __iter__(self) -> Iterator[str]:
        digits = self.digits.decode()
        return (digits[start : start + 64] for start in range(0, len(digits), 64))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Digests):
            return np.array_equal(self.values, other.values)
        if isinstance(other, (tuple, list)):
            return len(self) == len(other) and all(map(str.__eq__, self, other))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.values.tobytes())

    def __repr__(self) -> str:
        return f"<Digests of {len(self):,}>"

    @property
    def digits(self) -> bytes:
        """All digests in hexadecimal, concatenated."""
        return hexlify(self.values.tobytes())

    def where(self, chosen: NDArray[Any]) -> Digests:
        """Return the digests that a boolean mask of shape ``(n,)`` selects."""
        return Digests(self.values[chosen])


class Digest:
    """A SHA-256 digest that is updated part by part; equal to :func:`digest` of all the parts."""

    def __init__(self, *parts: str | bytes) -> None:
        self._total = hashlib.sha256()
        self.add(*parts)

    def add(self, *parts: str | bytes) -> None:
        """Append parts."""
        self._total.update(_measured_names(parts) or b"".join(map(measured, parts)))

    def add_all(self, names: Sequence[str]) -> None:
        """Append many hexadecimal digests, in pieces, so that their digits take little memory."""
        for start in range(0, len(names), _PIECE):
            self._total.update(_measured_digests(names[start : start + _PIECE]))

    @property
    def hex(self) -> str:
        """The digest of all parts, as 64 hexadecimal digits."""
        return self._total.hexdigest()


def chosen_names(names: Sequence[str], chosen: NDArray[np.bool_]) -> Sequence[str]:
    """Return the digests that a boolean mask selects, of the same type as ``names``."""
    return names.where(chosen) if isinstance(names, Digests) else tuple(compress(names, chosen))


def _measured_names(parts: Sequence[str | bytes]) -> bytes | None:
    """All parts with their lengths, at once for many parts of one length; ``None`` for others."""
    lengths = set(map(len, parts))
    if len(parts) < _MANY or len(lengths) > 1 or not all(type(part) is str for part in parts):
        return None
    length = lengths.pop()
    before = length.to_bytes(8, "little")
    text = [part.encode() for part in parts]  # type: ignore[union-attr]
    return before + before.join(text) if set(map(len, text)) == {length} else None


def _measured_digests(names: Sequence[str]) -> bytes | memoryview:
    """Digests with their lengths in front, as :func:`measured` writes each."""
    if not isinstance(names, Digests):
        return b"".join(map(measured, names))
    if library.available():
        return measured_digits(names.values).data
    measured_rows = np.empty((len(names), 72), np.uint8)
    measured_rows[:, :8] = np.frombuffer((64).to_bytes(8, "little"), np.uint8)
    measured_rows[:, 8:] = np.frombuffer(names.digits, np.uint8).reshape(-1, 64)
    return measured_rows.tobytes()


_PIECE = 1 << 14
_MANY = 1_000
