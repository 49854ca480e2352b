"""Throw random and adversarial arrays at the compiled kernel: ``python attack.py SECONDS SEED``.

Arrays are of the right type and shape, as the wrappers guarantee; what stands in them is not
to be trusted. Each call must return or raise ValueError; whatever else happens, the
sanitizers that the kernel was built with say so and end the process.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from velour_evaluators.kernels import matching
from velour_evaluators.kernels.accumulate import Average, Question
from velour_evaluators.kernels.matching import LaneGrid
from velour_evaluators.kernels.native import averages as native_averages
from velour_evaluators.kernels.native import match as native_match
from velour_evaluators.kernels.native import pairs as native_pairs
from velour_evaluators.kernels.native.match import BoxColumns

from velour_plugin.domain import runs
from velour_plugin.native import coco as native_coco
from velour_plugin.native import masks as native_masks

HOSTILE = [-1, 0, 1, 2, 7, 255, 256, 65_535, 65_536, 2**31 - 1, -(2**31)]
HUGE = [*HOSTILE, 2**31, 2**53, 2**62, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.0, 0.5, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e7, -1e7, 3e9]


def main() -> None:
    """Attack until the time is over."""
    until, seed = time.monotonic() + float(sys.argv[1]), int(sys.argv[2])
    calls = refused = 0
    while time.monotonic() < until:
        rng = np.random.default_rng([seed, calls])
        calls += 1
        try:
            ATTACKS[calls % len(ATTACKS)](rng)
        except (ValueError, native_coco.UseJson, MemoryError):
            refused += 1
    print(f"{calls} calls, {refused} refused")


def match_boxes(rng: np.random.Generator) -> None:
    """Datums, labels, scores and boxes out of bounds; any grid."""
    datums, labels = int(rng.integers(0, 6)), int(rng.choice([0, 1, 3, 5000]))
    sides = [side(rng, datums, labels) for _ in range(2)]
    crowd = rng.random(len(sides[0].datum)) < 0.3
    score = floats(rng, rng.random(len(sides[1].datum)).round(1), rng.choice([0, 0, 0.01]))
    size: Any = {"grid": grid(rng), "most": int(rng.choice([1, 2, 100] * 9 + HOSTILE))}
    size |= {"datums": datums, "labels": labels}
    if rng.random() < 0.5:
        native_match.match_boxes(sides[0], crowd, sides[1], score, **size)
        return
    given = [masks(rng, len(one.datum)) for one in sides]
    native_match.match_boxes(sides[0], crowd, sides[1], score, masks=(given[0], given[1]), **size)


def match_lanes(rng: np.random.Generator) -> None:
    """Pairs that point anywhere."""
    detections, truths, pairs = (int(rng.integers(0, 30)) for _ in range(3))
    rank = whole(rng, rng.integers(0, 9, detections), 0.02, HUGE)
    pointers = [
        whole(rng, rng.integers(0, max(count, 1), pairs), 0.02, HUGE)
        for count in (detections, truths)
    ]
    iou = floats(rng, rng.random(pairs).round(1), 0.02)
    lanes, ignored = (rng.integers(0, 2**63, count, np.uint64) for count in (pairs, truths))
    crowd = rng.random(truths) < 0.3
    native_pairs.match_lanes(rank, (pointers[0], pointers[1], iou), lanes, ignored, crowd)


def overlapping_pairs(rng: np.random.Generator) -> None:
    """Cells that are listed anywhere."""
    truths, detections, dirt = int(rng.integers(0, 30)), int(rng.integers(0, 30)), 0.01
    first = rng.integers(0, max(truths, 1), detections)
    cells = matching.Cells(
        whole(rng, rng.permutation(truths), dirt, HUGE),
        whole(rng, first, dirt, HUGE),
        whole(rng, np.minimum(rng.integers(0, 5, detections), truths - first), dirt, HUGE),
        np.zeros(detections, np.int64),
    )
    rows = whole(rng, rng.integers(0, max(detections, 1), detections), dirt, HUGE)
    boxes = [rng.integers(0, 40, (count, 4)).astype(float) for count in (truths, detections)]
    regions: Any = (floats(rng, boxes[0], dirt), floats(rng, boxes[1], dirt))
    if rng.random() < 0.5:
        regions = masks(rng, truths), masks(rng, detections)
    native_pairs.overlapping_pairs(cells, rows, regions, rng.random(truths) < 0.3, 0.1)


def average(rng: np.random.Generator, areas: int, thresholds: int, limits: int) -> Average:
    """Some lanes of a range; now and then of one that is not there."""
    beyond = int(rng.random() < 0.05)
    levels = np.flatnonzero(rng.random(thresholds + beyond) < 0.5).tolist()
    limit = int(rng.integers(-1, limits + beyond))
    area = int(rng.choice(HUGE)) if beyond else int(rng.integers(0, areas))
    return Average(area, tuple(levels), None if limit < 0 else limit)


def averages(rng: np.random.Generator) -> None:
    """Ledgers whose labels fall, whose matches point anywhere, whose weights are enormous."""
    rows, datums, labels = (int(rng.integers(0, 80)), *map(int, rng.integers(0, 6, 2)))
    matches, truths = int(rng.integers(0, rows + 1)), int(rng.integers(0, 20))
    dirt = rng.choice([0, 0, 0.02])
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
    stored = native_averages.Stored(tables, datums, labels, areas, thresholds)
    weights = whole(rng, rng.integers(0, 4, (int(rng.integers(1, 4)), datums)), dirt, HUGE)
    limits = sorted(rng.choice([1, 3, 10, 100, 65_536], rng.integers(1, 4)).tolist())
    native_averages.counts_at(stored, int(rng.choice([0, 63, *HUGE])), 0.5, weights[0])
    groups = int(rng.integers(0, labels + 2))
    group = whole(rng, rng.integers(-1, max(groups, 1), labels), dirt)
    asked = [average(rng, areas, thresholds, len(limits)) for _ in range(rng.integers(0, 6))]
    often = weights if rng.random() < 0.7 else None
    detailed = int(rng.integers(0, len(asked) + 1))
    question = Question(limits, asked, group, groups, detailed)
    if rng.random() < 0.5:
        native_averages.averages(stored, question, often)
        return
    omitted = np.flatnonzero(rng.random(datums) < 0.7).astype(np.int32)
    native_averages.omissions(stored, question, whole(rng, omitted, dirt), weights[0])


def measured_masks(rng: np.random.Generator) -> None:
    """Starts that fall, edges that fall, sizes beyond all bounds."""
    native_masks.measure(masks(rng, int(rng.integers(0, 8))))


def texts(rng: np.random.Generator) -> None:
    """Letters outside the alphabet, texts that overlap or end early."""
    size = rng.integers(1, 30, 2)
    counts = rng.multinomial(size.prod(), np.full(rng.integers(1, 9), 0.1))
    one = np.frombuffer(runs.text_of_counts(counts.tolist()).encode(), np.uint8)
    count, dirt = int(rng.integers(0, 8)), rng.choice([0, 0, 0.02])
    letters = whole(rng, np.tile(one, count), dirt, [0, 47, 48, 92, 111, 112, 255])
    bounds = np.arange(count)[:, None] * len(one) + [0, len(one)]
    text = letters.astype(np.uint8).tobytes()
    bounds = whole(rng, bounds, dirt, HUGE)
    sizes = whole(rng, np.tile(size, (count, 1)), dirt, HUGE)
    escaped = bool(rng.random() < 0.5)
    given = native_masks.Texts(text, *bounds.T, *sizes.T, escaped=escaped)
    if rng.random() < 0.5:
        native_masks.decode(given)
        return
    ours, theirs = (columns(rng, rows, 3, 2) for rows in (int(rng.integers(0, 9)), count))
    crowd, score = rng.random(len(ours.datum)) < 0.3, rng.random(count).round(1)
    size_of: Any = {"grid": grid(rng), "most": 5, "datums": 3, "labels": 2}
    outlined = masks(rng, len(ours.datum))
    native_match.match_boxes(ours, crowd, theirs, score, masks=(outlined, given), **size_of)


def outlines(rng: np.random.Generator) -> None:
    """Points far away or not finite, starts that fall, sizes out of bounds."""
    counts = [rng.integers(0, 4, int(rng.integers(0, 5)))]
    while len(counts) < 3:
        counts.append(rng.integers(0, 4, int(counts[-1].sum())))
    starts = [whole(rng, np.concatenate(([0], np.cumsum(count))), 0.02, HUGE) for count in counts]
    scale = rng.choice([5.0, 50.0, 5000.0])
    points = (rng.random((int(counts[2].sum()), 2)) - 0.2) * scale
    sizes = whole(rng, rng.integers(1, 60, (len(counts[0]), 2)), 0.03, HUGE)
    native_masks.rasterise(floats(rng, points, 0.01), starts[2], starts[1], starts[0], sizes)


def files(rng: np.random.Generator) -> None:
    """Fragments of COCO files in any order."""
    words = [
        *('"image_id"', '"category_id"', '"bbox"', '"score"', '"segmentation"', '"counts"'),
        *('"size"', '"annotations"', '"images"', '"categories"', '"id"', '"area"', '"iscrowd"'),
        *(":", ":", ":", ",", ",", ",", "[", "]", "{", "}", "{", "}", '"', '"a\\\\b"', "\\u00e9"),
        *("1", "-2", "0.5", "1e5", "123456789012345678901234567890", "1e999", "null", "true"),
        *("[1,2,3,4]", '{"image_id":1,"category_id":2,"score":0.5}', "[[1,2,3,4,5,6]]", " ", "\n"),
        *('{"size":[3,4],"counts":"52203"}', '{"size":[3,4],"counts":[5,2,2,3]}', "\x00", "NaN"),
    ]
    body = "".join(rng.choice(words, int(rng.integers(0, 60))))
    shells = ["%s", "[%s]", "[{%s}]", '{"annotations":[{%s}]}', '{"images":[%s]}', '[{"bbox":%s}]']
    text = (shells[rng.integers(len(shells))] % body).encode()
    starts = whole(rng, rng.integers(0, len(text) + 1, 4), 0.1, HUGE)
    for read in (native_coco.read_results, native_coco.read_truth):
        try:
            read(text)
        except (ValueError, native_coco.UseJson):
            continue
    stops = starts + rng.integers(0, 50, 4)
    sizes = whole(rng, rng.integers(1, 5, (4, 2)), 0.1, HUGE)
    for read_part in (native_coco.read_polygons, partial(native_coco.read_counts, size=sizes)):
        try:
            read_part(text, starts, stops)
        except (ValueError, native_coco.UseJson):
            continue


def long_files(rng: np.random.Generator) -> None:
    """Lists that are long enough to be read in shares, of records that may be broken."""
    if rng.random() < 0.9:
        return
    good = [
        '{"image_id":1,"category_id":2,"score":0.5}',
        '{"score":1,"category_id":7,"image_id":3,"segmentation":[[1,2,3,4,5,6]]}',
    ]
    lures = ['{"a":"},{",' + good[0][1:], *('{"image_id":', '"', "[]", "{}", "1", "\\u")]
    records = [*rng.choice(good, 30_000), *rng.choice(lures, int(rng.integers(0, 3)))]
    rng.shuffle(records)
    text = f"[{', '.join(records)}]".encode()
    if rng.random() < 0.5:
        native_coco.read_results(text)
    else:
        native_coco.read_truth(b'{"annotations":' + text + b',"images":[{"id":1}]}')


def side(rng: np.random.Generator, datums: int, labels: int) -> BoxColumns:
    return columns(rng, int(rng.choice([0, 1, 30, 300])), datums, labels)


def columns(rng: np.random.Generator, count: int, datums: int, labels: int) -> BoxColumns:
    dirt = rng.choice([0, 0, 0, 0, 0, 0.01])
    box = rng.integers(0, 40, (count, 4)).astype(float)
    return BoxColumns(
        whole(rng, rng.integers(0, max(datums, 1), count), dirt),
        whole(rng, rng.integers(0, max(labels, 1), count), dirt),
        floats(rng, box, dirt),
        floats(rng, np.full(count, np.nan), dirt * 5),
    )


def masks(rng: np.random.Generator, count: int) -> native_masks.Masks:
    dirt = rng.choice([0, 0, 0.02])
    lengths = rng.integers(0, 6, count)
    stop = np.cumsum(lengths)
    edges = np.concatenate([np.sort(rng.permutation(99)[:one]) for one in lengths] or [[]])
    return native_masks.Masks(
        whole(rng, edges.astype(np.int64), dirt, HUGE),
        whole(rng, stop - lengths, dirt, HUGE),
        whole(rng, stop, dirt, HUGE),
        whole(rng, np.full(count, 10), dirt, HUGE),
        whole(rng, np.full(count, 10), dirt, HUGE),
    )


def grid(rng: np.random.Generator) -> LaneGrid:
    thresholds = np.sort(rng.random(int(rng.choice([1, 2, 10, 64])))) + 1e-9
    areas = int(rng.choice([1, 4, 8]))
    return LaneGrid(thresholds.tolist(), [(0.0, float(one)) for one in rng.random(areas) * 1e4])


def whole(
    rng: np.random.Generator, values: NDArray[Any], dirt: float, hostile: list[int] = HOSTILE
) -> NDArray[Any]:
    """Replace a share of whole numbers by hostile ones."""
    kind = np.int32 if hostile is HOSTILE else np.int64
    wrong = rng.random(values.shape) < dirt
    return np.where(wrong, rng.choice(np.array(hostile, kind), values.shape), values).astype(kind)


def floats(rng: np.random.Generator, values: NDArray[Any], dirt: float) -> NDArray[np.float64]:
    """Replace a share of numbers by hostile ones."""
    return np.where(rng.random(values.shape) < dirt, rng.choice(FLOATS, values.shape), values)


ATTACKS = [
    match_boxes,
    match_lanes,
    overlapping_pairs,
    averages,
    measured_masks,
    texts,
    outlines,
    files,
    long_files,
]

if __name__ == "__main__":
    main()
