"""One metric of one run with what resamples tell of it, and its confidence interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from velour_plugin.answers.intervals import SupportedLabels
from velour_plugin.evaluator import IntervalMethod, MetricKey
from velour_plugin.ranking.uncertainty.half_samples import half_sample_interval, small_sample_bias
from velour_plugin.ranking.uncertainty.intervals import (
    Bounds,
    ConfidenceInterval,
    Sample,
    grouped_wilson,
    interval_of,
)
from velour_plugin.ranking.uncertainty.label_support import FEW, LabelSupport, why_rough
from velour_plugin.ranking.uncertainty.statistics import wilson_interval
from velour_plugin.ranking.uncertainty.units import Units

UNDEFINED = "undefined on these datums: there is nothing that it would be a share or a mean of"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run over the selected datums.

    Args:
        value: of the metric; ``None`` where it is undefined.
        datums: how many are selected.
        replicates: ``(resamples,)``; NaN where undefined.
        reason: why there is no value.
        rare: labels of the metric that only few of the units show, as key=value.
        outcomes: how many datums are right and how many tried, of each unit ``(units,)``, where
            the value is a share of datums.
        further: values of further metrics, by name.
        left_out: ``(blocks,)`` values without each block of units in turn; NaN where undefined.
        halves: ``(count,)`` values of half-samples of the units, where the method takes them.
        units: how many units resamples draw.
        support: how many units show each label that the metric is about.
        method: by which the metric has its interval, where it is no share of datums.
        supported: the same over the labels that are not rare; ``None`` where all are, none is, or
            the metric is no mean of its labels.
    """

    value: float | None
    datums: int
    replicates: NDArray[np.float64]
    reason: str | None = None
    rare: tuple[str, ...] = ()
    outcomes: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    further: Mapping[str, float | None] = field(default_factory=dict)
    left_out: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    halves: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    units: int = 0
    support: tuple[int, ...] = ()
    method: IntervalMethod = "BCa"
    supported: Measurement | None = None

    @property
    def share(self) -> tuple[int, int] | None:
        """How many are right and how many tried, where the value is a share of single datums."""
        if self.outcomes is None or (self.outcomes[1] > 1).any():
            return None
        right, tried = self.outcomes
        return int(right.sum()), int(tried.sum())

    @property
    def bias(self) -> tuple[float, float]:
        """The least and the most that the value is too high by, as its sample is small."""
        if self.value is None or self.method != "half-samples" or np.isnan(self.halves).all():
            return 0.0, 0.0
        return small_sample_bias(self.value, self.halves)

    def interval(self, confidence: float, bounds: Bounds) -> ConfidenceInterval | None:
        """Compute the interval: Wilson's of a share, else the metric's; ``None`` if undefined."""
        if self.value is None:
            return None
        if self.outcomes is None:
            return self._of_sample(self.value, confidence, bounds)
        if self.share is not None:
            ends = wilson_interval(*self.share, confidence)
            return None if ends is None else ConfidenceInterval(*ends, "Wilson")
        ends = grouped_wilson(*self.outcomes, confidence)
        return None if ends is None else ConfidenceInterval(*ends, "Wilson, by groups")

    def _of_sample(
        self, value: float, confidence: float, bounds: Bounds
    ) -> ConfidenceInterval | None:
        """The interval by the metric's method, with the reason why it is rough, if it is."""
        sample = Sample(value, self.replicates, self.left_out, self.units, bounds)
        unit = "datums" if self.units == self.datums else "groups"
        if self.method == "half-samples":
            shown = [count for count in self.support if count]
            return half_sample_interval(sample, self.halves, shown, confidence, unit)
        interval = interval_of(sample, self.method, confidence)
        if interval is None or not self.rare:
            return interval
        return replace(
            interval, rough=why_rough(self.rare, len(self.support), unit, value, self.replicates)
        )


class IntervalFields(TypedDict):
    """An interval as the fields that rows of answers have in common."""

    interval: tuple[float, float] | None
    interval_method: str | None
    rough: str | None
    supported: SupportedLabels | None


def interval_fields(measured: Measurement, confidence: float, bounds: Bounds) -> IntervalFields:
    """Compute the interval of a measurement, and that over its supported labels, for a row."""
    interval = measured.interval(confidence, bounds)
    if interval is None:
        return {"interval": None, "interval_method": None, "rough": None, "supported": None}
    return {
        "interval": interval.ends,
        "interval_method": interval.method,
        "rough": interval.rough,
        "supported": _supported(measured, confidence, bounds) if interval.rough else None,
    }


def _supported(measured: Measurement, confidence: float, bounds: Bounds) -> SupportedLabels | None:
    surer = measured.supported
    if surer is None or surer.value is None:
        return None
    interval = surer.interval(confidence, bounds)
    ends = None if interval is None else interval.ends
    return SupportedLabels(surer.value, ends, len(surer.support), len(measured.support))


@dataclass(frozen=True, slots=True)
class Draws:
    """Some metrics of the datums that count: observed, under resamples, and left out.

    Args:
        observed: ``(metrics,)``.
        replicates: ``(resamples, metrics)``.
        left_out: ``(blocks, metrics)``.
        halves: ``(count, metrics)`` of half-samples.
        units: that were drawn.
    """

    observed: NDArray[np.float64]
    replicates: NDArray[np.float64]
    left_out: NDArray[np.float64]
    halves: NDArray[np.float64]
    units: Units

    def measurement(self, columns: Sequence[int], method: IntervalMethod) -> Measurement:
        """Return one metric, or the mean of those of some labels."""
        value = float(_means(self.observed[None, columns])[0])
        return Measurement(
            None if np.isnan(value) else value,
            len(self.units.of_datum),
            _means(self.replicates[:, columns]),
            UNDEFINED if np.isnan(value) else None,
            left_out=_means(self.left_out[:, columns]),
            halves=_means(self.halves[:, columns]),
            units=self.units.count,
            method=method,
        )

    def of_labels(
        self, support: LabelSupport, columns: Sequence[MetricKey], method: IntervalMethod
    ) -> Measurement | None:
        """Return the mean of the supported labels; ``None`` if there are none."""
        if not support.supported:
            return None
        mean = self.measurement([columns.index(key) for key in support.supported], method)
        return replace(mean, support=tuple(count for count in support.counts if count >= FEW))


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of rows without what is undefined; NaN where all is."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
