"""Text that every store can hold."""

from __future__ import annotations

LONGEST_NAME = 1_000
"""Bytes in UTF-8 of a label's key or value, and of the name of a dataset or model.

PostgreSQL indexes names, and an index has no room for more than two of them.
"""
LONGEST_UID = 2_500
"""Bytes of a datum's uid, which may be a path or an address."""


def is_storable(text: object) -> bool:
    r"""Whether something is text that UTF-8 can encode, without U+0000.

    PostgreSQL stores no U+0000, and half of a surrogate pair has no UTF-8.

    >>> is_storable("Zürich"), is_storable("\x00"), is_storable("\ud800"), is_storable(7)
    (True, False, False, False)
    """
    return isinstance(text, str) and _storable_bytes(text) is not None


def is_name(text: object, longest: int = LONGEST_NAME) -> bool:
    """Whether something is storable text of at least one and at most so many bytes.

    >>> is_name("cat"), is_name(""), is_name("é" * 501)
    (True, False, False)
    """
    encoded = _storable_bytes(text) if isinstance(text, str) else None
    return encoded is not None and 0 < len(encoded) <= longest


def _storable_bytes(text: str) -> bytes | None:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return None
    return None if b"\x00" in encoded else encoded
