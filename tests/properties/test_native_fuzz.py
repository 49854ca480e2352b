"""The compiled kernel gives numpy's bits on data made to be difficult."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from velour_evaluators.detection.kernels import matching, overlap
from velour_evaluators.detection.kernels.accumulate import (
    Average,
    AverageQuery,
    averages_of_curves,
    curves_of_area,
)
from velour_evaluators.detection.ledger import DetectionLedger, Selection
from velour_evaluators.kernels.native import averages as native_averages
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import match as native_match
from velour_evaluators.kernels.native import pairs as native_pairs
from velour_evaluators.kernels.native.match import BoxColumns
from velour_evaluators.kernels.sorting import descending_order, stable_order

from velour_plugin.domain.ledger import Ledger

pytestmark = pytest.mark.skipif(not library.available(), reason=library.describe())

GRIDS = [
    matching.LaneGrid(
        np.linspace(0.5, 0.95, 10).tolist(), [(0, 1e10), (0, 1024), (1024, 9216), (9216, 1e10)]
    ),
    matching.LaneGrid([0.5], [(0, 1e10)]),
    matching.LaneGrid([1.0], [(0, 1e10)]),
    matching.LaneGrid([1e-9, 0.3, 1.0], [(0, 50), (50, 1e10)]),
    matching.LaneGrid(np.linspace(0.1, 0.8, 8).tolist(), [(i * 100, 1e6) for i in range(8)]),
    matching.LaneGrid(np.linspace(0.01, 0.99, 64).tolist(), [(0, 1e10)]),
]
MOST = [(1, 10, 100), (1,), (3, 7), (100, 300, 1000), (65_535,)]


@pytest.mark.parametrize("seed", range(250))
def test_ledger_and_averages_are_numpys_to_the_bit(seed: int) -> None:
    """From columns to the ledger, and from the ledger to averages of any selection."""
    rng = np.random.default_rng(seed)
    truth, crowd, said, score, datums, labels = hard_columns(rng)
    grid, limits = GRIDS[rng.integers(len(GRIDS))], MOST[rng.integers(len(MOST))]
    size: Any = {"grid": grid, "most": limits[-1], "datums": datums, "labels": labels}
    expected = numpy_tables(truth, crowd, said, score, **size)
    tables = native_match.match_boxes(truth, crowd, said, score, **size)
    assert_same_tables(tables, expected)

    ledger = ledger_of(expected, grid, limits, datums, labels)
    stored = native_averages.StoredLedger(
        expected, datums, labels, len(grid.areas), len(grid.thresholds)
    )
    asked, groups = hard_averages(rng, grid, limits), int(rng.integers(1, 4))
    group = rng.integers(-1, groups, labels).astype(np.int32)
    for weights in selections(rng, datums):
        chosen = DetectionLedger(ledger).select(weights)
        often = None if weights is None else weights[None]
        query = AverageQuery(limits, asked, group, groups, len(asked))
        answer = native_averages.averages(stored, query, often)
        wanted = numpy_averages(chosen, grid, limits, asked, group, groups)
        for mine, theirs in zip((answer.labels, answer.groups), wanted, strict=True):
            assert np.array_equal(mine[0], theirs, equal_nan=True)
        lane, least = int(rng.integers(len(grid.thresholds))), float(rng.choice([0, 0.5, 1]))
        found, counted = native_averages.counts_at(stored, lane, least, weights)
        wanted_found, wanted_counted = chosen.counts_at(lane, least)
        assert np.array_equal(found, wanted_found)
        assert np.array_equal(counted, wanted_counted)


@pytest.mark.parametrize("seed", range(60))
def test_many_replicates_are_each_alone(seed: int) -> None:
    """A bootstrap shares work between replicates and changes none; so does asking for less."""
    rng = np.random.default_rng(seed)
    truth, crowd, said, score, datums, labels = hard_columns(rng)
    grid = GRIDS[0]
    tables = native_match.match_boxes(
        truth, crowd, said, score, grid=grid, most=100, datums=datums, labels=labels
    )
    stored, limits = native_averages.StoredLedger(tables, datums, labels, 4, 10), (1, 10, 100)
    asked, group = hard_averages(rng, grid, limits), np.zeros(labels, np.int32)
    weights = rng.integers(0, 4, (20, datums))
    query = AverageQuery(limits, asked, group, 1, len(asked))
    lean = AverageQuery(limits, asked[3:4], group, 1, 1)
    together = native_averages.averages(stored, query, weights)
    for number, some in enumerate(weights):
        alone = native_averages.averages(stored, query, some[None])
        less = native_averages.averages(stored, lean, some[None])
        for name in ("labels", "groups"):
            values = getattr(alone, name)[0]
            assert np.array_equal(getattr(together, name)[number], values, equal_nan=True)
            assert np.array_equal(getattr(less, name)[0, 0], values[3], equal_nan=True)


@pytest.mark.parametrize("seed", range(80))
def test_each_image_left_out_is_a_weighting_of_its_own(seed: int) -> None:
    """Labels that an image does not show are as they were, the others as if followed again."""
    rng = np.random.default_rng(seed)
    truth, crowd, said, score, datums, labels = hard_columns(rng)
    grid, limits = GRIDS[rng.integers(len(GRIDS))], MOST[rng.integers(len(MOST))]
    tables = native_match.match_boxes(
        truth, crowd, said, score, grid=grid, most=limits[-1], datums=datums, labels=labels
    )
    stored = native_averages.StoredLedger(
        tables, datums, labels, len(grid.areas), len(grid.thresholds)
    )
    kinds, groups = hard_averages(rng, grid, limits), int(rng.integers(1, 4))
    group = rng.integers(-1, groups, labels).astype(np.int32)
    query = AverageQuery(limits, kinds, group, groups, int(rng.integers(0, len(kinds) + 1)))
    weight = rng.integers(0, 4, datums)
    omitted = np.flatnonzero(rng.random(datums) < 0.7).astype(np.int32)
    weights = np.repeat(weight[None], len(omitted), axis=0)
    weights[np.arange(len(omitted)), omitted] = 0

    without = native_averages.omissions(stored, query, omitted, weight)
    wanted = native_averages.averages(stored, query, weights)

    for name in ("labels", "groups"):
        assert np.array_equal(getattr(without, name), getattr(wanted, name), equal_nan=True)


def test_more_images_left_out_than_are_followed_together() -> None:
    """600 images of two labels, some of one and some of both, and images that show nothing."""
    rng = np.random.default_rng(1)
    shows = rng.integers(0, 4, 600)
    truth_datum = np.concatenate([np.flatnonzero(shows & 1), np.flatnonzero(shows & 2)])
    truth_label = np.repeat([0, 1], [(shows & 1 > 0).sum(), (shows & 2 > 0).sum()])
    boxes = np.tile([0.0, 0.0, 10.0, 10.0], (len(truth_datum), 1))
    found = np.flatnonzero(rng.random(len(truth_datum)) < 0.7)
    truth = BoxColumns(
        truth_datum.astype(np.int32),
        truth_label.astype(np.int32),
        boxes,
        np.full(len(boxes), 100.0),
    )
    said = BoxColumns(*(column[found] for column in (truth.datum, truth.label, boxes, truth.area)))
    tables = native_match.match_boxes(
        truth, np.zeros(len(boxes), bool), said, rng.random(len(found)).round(2),
        grid=GRIDS[0], most=100, datums=600, labels=2,
    )  # fmt: skip
    stored = native_averages.StoredLedger(tables, 600, 2, 4, 10)
    levels = tuple(range(10))
    query = AverageQuery((1, 10, 100), [Average(0, levels)], np.zeros(2, np.int32), 1, 1)
    omitted, weights = np.arange(600, dtype=np.int32), 1 - np.eye(600, dtype=np.int64)

    without = native_averages.omissions(stored, query, omitted, np.ones(600, np.int64))

    wanted = native_averages.averages(stored, query, weights)
    assert np.array_equal(without.groups, wanted.groups)
    assert np.array_equal(without.labels, wanted.labels)
    assert len(np.unique(without.groups)) > 1


@pytest.mark.parametrize(
    ("column", "values"),
    [("omitted", [1, 0]), ("omitted", [0, 0]), ("omitted", [2]), ("weight", [-1, 1])],
)
def test_what_cannot_be_left_out_is_named(column: str, values: list[int]) -> None:
    """Images rise and are there; weights are not negative."""
    truth = BoxColumns(
        np.array([0, 1], np.int32), np.zeros(2, np.int32), np.ones((2, 4)), np.ones(2)
    )
    tables = native_match.match_boxes(
        truth, np.zeros(2, bool), truth, np.ones(2), grid=GRIDS[0], most=1, datums=2, labels=1
    )
    stored = native_averages.StoredLedger(tables, 2, 1, 4, 10)
    query = AverageQuery((1,), [Average(0, (0,))], np.zeros(1, np.int32), 1, 0)
    given: Any = {"omitted": [0, 1], "weight": [1, 1], column: values}
    with pytest.raises(ValueError, match=column):
        native_averages.omissions(
            stored, query, np.array(given["omitted"], np.int32), np.array(given["weight"])
        )


@pytest.mark.parametrize("seed", range(120))
def test_pairs_are_matched_as_numpy_matches_them(seed: int) -> None:
    """Pairs in any order, with ties and crowds."""
    rng = np.random.default_rng(seed)
    truth, crowd, said, score, datums, labels = hard_columns(rng)
    order = ledger_order(said.label, score, labels)
    cells = matching.cells_of(
        truth.datum, truth.label, said.datum[order], said.label[order], datums
    )
    with np.errstate(all="ignore"):
        pairs = matching.overlapping_pairs(
            cells,
            np.arange(len(order)),
            lambda mine, their: overlap.box_ious(truth.box, said.box[order], crowd, mine, their),
            1e-9,
        )
    said_boxes = said.box[order]
    found = native_pairs.overlapping_pairs(
        cells, np.arange(len(order)), (truth.box, said_boxes), crowd, 1e-9
    )
    for mine, theirs in zip(found, pairs, strict=True):
        assert np.array_equal(mine, theirs)
    shuffled = rng.permutation(len(pairs[0]))
    pairs = (pairs[0][shuffled], pairs[1][shuffled], pairs[2][shuffled])
    grid = GRIDS[rng.integers(len(GRIDS))]
    ignored_in = rng.integers(0, 1 << 63, len(crowd), np.uint64)
    given = (cells.rank, pairs, grid.of_ious(pairs[2]), ignored_in, crowd)
    for mine, theirs in zip(
        native_pairs.match_lanes(*given), matching.match_lanes(*given), strict=True
    ):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_the_number_of_threads_changes_nothing(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks write to places of their own."""
    rng = np.random.default_rng(7)
    truth, crowd, said, score = columns(rng, 60, 2_000, 30_000, 9, 200, 8)
    size: Any = {"grid": GRIDS[0], "most": 100, "datums": 60, "labels": 9}
    monkeypatch.setenv("VELOUR_THREADS", "1")
    expected = native_match.match_boxes(truth, crowd, said, score, **size)
    monkeypatch.setenv("VELOUR_THREADS", str(number))
    assert_same_tables(native_match.match_boxes(truth, crowd, said, score, **size), expected)


Columns = tuple[
    BoxColumns,
    NDArray[np.bool_],
    BoxColumns,
    NDArray[np.float64],
    int,
    int,
]


def hard_columns(rng: np.random.Generator) -> Columns:
    """Ties, crowds, areas on the boundary, empty sides, many labels, equal and flat boxes."""
    datums, labels = int(rng.integers(1, 9)), int(rng.choice([1, 2, 5, 300]))
    truths, said = int(rng.choice([0, 1, 40])), int(rng.choice([0, 1, 60, 700]))
    grain = int(rng.choice([1, 4, 16, 32]))
    return (
        *columns(rng, datums, truths, said, labels, int(rng.choice([40, 120, 400])), grain),
        datums,
        labels,
    )


def columns(
    rng: np.random.Generator,
    datums: int,
    truths: int,
    detections: int,
    labels: int,
    extent: int,
    grain: int,
) -> tuple[BoxColumns, NDArray[np.bool_], BoxColumns, NDArray[np.float64]]:
    """Truths, and detections most of which lie near one."""
    truth = BoxColumns(
        np.sort(rng.integers(0, datums, truths)).astype(np.int32),
        rng.integers(0, labels, truths).astype(np.int32),
        boxes(rng, truths, extent, grain),
        np.where(
            rng.random(truths) < 0.5,
            np.nan,
            rng.choice([0, 50, 1023.9, 1024, 9216, 2e10], truths),
        ),
    )
    crowd = rng.random(truths) < rng.choice([0, 0.1, 0.5])
    box = boxes(rng, detections, extent, grain)
    datum = rng.integers(0, datums, detections).astype(np.int32)
    label = rng.integers(0, labels, detections).astype(np.int32)
    if truths:
        near = np.flatnonzero(rng.random(detections) < 0.8)
        source = rng.integers(0, truths, len(near))
        datum[near], label[near] = truth.datum[source], truth.label[source]
        moved = np.where(rng.random((len(near), 4)) < 0.6, 0, rng.integers(-2, 3, (len(near), 4)))
        box[near] = np.maximum(truth.box[source] + moved * grain * 0.5, [-1e9, -1e9, 0, 0])
    if rng.random() < 0.7:
        order = np.argsort(datum, kind="stable")
        datum, label, box = datum[order], label[order], box[order]
    area = np.where(rng.random(detections) < 0.8, np.nan, 1024.0)
    return truth, crowd, BoxColumns(datum, label, box, area), scores(rng, detections)


def boxes(rng: np.random.Generator, count: int, extent: int, grain: int) -> NDArray[np.float64]:
    given = rng.integers(0, extent, (count, 4)).astype(float) // grain * grain
    kind = rng.random()
    if kind < 0.1:
        return given * 1e-160  # areas below the smallest normal number
    if kind < 0.2:
        return given * 1e160  # areas beyond the largest
    return given


def scores(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    given = rng.random(count)
    kinds = [
        given,
        given.round(1),
        given.astype(np.float32).astype(float),
        np.full(count, 0.5),
        np.where(given < 0.5, 5e-324, 1 - given * 1e-16),
        np.where(given < 0.3, -0.0, np.where(given < 0.6, 0.0, 1.0)),
        np.where(given < 0.01, 0.0, 1 - rng.integers(0, 50, count) * 2.0**-53),
    ]
    return np.asarray(kinds[rng.integers(len(kinds))])


def hard_averages(
    rng: np.random.Generator, grid: matching.LaneGrid, limits: tuple[int, ...]
) -> list[Average]:
    """Precision and recall in every lane alone, in all of a range, in some, and in none."""
    levels, asked = range(len(grid.thresholds)), []
    for area in range(len(grid.areas)):
        for limit in (None, *range(len(limits))):
            some = np.flatnonzero(rng.random(len(levels)) < 0.5).tolist()
            asked += [Average(area, tuple(chosen), limit) for chosen in (levels, some, [])]
        asked += [Average(area, (level,)) for level in levels]
    return asked


def numpy_averages(
    chosen: Selection,
    grid: matching.LaneGrid,
    limits: tuple[int, ...],
    asked: list[Average],
    group: NDArray[np.int32],
    groups: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each label and group, from whole curves."""
    curves = [
        curves_of_area(chosen.rows, area, len(grid.thresholds), chosen.truths[:, area], limits)
        for area in range(len(grid.areas))
    ]
    rows = [averages_of_curves(curves[one.area], [one], group, groups) for one in asked]
    labels, means = zip(*rows, strict=True)
    return np.concatenate(labels), np.concatenate(means)


def selections(rng: np.random.Generator, datums: int) -> list[NDArray[np.int64] | None]:
    return [
        None,
        rng.integers(0, 2, datums),
        rng.integers(0, 6, datums),
        np.zeros(datums, np.int64),
        rng.choice([0, 1, 300], datums),
    ]


def ledger_order(
    label: NDArray[np.int32], score: NDArray[np.float64], labels: int
) -> NDArray[np.intp]:
    order = descending_order(score)
    return order[stable_order(label[order], labels)]


def numpy_tables(
    truth: BoxColumns,
    crowd: NDArray[np.bool_],
    said: BoxColumns,
    score: NDArray[np.float64],
    *,
    grid: matching.LaneGrid,
    most: int,
    datums: int,
    labels: int,
) -> dict[str, dict[str, NDArray[Any]]]:
    """What the numpy engine writes: the same steps as ``write_ledger``."""
    order = ledger_order(said.label, score, labels)
    datum, label, box = said.datum[order], said.label[order], said.box[order]
    cells = matching.cells_of(truth.datum, truth.label, datum, label, datums)
    kept = cells.rank < most
    with np.errstate(all="ignore"):
        pairs = matching.overlapping_pairs(
            cells,
            np.flatnonzero(kept),
            lambda mine, their: overlap.box_ious(truth.box, box, crowd, mine, their),
            min(grid.thresholds[0], 1 - 1e-10),
        )
        areas = [
            np.where(np.isnan(area), size[:, 2] * size[:, 3], area)
            for area, size in ((truth.area, truth.box), (said.area[order], box))
        ]
    countable = np.where(crowd, np.uint8(0), grid.bits_of_areas(areas[0]))
    row, hit, ignored = matching.match_lanes(
        cells.rank, pairs, grid.of_ious(pairs[2]), ~grid.of_areas(countable), crowd
    )
    return {
        "detections": {
            "label": label[kept],
            "datum": datum[kept],
            "score": score[order][kept],
            "rank": cells.rank[kept].astype(np.uint16),
            "areas": grid.bits_of_areas(areas[1][kept]),
        },
        "matches": {
            "detection": (np.cumsum(kept) - 1)[row].astype(np.int32),
            "hit": hit,
            "ignored": ignored,
        },
        "truths": {"label": truth.label, "datum": truth.datum, "areas": countable},
    }


def ledger_of(
    tables: dict[str, dict[str, NDArray[Any]]],
    grid: matching.LaneGrid,
    limits: tuple[int, ...],
    datums: int,
    labels: int,
) -> Ledger:
    ranges = [[str(place), low, high] for place, (low, high) in enumerate(grid.areas)]
    parameters = {"area_ranges": ranges, "max_detections": list(limits)}
    uids, names = tuple(map(str, range(datums))), tuple(("", str(n)) for n in range(labels))
    return Ledger("object-detection", uids, names, parameters, tables)


def assert_same_tables(
    mine: dict[str, dict[str, NDArray[Any]]], theirs: dict[str, dict[str, NDArray[Any]]]
) -> None:
    for table, columns_ in theirs.items():
        assert list(mine[table]) == list(columns_)
        for name, column in columns_.items():
            assert mine[table][name].dtype == column.dtype, (table, name)
            assert np.array_equal(mine[table][name], column), (table, name)
