"""The one order of datums: everywhere, so that the order in which they came changes nothing."""

from __future__ import annotations

import re


def natural_order(uid: str) -> tuple[int, int, str]:
    """Sort key of uids: whole numbers first, by size; then the others, as text.

    >>> sorted(["10", "b", "9", "a"], key=natural_order)
    ['9', '10', 'a', 'b']
    """
    return (0, int(uid), uid) if re.fullmatch(r"-?\d{1,18}", uid) else (1, 0, uid)
