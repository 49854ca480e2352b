"""Metrics of evaluations by name: what was measured is stored, details are computed.

One evaluation of each question stands for all where names are listed in a message: details of the
others have the same names.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from velour_plugin.domain.columns.vocabulary import LabelName
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import DEFAULT_KEY, Label
from velour_plugin.errors import InvalidInput, NotFound, UnknownName
from velour_plugin.evaluator import Evaluator
from velour_plugin.helpers.progress import track
from velour_plugin.plugins.installed import installed
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Candidate

_NAMED = 10


def metric_values(
    reader: Reader, candidates: Sequence[Candidate], metric: str, label: Label | None
) -> dict[str, float | None]:
    """Read the values of a metric by evaluation id, ``None`` if undefined; no entry without it.

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
    """Return the names of the metrics that any of the evaluations has."""
    details = _details(reader, _of_each_question(candidates))
    return reader.metric_names(_ids(candidates)) | {
        each.name for _, metrics in details for each in metrics
    }


def metric_labels(reader: Reader, candidates: Sequence[Candidate], metric: str) -> set[LabelName]:
    """Return the classes, as (key, value), for which any of the evaluations has a metric."""
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
    """Return a task's first headline metric; with a label, that of labels, as AP for mAP."""
    headline = evaluator.headline[0]
    return headline if label is None else evaluator.of_label.get(headline, headline)


def no_metric(
    reader: Reader, metric: str, label: Label | None, candidates: Sequence[Candidate]
) -> NotFound | UnknownName | InvalidInput:
    """Make the error that says why no candidate has a metric, of a label or of all labels."""
    if not candidates:
        return NotFound("no evaluated run matches: 'velour runs list' shows those that are there.")
    names = metric_names(reader, candidates)
    if label is not None and metric in names:
        known = metric_labels(reader, candidates, metric)
        if not known:
            of_one = installed().evaluator(candidates[0].task).of_label.get(metric)
            instead = f"; of one label it is {of_one}: name that metric" if of_one else ""
            return InvalidInput(
                f"{metric} is about all labels{instead}{', or' if of_one else ':'} leave label= "
                "(--label) out."
            )
        return UnknownName(f"label of {metric}", _option(label.name), map(_option, known))
    if metric in names:
        labels = sorted(map(_option, metric_labels(reader, candidates, metric)))
        return InvalidInput(
            f"{metric} is about one label: name it with label= (--label), such as --label "
            f"{shlex.quote(labels[0])}; there are: {_first_few(labels)}."
        )
    return UnknownName("metric", metric, names)


def column_of_one_label(
    reader: Reader, column: str, metric: str, candidates: Sequence[Candidate]
) -> InvalidInput:
    """Make the error that a column is about one label, and what is ranked by about all of them."""
    of_one = installed().evaluator(candidates[0].task).of_label.get(metric, column)
    label = shlex.quote(min(map(_option, metric_labels(reader, candidates, column))))
    datasets = dict.fromkeys(shlex.quote(item.certificate.dataset) for item in candidates)
    named = "".join(f" --dataset {name}" for name in datasets)
    line = f"velour rank {of_one}{named} --label {label}"
    return InvalidInput(
        f"column {column} is about one label, and {metric} about all: rank by a metric of one "
        f"label, as '{line}{'' if of_one == column else f' --column {column}'}' does."
    )


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


def _option(label: LabelName) -> str:
    """A class as the option ``--label`` takes it."""
    key, value = label
    return value if key == DEFAULT_KEY else f"{key}={value}"


def _first_few(labels: Sequence[str]) -> str:
    return ", ".join(labels[:_NAMED]) + (", …" if len(labels) > _NAMED else "")


def _ids(candidates: Sequence[Candidate]) -> list[str]:
    return [item.evaluation_id for item in candidates]


def _number(value: Any) -> float | None:
    """A metric's value as rankings take it; ``None`` for curves and matrices."""
    plain = value.item() if isinstance(value, np.generic) else value
    is_number = isinstance(plain, (int, float)) and not isinstance(plain, bool)
    return float(plain) if is_number else None
