"""The ledger of classification: what it holds, how it is written and put together.

===========  ================================================================
table        columns
===========  ================================================================
``answers``  one row for each datum and label key with a true label, sorted by key, then datum:
             datum, truth and predicted (labels, -1 for none), correct, answered, scored,
             confidence (score of the choice; NaN where scores add up to more than 1 and are
             no shares), rank (of the true label, 0 when not named),
             log_loss and brier (sums over labels; NaN where scores are no probabilities)
``scores``   label, datum, score: all predictions, by key and label, then from high to low
             score; a label without a score has 1
``truths``   label, datum, score (0 where it is not predicted), first and last: the rows of
             ``scores`` of the same label and score; by key and label, then from high to low score
===========  ================================================================

Where a datum may have many labels, ``truth`` is one of them, ``predicted`` and ``rank`` are
undefined, and ``correct`` is of its set of labels as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification import engine
from velour_evaluators.classification.input import KeyColumns, columns_by_key, mixture_of_scores
from velour_evaluators.classification.kernels import class_scores
from velour_evaluators.classification.kernels.class_counts import MISSING
from velour_evaluators.classification.kernels.class_scores import sorted_scores
from velour_evaluators.classification.kernels.ranking_order import RankedScores, RankedTruths
from velour_evaluators.kernels.sorting import starts_of_runs
from velour_plugin import Dataset, Ledger
from velour_plugin.plugin import Columns, LabelName


def write_ledger(task: str, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
    """Evaluate every datum under every label key, and sort scores once for all metrics.

    Args:
        task: the evaluator's.
        dataset: with predictions.
        parameters: checked ones.
    """
    labels, keys = columns_by_key(task, dataset, parameters)
    tables = _tables((columns, _answers_of(columns, parameters)) for columns in keys)
    return Ledger(task, dataset.uids, labels, dict(parameters), tables)


def concatenated(ledgers: Sequence[Ledger]) -> Ledger:
    """Concatenate ledgers of disjoint datums: the ledger of all their datums.

    Raises:
        BadDataset: under one key, some have predictions with scores and some without.
    """
    together = Ledger.joined(ledgers, labelled=("label", "truth", "predicted"))
    keys = LabelKeys.of(together.labels)
    tables = _tables(_read_again(together, keys, key) for key in range(len(keys.names)))
    return Ledger(together.task, together.datums, together.labels, together.parameters, tables)


@dataclass(frozen=True, slots=True)
class LabelKeys:
    """Which labels of a ledger belong to which key.

    Args:
        names: of the keys, in the order of their first labels.
        key: ``(labels,)`` position of each label's key.
        index: ``(labels,)`` index of each label among those of its key.
    """

    names: tuple[str, ...]
    key: NDArray[np.int32]
    index: NDArray[np.int32]

    @classmethod
    def of(cls, labels: Sequence[LabelName]) -> LabelKeys:
        """Number labels key by key, in their order."""
        members: dict[str, int] = {}
        index = []
        for key, _ in labels:
            index.append(members.setdefault(key, 0))
            members[key] += 1
        number = {key: position for position, key in enumerate(members)}
        return cls(
            tuple(members),
            np.array([number[key] for key, _ in labels], np.int32),
            np.array(index, np.int32),
        )


def _answers_of(columns: KeyColumns, parameters: Mapping[str, Any]) -> Columns:
    """The table ``answers`` of one key: decisions and losses of each datum."""
    many = parameters["multi_label"]
    decided = _sets(columns, parameters["score_threshold"]) if many else _choices(columns)
    answered = np.diff(columns.predictions.bounds) > 0
    return {
        "datum": columns.datum,
        "truth": columns.labels[columns.truth_label[starts_of_runs(columns.truth_row)]],
        "answered": answered,
        "scored": answered & columns.scored,
        **decided,
    }


def _choices(columns: KeyColumns) -> Columns:
    """Decisions and losses of datums of one label each."""
    truth = columns.truth_label
    made = engine.decisions(columns.predictions, truth)
    return {
        "predicted": np.append(columns.labels, np.int32(MISSING))[made.predicted],
        "correct": made.predicted == truth,
        "confidence": class_scores.confidence_of_shares(columns.predictions, made),
        "rank": made.rank,
        "log_loss": made.log_loss,
        "brier": made.brier,
    }


def _sets(columns: KeyColumns, threshold: float) -> Columns:
    """Losses of datums of many labels each, and whether the whole set is right."""
    truths, predictions = (columns.truth_row, columns.truth_label), columns.predictions
    log_loss, brier = class_scores.losses_of_sets(predictions, *truths)
    return {
        "predicted": np.full(predictions.rows, MISSING, np.int32),
        "correct": class_scores.exact_sets(predictions, *truths, threshold),
        "confidence": np.full(predictions.rows, np.nan),
        "rank": np.zeros(predictions.rows, np.int32),
        "log_loss": log_loss,
        "brier": brier,
    }


def _tables(decided: Iterable[tuple[KeyColumns, Columns]]) -> dict[str, Columns]:
    """Tables of all keys, one key after another."""
    tables: dict[str, list[Columns]] = {"answers": [], "scores": [], "truths": []}
    rows = 0
    for columns, answers in decided:
        truths = columns.truth_row, columns.truth_label
        ranked = engine.rank(columns.predictions, columns.datum, *truths)
        tables["answers"].append(answers)
        tables["scores"].append(_scores(columns.labels, ranked[0]))
        tables["truths"].append(_truths(columns.labels, ranked[1], rows))
        rows += len(ranked[0].score)
    return {name: _joined(parts) for name, parts in tables.items()}


def _scores(labels: NDArray[np.int32], ranked: RankedScores) -> Columns:
    return {
        "label": np.repeat(labels, np.diff(ranked.bounds)),
        "datum": ranked.datum,
        "score": ranked.score,
    }


def _truths(labels: NDArray[np.int32], ranked: RankedTruths, rows_before: int) -> Columns:
    return {
        "label": labels[ranked.label],
        "datum": ranked.datum,
        "score": ranked.score,
        "first": ranked.first + rows_before,
        "last": ranked.last + rows_before,
    }


def _joined(tables: Sequence[Columns]) -> Columns:
    if len(tables) == 1:
        return tables[0]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def _read_again(ledger: Ledger, keys: LabelKeys, key: int) -> tuple[KeyColumns, Columns]:
    """The columns of one key, and its table ``answers``, read from a ledger."""
    answers = _of_key(ledger.tables["answers"], "truth", keys, key)
    answers = _taken(answers, np.argsort(answers["datum"]))
    _refuse_mixture(ledger, answers, keys.names[key])
    datum = answers["datum"]
    row_of = np.zeros(len(ledger.datums), np.int32)
    row_of[datum] = np.arange(len(datum), dtype=np.int32)
    scores = _of_key(ledger.tables["scores"], "label", keys, key)
    truths = _of_key(ledger.tables["truths"], "label", keys, key)
    order = np.lexsort((keys.index[truths["label"]], truths["datum"]))
    columns = KeyColumns(
        np.flatnonzero(keys.key == key).astype(np.int32),
        datum,
        row_of[truths["datum"][order]],
        keys.index[truths["label"][order]],
        sorted_scores(
            row_of[scores["datum"]],
            keys.index[scores["label"]],
            scores["score"],
            len(datum),
            int((keys.key == key).sum()),
        ),
        bool(answers["scored"].any()),
    )
    return columns, answers


def _of_key(table: Columns, labels: str, keys: LabelKeys, key: int) -> Columns:
    return _taken(table, np.flatnonzero(keys.key[table[labels]] == key))


def _taken(table: Columns, rows: NDArray[np.intp]) -> Columns:
    return {name: column[rows] for name, column in table.items()}


def _refuse_mixture(ledger: Ledger, answers: Columns, key: str) -> None:
    scored = answers["scored"][answers["answered"]]
    if scored.any() and not scored.all():
        datum = answers["datum"][answers["answered"]]
        pair = [ledger.datums[datum[index]] for index in (scored.argmax(), scored.argmin())]
        raise mixture_of_scores(key, *pair)
