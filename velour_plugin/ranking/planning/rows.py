"""Rows of a plan: the spread of a metric over a pilot's datums, and how many a goal needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from velour_plugin.answers import PlanRow
from velour_plugin.evaluator import MetricKey
from velour_plugin.queries.query import PlanQuery
from velour_plugin.ranking.candidates.run_lookup import EvaluatedLedger
from velour_plugin.ranking.planning.pilot import Needed, Pilot
from velour_plugin.ranking.slicing import Mask
from velour_plugin.ranking.uncertainty.bootstrap import measure_resampled
from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.measurement import Measurement
from velour_plugin.ranking.uncertainty.units import Units

_NO_SPREAD = "nothing varies in this pilot, so that it tells nothing; collect some more first"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a number of datums is to reach.

    Args:
        name: ``width`` of the interval, or ``difference`` to be found.
        wanted: how wide, or how large.
        confidence: of the interval; the level of the test is 1 less this.
        power: probability with which the difference is found; ``None`` for a width.
        other: whether the difference is to another run, of which nothing is known: it is taken to
            have the same standard error, and errors of its own.
    """

    name: Literal["width", "difference"]
    wanted: float
    confidence: float
    power: float | None
    other: bool

    @classmethod
    def of(cls, query: PlanQuery) -> Goal:
        """Read the goal of a query."""
        if query.detect is not None:
            other = query.against is None
            return cls("difference", query.detect, query.confidence, query.power, other)
        assert query.width is not None
        return cls("width", query.width, query.confidence, None, False)

    @property
    def option(self) -> str:
        """The names of the argument and option that it was given by."""
        return "width (--width)" if self.power is None else "detect (--detect)"

    def reached(self, pilot: Pilot) -> float:
        """Return the width, or the difference that is found, with the pilot's datums."""
        if self.power is None:
            return pilot.width(self.confidence)
        return self._of_two(pilot).difference(1 - self.confidence, self.power)

    def needed(self, pilot: Pilot) -> Needed:
        """Return how many units reach what is wanted."""
        if self.power is None:
            return pilot.for_width(self.wanted, self.confidence)
        return self._of_two(pilot).for_difference(self.wanted, 1 - self.confidence, self.power)

    def _of_two(self, pilot: Pilot) -> Pilot:
        return pilot.scaled(sqrt(2)) if self.other else pilot


@dataclass(slots=True)
class PlanRows:
    """Makes the rows of a plan.

    Args:
        runs: the pilot's, and the one that it is compared with, if any.
        key: the metric, and the class that it is about.
        goal: to be reached.
        resamples: how many to draw.
        seed: of the resamples.
        groups: of the first run's selected datums; ``None`` where each is by itself.
        notes: what a reader should know, in the order in which it was noticed.
    """

    runs: Sequence[EvaluatedLedger]
    key: MetricKey
    goal: Goal
    resamples: int
    seed: int
    groups: Units | None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.goal.other:
            self.notes.append(_OTHER_RUN)

    def row(self, name: str, mask: Mask) -> PlanRow:
        """Plan from the datums of a ``(datums,)`` mask; the first row is about all of them."""
        units = self._units(mask)
        measured = [
            measure_resampled(
                (run.evaluator, run.ledger, mask),
                *self.key,
                units=units,
                resamples=self.resamples,
                seed=self.seed,
            )
            for run in self.runs
        ]
        groups = None if self.groups is None else units.count
        row = PlanRow(name, int(mask.sum()), groups, _value(measured))
        reason = self._reason(measured, units.count)
        if reason is not None:
            return replace(row, reason=reason)
        if name == "all":
            self.notes += [*_on_rare_labels(measured), *self._on_better_runs(measured[0])]
        return self._planned(row, measured, units.count)

    def _planned(self, row: PlanRow, measured: Sequence[Measurement], units: int) -> PlanRow:
        pilot = Pilot.of(
            _replicates(measured),
            _last_less_first([_influences(each) for each in measured]),
            units,
            self.goal.confidence,
            measured[0].share if len(measured) == 1 else None,
        )
        row = replace(row, standard_error=pilot.error)
        if not pilot.error and (pilot.share is None or self.goal.name == "difference"):
            return replace(row, reason=_NO_SPREAD)
        if self.goal.name == "width" and pilot.share is None and len(measured) == 1:
            pilot = self._as_shown(pilot, measured[0])
        needed = self.goal.needed(pilot)
        more = max(0, needed.units - units)
        return replace(
            row,
            reached=self.goal.reached(pilot),
            needed=needed.units,
            needed_range=(needed.least, needed.most),
            more=more,
            thin=more > 0,
        )

    def _as_shown(self, pilot: Pilot, measured: Measurement) -> Pilot:
        """The spread at which a normal interval is as wide as the one that boards show.

        Those of average precision are wider, as they also hold what its bias may be.
        """
        confidence, bounds = self.goal.confidence, self.runs[0].evaluator.bounds(self.key[0])
        interval = measured.interval(confidence, bounds)
        if interval is None or interval.high <= interval.low:
            return pilot
        return pilot.scaled((interval.high - interval.low) / pilot.width(confidence))

    def _units(self, mask: Mask) -> Units:
        if self.groups is None:
            return Units.of_datums(int(mask.sum()))
        return self.groups.among(mask[self.runs[0].selected])

    def _reason(self, measured: Sequence[Measurement], units: int) -> str | None:
        """Why nothing can be planned; ``None`` where it can."""
        undefined = next((each.reason for each in measured if each.reason), None)
        if undefined is not None:
            return undefined
        if units < FEW:
            what = "datums" if self.groups is None else "groups"
            return f"{units} {what} are too few to plan from: at least {FEW} are"
        if np.isnan(_replicates(measured)).mean() > 0.5:
            return "undefined in more than half of the resamples"
        room = max(self._room(measured[0]))
        if self.goal.name == "difference" and self.goal.wanted > room:
            return (
                f"no run differs by {self.goal.wanted:g} from {measured[0].value:.4f}: by "
                f"{room:.4f} at most; name a smaller difference (--detect)"
            )
        return None

    def _room(self, first: Measurement) -> tuple[float, float]:
        """How much worse and how much better than this a value can be."""
        assert first.value is not None
        evaluator, metric = self.runs[0].evaluator, self.key[0]
        low, high = evaluator.bounds(metric)
        below = np.inf if low is None else first.value - low
        above = np.inf if high is None else high - first.value
        return (above, below) if evaluator.prefers_lower(metric) else (below, above)

    def _on_better_runs(self, first: Measurement) -> list[str]:
        _, better = self._room(first)
        if self.goal.name == "width" or self.goal.wanted <= better:
            return []
        return [
            f"No run is better than {first.value:.4f} by {self.goal.wanted:g}, {better:.4f} at "
            "most: this plan finds one that is so much worse."
        ]


def _value(measured: Sequence[Measurement]) -> float | None:
    values = [each.value for each in measured]
    if values[0] is None or values[-1] is None:
        return None
    return values[0] if len(values) == 1 else values[-1] - values[0]


def _replicates(measured: Sequence[Measurement]) -> NDArray[np.float64]:
    """Of the value, or of the difference under the same resamples: ``(resamples,)``."""
    return _last_less_first([each.replicates for each in measured])


def _influences(measured: Measurement) -> NDArray[np.float64]:
    """What each unit, or block of units, adds to the value, but for a factor."""
    if measured.outcomes is None:
        return -measured.left_out
    right, tried = measured.outcomes
    influences: NDArray[np.float64] = right / tried.sum() - (measured.value or 0.0) * (
        tried / tried.sum()
    )
    return influences


def _last_less_first(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The only array, or the second less the first."""
    return values[0] if len(values) == 1 else values[1] - values[0]


def _on_rare_labels(measured: Sequence[Measurement]) -> list[str]:
    rarest = max(measured, key=lambda each: len(each.rare))
    if not rarest.rare:
        return []
    return [
        f"Perhaps far off: {len(rarest.rare)} of the {len(rarest.support)} labels are shown by "
        f"fewer than {FEW} datums of this pilot, which says little about them; plan again when "
        "more are there, or for one of them (--label)."
    ]


_OTHER_RUN = (
    "Assumed of the other run: the same standard error, and errors of its own. Runs on the same "
    "datums mostly err on the same ones and need fewer: --against RUN measures it."
)
