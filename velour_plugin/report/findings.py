"""What to show of an evaluation: its labels, slices of its data, its worst datums, intervals.

Everything is computed from the ledger; nothing is matched again. Reports, tables and figures are
made of the same findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Evaluation, Metric
from velour_plugin.domain.labels import Label
from velour_plugin.evaluator import value_over
from velour_plugin.helpers.libraries import shapely
from velour_plugin.plugins.installed import installed
from velour_plugin.queries.fields import Cut
from velour_plugin.ranking.datum_costs import datum_costs
from velour_plugin.ranking.slicing import cut_name, masks
from velour_plugin.ranking.uncertainty.intervals import ConfidenceInterval
from velour_plugin.report.intervals import Resampling

if TYPE_CHECKING:
    from velour_plugin.answers import Leaderboard

ABOUT_LABELS = ("AP_50", "IoU", "f1")
"""The metric of a label that is shown first, where the task has it."""

SIZES = frozenset({"height", "width"})
"""Properties that are not sliced by unless the caller names them."""

FEW, CUTS, SLICES, WORST = 10, 5, 100, 10
"""Values of a property that is sliced by when the caller names none; such properties; slices;
worst datums."""

LEFT_OUT = 5_000
"""Datums, at most, that are each left out in turn to find the worst."""


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """Metrics of one label.

    Args:
        name: its value; ``key=value`` for those of a second key.
        datums: how many have it; ``None`` where the ledger does not say.
        values: its metrics by name, the most important first.
        label: the label itself.
    """

    name: str
    datums: int | None
    values: Mapping[str, float | None]
    label: Label


@dataclass(frozen=True, slots=True)
class SliceFinding:
    """The task's first headline metric over a slice, and its difference to that of all datums.

    Its confidence interval is from ``ends[0]`` to ``ends[1]``; ``rough`` says why it cannot be
    trusted, if it cannot.
    """

    by: str
    name: str
    datums: int
    value: float | None
    difference: float | None
    ends: tuple[float, float] | None = None
    rough: str | None = None


@dataclass(frozen=True)
class Findings:
    """Labels, slices, worst datums and intervals of an evaluation.

    Args:
        evaluation: the numbers.
        labels: those that most datums have come first.
        slices: in the order of their cuts.
        datums: those that were evaluated, in the order of the ledger.
        by_datum: columns as the evaluator's ``by_datum`` has them.
        costs: ``(datums,)`` gain of the first headline metric if each datum is left out; NaN where
            it was not computed.
        intervals: confidence intervals of headline metrics, by name.
        resamples: that intervals are from; 0 without any.
        leaderboard: the other models of the dataset; ``None`` where there are none.
    """

    evaluation: Evaluation
    labels: Sequence[LabelFinding]
    slices: Sequence[SliceFinding]
    datums: Sequence[Datum]
    by_datum: Mapping[str, NDArray[Any]]
    costs: NDArray[np.float64]
    intervals: Mapping[str, ConfidenceInterval] = field(default_factory=dict)
    resamples: int = 0
    leaderboard: Leaderboard | None = None

    @property
    def metric(self) -> str:
        """The task's first headline metric, which slices are measured by; empty if it has none."""
        return next(iter(self.evaluation.headline), "")

    @property
    def label_metric(self) -> str | None:
        """The metric of labels that is shown first."""
        return next((name for label in self.labels for name in label.values), None)

    @cached_property
    def worst(self) -> Sequence[int]:
        """Indices of the datums that cost most, in the order of ``velour worst``."""
        order = np.argsort(-np.nan_to_num(self.costs), kind="stable")[:WORST]
        return [int(index) for index in order if self.costs[index] > 0]

    @cached_property
    def locations(self) -> NDArray[np.float64]:
        """``(datums, 2)`` longitude and latitude of each datum; NaN where it has none."""
        located = [index for index, datum in enumerate(self.datums) if datum.location is not None]
        points = np.full((len(self.datums), 2), np.nan)
        if located:
            centres = shapely.centroid([self.datums[index].location for index in located])
            points[located] = np.column_stack([shapely.get_x(centres), shapely.get_y(centres)])
        return points

    def overall(self, name: str) -> Metric | None:
        """Return a metric about all labels, such as a matrix or a curve; ``None`` if undefined."""
        for metric in self.evaluation.metrics:
            if metric.name == name and metric.label is None and metric.value is not None:
                return metric
        return None


def find(
    evaluation: Evaluation,
    dataset: Dataset,
    cuts: Iterable[Cut] | None = None,
    intervals: bool = True,
) -> Findings:
    """Compute what a report shows of an evaluation.

    Args:
        evaluation: of ``dataset``.
        dataset: for the metadata and locations of the datums.
        cuts: how to slice (see :mod:`velour_plugin.ranking.slicing`); by properties of few values
            when left out.
        intervals: whether confidence intervals are computed.

    Raises:
        UnknownName: no datum has a property that the cuts name.
    """
    evaluator = installed().evaluator(evaluation.task)
    index_of = dataset.index_of
    datums = [dataset.datums[index_of[uid]] for uid in evaluation.ledger.datums]
    evaluated = np.zeros(len(dataset), bool)
    evaluated[[index_of[uid] for uid in evaluation.ledger.datums]] = True
    truth = dataset.truth.on_datums(evaluated)
    by_datum = evaluator.by_datum(evaluation.ledger)
    cuts = usual_cuts(datums) if cuts is None else cuts
    resampling = Resampling(evaluation, dataset) if intervals else None
    known = resampling.headline() if resampling else {}
    return Findings(
        evaluation,
        _labels(evaluation),
        _slices(evaluation, datums, truth, cuts, resampling),
        datums,
        by_datum,
        _costs(evaluation, by_datum),
        known,
        resampling.resamples if resampling and known else 0,
    )


def _costs(evaluation: Evaluation, by_datum: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """What each datum costs; of more than :data:`LEFT_OUT`, those with most errors only."""
    ledger, metric = evaluation.ledger, next(iter(evaluation.headline), "")
    count = len(ledger.datums)
    costs, omitted = np.full(count, np.nan), np.arange(count)
    if count > LEFT_OUT and "errors" in by_datum:
        omitted = np.sort(np.argsort(-by_datum["errors"], kind="stable")[:LEFT_OUT])
    omitted = omitted[:LEFT_OUT]
    if metric and count:
        evaluator = installed().evaluator(evaluation.task)
        every = np.ones(count, bool)
        costs[omitted] = datum_costs(evaluator, ledger, (metric, None), every, omitted)
    return costs


def usual_cuts(datums: Sequence[Datum]) -> list[str]:
    """Name the metadata to slice by by default: texts, booleans and integers of few values."""
    values: dict[str, set[Any] | None] = {}
    for datum in datums:
        for name, value in datum.metadata.items():
            seen = values.setdefault(name, set())
            if seen is None:
                continue
            if isinstance(value, (str, bool, int)):
                seen.add(value)
            if not isinstance(value, (str, bool, int)) or len(seen) > FEW:
                values[name] = None  # too many values, or one of another type
    return [name for name, seen in values.items() if seen and len(seen) > 1 and name not in SIZES][
        :CUTS
    ]


def _labels(evaluation: Evaluation) -> list[LabelFinding]:
    support = installed().evaluator(evaluation.task).support(evaluation.ledger)
    numbers: dict[tuple[str, str], dict[str, float | None]] = {}
    labels: dict[tuple[str, str], Label] = {}
    for metric in evaluation.metrics:
        if metric.label is not None and _is_number(metric):
            numbers.setdefault(metric.label.name, {})[metric.name] = metric.value
            labels.setdefault(metric.label.name, metric.label)
    first_key = next((key for key, _ in numbers), "")
    findings = [
        LabelFinding(
            label.value if label.key == first_key else f"{label.key}={label.value}",
            len(support[name]) if name in support else None,
            _first_metric_first(numbers[name]),
            label,
        )
        for name, label in labels.items()
    ]
    return sorted(findings, key=lambda label: -(label.datums or 0))


def _first_metric_first(values: Mapping[str, float | None]) -> dict[str, float | None]:
    first = {name: values[name] for name in ABOUT_LABELS if name in values}
    return {**first, **values}


def _slices(
    evaluation: Evaluation,
    datums: Sequence[Datum],
    truth: AnnotationTable,
    cuts: Iterable[Cut],
    resampling: Resampling | None,
) -> list[SliceFinding]:
    evaluator = installed().evaluator(evaluation.task)
    metric = next(iter(evaluation.headline), "")
    whole = evaluation.headline.get(metric)
    parts = [
        (cut_name(cut), name, mask)
        for cut in cuts
        for name, mask in masks(datums, cut, evaluation.certificate.dataset, truth).items()
        if mask.any()
    ]
    parts = parts[:SLICES] if metric else []
    every = [mask for _, _, mask in parts]
    intervals = resampling.slices(metric, every) if resampling else [None] * len(parts)
    rows = []
    for (by, name, mask), interval in zip(parts, intervals, strict=True):
        value = value_over(evaluator, evaluation.ledger, metric, None, mask)
        difference = None if value is None or whole is None else value - whole
        sure = (interval.ends, interval.rough) if interval else (None, None)
        rows.append(SliceFinding(by, name, int(mask.sum()), value, difference, *sure))
    return rows


def _is_number(metric: Metric) -> bool:
    value = metric.value
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
