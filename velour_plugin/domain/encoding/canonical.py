"""Canonical JSON (equal values, equal text), and SHA-256 digests of content."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Return a JSON value as canonical text: equal values have equal texts.

    Keys are sorted, white space is absent, and a whole number is written the same
    whether it came as ``1`` or ``1.0``. NaN and infinity raise :class:`ValueError`.

    >>> canonical_json({"b": 1.0, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return _ENCODER.encode(_plain(value))


def exact_json(value: Any) -> str:
    """Return a JSON value as short text; unlike in canonical JSON, 2.0 stays a float.

    >>> exact_json({"b": 1.0, "a": [True, None]})
    '{"b":1.0,"a":[true,null]}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(*parts: str | bytes) -> str:
    """Return the SHA-256 of parts as 64 hexadecimal digits; lengths keep the parts apart."""
    return hashlib.sha256(b"".join(map(measured, parts))).hexdigest()


def measured(part: str | bytes) -> bytes:
    """Return a part of a digest with its length in front: 8 bytes, little endian."""
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
