"""How often ``compare`` and ``promote`` see a difference where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import velour_plugin as velour
from tests.simulation.classification import CLASSIFICATION
from tests.simulation.detection import DETECTION
from tests.simulation.promises import Counts, Experiment, Promise
from tests.simulation.segmentation import SEGMENTATION
from tests.simulation.worlds import Sample, World

LEVEL = 0.05


@dataclass(frozen=True)
class Compared:
    """Two models of equal quality on the same datums.

    Args:
        world: that the datums are of.
        metric: to compare by.
        datums: how many.
        permutations: of the test.
    """

    world: World
    metric: str
    datums: int
    permutations: int = 200

    def __call__(self, seed: int) -> Counts:
        """Count whether the difference is said to be significant, and that of any label."""
        sample = self.world.sample(self.datums, [0.0, 0.0], [seed, self.datums])
        comparison = velour.compare(
            "m00", "m01", metric=self.metric, dataset="world", store=sample.store,
            permutations=self.permutations, **self.world.grouped,
        )  # fmt: skip
        headline, *labels = (row.p for row in comparison)
        return {
            "difference": float(headline is not None and headline <= LEVEL),
            "difference of any label": float(any(p is not None and p <= LEVEL for p in labels)),
        }


@dataclass(frozen=True)
class Promoted:
    """A champion and challengers of equal quality; data may grow between two looks.

    Args:
        world: that the datums are of.
        metric: to rank by.
        looks: how many datums there are at each look.
        challengers: how many there are.
    """

    world: World
    metric: str
    looks: Sequence[int]
    challengers: int = 1
    permutations: int = 200

    def __call__(self, seed: int) -> Counts:
        """Count whether the alias moves at any look."""
        whole = self.world.sample(
            max(self.looks), [0.0] * (1 + self.challengers), [seed, max(self.looks)]
        )
        tags: dict[str, Any] = {}
        return {"moves": float(any(self._moves(whole.first(count), tags) for count in self.looks))}

    def _moves(self, sample: Sample, tags: dict[str, Any]) -> bool:
        """Promote for real, but for the registry: ``m00`` is the champion; tags are in memory."""
        from velour_integrations.mlflow.registry import looks, promote
        from velour_integrations.mlflow.registry.versions import ModelVersion

        runs = {f"{number:032x}": number for number in range(1 + self.challengers)}
        known = {
            run: ModelVersion("model", number + 1, run, aliases=() if number else ("champion",))
            for run, number in runs.items()
        }
        with (
            patch.object(promote, "versions", lambda _: list(known.values())),
            patch.object(promote, "_candidates", lambda *_: (known, [])),
            patch.object(promote, "refresh_runs", lambda *_: None),
            patch.object(promote, "trackers", set()),
            patch.object(promote, "_move", lambda _: None),
            patch.object(looks, "recall", lambda lead: tags.get(lead.tag)),
            patch.object(looks, "remember", lambda lead, past: tags.update({lead.tag: past})),
        ):
            promotion = promote.promote(
                "model", metric=self.metric, dataset="world",
                permutations=self.permutations, store=sample.store, **self.world.grouped,
            )  # fmt: skip
        return bool(promotion.moved)


def tests() -> list[Experiment]:
    """Errors of the first kind: independent datums, groups, and a look every day."""
    asked = [
        (CLASSIFICATION["common"][0], "accuracy", 50),
        (CLASSIFICATION["rare"][1], "f1_macro", 200),
        (SEGMENTATION["common"][0], "mIoU", 50),
        (DETECTION["common"][0], "mAP", 50),
        (CLASSIFICATION["videos"][0], "accuracy", 200),
        (CLASSIFICATION["videos"][1], "f1_macro", 200),
        (DETECTION["videos"][0], "mAP", 200),
    ]
    compared = [Promise("difference", "at most", 0.06)]
    any_label = [*compared, Promise("difference of any label", "at most", 0.06)]
    return [
        *(
            Experiment("tests", f"compare: {_about(*case)}", Compared(*case), any_label)
            for case in asked
        ),
        *(
            Experiment(
                "tests",
                f"promote, {challengers} challengers: {_about(world, metric, datums)}",
                Promoted(world, metric, (datums,), challengers),
                [Promise("moves", "at most", 0.06)],
            )
            for world, metric, datums in (asked[0], asked[4], asked[3])
            for challengers in (1, 4)
        ),
        *(
            Experiment(
                "tests",
                f"promote, 10 looks: {_about(world, metric, datums)}",
                Promoted(world, metric, tuple(datums * look // 2 for look in range(1, 11))),
                [Promise("moves", "at most", 0.06)],
            )
            for world, metric, datums in (asked[0], asked[4], asked[3])
        ),
    ]


def _about(world: World, metric: str, datums: int) -> str:
    return f"{metric} ({world.name}{', videos' if world.grouped else ''}), n = {datums}"
