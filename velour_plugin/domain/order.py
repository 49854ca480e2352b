"""The order of datums, the same everywhere: the order of the input changes no result."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def natural_order(uid: str) -> tuple[int, int, str]:
    """Return a sort key of a uid: whole numbers first, by size; then the others, as text.

    >>> sorted(["10", "b", "9", "a"], key=natural_order)
    ['9', '10', 'a', 'b']
    """
    return (0, int(uid), uid) if re.fullmatch(r"-?\d{1,18}", uid) else (1, 0, uid)


def natural_argsort(uids: Sequence[str]) -> NDArray[np.intp]:
    """Return the indices that sort uids in :func:`natural_order`: ``(n,)``.

    >>> natural_argsort(["10", "b", "9"]).tolist()
    [2, 0, 1]
    """
    if re.fullmatch(r"(?:-?\d{1,18}\n)*", "\n".join([*uids, ""])):
        numbers = np.fromiter(map(int, uids), np.int64, len(uids))
        order = np.argsort(numbers, kind="stable")
        if (np.diff(numbers[order]) > 0).all():  # 7 and 07 are distinguished as text
            return order
    keys = list(map(natural_order, uids))
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp)
