"""Precision, recall and their averages from matches, for any selection of images.

Source: ``COCOeval.accumulate`` of pycocotools 2.0. The precision at a recall
is the highest precision at that recall or a higher one; those maxima lie at true
positives, so only these are looked at, and the result is the same to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.sorting import count_within, starts_of_runs

RECALLS = np.linspace(0.0, 1.0, 101)

_PIECE = 8_192
"""The recalls at which COCO reads precision."""

_SPACING = np.spacing(1)


@dataclass(frozen=True, slots=True)
class RankedDetections:
    """Detections that count, sorted by label, then by falling score, and their matches.

    Args:
        label: ``(n,)`` never falling.
        rank: ``(n,)`` from 0, among the detections of one image and label.
        areas: ``(n,)`` one bit for each area range that the detection lies in.
        matched: ``(m,)`` rising indices of the rows that matched a ground truth.
        hit: ``(m,)`` lanes in which they are true positives.
        ignored: ``(m,)`` lanes in which what they matched does not count.
    """

    label: NDArray[np.int32]
    rank: NDArray[np.uint16]
    areas: NDArray[np.uint8]
    matched: NDArray[np.intp]
    hit: NDArray[np.uint64]
    ignored: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Curves:
    """Precision at 101 recalls, and recall, of each label and IoU threshold, for one area range.

    Args:
        precision: ``(thresholds, 101, labels)``; -1 where a label has no truth in range.
        recall: ``(thresholds, labels, max_detections)``; -1 likewise.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Average:
    """One of COCO's averages: precision over the 101 recalls, or recall; over IoU thresholds.

    Args:
        area: number of the area range.
        thresholds: numbers of the IoU thresholds, rising; where there is none it is undefined.
        limit: which of the ``max_detections`` the recall is read at; ``None`` for precision.
    """

    area: int
    thresholds: tuple[int, ...]
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class AverageQuery:
    """Which averages are computed, over which labels.

    Args:
        max_detections: how many detections of an image and label count for each recall, rising.
        averages: the averages; lanes outside all of them are skipped.
        group: ``(labels,)`` the group whose mean a label enters; -1 leaves it out.
        groups: how many groups there are, such as label keys.
        detailed: of how many of the averages, from the first on, the values of labels are needed.
    """

    max_detections: Sequence[int]
    averages: Sequence[Average]
    group: NDArray[np.int32]
    groups: int
    detailed: int


@dataclass(frozen=True, slots=True)
class Averages:
    """Averages of each label and over the labels of each group; NaN without ground truth.

    Args:
        labels: ``(replicates, detailed averages, labels)``; NaN also for labels in no group.
        groups: ``(replicates, averages, groups)``, such as AP of each label key.
    """

    labels: NDArray[np.float64]
    groups: NDArray[np.float64]


def averages_of_curves(
    curves: Curves, averages: Sequence[Average], group: NDArray[np.int32], groups: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the curves of one area range, in COCO's order of summation, so to the same last bit.

    Args:
        curves: of the range that the averages are of.
        averages: which ones.
        group: ``(labels,)`` the group whose mean a label enters; -1 leaves it out.
        groups: how many there are.

    Returns:
        Of each label ``(averages, labels)``, and of each group ``(averages, groups)``; NaN where
        there is no ground truth.
    """
    of_labels = np.full((len(averages), len(group)), np.nan)
    of_groups = np.full((len(averages), groups), np.nan)
    for row, average in enumerate(averages):
        values = _averaged(curves, average)
        of_labels[row] = np.where(group >= 0, _means_of_labels(values), np.nan)
        for number in range(groups):
            of_group = values[:, :, group == number]
            known = of_group[of_group > -1]
            of_groups[row, number] = _sum(known) / known.size if known.size else np.nan
    return of_labels, of_groups


def _sum(values: NDArray[np.float64]) -> float:
    """Sum pairwise as numpy does from 2.3 on; before, it does so in pieces of 8,192 values only.

    So the last bit is that of the compiled kernel with every numpy, and pycocotools' from 2.3 on.
    """
    if len(values) <= _PIECE:
        return float(values.sum())
    half = len(values) // 2
    half -= half % 8
    return _sum(values[:half]) + _sum(values[half:])


def _averaged(curves: Curves, average: Average) -> NDArray[np.float64]:
    """``(thresholds, recalls, labels)`` values that an average is the mean of."""
    lanes = list(average.thresholds)
    if average.limit is None:
        return curves.precision[lanes]
    return curves.recall[lanes][:, None, :, average.limit]


def _means_of_labels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each label's ``(thresholds, recalls, labels)``; NaN where it has no truth."""
    if not values.size:
        return np.full(values.shape[2], np.nan)
    rows = np.ascontiguousarray(values.transpose(2, 0, 1)).reshape(values.shape[2], -1)
    # of contiguous rows, numpy adds each as it would add it alone: the last bit is COCO's
    return np.where(rows[:, 0] > -1, rows.mean(axis=1), np.nan)


def curves_of_area(
    rows: RankedDetections,
    area: int,
    thresholds: int,
    truths: NDArray[np.int64],
    max_detections: Sequence[int],
) -> Curves:
    """Accumulate matches to curves, for one area range.

    Args:
        rows: detections that count.
        area: number of the range.
        thresholds: how many IoU thresholds there are.
        truths: ``(labels,)`` how many truths of each label count in this range.
        max_detections: how many detections of an image and label count for each recall, rising.
    """
    labels = len(truths)
    hits, seen = _hits(rows, area, thresholds)
    lane, row = np.nonzero(hits)
    group = lane * labels + rows.label[rows.matched[row]]
    hits_of_limit = np.stack(
        [
            np.bincount(group[rows.rank[rows.matched[row]] < most], minlength=thresholds * labels)
            for most in max_detections
        ],
        axis=-1,
    ).reshape(thresholds, labels, len(max_detections))
    known = truths > 0
    recall = np.full(hits_of_limit.shape, -1.0)
    recall[:, known] = hits_of_limit[:, known] / truths[known][:, None].astype(float)

    precision = np.full((thresholds, len(RECALLS), labels), -1.0)
    precision[:, :, known] = 0.0
    envelope, groups = _envelopes(group, seen[lane, row], truths)
    precision[groups // labels, :, groups % labels] = envelope
    return Curves(precision, recall)


def hits_needed(truths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Compute how many true positives reach each of the 101 recalls.

    Args:
        truths: ``(labels,)`` > 0.

    Returns:
        ``(labels, 101)``: the smallest ``j`` with ``j / truths >= recall`` in float64.
    """
    total = truths[:, None].astype(float)
    needed = np.ceil(RECALLS * total)
    needed += needed / total < RECALLS
    needed -= (needed - 1) / total >= RECALLS
    hits: NDArray[np.int64] = np.maximum(needed, 0).astype(np.int64)
    return hits


def _hits(
    rows: RankedDetections, area: int, thresholds: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """True positives, and how many detections counted up to each, inside its label.

    Returns:
        Both ``(thresholds, m)``.
    """
    lanes = np.arange(thresholds, dtype=np.uint64)[:, None] + np.uint64(area * thresholds)
    hits = ((rows.hit >> lanes) & np.uint64(1)).astype(bool)
    ignored = ((rows.ignored >> lanes) & np.uint64(1)).astype(bool)
    inside = ((rows.areas >> np.uint8(area)) & np.uint8(1)).astype(bool)
    counted = hits | (inside[rows.matched] & ~ignored)

    misses = inside.copy()
    misses[rows.matched] = False
    before = np.concatenate(([0], np.cumsum(misses, dtype=np.int64)))
    label = rows.label[rows.matched]
    first_row = np.searchsorted(rows.label, label)
    first_match = np.searchsorted(label, label)
    seen = np.concatenate(
        (np.zeros((thresholds, 1), np.int64), np.cumsum(counted, axis=1, dtype=np.int64)), axis=1
    )
    seen = seen[:, 1:] - seen[:, first_match] + (before[rows.matched] - before[first_row])
    return hits, seen


def _envelopes(
    group: NDArray[np.intp], seen: NDArray[np.int64], truths: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Interpolated precision of each group of true positives.

    Args:
        group: ``(t,)`` lane x labels + label of each true positive, never falling.
        seen: ``(t,)`` detections counted up to and with it.
        truths: ``(labels,)``.

    Returns:
        ``(groups, 101)`` precisions, and which group each row is.
    """
    starts = starts_of_runs(group)
    hits = count_within(starts, len(group)) + 1
    precision = hits / (seen + _SPACING)  # the spacing is in COCO's code: it changes the last bit
    groups = group[starts]
    length = np.diff(np.append(starts, len(group)))
    needed = hits_needed(np.maximum(truths, 1))[groups % len(truths)]
    reached = needed <= length[:, None]
    # the best precision between one recall's true positive and the next one's; where no true
    # positive lies between, reduceat gives the one at the start, which counts for it as well
    begin = (starts[:, None] + np.maximum(needed, 1) - 1)[reached]
    envelope = np.zeros(needed.shape)
    if begin.size:
        envelope[reached] = np.maximum.reduceat(precision, begin)
    envelope = np.maximum.accumulate(envelope[:, ::-1], axis=1)[:, ::-1]
    return envelope, groups
