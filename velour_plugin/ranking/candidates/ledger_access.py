"""The ledger of each run for one query: as it is stored, narrowed, or matched again.

A filter is taken apart: datums are selected in SQL, models and runs among the candidates. Labels
and higher scores are read from a ledger, and so are parameters that it supports. Everything else
is matched again from the stored annotations, never approximated. So is what another version of its
evaluator evaluated: numbers of two versions are not compared.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import starmap
from typing import Any

import numpy as np

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Certificate
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import InvalidInput
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import Split, Where, parse_filter, split_filter
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.tree import conjunction, conjuncts
from velour_plugin.filters.reduce import (
    annotation_properties,
    check_annotation_properties,
    check_labels,
)
from velour_plugin.filters.row_filter import matches_run, matching_labels
from velour_plugin.filters.split import subject_of
from velour_plugin.matching.label_map import label_mapping
from velour_plugin.matching.question import Question
from velour_plugin.plugins.installed import installed
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Candidate, DatumSelection

Subject = tuple[Candidate, DatumSelection]
"""A candidate, and the datums of its version that count."""


class LedgerAccess:
    """Gives the ledger of every run under one filter and parameters, stored or matched again.

    Args:
        reader: where ledgers and annotations are.
        where: the filter; ``None`` for all that was evaluated.
        parameters: the task's, ``label_map`` and ``label_keys``, in place of those that runs were
            evaluated with; the others stay as they were.

    Attributes:
        split: the filter, taken apart.
        rematched: whether some ledger could not answer and was matched again.
        outdated: evaluations of other versions of their evaluator, by task and version.
        labels: classes of the ledgers that answered, as (key, value).
    """

    def __init__(
        self, reader: Reader, where: Where = None, parameters: Mapping[str, Any] | None = None
    ) -> None:
        self.reader = reader
        self.where = parse_filter(where)
        self.parameters = dict(parameters or {})
        if "label_map" in self.parameters:
            self.parameters["label_map"] = label_mapping(self.parameters["label_map"])
        self.split: Split = split_filter(self.where)
        self.rematched = False
        self.outdated: dict[tuple[str, str], set[str]] = {}
        self.labels: set[LabelName] = set()
        self._parts: dict[tuple[int, bytes], Dataset] = {}
        self._expected: deque[Subject] = deque()
        self._predictions: Iterator[tuple[str, AnnotationTable]] = iter(())

    @property
    def changes_ledgers(self) -> bool:
        """Whether stored ledgers must be narrowed or matched again."""
        return bool(self.parameters) or self.split.needs_matching or self._narrows

    @property
    def notes(self) -> list[str]:
        """Notes on ledgers that were matched again."""
        again = "Matched again from the stored annotations: the ledgers could not answer this."
        return [*([again] if self.rematched else []), *starmap(_on_versions, self.outdated.items())]

    def admits(self, item: Candidate) -> bool:
        """Whether a candidate meets the filter's conditions on models and runs."""
        run_id = None if item.run is None else item.run.run_id
        known = (item.model_metadata, item.dataset_metadata)
        return matches_run(self.split.runs, item.model, run_id, *known)

    def certificate(self, item: Candidate) -> Certificate:
        """Return a candidate's certificate with this query's parameters in place of its own.

        Raises:
            UnknownName: its task has no parameter of such a name.
            InvalidInput: a parameter's value breaks a rule.
        """
        own = item.certificate
        if not self.parameters and not is_outdated(item):
            return own
        question = self._question(item, own.parameters)
        return replace(
            own,
            parameters=question.all_parameters,
            label_map=question.json_label_map,
            evaluator_version=question.evaluator.version,
        )

    def expect(self, subjects: Iterable[Subject]) -> None:
        """Announce the next candidates, so that their predictions are read in one statement."""
        self._expected.extend(subjects)

    def ledger(self, item: Candidate, stored: Ledger, selection: DatumSelection) -> Ledger:
        """Return a candidate's ledger under this query's filter and parameters.

        Args:
            item: the candidate.
            stored: its ledger as it is stored.
            selection: datums that count; a ledger that is matched again has only these.

        Raises:
            UnknownName: no label is selected, or the filter names what no annotation has.
        """
        if self._expected:
            self._expected.popleft()
        ledger = self._ledger(item, stored, selection)
        self.labels.update(ledger.labels)
        return ledger

    def _ledger(self, item: Candidate, stored: Ledger, selection: DatumSelection) -> Ledger:
        outdated = is_outdated(item)
        if not (self.changes_ledgers or outdated) or not len(selection):
            return stored
        if outdated:
            version = item.certificate.evaluator_version
            self.outdated.setdefault((item.task, version), set()).add(item.evaluation_id)
            question = self._question(item, item.certificate.parameters)
            return self._rematched(item, question, selection)
        question = self._question(item, stored.parameters)
        relabelled = question.changes_labels(item.certificate)
        if not self.split.needs_matching and not relabelled:
            narrowed = self._narrowed(question.evaluator, stored, question.parameters)
            if narrowed is not None:
                return narrowed
        self.rematched = True
        return self._rematched(item, question, selection)

    @property
    def _narrows(self) -> bool:
        return self.split.labels is not None or self.split.min_score is not None

    def _narrowed(
        self, evaluator: Evaluator, stored: Ledger, parameters: Mapping[str, Any]
    ) -> Ledger | None:
        """A ledger narrowed to the query's labels, scores and parameters, if that is possible."""
        if self.parameters:
            if not evaluator.supports(stored, parameters):
                return None
            stored = evaluator.narrow(stored, parameters)
        if not self._narrows:
            return stored
        check_labels(self.split, set(stored.labels))
        labels = matching_labels(self.split.labels, stored.labels)
        return evaluator.reduce(stored, np.asarray(labels), self.split.min_score)

    def _rematched(self, item: Candidate, question: Question, selection: DatumSelection) -> Ledger:
        truth = self._truth(item, question.split, selection)
        predictions = self._predictions_of(item, selection)
        part = question.match(truth.with_predictions(predictions, item.model))
        check_labels(question.split, part.labels)
        assert part.ledger is not None
        return part.ledger

    def _truth(self, item: Candidate, split: Split, selection: DatumSelection) -> Dataset:
        """The selected datums of a candidate's version, taken once for all of its candidates."""
        key = (item.version.id, selection.positions.tobytes())
        if key not in self._parts:
            whole = self.reader.load_version(item.version)
            if split.annotations is not None:
                check_annotation_properties(split, annotation_properties(whole))
            self._parts[key] = whole.subset(selection.mask(whole.uids))
        return self._parts[key]

    def _predictions_of(self, item: Candidate, selection: DatumSelection) -> AnnotationTable:
        """Predictions on the selected datums; those of the next candidates are read with them."""
        for number, table in self._predictions:
            if number == item.evaluation_id:
                return table
        subjects = [
            (each.evaluation_id, selected.uids)
            for each, selected in ((item, selection), *self._expected)
            if len(selected)
        ]
        numbers = [number for number, _ in subjects]
        self._predictions = zip(numbers, self.reader.predictions(subjects), strict=True)
        return next(self._predictions)[1]

    def _question(self, item: Candidate, parameters: Mapping[str, Any]) -> Question:
        """The candidate's parameters and filter, combined with those of this query."""
        certificate = item.certificate
        own = parse_filter(None if certificate.filter is None else json.loads(certificate.filter))
        both = [
            part
            for part in (*conjuncts(own), *conjuncts(self.where))
            if subject_of(part) in _OF_ANNOTATIONS
        ]
        given = {
            **parameters,
            "label_keys": certificate.parameters.get("label_keys"),
            "label_map": label_mapping(certificate.label_map),
            **self.parameters,
        }
        return Question.of(installed().evaluator(item.task), given, conjunction(both))


_OF_ANNOTATIONS = ("label", "score", "annotation")
"""What is left to answer when runs and datums have been selected."""


def is_outdated(item: Candidate) -> bool:
    """Whether another version of its evaluator than the installed one made an evaluation."""
    return item.certificate.evaluator_version != installed().evaluator(item.task).version


def _on_versions(kind: tuple[str, str], evaluations: set[str]) -> str:
    task, version = kind
    which = "1 evaluation" if len(evaluations) == 1 else f"{len(evaluations)} evaluations"
    return (
        f"Matched again from the stored annotations: {which} by version {version} of {task}, "
        f"where version {installed().evaluator(task).version} may give other numbers."
    )


def refuse_runs(split: Split) -> None:
    """Refuse conditions on runs in a filter where the run is named already.

    Raises:
        InvalidInput: there are such conditions.
    """
    if split.runs is not None:
        raise InvalidInput(
            f"{to_text(split.runs)} chooses among runs, and here the run is named already: leave "
            "it out of the filter."
        )
