"""Where the outline of a polygon crosses the pixel columns of an image, by COCO's rule.

COCO walks each side of a ring on a grid five times as fine as the pixels, and notes where it steps
over the middle of a pixel column. Only those columns of the image that a side crosses are
looked at here: the same positions, and a point far outside costs nothing.

Source: ``common/maskApi.c`` of the COCO API (rleFrPoly).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.errors import BadGeometry

Integers = NDArray[np.int64]

FARTHEST = 1e15
"""Pixels from the origin: so far, fine coordinates are whole numbers that a float64 holds."""
_SUBPIXELS = 5
_AT_ONCE = 1 << 20


def ring_crossings(ring: NDArray[np.float64], height: int, width: int) -> Iterator[Integers]:
    """Positions (``column * height + row``) at which a ring crosses the middle of pixel columns.

    Args:
        ring: ``(points, 2)`` as x, y in pixels.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Yields:
        Positions in any order; about a million at once.

    Raises:
        BadGeometry: a point is farther than :data:`FARTHEST` from the origin.
    """
    if not (np.abs(ring) <= FARTHEST).all():
        raise BadGeometry(
            f"a polygon reaches to {np.abs(ring).max():g} pixels: expected points within "
            f"{FARTHEST:g} of the origin."
        )
    points = np.trunc(_SUBPIXELS * ring + 0.5).astype(np.int64)
    sides = _Sides.between(points, np.roll(points, -1, axis=0))
    ends = np.array([sides.points_at(done) for done in (np.zeros_like(sides.steps), sides.steps)])
    first, count = _columns_between(ends[0, 0], ends[1, 0], width)
    u, v = _between_sides(ends, sides.backwards)
    yield _positions(u, v, height, width)
    for begin, end in _pieces(count):
        side = np.repeat(np.arange(begin, end), count[begin:end])
        nth = np.arange(len(side)) - np.searchsorted(side, side)
        u = _SUBPIXELS * (first[side] + nth) + _SUBPIXELS // 2
        crosses, row = sides[side].crossed(u)
        yield _positions(u[crosses], row[crosses], height, width)


def _pieces(count: Integers) -> Iterator[tuple[int, int]]:
    """Sides that follow each other, about :data:`_AT_ONCE` columns at once."""
    total = np.cumsum(count)
    cuts = np.searchsorted(total, np.arange(_AT_ONCE, total[-1], _AT_ONCE)) + 1
    return pairwise(sorted({0, *cuts.tolist(), len(count)}))


@dataclass(frozen=True, slots=True)
class _Sides:
    """Sides of a ring on the fine grid: points at whole steps along their longer direction.

    Args:
        flat: ``(n,)`` whether a side is wider than tall.
        backwards: ``(n,)`` whether the ring runs against the steps.
        along: ``(n,)`` where its steps begin, the lower end.
        across: ``(n,)`` where it begins in the other direction.
        steps: ``(n,)`` to its other end.
        rise: ``(n,)`` across, for each step.
    """

    flat: NDArray[np.bool_]
    backwards: NDArray[np.bool_]
    along: Integers
    across: Integers
    steps: Integers
    rise: NDArray[np.float64]

    @classmethod
    def between(cls, start: Integers, stop: Integers) -> _Sides:
        """Sides from points to points, ``(n, 2)`` each."""
        delta = np.abs(stop - start)
        flat = delta[:, 0] >= delta[:, 1]
        side, longer = np.arange(len(start)), np.where(flat, 0, 1)
        backwards = start[side, longer] > stop[side, longer]
        low = np.where(backwards[:, None], stop, start)
        high = np.where(backwards[:, None], start, stop)
        steps, across = delta[side, longer], low[side, 1 - longer]
        rise = (high[side, 1 - longer] - across) / np.maximum(steps, 1)
        return cls(flat, backwards, low[side, longer], across, steps, rise)

    def __getitem__(self, chosen: Any) -> _Sides:
        return _Sides(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def across_at(self, done: Integers) -> Integers:
        """The coordinate across each side, ``done`` steps along it."""
        return np.trunc(self.across + self.rise * done + 0.5).astype(np.int64)

    def points_at(self, done: Integers) -> tuple[Integers, Integers]:
        """Fine column and row of each side, ``done`` steps along it."""
        along, across = self.along + done, self.across_at(done)
        return np.where(self.flat, along, across), np.where(self.flat, across, along)

    def crossed(self, u: Integers) -> tuple[NDArray[np.bool_], Integers]:
        """Whether each side steps away from its fine column ``u``, and the lower row there."""
        here = u - self.along
        lower = np.minimum(self.across_at(here), self.across_at(here + 1))
        beyond = self._first_beyond(u)
        leaves = self.across_at(beyond - (self.rise > 0)) == u
        return self.flat | leaves, np.where(self.flat, lower, self.along + beyond - 1)

    def _first_beyond(self, u: Integers) -> Integers:
        """The first step of each steep side that has left fine column ``u``."""
        end = np.where(self.flat, 1, self.steps)
        guess = ((u - self.across + 0.5) / np.where(self.rise, self.rise, 1)).astype(np.int64)
        low, high = np.clip(guess - 1, 0, end), np.clip(guess + 2, 0, end)
        low = np.where(self._is_beyond(low, u), 0, low)
        high = np.where(self._is_beyond(high, u), high, end)
        while (high - low > 1).any():  # bisection: long where the guess was inexact
            middle = low + (high - low) // 2
            beyond = self._is_beyond(middle, u)
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        return high

    def _is_beyond(self, done: Integers, u: Integers) -> NDArray[np.bool_]:
        beyond: NDArray[np.bool_] = (self.across_at(done) > u) == (self.rise > 0)
        return beyond


def _between_sides(ends: Integers, backwards: NDArray[np.bool_]) -> Integers:
    """Steps from the end of one side to the beginning of the next, maybe a fine point apart.

    Args:
        ends: ``(2, 2, n)`` fine column and row of each side's first step, and of its last.
        backwards: ``(n,)`` whether the ring runs against the steps.
    """
    first, last = np.where(backwards, ends[::-1], ends)
    apart = np.flatnonzero(last[0, :-1] != first[0, 1:])
    lower: Integers = np.minimum(last[:, apart], first[:, apart + 1])
    return lower


def _columns_between(begin: Integers, end: Integers, width: int) -> tuple[Integers, Integers]:
    """The first pixel column of the image between fine columns, and how many there are."""
    middle = _SUBPIXELS // 2
    first = -((middle - np.minimum(begin, end)) // _SUBPIXELS)
    last = (np.maximum(begin, end) - 1 - middle) // _SUBPIXELS
    first, last = np.maximum(first, 0), np.minimum(last, width - 1)
    return first, np.maximum(last - first + 1, 0)


def _positions(u: Integers, v: Integers, height: int, width: int) -> Integers:
    """Positions of steps away from fine columns, of those that are the middle of a pixel column."""
    column, rest = np.divmod(u, _SUBPIXELS)
    counts = (rest == _SUBPIXELS // 2) & (column >= 0) & (column < width)
    y = np.clip((v[counts] + 0.5) / _SUBPIXELS - 0.5, 0, height)
    positions: Integers = column[counts] * height + np.ceil(y).astype(np.int64)
    return positions
