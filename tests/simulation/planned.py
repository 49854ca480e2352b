"""Whether the datums that ``plan`` asks for reach what was wanted, from pilots of 100."""

from __future__ import annotations

from dataclasses import dataclass

import velour_plugin as velour
from tests.simulation.classification import CLASSIFICATION
from tests.simulation.detection import DETECTION
from tests.simulation.promises import Counts, Experiment, Promise
from tests.simulation.worlds import World

POWER = 0.8


@dataclass(frozen=True)
class PlannedWidth:
    """An interval over as many new datums as a pilot says that its width needs.

    Args:
        world: that pilot and datums are of.
        metric: that has the interval.
        width: that is wanted.
        pilot: how many datums it has.
    """

    world: World
    metric: str
    width: float
    pilot: int = 100
    resamples: int = 400

    def __call__(self, seed: int) -> Counts:
        """Measure by which share the interval is wider than wanted."""
        pilot = self.world.sample(self.pilot, seed=[seed, 0])
        (plan,) = velour.plan(
            "m00", metric=self.metric, width=self.width, resamples=self.resamples,
            store=pilot.store, **self.world.grouped,
        )  # fmt: skip
        if plan.needed is None:
            return {}
        datums = plan.needed * (self.world.difficulty.frames if plan.groups else 1)
        board = self.world.sample(datums, seed=[seed, 1]).board(
            self.metric, resamples=self.resamples
        )
        interval = board[0].interval
        return {} if interval is None else {"width": (interval[1] - interval[0]) / self.width - 1}


@dataclass(frozen=True)
class PlannedDifference:
    """A comparison over as many new datums as a pilot says that the true difference needs.

    Args:
        world: that pilot and datums are of.
        metric: to compare by.
        quality: by which the second model is better.
        pilot: how many datums it has.
    """

    world: World
    metric: str
    quality: float
    pilot: int = 100
    permutations: int = 199

    def __call__(self, seed: int) -> Counts:
        """Count whether the difference is found, less the power."""
        worse, better = (self.world.truth(self.metric, by) for by in (0.0, self.quality))
        pilot = self.world.sample(self.pilot, [0.0, self.quality], [seed, 0])
        (plan,) = velour.plan(
            "m00", against="m01", metric=self.metric, detect=better - worse, resamples=400,
            power=POWER, store=pilot.store, **self.world.grouped,
        )  # fmt: skip
        if plan.needed is None:
            return {}
        datums = plan.needed * (self.world.difficulty.frames if plan.groups else 1)
        sample = self.world.sample(datums, [0.0, self.quality], [seed, 1])
        headline, *_ = velour.compare(
            "m00", "m01", metric=self.metric, dataset="world", store=sample.store,
            permutations=self.permutations, **self.world.grouped,
        )  # fmt: skip
        return {"power": float(headline.p is not None and headline.p <= 0.05) - POWER}


def plans() -> list[Experiment]:
    """Widths and differences of shares, of means over labels and of average precision."""
    softmax, beta, _ = CLASSIFICATION["common"]
    boxes, crowded, _ = DETECTION["common"]
    videos = CLASSIFICATION["videos"][0]
    widths = [
        PlannedWidth(softmax, "accuracy", 0.06),
        PlannedWidth(softmax, "f1_macro", 0.06),
        PlannedWidth(beta, "f1_macro", 0.06),
        PlannedWidth(boxes, "mAP", 0.05),
        PlannedWidth(crowded, "mAP", 0.05),
        PlannedWidth(videos, "accuracy", 0.08, pilot=300),
    ]
    differences = [
        PlannedDifference(softmax, "accuracy", 0.35),
        PlannedDifference(beta, "f1_macro", 0.35),
        PlannedDifference(boxes, "mAP", 0.25),
        PlannedDifference(crowded, "mAP", 0.25),
    ]
    return [
        *(
            Experiment("plan", f"width {each.width:g} of {_about(each)}", each,
                       [Promise("width", "within", 0.10)], 300)
            for each in widths
        ),
        *(
            Experiment("plan", f"difference in {_about(each)}", each,
                       [Promise("power", "within", 0.05)], 300)
            for each in differences
        ),
    ]  # fmt: skip


def _about(each: PlannedWidth | PlannedDifference) -> str:
    return f"{each.metric} ({each.world.name}), pilot of {each.pilot}"
