"""The ground truth that each detection matches at one IoU threshold.

:mod:`velour_evaluators.detection.kernels.matching` gives the lanes in which a detection matches;
here it is one lane, and the truth is returned. The rules are the same, COCO's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.sorting import stable_order, starts_of_runs

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Pairs of a detection and a truth of one image.

    Args:
        detection: ``(P,)`` indices.
        truth: ``(P,)`` indices.
        iou: ``(P,)``.
    """

    detection: Indices
    truth: Indices
    iou: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_] | Indices) -> Overlaps:
        """Return some of the pairs, by mask or index."""
        return Overlaps(self.detection[chosen], self.truth[chosen], self.iou[chosen])

    def best_of_each_detection(self, detections: int) -> tuple[Indices, NDArray[np.float64]]:
        """Find the truth that each detection overlaps most, of equals the one that stands first.

        Returns:
            ``(detections,)`` truth, -1 for none; and their IoU, 0 for none.

        >>> pairs = Overlaps(np.array([0, 0]), np.array([4, 7]), np.array([0.2, 0.6]))
        >>> pairs.best_of_each_detection(2)
        (array([ 7, -1]), array([0.6, 0. ]))
        """
        order = stable_order(self.detection, detections)
        detection, overlap = self.detection[order], self.iou[order]
        starts = starts_of_runs(detection)
        most = np.maximum.reduceat(overlap, starts) if starts.size else overlap
        best = order[overlap == np.repeat(most, np.diff(np.append(starts, len(order))))]
        first = best[starts_of_runs(self.detection[best])]
        truth, iou = np.full(detections, -1, np.intp), np.zeros(detections)
        truth[self.detection[first]] = self.truth[first]
        iou[self.detection[first]] = self.iou[first]
        return truth, iou


def assigned(
    pairs: Overlaps,
    rank: NDArray[np.integer],
    ignored: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
) -> tuple[Indices, NDArray[np.float64]]:
    """Match greedily: each detection takes the best free truth, in the order of ranks.

    Args:
        pairs: of one image and label, that reach the threshold.
        rank: ``(D,)`` order of choice; detections of one rank never overlap the same truth.
        ignored: ``(T,)`` truths that are chosen only when no other is left.
        crowd: ``(T,)`` truths that any number of detections may match.

    Returns:
        ``(D,)`` truth of each detection, -1 for none; and the IoU with it, 0 for none.

    >>> pairs = Overlaps(np.array([0, 1]), np.array([0, 0]), np.array([0.6, 0.9]))
    >>> nothing = np.array([False])
    >>> assigned(pairs, np.array([0, 1]), nothing, nothing)  # the first one takes it
    (array([ 0, -1]), array([0.6, 0. ]))
    """
    order = np.lexsort((-pairs.truth, -pairs.iou, ignored[pairs.truth], pairs.detection))
    pairs = pairs.where(order)
    starts = starts_of_runs(pairs.detection)
    rows = pairs.detection[starts]
    length = np.diff(np.append(starts, len(pairs.detection)))
    chosen, taken = np.full(len(rows), -1, np.intp), np.zeros(len(crowd), bool)
    by_rank = np.argsort(rank[rows], kind="stable")
    turns = np.split(by_rank, starts_of_runs(rank[rows][by_rank])[1:])
    for turn in turns if len(rows) else ():
        for step in range(int(length[turn].max())):
            still = turn[(length[turn] > step) & (chosen[turn] < 0)]
            target = pairs.truth[starts[still] + step]
            free = ~taken[target] | crowd[target]
            chosen[still[free]] = starts[still[free]] + step
            taken[target[free]] = True
    truth, iou = np.full(len(rank), -1, np.intp), np.zeros(len(rank))
    matched = chosen >= 0
    truth[rows[matched]] = pairs.truth[chosen[matched]]
    iou[rows[matched]] = pairs.iou[chosen[matched]]
    return truth, iou


def paired_up(first: Indices, second: Indices) -> NDArray[np.bool_]:
    """Select pairs greedily, best first, each member at most once.

    Args:
        first: ``(P,)`` one member of each pair, the best pair first.
        second: ``(P,)`` the other.

    Returns:
        ``(P,)`` which pairs are taken.

    >>> paired_up(np.array([0, 0, 1]), np.array([5, 6, 6]))
    array([ True, False,  True])
    """
    taken = np.zeros(len(first), bool)
    left = np.arange(len(first))
    while left.size:
        # a pair that comes first for both of its members cannot be prevented any more
        best = left[_first_of_each(first[left]) & _first_of_each(second[left])]
        taken[best] = True
        left = left[~np.isin(first[left], first[best]) & ~np.isin(second[left], second[best])]
    return taken


def _first_of_each(values: Indices) -> NDArray[np.bool_]:
    first = np.zeros(len(values), bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first
