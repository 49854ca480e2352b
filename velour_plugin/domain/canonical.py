"""One spelling for equal things: canonical JSON, and the digests that name content by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from velour_plugin.domain.digests import Digests


def canonical_json(value: Any) -> str:
    """Spell a JSON value in the one way that all equal values share.

    Keys are sorted, white space is absent, and a whole number is written the same
    whether it came as ``1`` or ``1.0``. NaN and infinity raise :class:`ValueError`.

    >>> canonical_json({"b": 1.0, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return _ENCODER.encode(_plain(value))


def exact_json(value: Any) -> str:
    """Spell a JSON value as short as can be; unlike in canonical JSON, 2.0 stays a fraction.

    >>> exact_json({"b": 1.0, "a": [True, None]})
    '{"b":1.0,"a":[true,null]}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(*parts: str | bytes) -> str:
    """Name content by 64 hexadecimal digits of SHA-256; parts cannot run into each other."""
    return hashlib.sha256(b"".join(map(_measured, parts))).hexdigest()


class Digest:
    """A :func:`digest` whose parts come one after another, however many there are."""

    def __init__(self, *parts: str | bytes) -> None:
        self._total = hashlib.sha256()
        self.add(*parts)

    def add(self, *parts: str | bytes) -> None:
        """Take in more parts."""
        self._total.update(_measured_names(parts) or b"".join(map(_measured, parts)))

    def add_all(self, names: Sequence[str]) -> None:
        """Take in digests, however many: in pieces, so that their digits take little memory."""
        for start in range(0, len(names), _PIECE):
            self._total.update(_measured_digests(names[start : start + _PIECE]))

    @property
    def hex(self) -> str:
        """The name of everything that was taken in."""
        return self._total.hexdigest()


def _measured(part: str | bytes) -> bytes:
    data = part.encode() if isinstance(part, str) else part
    return len(data).to_bytes(8, "little") + data


def _measured_names(parts: Sequence[str | bytes]) -> bytes | None:
    """The same at once for many parts of one length, such as digests; ``None`` for others."""
    lengths = set(map(len, parts))
    if len(parts) < _MANY or len(lengths) > 1 or not all(type(part) is str for part in parts):
        return None
    length = lengths.pop()
    before = length.to_bytes(8, "little")
    text = [part.encode() for part in parts]  # type: ignore[union-attr]
    return before + before.join(text) if set(map(len, text)) == {length} else None


def _measured_digests(names: Sequence[str]) -> bytes:
    """The same of digests, which are all of one length."""
    if not isinstance(names, Digests):
        return b"".join(map(_measured, names))
    measured = np.empty((len(names), 72), np.uint8)
    measured[:, :8] = np.frombuffer((64).to_bytes(8, "little"), np.uint8)
    measured[:, 8:] = np.frombuffer(names.digits, np.uint8).reshape(-1, 64)
    return measured.tobytes()


_PIECE = 1 << 14
_MANY = 1_000
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
_SAME = (str, int, bool, type(None))


def _plain(value: Any) -> Any:
    if type(value) in _SAME:
        return value
    if isinstance(value, dict):
        return {
            str(key): item
            if (kind := type(item)) in _SAME or (kind is float and not item.is_integer())
            else _plain(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
