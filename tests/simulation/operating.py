"""How often the intervals at a threshold hold what the threshold is worth over the whole world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

import velour_plugin as velour
from tests.simulation.classification import CLASSIFICATION
from tests.simulation.detection import DETECTION
from tests.simulation.promises import Counts, Experiment, Promise
from tests.simulation.worlds import POPULATION_SEED, Floats, World
from velour_plugin.answers import OperatingPoint
from velour_plugin.domain.labels import class_in_words

METRICS = ("precision", "recall", "f1")


@dataclass(frozen=True)
class Operating:
    """A threshold that is chosen for a precision, for the most common label and for the rarest.

    Args:
        world: that the datums are of.
        datums: how many.
        precision: to reach.
    """

    world: World
    datums: int
    precision: float

    def __call__(self, seed: int) -> Counts:
        """Count which intervals hold the truth, where a threshold was chosen at all."""
        sample = self.world.sample(self.datums, [0.0], [seed, self.datums])
        answer = velour.threshold(
            "m00", precision=self.precision, store=sample.store, **self.world.grouped
        )
        counts: dict[str, float | None] = {}
        for which, row in (("", answer[0]), (" of the rarest", answer[-1])):
            counts[f"chosen{which}"] = float(row.threshold is not None)
            for metric in METRICS:
                counts[metric + which] = self._holds(row, metric)
        return counts

    def _holds(self, row: OperatingPoint, metric: str) -> float | None:
        interval = getattr(row, f"{metric}_interval")
        if row.threshold is None or interval is None:
            return None
        low, high = interval
        return float(low <= _worth(self.world)[row.label].at(row.threshold)[metric] <= high)


@dataclass(frozen=True)
class Worth:
    """What decisions for a class are worth over a whole world.

    Args:
        score: ``(n,)`` falling.
        right: ``(n + 1,)`` how many of the first decisions are right.
        truths: how many there are to find.
    """

    score: Floats
    right: Floats
    truths: int

    def at(self, threshold: float) -> dict[str, float]:
        """Measure the decisions of a score or more."""
        made = int(np.searchsorted(-self.score, -threshold, side="right"))
        right = float(self.right[made])
        numbers = (made, self.truths, (made + self.truths) / 2)
        return {metric: right / whole for metric, whole in zip(METRICS, numbers, strict=True)}


@cache
def _worth(world: World) -> Mapping[str, Worth]:
    (ledger,) = world.sample(world.population, [0.0], seed=POPULATION_SEED).ledgers
    outcomes = world.evaluator.scored_outcomes(ledger)
    assert outcomes is not None
    worth = {}
    for number, label in enumerate(ledger.labels):
        rows = np.flatnonzero(outcomes.label == number)
        rows = rows[np.argsort(-outcomes.score[rows], kind="stable")]
        right = np.concatenate(([0], np.cumsum(outcomes.right[rows])))
        truths = int((outcomes.truth_label == number).sum())
        worth[class_in_words(label)] = Worth(outcomes.score[rows], right, truths)
    return worth


def thresholds() -> list[Experiment]:
    """Thresholds for a precision; of videos, groups are named."""
    return [
        _experiment(world, labels, datums, precision)
        for worlds in (CLASSIFICATION, DETECTION)
        for labels in ("common", "rare", "videos")
        for world in worlds[labels]
        for datums in (100, 400)
        for precision in (0.7, 0.9)
    ]


def _experiment(world: World, labels: str, datums: int, precision: float) -> Experiment:
    name = f"{world.task}, {labels} ({world.name}), n = {datums}, precision {precision}"
    promises = [Promise(metric, "at least", 0.93) for metric in METRICS]
    return Experiment("thresholds", name, Operating(world, datums, precision), promises)
