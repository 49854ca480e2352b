"""Where to set the threshold of the scores of each class of a run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from velour_plugin.answers import OperatingPoint, Thresholds
from velour_plugin.domain.labels import class_in_words
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.evaluator import ScoredOutcomes
from velour_plugin.queries.query import ThresholdQuery, label_of
from velour_plugin.ranking.candidates.run_lookup import EvaluatedLedger, find_run
from velour_plugin.ranking.operating.operating_points import (
    FOLDS,
    ChosenThreshold,
    ScoredDecisions,
    choose,
)
from velour_plugin.ranking.slice_runs import groups_of_run
from velour_plugin.ranking.slicing import Mask
from velour_plugin.ranking.uncertainty.units import Units
from velour_plugin.store.protocol import Snapshot


def answer_thresholds(reader: Snapshot, query: ThresholdQuery) -> Thresholds:
    """Choose a threshold for each class of a run, on the datums that a filter selects."""
    run = find_run(reader, query.run, query.where, query.dataset, query.parameters)
    groups = groups_of_run(reader, run, query.groups, FOLDS)
    units = groups.units or Units.of_datums(int(run.selected.sum()))
    reader.release()
    outcomes = run.evaluator.scored_outcomes(run.ledger)
    if outcomes is None:
        raise InvalidInput(
            f"the predictions of {run.name} on {run.dataset} ({run.evaluator.task}) have no "
            "scores: thresholds are of the scores of detections or of classes."
        )
    rows = []
    for number, decisions in _classes(outcomes, _labels_of(run, query), run.selected, units):
        chosen = choose(decisions, query.goal, query.confidence, query.seed)
        name = class_in_words(run.ledger.labels[number])
        rows.append(_row(name, int(decisions.truths.sum()), chosen))
    metric, target = query.goal
    return Thresholds(
        title=_title(run, metric, target),
        rows=rows,
        notes=(*run.notes, *groups.notes),
        metric=metric,
        target=target,
        confidence=query.confidence,
        **groups.of_answer,
    )


def _labels_of(run: EvaluatedLedger, query: ThresholdQuery) -> list[int]:
    """Indices of the labels that a query is about."""
    label, known = label_of(query), run.ledger.labels
    if label is None:
        return list(range(len(known)))
    if label.name not in known:
        raise UnknownName("label", class_in_words(label.name), map(class_in_words, known))
    return [known.index(label.name)]


def _classes(
    outcomes: ScoredOutcomes, labels: list[int], selected: Mask, units: Units
) -> Iterator[tuple[int, ScoredDecisions]]:
    """Decisions of each label that has some, or truths, on the selected datums."""
    unit = np.zeros(len(selected), np.intp)
    unit[selected] = units.of_datum
    rows = np.flatnonzero(selected[outcomes.datum])
    rows = rows[np.lexsort((-outcomes.score[rows], outcomes.label[rows]))]
    real = np.flatnonzero(selected[outcomes.truth_datum])
    real = real[np.argsort(outcomes.truth_label[real], kind="stable")]
    for number in labels:
        made = rows[slice(*np.searchsorted(outcomes.label[rows], [number, number + 1]))]
        true = real[slice(*np.searchsorted(outcomes.truth_label[real], [number, number + 1]))]
        if made.size or true.size or len(labels) == 1:
            truths = np.bincount(unit[outcomes.truth_datum[true]], minlength=units.count)
            yield (
                number,
                ScoredDecisions(
                    unit[outcomes.datum[made]], outcomes.score[made], outcomes.right[made], truths
                ),
            )


def _row(label: str, support: int, chosen: ChosenThreshold | str) -> OperatingPoint:
    if isinstance(chosen, str):
        return OperatingPoint(label, support=support, reason=chosen)
    values, intervals = chosen.values, chosen.intervals
    return OperatingPoint(
        label,
        chosen.threshold,
        chosen.measured,
        values["precision"],
        intervals["precision"],
        values["recall"],
        intervals["recall"],
        values["f1"],
        intervals["f1"],
        support,
        chosen.decided,
    )


def _title(run: EvaluatedLedger, metric: str, target: float | None) -> str:
    goal = "for the best F1" if target is None else f"for a {metric} of {target:g}"
    iou = run.ledger.parameters.get("iou_threshold")
    at = "" if iou is None else f" at IoU {iou:g}"
    return f"thresholds of {run.name} on {run.dataset} {goal}{at}, {run.selected.sum()} datums"
