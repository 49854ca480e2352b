"""Sorted runs are merged as one sort of all rows would order them, by either engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from velour_evaluators.detection.kernels import sorted_runs
from velour_evaluators.detection.kernels.sorted_runs import Runs
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import merge as native_merge

needs_compiler = pytest.mark.skipif(not library.available(), reason=library.describe())
ENGINES = [sorted_runs.merged_runs, pytest.param(native_merge.merged_runs, marks=needs_compiler)]
Merge = Callable[[Runs, NDArray[np.float64], NDArray[np.int32]], NDArray[np.int64]]


def drawn(rng: np.random.Generator) -> tuple[Runs, NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Runs of rows that are often tied; with the group of each row."""
    groups, pieces, rows = (int(rng.integers(low, high)) for low, high in ((1, 5), (1, 9), (0, 90)))
    piece, group = np.sort(rng.integers(0, pieces, rows)), rng.integers(0, groups, rows)
    score = rng.choice([0.0, -0.0, 5e-324, 0.25, 0.5, 1.0], rows)
    datum = rng.integers(0, 9, rows) * (pieces if rng.random() < 0.5 else 1)
    datum = (datum + (piece if rng.random() < 0.5 else 9 * piece)).astype(np.int32)
    order = np.lexsort((datum, -score, group, piece))
    cells = (piece * groups + group)[order]
    bounds = np.searchsorted(cells, np.arange(pieces * groups + 1))
    runs = Runs.of(np.tile(np.arange(groups), pieces), bounds[:-1], bounds[1:], groups)
    return runs, score[order], datum[order], group[order]


@pytest.mark.parametrize("merge", ENGINES)
@pytest.mark.parametrize("seed", range(60))
def test_rows_are_sorted_by_group_score_and_datum(merge: Merge, seed: int) -> None:
    """Up to eight runs of a group, none or one row long too, interleaved or one after another."""
    runs, score, datum, group = drawn(np.random.default_rng(seed))

    order = merge(runs, score, datum)

    assert order.tolist() == np.lexsort((datum, -score, group)).tolist()
    assert runs.sizes.tolist() == np.bincount(group, minlength=len(runs.sizes)).tolist()


@pytest.mark.parametrize("merge", ENGINES)
def test_many_rows_are_merged_on_many_threads(
    merge: Merge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorted_runs, "MANY_ROWS", 1)
    rng = np.random.default_rng(7)
    score = -np.sort(-rng.integers(0, 50, (6, 10_000)) / 49)
    runs = Runs.of(np.arange(6) % 3, np.arange(6) * 10_000, np.arange(1, 7) * 10_000, 3)
    datum = np.repeat(np.arange(6), 10_000).astype(np.int32)

    order = merge(runs, score.ravel(), datum)

    group = np.repeat(np.arange(6) % 3, 10_000)
    assert order.tolist() == np.lexsort((datum, -score.ravel(), group)).tolist()


@needs_compiler
@pytest.mark.parametrize(
    ("group", "begin", "end"),
    [
        ([0, 2], [0, 2], [2, 3]),  # a row of no run
        ([0, 2], [0, 0], [3, 4]),  # more rows than there are
        ([0, 2], [0, -1], [4, 0]),
        ([0, 2], [0, 3], [4, 2]),
        ([0, 2], [0, 4], [4, 2**62]),
        ([0, 1], [0, 2], [2, 4]),  # a run of no group
        ([0, 3], [0, 2], [2, 4]),
        ([1, 2], [0, 2], [2, 4]),
        ([0, 2, 1], [0, 2], [2, 4]),
        ([0], [], []),
    ],
)
def test_runs_that_do_not_cover_the_rows_are_refused(
    group: list[int], begin: list[int], end: list[int]
) -> None:
    runs = Runs(*(np.array(column, np.int64) for column in (group, begin, end)))
    with pytest.raises(ValueError, match=r"(run|group) at row -?\d+ is out of bounds"):
        native_merge.merged_runs(runs, np.zeros(4), np.zeros(4, np.int32))


@needs_compiler
def test_scores_that_are_none_move_no_row_out_of_its_group() -> None:
    """Such scores never get here; if they did, every row would still have one place."""
    hostile = np.array([np.nan, -np.nan, np.inf, -np.inf, -1.0, 0.0, 2.0, 1e308])
    runs = Runs.of(np.array([0, 0, 1, 1]), np.arange(0, 8, 2), np.arange(2, 9, 2), 2)
    order = native_merge.merged_runs(runs, hostile, np.full(8, -1, np.int32))
    assert sorted(order[:4].tolist()) == [0, 1, 2, 3]
    assert sorted(order[4:].tolist()) == [4, 5, 6, 7]
