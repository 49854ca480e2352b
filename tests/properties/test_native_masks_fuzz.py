"""Masks and polygons through the compiled kernel have numpy's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from velour_evaluators.detection.kernels import matching, overlap
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import match as native_match
from velour_evaluators.kernels.native import pairs as native_pairs
from velour_evaluators.kernels.native.match import BoxColumns

from tests.properties.test_native_fuzz import GRIDS, assert_same_tables, ledger_order
from velour_plugin.domain.columns import rle
from velour_plugin.domain.columns.region_column import RegionColumn
from velour_plugin.domain.columns.region_masks import check_texts
from velour_plugin.domain.geometry import Raster
from velour_plugin.native import masks as native_masks

pytestmark = pytest.mark.skipif(not library.available(), reason=library.describe())


@pytest.mark.parametrize("seed", range(80))
def test_texts_decode_to_the_same_edges(seed: int) -> None:
    """Empty, full and noisy masks, and run lengths that are empty in between."""
    rng = np.random.default_rng(seed)
    rasters = [raster(rng, *rng.integers(1, 40, 2)) for _ in range(rng.integers(0, 60))]
    sizes = np.array([(one.height, one.width) for one in rasters], np.int64).reshape(-1, 2)
    texts = [str(one.to_rle()["counts"]) for one in rasters]
    masks = decode(texts, sizes)
    assert_same_masks(masks, [one.edges for one in rasters])

    broken = [broken_counts(rng, one) for one in rasters]
    expected = [rle.edges_of_counts(counts) for counts in broken]
    again = decode([rle.text_of_counts(counts) for counts in broken], sizes)
    assert_same_masks(again, expected)


@pytest.mark.parametrize("seed", range(300))
def test_garbage_is_refused_where_python_refuses_it(seed: int) -> None:
    """Random letters, cut and changed texts: the same verdict, and the same edges."""
    rng = np.random.default_rng(seed)
    one = raster(rng, 12, 9)
    text = bytearray(str(one.to_rle()["counts"]).encode())
    for _ in range(rng.integers(0, 4)):
        if text:
            place = rng.integers(len(text))
            text[place : place + rng.integers(0, 2)] = bytes([rng.integers(40, 128)])
    try:
        expected = Raster({"size": [12, 9], "counts": bytes(text)}).edges
    except ValueError:
        with pytest.raises(ValueError, match="run lengths"):
            decode([bytes(text)], np.array([[12, 9]]))
        with pytest.raises(ValueError, match="run lengths"):
            check_texts(column_of(bytes(text), 12, 9))
    else:
        check_texts(column_of(bytes(text), 12, 9))
        assert_same_masks(decode([bytes(text)], np.array([[12, 9]])), [expected])


@pytest.mark.parametrize("seed", range(200))
def test_polygons_cover_the_same_pixels(seed: int) -> None:
    """Holes, several parts, outlines that leave the image, cross themselves or have no area."""
    rng = np.random.default_rng(seed)
    masks = [
        [[ring(rng) for _ in range(rng.integers(1, 3))] for _ in range(rng.choice([1, 1, 2, 3]))]
        for _ in range(rng.integers(1, 8))
    ]
    sizes = rng.integers(1, 60, (len(masks), 2))
    parts = [part for mask in masks for part in mask]
    rings = [one for part in parts for one in part]
    drawn = native_masks.rasterise(
        np.concatenate(rings),
        starts(rings),
        starts(parts),
        starts(masks),
        sizes,
    )
    expected = [
        rle.union_of_edges([rle.edges_of_rings(part, *size) for part in mask], *size)
        for mask, size in zip(masks, sizes.tolist(), strict=True)
    ]
    assert_same_masks(drawn, expected)


@pytest.mark.parametrize("seed", range(80))
def test_masks_match_as_numpy_matches_them(seed: int) -> None:
    """Areas, boxes, pairs that overlap, and the whole ledger."""
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 40, 2).tolist()
    ours = [raster(rng, *size) for _ in range(rng.integers(1, 20))]
    theirs = [
        raster(rng, *size) if rng.random() < 0.5 else ours[rng.integers(len(ours))]
        for _ in range(rng.integers(1, 60))
    ]
    crowd = rng.random(len(ours)) < 0.3
    mine, others = native_masks.masks_of(ours), native_masks.masks_of(theirs)
    others_size = np.tile(size, (len(theirs), 1))
    areas, boxes = native_masks.measure(mine)
    assert areas.tolist() == [one.area for one in ours]
    assert boxes.tolist() == [list(one.bounding_box.xywh) for one in ours]

    datums, labels, grid = 3, 2, GRIDS[seed % len(GRIDS)]
    sides = [
        BoxColumns(
            np.sort(rng.integers(0, datums, count)).astype(np.int32),
            rng.integers(0, labels, count).astype(np.int32),
            np.zeros((count, 4)),
            np.full(count, np.nan),
        )
        for count in (len(ours), len(theirs))
    ]
    score = rng.random(len(theirs)).round(1)
    spelled = native_masks.texts_of([str(one.to_rle()["counts"]) for one in theirs], others_size)
    tables, decoded = (
        native_match.match_boxes(
            *(sides[0], crowd, sides[1], score),
            masks=(mine, said_masks),
            grid=grid,
            most=5,
            datums=datums,
            labels=labels,
        )
        for said_masks in (spelled, others)
    )
    assert_same_tables(tables, decoded)
    order = ledger_order(sides[1].label, score, labels)
    datum, label = sides[1].datum[order], sides[1].label[order]
    detections = [theirs[row] for row in order]
    cells = matching.cells_of(sides[0].datum, sides[0].label, datum, label, datums)
    kept = cells.rank < 5
    pairs = matching.overlapping_pairs(
        cells,
        np.flatnonzero(kept),
        lambda one, two: overlap.raster_ious(ours, detections, crowd, one, two),
        min(grid.thresholds[0], 1 - 1e-10),
    )
    least, sorted_masks = min(grid.thresholds[0], 1 - 1e-10), native_masks.masks_of(detections)
    found = native_pairs.overlapping_pairs(
        cells, np.flatnonzero(kept), (mine, sorted_masks), crowd, least
    )
    for one, other in zip(found, pairs, strict=True):
        assert np.array_equal(one, other)
    countable = np.where(crowd, np.uint8(0), grid.bits_of_areas(areas))
    row, hit, ignored = matching.match_lanes(
        cells.rank, pairs, grid.of_ious(pairs[2]), ~grid.of_areas(countable), crowd
    )
    expected = {
        "detections": {
            "label": label[kept],
            "datum": datum[kept],
            "score": score[order][kept],
            "rank": cells.rank[kept].astype(np.uint16),
            "areas": grid.bits_of_areas(overlap.raster_areas(detections)[kept]),
        },
        "matches": {
            "detection": (np.cumsum(kept) - 1)[row].astype(np.int32),
            "hit": hit,
            "ignored": ignored,
        },
        "truths": {"label": sides[0].label, "datum": sides[0].datum, "areas": countable},
    }
    assert_same_tables(tables, expected)


def raster(rng: np.random.Generator, height: int, width: int) -> Raster:
    kind = rng.random()
    if kind < 0.1:
        return Raster(np.zeros((height, width), bool))
    if kind < 0.2:
        return Raster(np.ones((height, width), bool))
    if kind < 0.5:
        return Raster(rng.random((height, width)) < rng.random())
    mask = np.zeros((height, width), bool)
    top, left = rng.integers(0, height), rng.integers(0, width)
    mask[top : top + rng.integers(1, 20), left : left + rng.integers(1, 20)] = True
    return Raster(mask)


def broken_counts(rng: np.random.Generator, one: Raster) -> NDArray[np.int64]:
    """The same pixels with empty runs put in between."""
    counts = rle.counts_of_edges(one.edges, one.height, one.width).tolist()
    for _ in range(rng.integers(0, 3)):
        place = rng.integers(len(counts) + 1)
        counts[place:place] = [0, 0] if rng.random() < 0.8 else [0]
    return np.array(counts, np.int64)


def ring(rng: np.random.Generator) -> NDArray[np.float64]:
    points = rng.random((rng.integers(3, 9), 2)) * rng.choice([3, 20, 60, 300])
    points -= rng.choice([0, 0, 10, 100])
    kind = rng.random()
    if kind < 0.3:
        return points.round()
    if kind < 0.5:
        return (points * 10).round() / 10
    if kind < 0.6:
        points[:, rng.integers(2)] = rng.choice([0.0, 5.5, -3.0])
    return np.asarray(points)


def starts(
    groups: list[list[NDArray[np.float64]]] | list[NDArray[np.float64]],
) -> NDArray[np.int64]:
    return np.cumsum([0, *(len(group) for group in groups)])


def assert_same_masks(masks: native_masks.Masks, edges: list[NDArray[np.int64]]) -> None:
    assert len(masks) == len(edges)
    for place, expected in enumerate(edges):
        mine = masks.edges[masks.start[place] : masks.stop[place]]
        assert mine.tolist() == expected.tolist(), place


def column_of(text: bytes, height: int, width: int) -> RegionColumn:
    """A column of one mask."""
    stop, size = np.array([len(text)]), np.array([[height, width]])
    return RegionColumn.of_texts(text, stop * 0, stop, size, escaped=False)


def decode(spelled: list[Any], sizes: NDArray[np.int64]) -> native_masks.Masks:
    return native_masks.decode(native_masks.texts_of(spelled, sizes))


@pytest.mark.parametrize("seed", range(60))
def test_long_and_doubled_spellings_decode_as_python_decodes_them(seed: int) -> None:
    """Numbers of one to nine characters, zeros, and backslashes that JSON doubles."""
    rng = np.random.default_rng(seed)
    powers = 2 ** rng.integers(0, int(rng.choice([3, 8, 30])), rng.integers(1, 90))
    counts = rng.integers(0, powers + 1)
    text = rle.text_of_counts(counts)
    total = int(counts.sum())
    if not total:
        return
    doubled = text.replace("\\", "\\\\").encode()
    one, size = np.zeros(1, np.int64), np.array([total], np.int64)
    for spelled, escaped in ((text.encode(), False), (doubled, True)):
        stop = np.array([len(spelled)])
        texts = native_masks.Texts(spelled, one, stop, size, one + 1, escaped)
        assert_same_masks(native_masks.decode(texts), [rle.edges_of_counts(counts)])
        short = native_masks.Texts(spelled, one, stop, size + 1, one + 1, escaped)
        with pytest.raises(ValueError, match="run lengths"):
            native_masks.decode(short)
