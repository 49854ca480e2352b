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
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(*parts: str | bytes) -> str:
    """Name content by 64 hexadecimal digits of SHA-256; parts cannot run into each other."""
    return Digest(*parts).hex


class Digest:
    """A :func:`digest` whose parts come one after another, however many there are."""

    def __init__(self, *parts: str | bytes) -> None:
        self._total = hashlib.sha256()
        self.add(*parts)

    def add(self, *parts: str | bytes) -> None:
        """Take in more parts."""
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            self._total.update(len(data).to_bytes(8, "little"))
            self._total.update(data)

    @property
    def hex(self) -> str:
        """The name of everything that was taken in."""
        return self._total.hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
