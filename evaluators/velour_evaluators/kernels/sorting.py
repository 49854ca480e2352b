"""Stable orders of large columns, by radix: numpy sorts 16-bit keys in linear time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.intp]


def stable_order(keys: NDArray[np.integer], size: int) -> Order:
    """Return the order of whole numbers, equal ones as they came.

    Args:
        keys: ``(n,)`` in [0, size).
        size: how many different keys there can be.

    >>> stable_order(np.array([2, 0, 2, 1]), 3)
    array([1, 3, 0, 2])
    """
    order = np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")
    shift = 16
    while size > 1 << shift:
        digit = ((keys >> shift) & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
        shift += 16
    return order


def descending_order(scores: NDArray[np.float64]) -> Order:
    """Return the order of scores from high to low, equal ones as they came.

    Args:
        scores: ``(n,)`` in [0, 1], where the bits of a float sort as the float does.

    >>> descending_order(np.array([0.5, 0.9, 0.5]))
    array([1, 0, 2])
    """
    if scores.size < 256:
        return np.argsort(-scores, kind="stable")
    keys = np.int64(0x3FF0_0000_0000_0000) - (scores + 0.0).view(np.int64)  # + 0.0: no -0.0
    order = np.arange(scores.size)
    for shift in (0, 16, 32, 48):
        digit = ((keys >> shift) & 0xFFFF).astype(np.uint16)
        if digit.min() < digit.max():
            order = order[np.argsort(digit[order], kind="stable")]
    return order


def starts_of_runs(*columns: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return where each run of equal rows begins; empty for no rows.

    >>> starts_of_runs(np.array([4, 4, 5]), np.array([1, 2, 2]))
    array([0, 1, 2])
    """
    rows = len(columns[0])
    new = np.zeros(rows, bool)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def count_within(starts: NDArray[np.intp], rows: int) -> NDArray[np.intp]:
    """Number the rows of each run from 0.

    >>> count_within(np.array([0, 2]), 5)
    array([0, 1, 0, 1, 2])
    """
    lengths = np.diff(np.append(starts, rows))
    return np.arange(rows) - np.repeat(starts, lengths)
