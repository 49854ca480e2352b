"""Worlds of classification: three ways in which scores come about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import velour_plugin as velour
from tests.simulation.worlds import Difficulty, Floats, Labels, World, logistic
from velour_plugin.domain.columns.annotation_table import AnnotationTable


@dataclass(frozen=True)
class Classification(World):
    """Scores by softmax: the true label has a margin over noise.

    Args:
        together: share of the noise's variance that all models have in common.
        decimals: to which scores are rounded, so that many are equal; ``None`` leaves them.
    """

    task = "image-classification"
    metrics = ("accuracy", "f1_macro", "roc_auc")
    population = 100_000

    together: float = 0.3
    decimals: int | None = None

    def datasets(
        self, random: Generator, datums: int, qualities: Sequence[float]
    ) -> list[velour.Dataset]:
        """Draw labels, then the scores of each model."""
        truth = self.labels.draw(random, datums)
        known = velour.Dataset.from_table(
            "world",
            self.datums(datums),
            AnnotationTable.from_columns(self.labels.names, np.arange(datums), truth),
        )
        margins = np.array(qualities)[:, None] + self.labels.offsets[truth]
        margins = margins + self.difficulty.shifts(random, len(qualities), datums)
        rows = np.repeat(np.arange(datums), len(self.labels))
        labels = np.tile(np.arange(len(self.labels)), datums)
        return [
            known.with_predictions(
                AnnotationTable.from_columns(self.labels.names, rows, labels, score=scores.ravel()),
                f"m{number:02}",
            )
            for number, scores in enumerate(self.scores(random, truth, margins))
        ]

    def scores(self, random: Generator, truth: NDArray[np.intp], margins: Floats) -> list[Floats]:
        """Draw ``(datums, labels)`` scores of each model, in sum 1 but for rounding."""
        size = (len(truth), len(self.labels))
        common = np.sqrt(self.together) * random.normal(size=size)
        drawn = []
        for margin in margins:
            logits = common + np.sqrt(1 - self.together) * random.normal(size=size)
            logits[np.arange(len(truth)), truth] += margin
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            drawn.append(shares if self.decimals is None else shares.round(self.decimals))
        return drawn


@dataclass(frozen=True)
class Beta(Classification):
    """Scores of the true label are of a beta distribution; the next label has most of the rest."""

    def scores(self, random: Generator, truth: NDArray[np.intp], margins: Floats) -> list[Floats]:
        """Draw scores that lie near 0 and 1: a model that is too sure of itself."""
        count, drawn = len(self.labels), []
        alpha = np.full(count - 1, 0.3)
        alpha[0] = 1.5  # of the next label, with which it is confused most
        columns = (truth[:, None] + np.arange(1, count)) % count
        for margin in margins:
            mean = logistic(margin)
            scores = np.empty((len(truth), count))
            own = random.beta(2 * mean, 2 * (1 - mean))
            scores[np.arange(len(truth)), truth] = own
            rest = random.dirichlet(alpha, len(truth)) * (1 - own)[:, None]
            np.put_along_axis(scores, columns, rest, axis=1)
            drawn.append(scores)
        return drawn


COMMON, RARE = Labels.equal(4), Labels.halving(8)

CLASSIFICATION = {
    "common": [
        Classification("softmax", COMMON, quality=1.5),
        Beta("beta", Labels.equal(3, harder=1.0), quality=0.4),
        Classification("ties", COMMON, Difficulty(1.0, tails=3), quality=2.0, decimals=1),
    ],
    "rare": [
        Classification("softmax", RARE, quality=2.0),
        Beta("beta", Labels.halving(6, harder=1.0), quality=0.6),
        Classification("ties", RARE, Difficulty(1.0, tails=3), quality=2.5, decimals=1),
    ],
    "videos": [
        Classification("softmax", COMMON, Difficulty(frames=10), quality=1.5),
        Beta("beta", Labels.equal(3), Difficulty(0.3, own=0.2, frames=10), quality=0.4),
    ],
}
