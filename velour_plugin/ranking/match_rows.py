"""Which predictions of a run are right, which are not, and which truths it missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.answers import Match, Matches
from velour_plugin.answers.matches import KINDS, OUTCOMES
from velour_plugin.domain.columns.vocabulary import LabelName
from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.domain.labels import DEFAULT_KEY
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.evaluator import Evaluator
from velour_plugin.plugins.installed import installed
from velour_plugin.queries.query import MatchesQuery, label_of
from velour_plugin.ranking.candidates.run_lookup import find_run
from velour_plugin.store.protocol import Snapshot

_THRESHOLDS = {"iou_threshold": "IoU", "score_threshold": "score"}


def answer_matches(reader: Snapshot, query: MatchesQuery) -> Matches:
    """List the matches of a stored run on the datums that a filter selects."""
    run = find_run(reader, query.run, query.where, query.dataset, query.parameters)
    run.ledger.load_details()
    reader.release()
    subject = f"{run.name} on {run.dataset}"
    return _listed(run.evaluator, run.ledger, run.selected, query, subject, run.notes)


def matches_in_memory(evaluation: Evaluation, query: MatchesQuery) -> Matches:
    """List the matches of an evaluation that need not be stored.

    Raises:
        InvalidInput: the query has a filter, or parameters that the ledger cannot answer.
    """
    if query.where is not None:
        raise InvalidInput(
            "where=: an evaluation in memory does not know its datums; pass where= to "
            "velour.evaluate, or name a stored run."
        )
    evaluator, ledger = installed().evaluator(evaluation.task), evaluation.ledger
    if query.parameters:
        parameters = evaluator.parameters({**ledger.parameters, **query.parameters})
        ledger = evaluator.narrow(ledger, parameters)
    every = np.ones(len(ledger.datums), bool)
    subject = f"{evaluation.model} on {evaluation.certificate.dataset}"
    return _listed(evaluator, ledger, every, query, subject, ())


def _listed(
    evaluator: Evaluator,
    ledger: Ledger,
    selected: NDArray[np.bool_],
    query: MatchesQuery,
    subject: str,
    notes: Sequence[str],
) -> Matches:
    columns = evaluator.matches(ledger)
    if not columns:
        raise InvalidInput(
            f"{evaluator.task} compares no pairs of predictions and truths: look at its "
            "confusion_matrix (velour evaluate --json) or at 'velour worst'."
        )
    about = _about(columns, ledger.labels, selected, query)
    counts = _counts(columns["outcome"][about], columns["kind"][about])
    rows = np.flatnonzero(about & _of_outcome(columns, query.outcome))
    shown = rows[: query.n]
    return Matches(
        title=_title(subject, counts, ledger.parameters),
        rows=_rows({name: column[shown] for name, column in columns.items()}, ledger),
        notes=[*notes, *_notes(counts, len(rows), len(shown))],
        counts=counts,
    )


def _about(
    columns: Mapping[str, NDArray[Any]],
    labels: Sequence[LabelName],
    selected: NDArray[np.bool_],
    query: MatchesQuery,
) -> NDArray[np.bool_]:
    """Rows on the selected datums that are about the query's label."""
    chosen = np.asarray(selected[columns["datum"]])
    label = label_of(query)
    if label is not None:
        if label.name not in labels:
            raise UnknownName("label", _name(label.name), map(_name, labels))
        prediction = columns["prediction"]
        about = np.where(prediction < 0, columns["truth"], prediction)
        chosen &= about == labels.index(label.name)
    return chosen


def _of_outcome(columns: Mapping[str, NDArray[Any]], outcome: str | None) -> NDArray[np.bool_]:
    """Rows of an outcome, or of a kind of error; all where none is named."""
    if outcome is None:
        return np.ones(len(columns["outcome"]), bool)
    known = {*OUTCOMES, *KINDS, *columns["kind"].tolist()} - {""}
    if outcome not in known:
        raise UnknownName("outcome", outcome, known)
    return np.asarray((columns["outcome"] == outcome) | (columns["kind"] == outcome))


def _counts(outcome: NDArray[Any], kind: NDArray[Any]) -> dict[str, dict[str, int]]:
    """How many rows there are of each outcome, and under it of each kind, the most first."""
    counts: dict[str, dict[str, int]] = {}
    for name in OUTCOMES:
        kinds, numbers = np.unique(kind[outcome == name], return_counts=True)
        order = np.argsort(-numbers, kind="stable")
        counts[name] = dict(zip(kinds[order].tolist(), numbers[order].tolist(), strict=True))
    return counts


def _title(
    subject: str, counts: Mapping[str, Mapping[str, int]], parameters: Mapping[str, Any]
) -> str:
    numbers = [
        f"{sum(kinds.values())} {outcome}{'' if sum(kinds.values()) == 1 else 's'}"
        for outcome, kinds in counts.items()
    ]
    limits = [
        f"{name} {parameters[key]:g}" for key, name in _THRESHOLDS.items() if key in parameters
    ]
    return f"matches of {subject} from {' and '.join(limits)} on: {', '.join(numbers)}"


def _notes(counts: Mapping[str, Mapping[str, int]], rows: int, shown: int) -> list[str]:
    parts = [
        f"{outcome}s: " + ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        for outcome, kinds in counts.items()
        if kinds.keys() - {""}
    ]
    kinds = [f"Of these {'; '.join(parts)}."] if parts else []
    more = [f"{shown} of {rows} are listed; n (-n) lists more."] if shown < rows else []
    return kinds + more


def _rows(columns: Mapping[str, NDArray[Any]], ledger: Ledger) -> list[Match]:
    names = [*map(_name, ledger.labels), None]  # an index of -1 is the last
    listed = {name: _without_nan(column) for name, column in columns.items()}
    return [
        Match(ledger.datums[datum], outcome, kind, names[truth], names[prediction], *measured)
        for datum, outcome, kind, truth, prediction, *measured in zip(
            *(listed[name] for name in _COLUMNS), strict=True
        )
    ]


_COLUMNS = (
    "datum", "outcome", "kind", "truth", "prediction", "score", "iou",
    "truth_box", "prediction_box",
)  # fmt: skip


def _without_nan(column: NDArray[Any]) -> list[Any]:
    """Values as Python has them: ``None`` for NaN, a tuple for a row of numbers."""
    if column.ndim > 1:
        return [None if row[0] != row[0] else tuple(row) for row in column.tolist()]
    return [None if value != value else value for value in column.tolist()]


def _name(label: LabelName) -> str:
    key, value = label
    return value if key == DEFAULT_KEY else f"{key}={value}"
