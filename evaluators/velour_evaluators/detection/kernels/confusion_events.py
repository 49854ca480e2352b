"""Pair detections and ground truths by falling overlap, for the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.assignment import Indices, Overlaps, paired_up

NOBODY = -1
"""Stands for the truth of a background detection, and for the detection of a missed truth."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ConfusionEvents:
    """Pairs of truth and detection, missed truths and background detections.

    Args:
        truth: ``(n,)`` indices, or :data:`NOBODY`.
        detection: ``(n,)`` indices, or :data:`NOBODY`.
        iou: ``(n,)`` of the two; 0 where one is nobody.
    """

    truth: Indices
    detection: Indices
    iou: NDArray[np.float64]

    def where(self, chosen: NDArray[Any]) -> ConfusionEvents:
        """Return some of the events, by mask or index."""
        return ConfusionEvents(self.truth[chosen], self.detection[chosen], self.iou[chosen])


def events_of(
    pairs: Overlaps,
    same: Flags,
    score: NDArray[np.float64],
    *,
    used: Flags,
    inside: Flags,
    real: Flags,
) -> ConfusionEvents:
    """Pair every truth and every detection that is used, or leave one of them alone.

    Pairs are put together by falling IoU, whatever their labels, each side once; of
    equal overlaps first those of one label, then the higher score. What is left of the
    truths is missed. What is left of the detections is background, unless it lies on a
    truth that does not count, or does not count itself.

    Args:
        pairs: that reach the IoU threshold.
        same: ``(P,)`` whether both have one label.
        score: ``(D,)``.
        used: ``(D,)`` detections from the score threshold on.
        inside: ``(D,)`` detections that count when they match nothing.
        real: ``(T,)`` truths that count.
    """
    near = used[pairs.detection]
    met, excused = pairs.where(near & real[pairs.truth]), pairs.where(near & ~real[pairs.truth])
    order = np.lexsort(
        (met.truth, met.detection, -score[met.detection], ~same[near & real[pairs.truth]], -met.iou)
    )
    taken = order[paired_up(met.detection[order], met.truth[order])]
    background, missed = used & inside, real.copy()
    background[excused.detection] = background[met.detection[taken]] = False
    missed[met.truth[taken]] = False
    together = ConfusionEvents(met.truth[taken], met.detection[taken], met.iou[taken])
    return _joined(together, np.flatnonzero(background), np.flatnonzero(missed))


def _joined(together: ConfusionEvents, background: Indices, missed: Indices) -> ConfusionEvents:
    nobody = np.full(max(len(background), len(missed)), NOBODY)
    return ConfusionEvents(
        np.concatenate([together.truth, nobody[: len(background)], missed]),
        np.concatenate([together.detection, background, nobody[: len(missed)]]),
        np.concatenate([together.iou, np.zeros(len(background) + len(missed))]),
    )
