"""Metrics of evaluations by name: what was measured is stored, details are computed.

One evaluation of each question stands for all where names are listed in a message: details of the
others have the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from velour_plugin.domain.columns.vocabulary import LabelName
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import Label, class_in_words
from velour_plugin.errors import InvalidInput, NotFound, UnknownName
from velour_plugin.evaluator import Evaluator
from velour_plugin.helpers.progress import track
from velour_plugin.plugins.installed import installed
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Candidate


def metric_values(
    reader: Reader, candidates: Sequence[Candidate], metric: str, label: Label | None
) -> dict[str, float | None]:
    """Values of a metric, by evaluation; those without it are left out.

    Args:
        reader: of the store.
        candidates: the evaluations.
        metric: its name, of what is measured or of details.
        label: the class that it is about; ``None`` for a metric about all.
    """
    values = reader.metric_values(_ids(candidates), metric, label)
    missing = [item for item in candidates if item.evaluation_id not in values]
    key = label and label.name
    for item, details in _details(reader, _never_stored(reader, missing, metric)):
        for each in details:
            if (each.name, each.label and each.label.name) == (metric, key):
                values[item.evaluation_id] = _number(each.value)
    return values


def metric_names(reader: Reader, candidates: Sequence[Candidate]) -> set[str]:
    """Names of the metrics that evaluations have."""
    details = _details(reader, _of_each_question(candidates))
    return reader.metric_names(_ids(candidates)) | {
        each.name for _, metrics in details for each in metrics
    }


def metric_labels(reader: Reader, candidates: Sequence[Candidate], metric: str) -> set[LabelName]:
    """Classes, as (key, value), for which evaluations have a metric."""
    details = _details(reader, _of_each_question(candidates))
    return reader.metric_labels(_ids(candidates), metric) | {
        each.label.name
        for _, metrics in details
        for each in metrics
        if each.name == metric and each.label is not None
    }


def has_metric(reader: Reader, candidates: Sequence[Candidate], metric: str) -> bool:
    """Whether one of the evaluations has a metric of that name, of whatever class."""
    if metric in reader.metric_names(_ids(candidates)):
        return True
    details = _details(reader, candidates)
    return any(each.name == metric for _, metrics in details for each in metrics)


def first_metric(evaluator: Evaluator, label: Label | None) -> str:
    """The first headline metric of a task; of one label, the metric that belongs to it, if any."""
    headline = evaluator.headline[0]
    return headline if label is None else evaluator.of_label.get(headline, headline)


def no_metric(
    reader: Reader, metric: str, label: Label | None, candidates: Sequence[Candidate]
) -> NotFound | UnknownName | InvalidInput:
    """The error that says why no candidate has a metric of a label, or of all labels."""
    if not candidates:
        return NotFound("no evaluated run matches: 'velour runs list' shows those that are there.")
    names = metric_names(reader, candidates)
    if label is not None and metric in names:
        known = metric_labels(reader, candidates, metric)
        if not known:
            return InvalidInput(f"{metric} is about all labels: leave label= (--label) out.")
        labels = set(map(class_in_words, known))
        return UnknownName(f"label of {metric}", class_in_words(label.name), labels)
    if metric in names:
        return InvalidInput(f"{metric} is about one label: name it with label= (--label).")
    return UnknownName("metric", metric, names)


def _details(
    reader: Reader, candidates: Sequence[Candidate]
) -> Iterator[tuple[Candidate, list[Metric]]]:
    """Details of evaluations, computed one at a time; a progress bar shows when it takes long."""
    ledgers = reader.ledgers(_ids(candidates)) if candidates else iter(())
    for item in track(candidates, len(candidates), "computing details"):
        yield item, installed().evaluator(item.task).details(next(ledgers))


def _never_stored(
    reader: Reader, candidates: Sequence[Candidate], metric: str
) -> Sequence[Candidate]:
    """Evaluations of which nothing is stored under a metric's name, of whatever class."""
    if not candidates or metric not in reader.metric_names(_ids(candidates)):
        return candidates
    return [item for item in candidates if metric not in reader.metric_names(_ids([item]))]


def _of_each_question(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The first evaluation of each question."""
    first: dict[str, Candidate] = {}
    for item in candidates:
        first.setdefault(canonical_json(item.certificate.to_dict()), item)
    return list(first.values())


def _ids(candidates: Sequence[Candidate]) -> list[str]:
    return [item.evaluation_id for item in candidates]


def _number(value: Any) -> float | None:
    """A metric's value as rankings take it; ``None`` for curves and matrices."""
    plain = value.item() if isinstance(value, np.generic) else value
    is_number = isinstance(plain, (int, float)) and not isinstance(plain, bool)
    return float(plain) if is_number else None
