"""One label key of a classification ledger under any weighting of its datums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels.class_counts import DecisionCounts, count_decisions
from velour_evaluators.classification.kernels.ranking_curves import Rankings, counts_at
from velour_evaluators.classification.ledger import LabelKeys
from velour_evaluators.kernels.sums import Weights, narrowest
from velour_plugin import Ledger
from velour_plugin.plugin import Columns, LabelName


@dataclass(frozen=True)
class Axis:
    """One label key, and how often each datum counts.

    Args:
        ledger: of all keys.
        key: its name.
        prefix: what stands before the names of its headline metrics.
        labels: its labels.
        answers, scores, truths: its rows of the ledger's tables; labels count from 0.
        rows_before: rows of ``scores`` of earlier keys.
        weights: ``(datums,)`` of the whole ledger; ``None`` for 1 each.
    """

    ledger: Ledger
    key: str
    prefix: str
    labels: tuple[LabelName, ...]
    answers: Columns
    scores: Columns
    truths: Columns
    rows_before: int
    weights: Weights | None = None

    def weighted(self, weights: NDArray[np.int64] | None) -> Axis:
        """Return the same key with other weights, as :meth:`Ledger.weights_of` gives them."""
        if weights is None:
            return replace(self, weights=None)
        counts = weights.astype(narrowest(int(weights.max(initial=0))))
        axis = replace(self, weights=counts)
        if np.count_nonzero(counts) > len(counts) // 2:
            return axis
        # rows of weight 0 add nothing; where they are many, it is faster to leave them out
        answers, truths = (_counting(table, counts) for table in (self.answers, self.truths))
        return replace(axis, answers=answers, truths=truths)

    @property
    def parameters_of_key(self) -> dict[str, str]:
        """Parameters of its headline metrics: the key, for all keys but the first."""
        return {"key": self.key} if self.prefix else {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters of the ledger."""
        return self.ledger.parameters

    @property
    def is_multi_label(self) -> bool:
        """Whether a datum may have many labels."""
        return bool(self.parameters["multi_label"])

    @cached_property
    def answer_weights(self) -> Weights | None:
        """``(rows,)`` how often each row of ``answers`` counts; ``None`` for once."""
        return None if self.weights is None else self.weights[self.answers["datum"]]

    @cached_property
    def total(self) -> int:
        """Weight of the datums that have a true label under this key."""
        weights = self.answer_weights
        return len(self.answers["datum"]) if weights is None else int(weights.sum(dtype=np.int64))

    @cached_property
    def is_scored(self) -> bool:
        """Whether some prediction that counts has a score."""
        scored = self.answers["scored"]
        weights = self.answer_weights
        return bool(scored.any() if weights is None else (weights[scored] > 0).any())

    @cached_property
    def rankings(self) -> Rankings:
        """Scores of each label against the rest."""
        weights, datum = self.weights, self.truths["datum"]
        return Rankings(
            len(self.labels),
            self.total,
            self.scores["label"],
            self.scores["score"],
            None if weights is None else weights[self.scores["datum"]],
            self.truths["label"],
            self.truths["score"],
            self.truths["first"] - self.rows_before,
            self.truths["last"] - self.rows_before,
            np.ones(len(datum), np.int8) if weights is None else weights[datum],
        )

    @cached_property
    def counts(self) -> DecisionCounts:
        """How often each label is decided, true, and decided rightly."""
        if self.is_multi_label:
            threshold = np.array([self.parameters["score_threshold"]])
            hits, decided = counts_at(self.rankings, threshold)
            return DecisionCounts(hits[0], self.rankings.positives, decided[0], self.total)
        truth, predicted = self.answers["truth"], self.answers["predicted"]
        return count_decisions(truth, predicted, len(self.labels), self.answer_weights)

    @cached_property
    def occurs(self) -> NDArray[np.bool_]:
        """``(labels,)`` which labels are true or predicted; of sets, all that are named."""
        predicted = self.rankings.named if self.is_multi_label else self.counts.decided
        return (self.counts.truths > 0) | (predicted > 0)


def _counting(table: Columns, weights: Weights) -> Columns:
    rows = np.flatnonzero(weights[table["datum"]])
    return {name: column[rows] for name, column in table.items()}


def axes_of(ledger: Ledger) -> list[Axis]:
    """Divide a ledger by label key, each datum counting once."""
    keys = LabelKeys.of(ledger.labels)
    return [_axis(ledger, keys, key) for key in range(len(keys.names))]


def _axis(ledger: Ledger, keys: LabelKeys, key: int) -> Axis:
    answers, _ = _of_key(ledger.tables["answers"], "truth", keys, key)
    scores, before = _of_key(ledger.tables["scores"], "label", keys, key)
    truths, _ = _of_key(ledger.tables["truths"], "label", keys, key)
    name = keys.names[key]
    labels = tuple(label for label in ledger.labels if label[0] == name)
    prefix = f"{name}/" if key else ""
    return Axis(ledger, name, prefix, labels, answers, scores, truths, before)


def _of_key(table: Columns, labels: str, keys: LabelKeys, key: int) -> tuple[Columns, int]:
    """Rows of one key, its labels counted from 0, and how many rows come before them."""
    if len(keys.names) == 1:
        return table, 0
    first, last = np.searchsorted(keys.key[table[labels]], [key, key + 1]).tolist()
    index = np.append(keys.index, np.int32(-1))  # no label stays no label
    columns = {
        name: index[column[first:last]]
        if name in ("label", "truth", "predicted")
        else column[first:last]
        for name, column in table.items()
    }
    return columns, first
