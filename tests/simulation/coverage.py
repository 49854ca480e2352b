"""How often the interval of one model's value holds the truth; groups, where a world has them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.classification import CLASSIFICATION
from tests.simulation.detection import DETECTION
from tests.simulation.promises import Counts, Experiment, Promise
from tests.simulation.segmentation import SEGMENTATION
from tests.simulation.worlds import World

WORLDS = (CLASSIFICATION, SEGMENTATION, DETECTION)


@dataclass(frozen=True)
class Coverage:
    """One model on some datums.

    Args:
        world: that the datums are of.
        datums: how many.
        resamples: of the board.
        metrics: to look at; ``None`` for all of the world's.
    """

    world: World
    datums: int
    resamples: int = 1000
    metrics: tuple[str, ...] | None = None

    def __call__(self, seed: int) -> Counts:
        """Count for each metric whether its interval holds the truth, and whether it is greyed."""
        counts: dict[str, float | None] = {}
        sample = self.world.sample(self.datums, [0.0], [seed, self.datums])
        for metric in self.metrics or self.world.metrics:
            row = sample.board(metric, resamples=self.resamples)[0]
            greyed = row.interval is None or row.rough is not None
            low, high = row.interval or (0.0, 1.0)
            holds = low - 1e-12 <= self.world.truth(metric) <= high + 1e-12
            counts[metric] = None if greyed else float(holds)
            counts[f"{metric} greyed"] = float(greyed)
            counts[f"{metric} anyway"] = float(holds)
        return counts


def coverage() -> list[Experiment]:
    """Intervals of independent datums, by common and rare labels."""
    return [
        _experiment("coverage", world, datums, labels, at_least)
        for labels, at_least in (("common", 0.93), ("rare", 0.90))
        for worlds in WORLDS
        for world in worlds[labels]
        for datums in (50, 200)
    ]


def groups() -> list[Experiment]:
    """Intervals of 20 and 60 videos of ten frames, whose groups are named."""
    return [
        _experiment("groups", world, datums, "videos", 0.92)
        for worlds in WORLDS
        for world in worlds["videos"]
        for datums in (200, 600)
    ]


def _experiment(family: str, world: World, datums: int, labels: str, at_least: float) -> Experiment:
    promises = [Promise(metric, "at least", at_least) for metric in world.metrics]
    if labels == "common":
        promises += [Promise(f"{metric} greyed", "at most", 0.05) for metric in world.metrics]
    name = f"{world.task}, {labels} ({world.name}), n = {datums}"
    return Experiment(family, name, Coverage(world, datums), promises)
