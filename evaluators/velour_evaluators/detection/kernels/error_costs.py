"""Why detections are wrong, and how much each reason costs.

Each false positive has the first reason that fits, each truth that no detection
found and no localisation or classification error explains is missed:

==================  =============================================================
``localisation``    its own label's best truth overlaps by 0.1 to the threshold
``classification``  another label's truth overlaps by the threshold or more
``duplicate``       its own label's truth was found by a better detection
``background``      no truth overlaps by more than 0.1
``both``            the rest: of another label, and badly placed
==================  =============================================================

Source: Bolya et al. 2020, TIDE, and its reference implementation ``tidecv`` 1.0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.assignment import Overlaps, Places

KINDS = ("classification", "localisation", "both", "duplicate", "background")

CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = range(5)
NO_ERROR = -1

BACKGROUND_IOU = 0.1

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Errors:
    """Reasons of wrong detections.

    Args:
        kind: ``(D,)`` place in :data:`KINDS`, or -1.
        corrected: ``(D,)`` whether correcting it makes a true positive; otherwise the
            truth is found already, by a detection or by a better correction.
        target: ``(D,)`` the truth that it should have found, -1 for none.
        missed: ``(T,)`` truths that no detection found and no correction would find.
        unfound: ``(T,)`` truths that no detection found.
    """

    kind: NDArray[np.int8]
    corrected: Flags
    target: Places
    missed: Flags
    unfound: Flags


def errors_of(
    pairs: Overlaps,
    same: Flags,
    wrong: Flags,
    score: NDArray[np.float64],
    real: Flags,
    found: Flags,
    threshold: float,
) -> Errors:
    """Find the reason of each false positive.

    Args:
        pairs: of any labels, that overlap by 0.1 or more.
        same: ``(P,)`` whether both have one label.
        wrong: ``(D,)`` the false positives.
        score: ``(D,)``.
        real: ``(T,)`` truths that count.
        found: ``(T,)`` truths that a true positive found.
        threshold: IoU from which on a detection matches.
    """
    known = wrong[pairs.detection] & real[pairs.truth]
    own, other = pairs.where(known & same), pairs.where(known & ~same)
    mine, near = own.best_of_each_detection(len(wrong))
    theirs, beside = other.best_of_each_detection(len(wrong))
    _, again = own.where(found[own.truth]).best_of_each_detection(len(wrong))
    reasons = [
        (near >= BACKGROUND_IOU) & (near <= threshold),
        beside >= threshold,
        again >= threshold,
        np.maximum(near, beside) <= BACKGROUND_IOU,
    ]
    kinds = [LOCALISATION, CLASSIFICATION, DUPLICATE, BACKGROUND]
    kind = np.where(wrong, np.select(reasons, kinds, BOTH), NO_ERROR).astype(np.int8)
    target = np.select([kind == LOCALISATION, kind == CLASSIFICATION], [mine, theirs], -1)
    corrected = _best_claims(target, score, found)
    claimed = np.zeros(len(real), bool)
    claimed[target[corrected]] = True
    return Errors(kind, corrected, target, real & ~found & ~claimed, real & ~found)


def _best_claims(target: Places, score: NDArray[np.float64], found: Flags) -> Flags:
    """Of the detections that should have found one truth, the one with the highest score."""
    best = np.zeros(len(target), bool)
    claims = np.flatnonzero(target >= 0)
    claims = claims[~found[target[claims]]]
    order = claims[np.lexsort((-score[claims], target[claims]))]
    best[order[np.unique(target[order], return_index=True)[1]]] = True
    return best
