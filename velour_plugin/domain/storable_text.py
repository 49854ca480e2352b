"""Text that every store can hold."""

from __future__ import annotations


def is_storable(text: object) -> bool:
    r"""Whether something is text that UTF-8 can encode, without U+0000.

    PostgreSQL stores no U+0000, and half of a surrogate pair has no UTF-8.

    >>> is_storable("Zürich"), is_storable("\x00"), is_storable("\ud800"), is_storable(7)
    (True, False, False, False)
    """
    try:
        return isinstance(text, str) and b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False
