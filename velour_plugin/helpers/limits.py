"""Limits that keep the cost of a file in proportion, each raised by an environment variable.

``docs/operations.md`` says what each of them bounds.
"""

from __future__ import annotations

import os

from velour_plugin.errors import InvalidInput

DEFAULTS = {
    "VELOUR_MAX_FILE_BYTES": 1 << 34,
    "VELOUR_MAX_UNPACKED_RATIO": 200,
    "VELOUR_MAX_IMAGE_SIDE": 1_000_000,
    "VELOUR_MAX_LABEL_PIXELS": 1 << 28,
}


def limit(name: str) -> int:
    """The limit that an environment variable sets, or its default.

    Raises:
        InvalidInput: the variable is no whole number above 0.
    """
    text = os.environ.get(name) or str(DEFAULTS[name])
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text)):
        raise InvalidInput(f"{name}={text!r}: expected a whole number above 0.")
    return int(text)
