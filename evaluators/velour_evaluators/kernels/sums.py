"""Sums that are equal to the bit in any order, and for weights as for copies of rows.

Floats add up differently in another order, so a slice by weights and the same slice of
the data would differ in their last digit. Here they are rounded once to multiples of
2**-52, which is finer than the float spacing at 1, and add up as whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.signedinteger]

_BITS = 52
_LOW = 26


def ratio(parts: NDArray[Any], wholes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide by counts; NaN, for undefined, where a count is 0.

    >>> ratio(np.array([1, 0]), np.array([2, 0]))
    array([0.5, nan])
    """
    shares = np.full(np.broadcast_shapes(parts.shape, wholes.shape), np.nan)
    np.divide(parts, wholes, out=shares, where=wholes != 0)
    return shares


def weight_of(chosen: NDArray[np.bool_], weights: Weights | None = None) -> int:
    """Sum the weights of the chosen rows; without weights, count them.

    >>> weight_of(np.array([True, False, True]), np.array([3, 5, 0]))
    3
    """
    return int(np.count_nonzero(chosen) if weights is None else weights[chosen].sum(dtype=np.int64))


def count_by(
    groups: NDArray[np.integer], size: int, weights: Weights | None = None
) -> NDArray[np.int64]:
    """Sum the weights of the rows of each group; exact below 2**53.

    Args:
        groups: ``(n,)`` in [0, size).
        size: number of groups.
        weights: ``(n,)``, whole numbers; ``None`` for 1 each.

    >>> count_by(np.array([0, 2, 2]), 3)
    array([1, 0, 2])
    """
    return np.bincount(groups, weights, minlength=size).astype(np.int64, copy=False)


def segment_sums(values: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum neighbouring whole numbers, by segment; 0 for an empty segment.

    Args:
        values: ``(n,)``.
        bounds: ``(segments + 1,)``, from 0 to n, never falling.

    >>> segment_sums(np.array([1, 2, 4]), np.array([0, 2, 2, 3]))
    array([3, 0, 4])
    """
    return np.diff(running_sum(values)[bounds])


def bounds_of(groups: NDArray[np.integer], size: int) -> NDArray[np.int64]:
    """Return where each group begins in a column sorted by group, and where the last one ends.

    Args:
        groups: ``(n,)`` never falling, in [0, size).
        size: number of groups.

    >>> bounds_of(np.array([0, 0, 2]), 3)
    array([0, 2, 2, 3])
    """
    values = np.arange(size + 1, dtype=groups.dtype)  # of another type, numpy would copy groups
    return np.searchsorted(groups, values).astype(np.int64, copy=False)


def running_sum(values: NDArray[np.signedinteger]) -> NDArray[np.int64]:
    """Sum the values before each position, and all of them: ``(n + 1,)``, first 0.

    >>> running_sum(np.array([1, 2, 4]))
    array([0, 1, 3, 7])
    """
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def narrowest(most: int) -> type[np.signedinteger]:
    """Return the smallest integer type that holds numbers up to ``most``: less memory is faster.

    >>> narrowest(100), narrowest(128)
    (<class 'numpy.int8'>, <class 'numpy.int32'>)
    """
    if most <= np.iinfo(np.int8).max:
        return np.int8
    return np.int32 if most <= np.iinfo(np.int32).max else np.int64


def exact_sums(
    values: NDArray[np.float64],
    groups: NDArray[np.integer],
    size: int,
    weights: Weights | None = None,
) -> NDArray[np.float64]:
    """Sum values by group, exactly (see the top of this file) up to a weight of 10**8.

    Args:
        values: ``(n,)`` in [0, 1].
        groups: ``(n,)`` in [0, size).
        size: number of groups.
        weights: ``(n,)``, whole numbers; ``None`` for 1 each.

    >>> exact_sums(np.array([0.1, 0.25, 0.5]), np.array([1, 0, 0]), 2)
    array([0.75, 0.1 ])
    """
    high, low = np.zeros(size), np.zeros(size)
    for piece, halves in _pieces(values, weights):
        high += np.bincount(groups[piece], halves[0], minlength=size)  # whole numbers: exact
        low += np.bincount(groups[piece], halves[1], minlength=size)
    return np.asarray((high * 2.0**_LOW + low) * 2.0**-_BITS)


def exact_mean(values: NDArray[np.float64], weights: Weights | None = None) -> float:
    """Average values in [0, 2**10], exactly (see the top of this file).

    Returns:
        NaN when there is no weight, or a value is NaN.

    >>> exact_mean(np.array([0.5, 0.0, 9.0]), np.array([1, 1, 0]))
    0.25
    """
    total = len(values) if weights is None else int(weights.sum(dtype=np.int64))
    if not total or np.isnan(values).any():
        return np.nan
    halves = [(int(high.sum()), int(low.sum())) for _, (high, low) in _pieces(values, weights)]
    return sum((high << _LOW) + low for high, low in halves) / (total << _BITS)


def _pieces(
    values: NDArray[np.float64], weights: Weights | None
) -> Iterator[tuple[slice, tuple[NDArray[np.int64], NDArray[np.int64]]]]:
    """Halves of values, piece by piece: halves of whole columns would take much memory."""
    for start in range(0, len(values), _AT_ONCE):
        piece = slice(start, start + _AT_ONCE)
        yield piece, _halves(values[piece], None if weights is None else weights[piece])


_AT_ONCE = 1 << 16


def _halves(
    values: NDArray[np.float64], weights: Weights | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Upper and lower bits of values in units of 2**-52, times weights: sums do not overflow."""
    whole = np.rint(values * 2.0**_BITS).astype(np.int64)
    high, low = whole >> _LOW, whole & ((1 << _LOW) - 1)
    return (high, low) if weights is None else (high * weights, low * weights)
