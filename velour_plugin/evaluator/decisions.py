"""Decisions by a score: what a threshold on the scores of a class is chosen from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.ledger import Ledger


@dataclass(frozen=True, slots=True, eq=False)
class ScoredOutcomes:
    """What could be decided at some score, and what there is to find.

    Args:
        label, datum: ``(n,)`` indices of the ledger's labels and datums, a row a possible decision.
        score: ``(n,)`` above 0: the decision is made at thresholds up to it.
        right: ``(n,)`` bool, whether the decision is right.
        truth_label, truth_datum: ``(t,)`` the same of all that a decision could find.
    """

    label: NDArray[Any]
    datum: NDArray[Any]
    score: NDArray[np.float64]
    right: NDArray[np.bool_]
    truth_label: NDArray[Any]
    truth_datum: NDArray[Any]


class Deciding:
    """Scores that decide, each class against the rest: needed to choose thresholds."""

    def scored_outcomes(self, ledger: Ledger) -> ScoredOutcomes | None:
        """Return all possible decisions with their scores; ``None`` where none decides.

        Whether a decision is right depends on its own datum alone.

        Args:
            ledger: as :meth:`Evaluator.match` made it.
        """
        return None
