"""Paths that data name: whether they stay in the folder where the data say they are."""

from __future__ import annotations

import os
from pathlib import Path


def is_within(path: str | Path, folder: str | Path) -> bool:
    """Whether a path is in a folder, once ``..`` and symbolic links have been followed.

    >>> is_within("images/../images/a.png", "images"), is_within("images/../a.png", "images")
    (True, False)
    """
    try:
        root = os.path.realpath(folder)
        return os.path.commonpath((os.path.realpath(path), root)) == root
    except (OSError, ValueError):  # another drive, U+0000, a name that is too long
        return False
