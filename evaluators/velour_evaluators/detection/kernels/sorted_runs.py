"""Merge sorted runs of rows, in numpy: the reference of the compiled ``merge``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

MANY_ROWS = 1_000_000
"""From here on threads pay."""

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of rows, group by group.

    Args:
        group: ``(groups + 1,)`` which run is the first of each group, and how many runs there are.
        begin: ``(runs,)`` the first row of each run.
        end: ``(runs,)`` the row after its last.
    """

    group: Positions
    begin: Positions
    end: Positions

    @classmethod
    def of(cls, group: NDArray[Any], begin: Positions, end: Positions, groups: int) -> Runs:
        """Group runs that come in any order, with the number of each one's group; empty ones go."""
        kept = np.flatnonzero(end > begin)
        kept = kept[np.argsort(group[kept], kind="stable")]
        first = np.searchsorted(group[kept], np.arange(groups + 1))
        return cls(first.astype(np.int64), begin[kept], end[kept])

    @property
    def sizes(self) -> Positions:
        """How many rows each group has: ``(groups,)``."""
        before = np.concatenate(([0], np.cumsum(self.end - self.begin)))
        return np.diff(before[self.group])


def merged_runs(
    runs: Runs, score: NDArray[np.float64], datum: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Merge sorted runs: the order of all rows, group by group, by falling score, then by datum.

    Rows of equal score and datum keep the order of the runs, and within a run their own.

    Args:
        runs: that cover every row once, each sorted by falling score, then by datum.
        score: ``(n,)`` in [0, 1].
        datum: ``(n,)`` at least 0.

    >>> runs = Runs.of(np.array([0, 0]), np.array([0, 2]), np.array([2, 4]), 1)
    >>> merged_runs(runs, np.array([0.9, 0.5, 0.7, 0.5]), np.array([0, 1, 3, 2], np.int32))
    array([0, 2, 1, 3])
    """
    ranges = [np.arange(*ends) for ends in zip(runs.begin, runs.end, strict=True)]
    order = np.concatenate([np.empty(0, np.int64), *ranges])

    def merge(bounds: tuple[int, int]) -> None:
        rows = order[slice(*bounds)]
        # numpy's stable sort of floats merges what is sorted already
        rows[:] = rows[np.argsort(-score[rows], kind="stable")]
        if _falls_within_ties(score[rows], datum[rows]):
            rows[:] = rows[np.lexsort((datum[rows], -score[rows]))]

    each(merge, pairwise([0, *np.cumsum(runs.sizes).tolist()]), len(order))
    return order


def _falls_within_ties(score: NDArray[np.float64], datum: NDArray[np.int32]) -> bool:
    """Whether rows of equal scores are not in the order of their datums."""
    return bool(((score[1:] == score[:-1]) & (datum[1:] < datum[:-1])).any())


def each(work: Callable[[Any], Any], items: Iterable[Any], rows: int) -> list[Any]:
    """Apply a function to all items, in threads where there are many rows; return the results.

    Numpy lets go of the interpreter's lock while it sorts and gathers; each has an array of its
    own to write, so the number of threads changes nothing.
    """
    if rows < MANY_ROWS:
        return list(map(work, items))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, items))
