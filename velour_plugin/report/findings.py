"""What to show of an evaluation: its labels, slices of its data, and its worst datums.

Everything is read from the ledger: nothing is matched, and nothing is resampled. Reports, tables
and figures are made of the same findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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
from velour_plugin.ranking.slicing import cut_name, masks

ABOUT_LABELS = ("AP_50", "IoU", "f1")
"""What a label is judged by first, where the task has it."""

SIZES = frozenset({"height", "width"})
"""Properties that nobody asked to slice by, however few values they have."""

FEW, CUTS, SLICES, WORST = 10, 5, 100, 10
"""Values of a property that slices by default; such properties; slices; worst datums."""


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """How one label went.

    Args:
        name: its value; ``key=value`` for those of a second key.
        datums: how many show it; ``None`` where the ledger does not tell.
        values: every number about it, by name, what it is judged by first coming first.
        label: the label itself.
    """

    name: str
    datums: int | None
    values: Mapping[str, float | None]
    label: Label


@dataclass(frozen=True, slots=True)
class SliceFinding:
    """How a slice of the data went: the task's first metric over its datums."""

    by: str
    name: str
    datums: int
    value: float | None
    difference: float | None


@dataclass(frozen=True)
class Findings:
    """What to show of one evaluation.

    Args:
        evaluation: the numbers.
        labels: those most datums show first.
        slices: in the order of their cuts.
        datums: those that were judged, in the order of the ledger.
        by_datum: columns as the evaluator's ``by_datum`` has them.
    """

    evaluation: Evaluation
    labels: Sequence[LabelFinding]
    slices: Sequence[SliceFinding]
    datums: Sequence[Datum]
    by_datum: Mapping[str, NDArray[Any]]

    @property
    def metric(self) -> str:
        """The task's first headline metric, which slices are measured by; empty if it has none."""
        return next(iter(self.evaluation.headline), "")

    @property
    def label_metric(self) -> str | None:
        """What labels are judged by first."""
        return next((name for label in self.labels for name in label.values), None)

    @cached_property
    def worst(self) -> Sequence[int]:
        """Positions of the datums with most errors, those of equally many with the lowest score."""
        errors, score = self.by_datum.get("errors"), self.by_datum.get("score")
        if errors is None or score is None:
            return ()
        more = [-column for name, column in self.by_datum.items() if name not in _FIRST]
        order = np.lexsort((*more, score, -errors))[:WORST]
        return [int(place) for place in order if errors[place] > 0]

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """``(datums, 2)`` longitude and latitude of each datum; NaN where it has none."""
        located = [place for place, datum in enumerate(self.datums) if datum.location is not None]
        found = np.full((len(self.datums), 2), np.nan)
        if located:
            centres = shapely.centroid([self.datums[place].location for place in located])
            found[located] = np.column_stack([shapely.get_x(centres), shapely.get_y(centres)])
        return found


_FIRST = ("score", "errors")


def find(evaluation: Evaluation, dataset: Dataset, cuts: Iterable[Cut] | None = None) -> Findings:
    """Look for what is worth showing.

    Args:
        evaluation: of ``dataset``.
        dataset: for what is known of the datums.
        cuts: how to slice (see :mod:`velour_plugin.ranking.slicing`); properties of few values
            when left out.

    Raises:
        UnknownName: no datum has a property that the cuts name.
    """
    evaluator = installed().evaluator(evaluation.task)
    place = dataset.index_of
    datums = [dataset.datums[place[uid]] for uid in evaluation.ledger.datums]
    evaluated = np.zeros(len(dataset), bool)
    evaluated[[place[uid] for uid in evaluation.ledger.datums]] = True
    truth = dataset.truth.on_datums(evaluated)
    return Findings(
        evaluation,
        _labels(evaluation),
        _slices(evaluation, datums, truth, usual_cuts(datums) if cuts is None else cuts),
        datums,
        evaluator.by_datum(evaluation.ledger),
    )


def usual_cuts(datums: Sequence[Datum]) -> list[str]:
    """Properties to slice by when nobody says: words, truths and whole numbers of few values."""
    values: dict[str, set[Any] | None] = {}
    for datum in datums:
        for name, value in datum.metadata.items():
            seen = values.setdefault(name, set())
            if seen is None:
                continue
            if isinstance(value, (str, bool, int)):
                seen.add(value)
            if not isinstance(value, (str, bool, int)) or len(seen) > FEW:
                values[name] = None  # too many, or of another kind
    return [name for name, seen in values.items() if seen and len(seen) > 1 and name not in SIZES][
        :CUTS
    ]


def _labels(evaluation: Evaluation) -> list[LabelFinding]:
    shown = installed().evaluator(evaluation.task).support(evaluation.ledger)
    numbers: dict[tuple[str, str], dict[str, float | None]] = {}
    labels: dict[tuple[str, str], Label] = {}
    for metric in evaluation.metrics:
        if metric.label is not None and _is_number(metric):
            numbers.setdefault(metric.label.name, {})[metric.name] = metric.value
            labels.setdefault(metric.label.name, metric.label)
    first_key = next((key for key, _ in numbers), "")
    found = [
        LabelFinding(
            label.value if label.key == first_key else f"{label.key}={label.value}",
            len(shown[name]) if name in shown else None,
            _first_first(numbers[name]),
            label,
        )
        for name, label in labels.items()
    ]
    return sorted(found, key=lambda label: -(label.datums or 0))


def _first_first(values: Mapping[str, float | None]) -> dict[str, float | None]:
    first = {name: values[name] for name in ABOUT_LABELS if name in values}
    return {**first, **values}


def _slices(
    evaluation: Evaluation, datums: Sequence[Datum], truth: AnnotationTable, cuts: Iterable[Cut]
) -> list[SliceFinding]:
    evaluator = installed().evaluator(evaluation.task)
    metric = next(iter(evaluation.headline), "")
    whole = evaluation.headline.get(metric)
    found = [
        (cut_name(cut), name, mask)
        for cut in cuts
        for name, mask in masks(datums, cut, evaluation.certificate.dataset, truth).items()
        if mask.any()
    ]
    rows = []
    for by, name, mask in found[:SLICES] if metric else ():
        value = value_over(evaluator, evaluation.ledger, metric, None, mask)
        difference = None if value is None or whole is None else value - whole
        rows.append(SliceFinding(by, name, int(mask.sum()), value, difference))
    return rows


def _is_number(metric: Metric) -> bool:
    value = metric.value
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
