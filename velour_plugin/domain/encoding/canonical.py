"""One spelling for equal things: canonical JSON, and the digests that name content by it."""

from __future__ import annotations

import hashlib
import json
from typing import Any


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
    return hashlib.sha256(b"".join(map(measured, parts))).hexdigest()


def measured(part: str | bytes) -> bytes:
    """A part of a digest: its length as 8 bytes, little endian, then the part."""
    data = part.encode() if isinstance(part, str) else part
    return len(data).to_bytes(8, "little") + data


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
