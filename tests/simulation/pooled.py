"""What ``recommend`` says of models of which none need have been evaluated on all datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

import velour_plugin as velour
from tests.memory_store import MemoryStore
from tests.simulation.classification import CLASSIFICATION
from tests.simulation.detection import DETECTION
from tests.simulation.promises import Counts, Experiment, Promise
from tests.simulation.worlds import World

CHAIN = ((0, 1), (1, 2), (2, 3))
STAR = ((0, 1), (0, 2), (0, 3), (0, 4))
BLOCKS = ((0, 1, 2, 3), (2, 3, 4, 5), (0, 1, 4, 5))


@dataclass(frozen=True)
class Pooled:
    """Datasets of one world, each with some of the models.

    Args:
        world: that all datums are of.
        metric: to recommend by.
        design: numbers of the models on each dataset.
        sizes: datums of each dataset.
        spread: standard deviation of the models' quality; 0 where all are equal.
    """

    world: World
    metric: str
    design: Sequence[Sequence[int]]
    sizes: Sequence[int]
    spread: float = 0.0
    resamples: int = 400

    def __call__(self, seed: int) -> Counts:
        """Count whether a best model is said to be none, and whether P(best) is right."""
        count = 1 + max(model for models in self.design for model in models)
        qualities = self.spread * np.random.default_rng([seed, 99]).normal(size=count)
        found = velour.recommend(
            self.metric, resamples=self.resamples, store=self._store(seed, qualities)
        )
        tied = {int(row.model[1:]): row.tied_with_best for row in found}
        best = np.flatnonzero(qualities == qualities.max())
        first = found.best
        said = first.p_best if first.p_best is not None and first.p_best >= 0.85 else None
        right = float(int(first.model[1:]) in best)
        return {
            "best set leaves out a best": float(not all(tied[model] for model in best)),
            "P(best) of the first, where 0.85 or more": None if said is None else right - said,
        }

    def _store(self, seed: int, qualities: np.ndarray) -> velour.Store:
        store = MemoryStore()
        for number, (models, size) in enumerate(zip(self.design, self.sizes, strict=True)):
            sample = self.world.sample(size, [qualities[model] for model in models], [seed, number])
            for model, dataset in zip(models, sample.datasets, strict=True):
                named = replace(dataset, name=f"part {number}", model=f"m{model:02}")
                velour.evaluate(
                    named, self.world.task, parameters=self.world.parameters, store=store
                )
        return store


def pools() -> list[Experiment]:
    """Equal models and such that differ, in chains, around one model, and in blocks."""
    softmax, boxes = CLASSIFICATION["common"][0], DETECTION["common"][0]
    cases = [
        ("chain", softmax, "accuracy", CHAIN, (100, 100, 100)),
        ("star", softmax, "f1_macro", STAR, (100, 100, 100, 100)),
        ("blocks", softmax, "accuracy", BLOCKS, (100, 200, 50)),
        ("blocks", boxes, "mAP", BLOCKS, (60, 100, 50)),
    ]
    equal = [Promise("best set leaves out a best", "at most", 0.07)]
    chances = Promise("P(best) of the first, where 0.85 or more", "within", 0.04)
    return [
        Experiment(
            "pools",
            f"{design}{', equal models' if not spread else ''}: {metric} ({world.name})",
            Pooled(world, metric, models, sizes, spread),
            [*equal, *([chances] if spread else ())],
            400,
        )
        for design, world, metric, models, sizes in cases
        for spread in (0.0, 0.5)
    ]
