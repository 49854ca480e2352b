"""Match detections with ground truths, in all lanes at once.

A *lane* is one pair of area range and IoU threshold, one bit of a 64-bit word:
``area * thresholds + threshold``. COCO matches each lane by itself; here one pass
over the overlapping pairs matches them all.

Order: detections of one image and label by falling score, equal scores as given;
each matches the free truth it overlaps most, of equals the last. Truths that
are out of range or crowds are matched only when no other is left, and
then the detection is ignored: it counts neither for nor against.

Source: ``COCOeval.evaluateImg`` of pycocotools 2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.sorting import count_within, stable_order, starts_of_runs

Lanes = NDArray[np.uint64]
PairIous = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]

PAIRS_AT_ONCE = 4_000_000
"""How many pairs have their overlap computed together: about 400 MB of columns."""


@dataclass(frozen=True, slots=True)
class LaneGrid:
    """Area ranges times IoU thresholds.

    Args:
        thresholds: rising, in (0, 1]; inclusive.
        areas: (low, high) in square pixels, both inclusive.
    """

    thresholds: Sequence[float]
    areas: Sequence[tuple[float, float]]

    def of_ious(self, ious: NDArray[np.float64]) -> Lanes:
        """Return the lanes whose threshold each IoU reaches, as bits, ``(n,)``."""
        # COCO takes a threshold of 1 as a hair less, so that equal boxes match at it
        reachable = np.minimum(np.asarray(self.thresholds), 1 - 1e-10)
        level = np.searchsorted(reachable, ious, side="right").astype(np.uint64)
        return (((np.uint64(1) << level) - np.uint64(1)) * self._every_area).astype(np.uint64)

    def of_areas(self, inside: NDArray[np.uint8]) -> Lanes:
        """Return the lanes of the area ranges whose bit is set, as bits, ``(n,)``."""
        row = np.uint64((1 << len(self.thresholds)) - 1)
        lanes = np.zeros(len(inside), np.uint64)
        for area in range(len(self.areas)):
            shift = np.uint64(area * len(self.thresholds))
            bit = (inside >> np.uint8(area)).astype(np.uint64) & np.uint64(1)
            lanes |= (bit * row) << shift
        return lanes

    def bits_of_areas(self, areas: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return a bit for each range that an area lies in, ``(n,)``; of at most 8 ranges."""
        bits = np.zeros(len(areas), np.uint8)
        for index, (low, high) in enumerate(self.areas):
            bits |= ((areas >= low) & (areas <= high)).astype(np.uint8) << np.uint8(index)
        return bits

    @property
    def _every_area(self) -> np.uint64:
        step = len(self.thresholds)
        return np.uint64(sum(1 << (step * area) for area in range(len(self.areas))))


@dataclass(frozen=True, slots=True)
class TruthCells:
    """Ground truths that each detection may match: those of its cell, one image and label.

    Args:
        truth: ``(T,)`` truths grouped by cell, in given order inside.
        first: ``(D,)`` where a detection's truths begin in ``truth``.
        count: ``(D,)`` how many they are.
        rank: ``(D,)`` rank of a detection in its cell by falling score, from 0.
    """

    truth: NDArray[np.intp]
    first: NDArray[np.intp]
    count: NDArray[np.intp]
    rank: NDArray[np.intp]


def cells_of(
    truth_datum: NDArray[np.int32],
    truth_label: NDArray[np.int32],
    datum: NDArray[np.int32],
    label: NDArray[np.int32],
    datums: int,
) -> TruthCells:
    """Group both sides by image and label.

    Args:
        truth_datum: ``(T,)`` the image of each truth.
        truth_label: ``(T,)`` its label.
        datum: ``(D,)`` the image of each detection; rows sorted by label, then by falling score.
        label: ``(D,)`` its label.
        datums: number of images.
    """
    by_image = stable_order(datum, datums)  # now by image, label, falling score
    starts = starts_of_runs(datum[by_image], label[by_image])
    rank = np.empty(len(datum), np.intp)
    rank[by_image] = count_within(starts, len(datum))

    labels = int(max(label.max(initial=0), truth_label.max(initial=0))) + 1
    key = truth_datum.astype(np.int64) * labels + truth_label
    truth = np.argsort(key, kind="stable")
    grouped = key[truth]
    cell_keys = datum[by_image][starts].astype(np.int64) * labels + label[by_image][starts]
    low = np.searchsorted(grouped, cell_keys, side="left")
    high = np.searchsorted(grouped, cell_keys, side="right")
    lengths = np.diff(np.append(starts, len(datum)))
    first, count = np.empty_like(rank), np.empty_like(rank)
    first[by_image] = np.repeat(low, lengths)
    count[by_image] = np.repeat(high - low, lengths)
    return TruthCells(truth, first, count, rank)


def overlapping_pairs(
    cells: TruthCells, rows: NDArray[np.intp], ious: PairIous, at_least: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Find the pairs of a detection and a truth of its cell that overlap enough to matter.

    Args:
        cells: the truths that each detection may match.
        rows: ``(n,)`` detections to look at.
        ious: gives the IoU of pairs (truth, detection).
        at_least: smaller overlaps are left out.

    Returns:
        Detection, truth and IoU of each pair.
    """
    pieces = [
        (detection[near], truth[near], overlap[near])
        for detection, truth in _pairs(cells, rows[cells.count[rows] > 0])
        for overlap in (ious(truth, detection),)
        for near in (np.flatnonzero(overlap >= at_least),)
    ]
    if not pieces:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    detection, truth, overlap = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return detection, truth, overlap


def match_lanes(
    cell_rank: NDArray[np.intp],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]],
    lanes: Lanes,
    ignored_in: Lanes,
    crowd: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], Lanes, Lanes]:
    """Match greedily, all lanes at once.

    Args:
        cell_rank: ``(D,)`` rank of each detection in its cell.
        pairs: detection, truth and IoU, as :func:`overlapping_pairs` returns them.
        lanes: ``(P,)`` lanes whose threshold each pair reaches.
        ignored_in: ``(T,)`` lanes in which a truth is out of range or a crowd.
        crowd: ``(T,)`` truths that any number of detections may lie in.

    Returns:
        The detections that matched in some lane, rising; the lanes in which each is
        a true positive; the lanes in which it is ignored for what it matched.
    """
    detection, truth, iou = pairs
    order = np.lexsort((-truth, -iou, detection))
    detection, truth, lanes = detection[order], truth[order], lanes[order]
    starts = starts_of_runs(detection)
    rows = detection[starts]
    length = np.diff(np.append(starts, len(detection)))
    hit, ignored = np.zeros(len(rows), np.uint64), np.zeros(len(rows), np.uint64)
    taken = np.zeros(len(ignored_in), np.uint64)
    for turn in _turns(cell_rank[rows]):
        for counted in (True, False):
            matched_lanes = hit if counted else ignored
            for step in range(int(length[turn].max())):
                still = turn[length[turn] > step]
                pair = starts[still] + step
                target = truth[pair]
                eligible = ignored_in[target] if not counted else ~ignored_in[target]
                busy = np.where(crowd[target], np.uint64(0), taken[target])
                free = lanes[pair] & eligible & ~busy & ~(hit[still] | ignored[still])
                matched_lanes[still] |= free
                taken[target] |= free
    matched = np.flatnonzero(hit | ignored)
    return rows[matched], hit[matched], ignored[matched]


def _turns(rank: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Detections grouped by rank: no two of a group share a cell, so they match at once."""
    order = np.argsort(rank, kind="stable")
    starts = starts_of_runs(rank[order])
    yield from np.split(order, starts[1:]) if len(order) else ()


def _pairs(
    cells: TruthCells, rows: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Every detection with every truth of its cell, a bounded number at a time."""
    total = np.cumsum(cells.count[rows])
    pieces = np.searchsorted(total, np.arange(PAIRS_AT_ONCE, total[-1:].sum(), PAIRS_AT_ONCE))
    for part in np.split(rows, np.unique(pieces)):
        if not part.size:
            continue
        count = cells.count[part]
        step = count_within(np.cumsum(count) - count, int(count.sum()))
        yield np.repeat(part, count), cells.truth[np.repeat(cells.first[part], count) + step]
