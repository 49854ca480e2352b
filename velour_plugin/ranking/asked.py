"""What is asked of all runs alike, and the ledger of each for it: at rest, or matched again.

Datums, labels and higher scores are read from a ledger, and so are parameters that it can answer.
Everything else is matched again from the stored annotations, never approximated.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Certificate
from velour_plugin.domain.ledger import Ledger
from velour_plugin.domain.table import LabelName
from velour_plugin.errors import InvalidInput
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import Node, Split, parse_filter, split_filter
from velour_plugin.filters.reduce import (
    annotation_properties,
    check_annotation_properties,
    check_labels,
)
from velour_plugin.filters.rows import matches_run, matching_labels
from velour_plugin.filters.tree import conjunction, conjuncts
from velour_plugin.matching import Question
from velour_plugin.plugins import installed
from velour_plugin.store import Candidate, Store


@dataclass(eq=False)
class Asked:
    """A filter and parameters that take the place of those that runs were evaluated with.

    Args:
        where: the filter; ``None`` for all that was judged.
        parameters: the task's, ``label_map`` and ``label_keys``; the others stay as they were.
        matched_again: whether some ledger could not answer.
        labels: classes of the ledgers that answered, as (key, value).
    """

    where: Node | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    matched_again: bool = False
    labels: set[LabelName] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.split: Split = split_filter(self.where)
        self._datasets: dict[int, Dataset] = {}

    @property
    def changes_ledgers(self) -> bool:
        """Whether it takes more than choosing datums."""
        return bool(self.parameters) or self.split.needs_matching or self._narrows

    def admits(self, item: Candidate) -> bool:
        """Whether conditions on the model or run let a candidate take part."""
        run_id = None if item.run is None else item.run.run_id
        return matches_run(self.split.runs, item.model, run_id)

    def certificate(self, item: Candidate) -> Certificate:
        """What a candidate's answer is an answer to.

        Raises:
            UnknownName: its task has no parameter of such a name.
            InvalidInput: a parameter's value breaks a rule.
        """
        own = item.certificate
        if not self.parameters:
            return own
        question = self._question(item, own.parameters)
        return replace(
            own, parameters=question.all_parameters, label_map=question.spelled_label_map
        )

    def ledger(self, store: Store, item: Candidate, uids: Collection[str]) -> Ledger:
        """The ledger of a candidate that answers this.

        Args:
            store: where it rests, and the annotations to match again.
            item: the candidate.
            uids: datums that count; a ledger that is matched again knows only these.

        Raises:
            UnknownName: no label is selected, or the filter names what no annotation has.
        """
        ledger = self._ledger(store, item, uids)
        self.labels.update(ledger.labels)
        return ledger

    def _ledger(self, store: Store, item: Candidate, uids: Collection[str]) -> Ledger:
        known = next(store.ledgers([item.evaluation_id]))
        if not self.changes_ledgers or not uids:
            return known
        question = self._question(item, known.parameters)
        relabelled = question.changes_labels(item.certificate)
        if not self.split.needs_matching and not relabelled:
            less = self._read(question.evaluator, known, question.parameters)
            if less is not None:
                return less
        self.matched_again = True
        return self._match(store, item, question, set(uids))

    @property
    def notes(self) -> list[str]:
        """What a reader should know of how this was answered."""
        again = "Matched again from the stored annotations: the ledgers could not answer this."
        return [again] if self.matched_again else []

    @property
    def _narrows(self) -> bool:
        return self.split.labels is not None or self.split.min_score is not None

    def _read(
        self, evaluator: Evaluator, known: Ledger, parameters: Mapping[str, Any]
    ) -> Ledger | None:
        """Of a ledger what answers; ``None`` when it cannot."""
        if self.parameters:
            if not evaluator.supports(known, parameters):
                return None
            known = evaluator.narrow(known, parameters)
        if not self._narrows:
            return known
        check_labels(self.split, set(known.labels))
        labels = matching_labels(self.split.labels, known.labels)
        return evaluator.reduce(known, np.asarray(labels), self.split.min_score)

    def _match(self, store: Store, item: Candidate, question: Question, uids: set[str]) -> Ledger:
        dataset = self._dataset(store, item)
        check_annotation_properties(question.split, annotation_properties(dataset))
        part = question.match(dataset.subset(np.array([uid in uids for uid in dataset.uids])))
        check_labels(question.split, part.labels)
        assert part.ledger is not None
        return part.ledger

    def _dataset(self, store: Store, item: Candidate) -> Dataset:
        """The dataset that a candidate judged; its truth is read once for all of a version."""
        truth = self._datasets.get(item.version_id)
        if truth is None:
            truth = store.load_judged_dataset(item)
            self._datasets[item.version_id] = truth
        return truth.with_predictions(store.load_predictions(item), item.model)

    def _question(self, item: Candidate, parameters: Mapping[str, Any]) -> Question:
        """What is asked of one candidate: its own question, and this on top."""
        certificate = item.certificate
        own = parse_filter(None if certificate.filter is None else json.loads(certificate.filter))
        both = [*conjuncts(own), *(part for part in conjuncts(self.where) if not _of_runs(part))]
        given = {
            **parameters,
            "label_keys": certificate.parameters.get("label_keys"),
            "label_map": _label_map(certificate.label_map),
            **self.parameters,
        }
        return Question.of(installed().evaluator(item.task), given, conjunction(both))


def refuse_runs(split: Split) -> None:
    """Refuse conditions on runs where one run is asked for by its name.

    Raises:
        InvalidInput: there are such conditions.
    """
    if split.runs is not None:
        raise InvalidInput(
            "model and run_id choose among runs, and here the run is named already: leave them out "
            "of the filter."
        )


def _of_runs(part: Node) -> bool:
    return split_filter(part).runs is not None


def _label_map(spelled: Any) -> dict[Any, Any] | None:
    """A certificate's pairs as a mapping."""
    if spelled is None:
        return None
    return {_name(old): _name(new) for old, new in spelled}


def _name(side: Any) -> Any:
    return side if isinstance(side, str) else tuple(side)
