"""Nearest neighbours of vectors, exact, in memory that does not grow with all pairs.

Vectors are compared a block of pairs at a time by matrix products, which are fast but
round in an order of their own. The few candidates that may be nearest are then sorted by
sums that depend on nothing but the two vectors. Ties: cosines that agree to 2**-30, and squared
distances that agree to 30 binary digits, are equal, for rounding moves equal ones apart
by less; of equally near candidates the one that comes first is nearer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from velour_plugin.errors import InvalidInput, UnknownName

Distance = Literal["cosine", "euclidean"]
Floats = NDArray[np.float64]

BLOCK = 4_000_000
"""Pairs that are compared at a time: some 150 MB."""

_DIGITS = 30
_EPSILON = float(np.finfo(np.float64).eps)
_LARGEST = 1e100


def nearest(
    queries: ArrayLike,
    k: int,
    candidates: ArrayLike | None = None,
    distance: Distance = "cosine",
    block: int = BLOCK,
) -> NDArray[np.int64]:
    """Find the nearest candidates of every query.

    Args:
        queries: ``(q, d)`` finite numbers.
        k: how many to find, >= 1.
        candidates: ``(c, d)``; ``None`` for the other queries.
        distance: ``cosine`` or ``euclidean``.
        block: pairs to compare at a time.

    Returns:
        ``(q, min(k, c))`` positions of candidates (at most ``q - 1`` of the other queries),
        the nearest first, the earlier first among equally near ones.

    Raises:
        InvalidInput: a vector is not finite, of another length, or without a direction, or
            ``k`` is not a whole number >= 1.
        UnknownName: ``distance`` is neither.
    """
    if distance not in ("cosine", "euclidean"):
        raise UnknownName("distance", distance, ("cosine", "euclidean"))
    left = checked(queries)
    right = left if candidates is None else checked(candidates, left.shape[1])
    most = min(_checked_k(k), len(right) - (candidates is None))
    if most < 1 or not len(left):
        return np.zeros((len(left), 0), np.int64)
    candidate = _Side.of(right, distance, right.mean(axis=0))
    query = candidate if candidates is None else _Side.of(left, distance, right.mean(axis=0))
    parts = []
    for rows in blocks(len(left), len(right), block):
        queries_of_block = _Side(*(column[rows] for column in query))
        near = 2 * (queries_of_block.multiplied @ candidate.multiplied.T) - candidate.squares
        if candidates is None:
            near[np.arange(len(near)), np.arange(rows.start, rows.stop)] = -np.inf
        parts.append(_first(near, queries_of_block, candidate, distance, most))
    return np.concatenate(parts)


def blocks(rows: int, columns: int, block: int) -> Iterator[slice]:
    """Yield slices of rows, so that each has at most ``block`` pairs, or one row."""
    step = max(1, block // max(columns, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def checked(vectors: ArrayLike, length: int | None = None) -> Floats:
    """Return vectors as ``(n, d)`` float64, or refuse numbers whose squares overflow."""
    array = np.asarray(vectors, np.float64)
    if array.ndim != 2 or (length is not None and array.shape[1] != length):
        raise InvalidInput(
            f"embeddings of shape {array.shape}: expected (n, {length or 'd'}), all of one length."
        )
    wrong = np.flatnonzero(~(np.abs(array) <= _LARGEST).all(axis=1))
    if wrong.size:
        raise InvalidInput(
            f"embedding {wrong[0]} has NaN, infinity or a number beyond {_LARGEST:g}: leave it out."
        )
    return array


def unit(vectors: Floats) -> Floats:
    """Scale each vector to length 1, by its largest number first, so that no square vanishes."""
    largest = np.abs(vectors).max(axis=1, initial=0.0, keepdims=True)
    wrong = np.flatnonzero(largest == 0)
    if wrong.size:
        raise InvalidInput(
            f"embedding {wrong[0]} is all zero: it has no direction, so no cosine; leave it out, "
            "or use distance='euclidean'."
        )
    scaled = vectors / largest
    return np.asarray(scaled / np.sqrt((scaled**2).sum(axis=1, keepdims=True)))


class _Side(NamedTuple):
    """Vectors as they are compared exactly and as they are multiplied, and the latter's squares.

    Those of euclidean distance are multiplied after centring, which costs the fewest digits.
    """

    exact: Floats
    multiplied: Floats
    squares: Floats

    @classmethod
    def of(cls, vectors: Floats, distance: Distance, centre: Floats) -> _Side:
        exact = unit(vectors) if distance == "cosine" else vectors
        multiplied = exact if distance == "cosine" else vectors - centre
        return cls(exact, multiplied, (multiplied**2).sum(axis=1))


def _first(
    near: Floats, query: _Side, candidate: _Side, distance: Distance, most: int
) -> NDArray[np.int64]:
    """Sort the candidates that may be nearest, row by row, and keep the first of each row.

    Args:
        near: ``(q, c)`` squared length of a query less its squared distance: larger is nearer.
        query: queries of these rows.
        candidate: all candidates.
        distance: how they are compared.
        most: how many to keep.
    """
    worst = np.partition(near, near.shape[1] - most, axis=1)[:, near.shape[1] - most]
    row, column = np.nonzero(near >= (worst - _doubt(worst, query, candidate, distance))[:, None])
    exact = np.concatenate(
        [
            _exact(query.exact[row[part]], candidate.exact[column[part]], distance)
            for part in blocks(len(row), query.exact.shape[1], BLOCK)
        ]
    )
    order = np.lexsort((column, -exact, row))
    rank = np.arange(len(row)) - np.searchsorted(row, np.arange(len(near)))[row]
    return column[order[rank < most]].reshape(len(near), most)


def _doubt(worst: Floats, query: _Side, candidate: _Side, distance: Distance) -> Floats:
    """``(q,)`` rounding margin: a candidate this much farther than the worst may tie with it."""
    margin = 8 * (query.multiplied.shape[1] + 2) * _EPSILON
    rounding = margin * (np.sqrt(query.squares) + np.sqrt(candidate.squares.max())) ** 2
    far = 1.0 if distance == "cosine" else query.squares - worst + rounding
    return np.asarray(rounding + np.ldexp(far, 2 - _DIGITS))


def _exact(query: Floats, candidate: Floats, distance: Distance) -> Floats:
    """Nearness of pairs, row by row, summed in an order that depends on ``d`` alone."""
    if distance == "cosine":
        return np.asarray(np.rint(np.ldexp((query * candidate).sum(axis=1), _DIGITS)))
    digits, exponent = np.frexp(((query - candidate) ** 2).sum(axis=1))
    return np.asarray(-np.ldexp(np.rint(np.ldexp(digits, _DIGITS)), exponent))


def _checked_k(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InvalidInput(f"k {k!r}: expected a whole number of neighbours >= 1.")
    return int(k)
