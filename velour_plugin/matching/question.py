"""The question of an evaluation: evaluator, parameters, label map and filter, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.encoding.dataset_digests import ContentDigests
from velour_plugin.domain.evaluation import Certificate
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import BadFilter, InvalidInput, UnknownName
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import parse_filter, split_filter
from velour_plugin.matching.label_map import (
    json_pairs,
    label_mapping,
    label_pairs,
    mapped,
    sorted_keys,
)
from velour_plugin.matching.vocabulary import ClassCounts

if TYPE_CHECKING:
    from velour_plugin.filters import Node, Split, Where
    from velour_plugin.partitions import PartitionedDataset

_COMMON = ("label_map", "label_keys")
"""Parameters of every task."""


@dataclass(frozen=True, slots=True)
class MatchedPart:
    """The ledger of one part of a dataset, and the names that a filter could have used there.

    Args:
        ledger: ``None`` when the filter selects none of the part's datums.
        properties: names of metadata.
        keys: label keys of ground truth and predictions.
        labels: of ground truth and predictions, after the label map.
        classes: of all its predictions, whatever the filter selects; ``None`` where the
            evaluator does not compare classes.
    """

    ledger: Ledger | None
    properties: set[str]
    keys: set[str]
    labels: set[LabelName]
    classes: ClassCounts | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What an evaluation computes, checked and in canonical form.

    Args:
        evaluator: of the task.
        parameters: of the evaluator, complete with defaults.
        label_map: pairs of old and new label: two values, or two (key, value).
        label_keys: the keys that are evaluated; ``None`` for all.
        where: the filter; ``None`` for all datums. Its labels are those after the label map.
        given: the evaluator's parameters before they were completed.
    """

    evaluator: Evaluator
    parameters: Mapping[str, Any]
    label_map: Sequence[tuple[Any, Any]] | None
    label_keys: Sequence[str] | None
    where: Node | None
    given: Mapping[str, Any]

    @classmethod
    def of(cls, evaluator: Evaluator, parameters: Mapping[str, Any], where: Where) -> Question:
        """Make a question of an evaluator, with checked parameters and filter.

        Raises:
            UnknownName: the task has no such parameter.
            InvalidInput: a value breaks a rule.
            BadFilter: the filter has no meaning, or has properties of runs.
        """
        if not isinstance(parameters, Mapping):
            raise InvalidInput(
                f"parameters {parameters!r}: expected names and values, as "
                "{'score_threshold': 0.5}."
            )
        known = {*evaluator.defaults, *_COMMON}
        for name in parameters:
            if name not in known:
                raise UnknownName(f"parameter of {evaluator.task}", name, known)
        of_task = {key: value for key, value in parameters.items() if key not in _COMMON}
        node = parse_filter(where)
        if node is not None:
            _refuse_runs(split_filter(node))
        return cls(
            evaluator,
            evaluator.parameters(of_task),
            label_pairs(parameters.get("label_map")),
            sorted_keys(parameters.get("label_keys")),
            node,
            of_task,
        )

    def on(self, dataset: Dataset | PartitionedDataset) -> Question:
        """Return the question as it is asked of a dataset, whose metadata decides some defaults."""
        defaults = self.evaluator.defaults_for(dataset.metadata)
        if not defaults:
            return self
        return replace(self, parameters=self.evaluator.parameters({**defaults, **self.given}))

    @classmethod
    def certified(cls, evaluator: Evaluator, certificate: Certificate) -> Question:
        """Return the question of the evaluation that has this certificate."""
        where = None if certificate.filter is None else json.loads(certificate.filter)
        label_map = label_mapping(certificate.label_map)
        return cls.of(evaluator, {**certificate.parameters, "label_map": label_map}, where)

    @property
    def split(self) -> Split:
        """The filter, divided by what its conditions are about."""
        return split_filter(self.where)

    def certificate(
        self, dataset: Dataset | PartitionedDataset, digests: ContentDigests
    ) -> Certificate:
        """Make the certificate of an evaluation of a dataset's content.

        Args:
            dataset: in memory or in partitions.
            digests: of its content.
        """
        return Certificate(
            dataset=dataset.name,
            dataset_digest=digests.dataset,
            datums_digest=digests.datums,
            groundtruth_digest=digests.groundtruth,
            filter=None if self.where is None else _canonical_filter(self.where),
            parameters=self.all_parameters,
            label_map=self.json_label_map,
            evaluator=self.evaluator.task,
            evaluator_version=self.evaluator.version,
            groups=dataset.groups,
        )

    @property
    def all_parameters(self) -> dict[str, Any]:
        """Parameters of the evaluator, and the label keys if some are chosen."""
        keys = {} if self.label_keys is None else {"label_keys": list(self.label_keys)}
        return {**self.parameters, **keys}

    @property
    def json_label_map(self) -> list[list[Any]] | None:
        """The label map as pairs for JSON; ``None`` without one."""
        return json_pairs(self.label_map)

    def changes_labels(self, certificate: Certificate) -> bool:
        """Whether the label map or the label keys differ from those of an evaluation."""
        keys = self.all_parameters.get("label_keys")
        certified = [certificate.label_map, certificate.parameters.get("label_keys")]
        return canonical_json([self.json_label_map, keys]) != canonical_json(certified)

    def match(self, dataset: Dataset) -> MatchedPart:
        """Match a dataset with predictions, or a part of one; nothing is stored."""
        names, selected = dataset.datums.properties, dataset
        if self.where is not None:
            names = names | _annotation_properties(dataset, self.split)
            selected = self._selected(dataset)
        relabelled = self._relabelled(selected)
        ledger = None
        if len(relabelled):
            ledger = self.evaluator.match(self._reduced(relabelled), self.parameters)
        return MatchedPart(
            ledger,
            names,
            {key for table in _sides(dataset) for key, _ in table.labels},
            {name for table in _sides(relabelled) for name in table.labels},
            self.classes_of(dataset) if self.evaluator.compares_classes else None,
        )

    def classes_of(self, dataset: Dataset) -> ClassCounts:
        """Count the predictions of a dataset by whether the ground truth has their classes."""
        return ClassCounts.of(dataset, self.label_map, self.label_keys)

    def _selected(self, dataset: Dataset) -> Dataset:
        """The datums that the filter selects."""
        from velour_plugin.filters.interpret import select

        node, truth = self.split.datums, dataset.truth
        selected = select(node, dataset.datums, dataset.name, strict=False, truth=truth)
        return dataset if selected.all() else dataset.subset(selected)

    def _reduced(self, dataset: Dataset) -> Dataset:
        """Only the annotations and predictions that the filter selects."""
        if self.where is None:
            return dataset
        from velour_plugin.filters.reduce import reduced

        return reduced(dataset, self.split)

    def _relabelled(self, dataset: Dataset) -> Dataset:
        """Apply the label map and keep the chosen keys, in ground truth and predictions."""
        if self.label_map is None and self.label_keys is None:
            return dataset
        adds_scores = self.evaluator.adds_scores(self.parameters)
        truth, predictions = (
            mapped(table, self.label_map, self.label_keys, adds_scores) for table in _sides(dataset)
        )
        return replace(dataset, truth=truth, predictions=predictions)


def _refuse_runs(split: Split) -> None:
    """Refuse filters that would select other datums for every model."""
    if split.runs is not None:
        raise BadFilter(
            "model and run_id are properties of evaluated runs: use them in velour rank; an "
            "evaluation is filtered by datums, labels, scores and annotations."
        )
    if split.predictions is not None:
        raise BadFilter(
            "datum.predictions would select other datums for every model, and no two "
            "evaluations would be comparable: evaluate all datums, and use it in slices."
        )


def _annotation_properties(dataset: Dataset, split: Split) -> set[str]:
    """Names of annotations' metadata; none where the filter has no condition on annotations."""
    from velour_plugin.filters.reduce import annotation_properties

    return set() if split.annotations is None else annotation_properties(dataset)


def _canonical_filter(node: Node) -> str:
    from velour_plugin.filters.language.tree import to_json

    return canonical_json(to_json(node))


def _sides(dataset: Dataset) -> tuple[AnnotationTable, AnnotationTable]:
    """Ground truth and predictions."""
    assert dataset.predictions is not None
    return dataset.truth, dataset.predictions
