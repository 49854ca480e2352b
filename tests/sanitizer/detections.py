"""Attacks on matching, averages and counts of detections."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from velour_evaluators.detection.kernels import matching
from velour_evaluators.detection.kernels.accumulate import Average, AverageQuery
from velour_evaluators.detection.kernels.sorted_runs import Runs
from velour_evaluators.kernels.native import averages as kernel
from velour_evaluators.kernels.native import match, merge, pairs

from tests.sanitizer.contents import masks_of, spelled_masks
from tests.sanitizer.values import HOSTILE, HUGE, dirt_of, floats, some, whole


def match_boxes(rng: np.random.Generator) -> None:
    """Datums, labels, scores and boxes out of bounds; any grid; boxes, masks or texts."""
    datums, labels = int(rng.choice([0, 1, 5, 5, 300])), int(rng.choice([0, 1, 3, 3, 3, 5000]))
    kind = rng.integers(3)
    truths, detections = some(rng, 30), some(rng, 30 if kind else 300)
    sides = [side(rng, count, datums, labels) for count in (truths, detections)]
    score = floats(rng, rng.random(detections).round(1), dirt_of(rng, 0.01))
    masks: Any = [None, masks_of(rng, detections), spelled_masks(rng, detections)][kind]
    match.match_boxes(
        sides[0],
        rng.random(truths) < 0.3,
        sides[1],
        score,
        grid=grid(rng),
        most=int(rng.choice([1, 2, 100] * 9 + HOSTILE)),
        datums=datums,
        labels=labels,
        masks=(masks_of(rng, truths), masks) if kind else None,
    )


def side(rng: np.random.Generator, count: int, datums: int, labels: int) -> match.BoxColumns:
    dirt = float(rng.choice([0, 0, 0, 0, 0, 0.01]))
    box = rng.integers(0, 40, (count, 4)).astype(float)
    return match.BoxColumns(
        whole(rng, rng.integers(0, max(datums, 1), count), dirt),
        whole(rng, rng.integers(0, max(labels, 1), count), dirt),
        floats(rng, box, dirt),
        floats(rng, np.full(count, np.nan), dirt * 5),
    )


def grid(rng: np.random.Generator) -> matching.LaneGrid:
    thresholds = np.sort(rng.random(int(rng.choice([1, 2, 10, 64])))) + 1e-9
    areas = int(rng.choice([1, 4, 8]))
    ranges = [(0.0, float(one)) for one in rng.random(areas) * 1e4]
    return matching.LaneGrid(thresholds.tolist(), ranges)


def match_pairs(rng: np.random.Generator) -> None:
    """Pairs that point anywhere."""
    detections, truths, count = (some(rng, 30) for _ in range(3))
    dirt = dirt_of(rng, 0.02)
    rank = whole(rng, rng.integers(0, 9, detections), dirt, HUGE)
    pointers = [
        whole(rng, rng.integers(0, max(rows, 1), count), dirt, HUGE)
        for rows in (detections, truths)
    ]
    iou = floats(rng, rng.random(count).round(1), dirt)
    lanes, ignored = (rng.integers(0, 2**63, rows, np.uint64) for rows in (count, truths))
    crowd = rng.random(truths) < 0.3
    pairs.match_lanes(rank, (pointers[0], pointers[1], iou), lanes, ignored, crowd)


def find_pairs(rng: np.random.Generator) -> None:
    """Cells whose truths stand anywhere in the table."""
    truths, detections, dirt = some(rng, 30), some(rng, 30), dirt_of(rng, 0.01)
    first = rng.integers(0, max(truths, 1), detections)
    cells = matching.TruthCells(
        whole(rng, rng.permutation(truths), dirt, HUGE),
        whole(rng, first, dirt, HUGE),
        whole(rng, np.minimum(rng.integers(0, 5, detections), truths - first), dirt, HUGE),
        np.zeros(detections, np.int64),
    )
    rows = whole(rng, rng.integers(0, max(detections, 1), detections), dirt, HUGE)
    boxes = [rng.integers(0, 40, (count, 4)).astype(float) for count in (truths, detections)]
    regions: Any = (floats(rng, boxes[0], dirt), floats(rng, boxes[1], dirt))
    if rng.random() < 0.5:
        regions = masks_of(rng, truths), masks_of(rng, detections)
    pairs.overlapping_pairs(cells, rows, regions, rng.random(truths) < 0.3, 0.1)


def stored(rng: np.random.Generator) -> kernel.StoredLedger:
    """A ledger whose labels fall and whose matches point anywhere."""
    rows, datums, labels = some(rng, 80), *map(int, rng.choice([0, 1, 3, 5, 5, 5], 2))
    matches, truths, dirt = int(rng.integers(0, rows + 1)), some(rng, 20), dirt_of(rng, 0.02)
    tables = {
        "detections": {
            "label": whole(rng, np.sort(rng.integers(0, max(labels, 1), rows)), dirt),
            "datum": whole(rng, rng.integers(0, max(datums, 1), rows), dirt),
            "score": floats(rng, np.round(rng.random(rows), 1), dirt),
            "rank": rng.choice([0, 1, 5, 65_535], rows).astype(np.uint16),
            "areas": rng.integers(0, 256, rows).astype(np.uint8),
        },
        "matches": {
            "detection": whole(rng, np.sort(rng.permutation(rows)[:matches]), dirt),
            "hit": rng.integers(0, 2**63, matches, np.uint64) * np.uint64(2),
            "ignored": rng.integers(0, 2**63, matches, np.uint64),
        },
        "truths": {
            "label": whole(rng, rng.integers(0, max(labels, 1), truths), dirt),
            "datum": whole(rng, rng.integers(0, max(datums, 1), truths), dirt),
            "areas": rng.integers(0, 256, truths).astype(np.uint8),
        },
    }
    areas, thresholds = int(rng.integers(1, 9)), int(rng.integers(1, 9))
    return kernel.StoredLedger(tables, datums, labels, areas, thresholds)


def weights_of(rng: np.random.Generator, ledger: kernel.StoredLedger) -> NDArray[np.int64]:
    """How often datums count in some replicates: now and then enormously."""
    size = (int(rng.choice([0, 1, 3, 9, 20])), ledger.datums)
    return whole(rng, rng.integers(0, 4, size), dirt_of(rng, 0.02), HUGE)


def query(rng: np.random.Generator, ledger: kernel.StoredLedger) -> AverageQuery:
    limits = sorted(rng.choice([1, 3, 10, 100, 65_536], rng.integers(1, 4)).tolist())
    groups = int(rng.integers(0, ledger.labels + 2))
    group = rng.integers(-1, max(groups, 1), ledger.labels)
    asked = [average(rng, ledger, len(limits)) for _ in range(rng.integers(0, 6))]
    detailed = int(rng.integers(0, len(asked) + 1))
    return AverageQuery(limits, asked, whole(rng, group, dirt_of(rng, 0.02)), groups, detailed)


def average(rng: np.random.Generator, ledger: kernel.StoredLedger, limits: int) -> Average:
    """Some lanes of a range; now and then of one that is not there."""
    beyond = int(rng.random() < 0.05)
    levels = np.flatnonzero(rng.random(ledger.thresholds + beyond) < 0.5).tolist()
    limit = int(rng.integers(-1, limits + beyond))
    area = int(rng.choice(HUGE)) if beyond else int(rng.integers(0, ledger.areas))
    return Average(area, tuple(levels), None if limit < 0 else limit)


def averages(rng: np.random.Generator) -> None:
    ledger = stored(rng)
    weights = weights_of(rng, ledger) if rng.random() < 0.7 else None
    kernel.averages(ledger, query(rng, ledger), weights)


def omissions(rng: np.random.Generator) -> None:
    ledger = stored(rng)
    omitted = np.flatnonzero(rng.random(ledger.datums) < 0.7)
    weight = whole(rng, rng.integers(0, 4, ledger.datums), dirt_of(rng, 0.02), HUGE)
    kernel.omissions(ledger, query(rng, ledger), whole(rng, omitted, dirt_of(rng, 0.02)), weight)


def counts_at(rng: np.random.Generator) -> None:
    ledger = stored(rng)
    weights = whole(rng, rng.integers(0, 4, ledger.datums), dirt_of(rng, 0.02), HUGE)
    lane = int(rng.choice([0, 63] * 9 + HUGE))
    kernel.counts_at(ledger, lane, 0.5, weights if rng.random() < 0.5 else None)


def merge_runs(rng: np.random.Generator) -> None:
    """Runs that overlap, leave rows out or end before they begin; scores that are no numbers."""
    rows, groups, dirt = some(rng, 30), int(rng.integers(1, 4)), dirt_of(rng, 0.05)
    bounds = np.concatenate(([0], np.sort(rng.integers(0, rows + 1, 5)), [rows]))
    sound = Runs.of(np.sort(rng.integers(0, groups, 6)), bounds[:-1], bounds[1:], groups)
    columns = (sound.group, sound.begin, sound.end)
    runs = Runs(*(whole(rng, column, dirt, HUGE) for column in columns))
    score = floats(rng, -np.sort(-rng.random(rows).round(1)), dirt)
    merge.merged_runs(runs, score, whole(rng, np.arange(rows), dirt).astype(np.int32))


ATTACKS = [averages, counts_at, find_pairs, match_boxes, match_pairs, merge_runs, omissions]
