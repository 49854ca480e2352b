"""Kinds of detection errors: the reason of each false positive, and missed ground truths.

Each false positive has the first reason that fits; a ground truth that no detection matches
and no localisation or classification error explains is missed:

==================  =============================================================
``localisation``    its own label's best truth overlaps by 0.1 to the threshold
``classification``  another label's truth overlaps by the threshold or more
``duplicate``       its own label's truth is matched by a better detection
``background``      no truth overlaps by more than 0.1
``both``            the rest: of another label, and badly placed
==================  =============================================================

Source: Bolya et al. 2020, TIDE, and its reference implementation ``tidecv`` 1.0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.assignment import Indices, Overlaps

KINDS = ("classification", "localisation", "both", "duplicate", "background")

CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = range(5)
NO_ERROR = -1

BACKGROUND_IOU = 0.1

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DetectionErrors:
    """The kind of error of each detection, and the ground truths that are missed.

    Args:
        kind: ``(D,)`` index in :data:`KINDS`, or -1 for no error.
        corrected: ``(D,)`` whether correcting it makes a true positive; otherwise the
            truth is matched already, by a detection or by a better correction.
        target: ``(D,)`` the truth that it should have matched, -1 for none.
        missed: ``(T,)`` truths that no detection matches and no correction would match.
        undetected: ``(T,)`` truths that no detection matches.
    """

    kind: NDArray[np.int8]
    corrected: Flags
    target: Indices
    missed: Flags
    undetected: Flags


@dataclass(frozen=True, slots=True)
class MatchOutcome:
    """What matching at one IoU threshold made of both sides.

    Args:
        wrong: ``(D,)`` the false positives.
        score: ``(D,)``.
        real: ``(T,)`` truths that count.
        detected: ``(T,)`` truths that a true positive matches.
        threshold: IoU from which on a detection matches.
    """

    wrong: Flags
    score: NDArray[np.float64]
    real: Flags
    detected: Flags
    threshold: float


def errors_of(pairs: Overlaps, same: Flags, outcome: MatchOutcome) -> DetectionErrors:
    """Find the kind of error of each false positive, and the truths that are missed.

    Args:
        pairs: of any labels, that overlap by 0.1 or more.
        same: ``(P,)`` whether both have one label.
        outcome: of the match.
    """
    wrong, real, detected = outcome.wrong, outcome.real, outcome.detected
    known = wrong[pairs.detection] & real[pairs.truth]
    same_label, other_label = pairs.where(known & same), pairs.where(known & ~same)
    same_truth, near = same_label.best_of_each_detection(len(wrong))
    other_truth, beside = other_label.best_of_each_detection(len(wrong))
    _, again = same_label.where(detected[same_label.truth]).best_of_each_detection(len(wrong))
    reasons = [
        (near >= BACKGROUND_IOU) & (near <= outcome.threshold),
        beside >= outcome.threshold,
        again >= outcome.threshold,
        np.maximum(near, beside) <= BACKGROUND_IOU,
    ]
    kinds = [LOCALISATION, CLASSIFICATION, DUPLICATE, BACKGROUND]
    kind = np.where(wrong, np.select(reasons, kinds, BOTH), NO_ERROR).astype(np.int8)
    target = np.select(
        [kind == LOCALISATION, kind == CLASSIFICATION], [same_truth, other_truth], -1
    )
    corrected = _best_claims(target, outcome.score, detected)
    claimed = np.zeros(len(real), bool)
    claimed[target[corrected]] = True
    return DetectionErrors(kind, corrected, target, real & ~detected & ~claimed, real & ~detected)


def _best_claims(target: Indices, score: NDArray[np.float64], detected: Flags) -> Flags:
    """Of the detections that should have matched one truth, the one with the highest score."""
    best = np.zeros(len(target), bool)
    claims = np.flatnonzero(target >= 0)
    claims = claims[~detected[target[claims]]]
    order = claims[np.lexsort((-score[claims], target[claims]))]
    best[order[np.unique(target[order], return_index=True)[1]]] = True
    return best
