"""What is asked of a dataset, and the matching that answers it, part by part.

Matching is map and reduce: workers match parts, the ledgers are put together. Parts
of a dataset in memory are sent to workers; those of a partitioned one are read there.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.datasets import ContentNames, Dataset, Fingerprints
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.evaluation import Certificate
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import BadFilter, InvalidInput, UnknownName
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import parse_filter, split_filter
from velour_plugin.partitions import PartitionedDataset
from velour_plugin.partitions import split as split_dataset

if TYPE_CHECKING:
    from velour_plugin.filters import Node, Split, Where


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was matched.

    Args:
        ledger: ``None`` when none of its datums is selected.
        properties: names of metadata that a filter may ask for.
        keys: label keys of both sides.
        labels: of both sides, as they are judged.
    """

    ledger: Ledger | None
    properties: set[str]
    keys: set[str]
    labels: set[LabelName]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, checked and in one spelling.

    Args:
        evaluator: who answers.
        parameters: the evaluator's own, complete.
        label_map: pairs of what is mapped and what it becomes: two values, or two (key, value).
        label_keys: the keys that are evaluated; ``None`` for all.
        where: the filter; ``None`` for all datums. Labels are asked for as they are judged: by
            what a label map made of them.
    """

    evaluator: Evaluator
    parameters: Mapping[str, Any]
    label_map: Sequence[tuple[Any, Any]] | None
    label_keys: Sequence[str] | None
    where: Node | None

    @classmethod
    def of(
        cls,
        evaluator: Evaluator,
        given: Mapping[str, Any],
        where: Where,
    ) -> Question:
        """Check parameters and filter.

        Raises:
            UnknownName: the task has no such parameter.
            InvalidInput: a value breaks a rule.
            BadFilter: the filter has no meaning, or asks for runs.
        """
        if not isinstance(given, Mapping):
            raise InvalidInput(
                f"parameters {given!r}: expected names and values, as {{'score_threshold': 0.5}}."
            )
        known = {*evaluator.defaults, *_COMMON}
        for name in given:
            if name not in known:
                raise UnknownName(f"parameter of {evaluator.task}", name, known)
        own = {key: value for key, value in given.items() if key not in _COMMON}
        node = parse_filter(where)
        if node is not None:
            _refuse_runs(split_filter(node))
        return cls(
            evaluator,
            evaluator.parameters(own),
            _label_pairs(given.get("label_map")),
            _sorted_keys(given.get("label_keys")),
            node,
        )

    @classmethod
    def certified(cls, evaluator: Evaluator, certificate: Certificate) -> Question:
        """What an evaluation with this certificate answered."""
        where = None if certificate.filter is None else json.loads(certificate.filter)
        label_map = label_mapping(certificate.label_map)
        return cls.of(evaluator, {**certificate.parameters, "label_map": label_map}, where)

    @property
    def split(self) -> Split:
        """The filter, taken apart."""
        return split_filter(self.where)

    def certificate(self, dataset: str, names: ContentNames) -> Certificate:
        """What makes the answer comparable with others."""
        return Certificate(
            dataset=dataset,
            dataset_digest=names.dataset,
            datums_digest=names.datums,
            groundtruth_digest=names.groundtruth,
            filter=None if self.where is None else _spelled_filter(self.where),
            parameters=self.all_parameters,
            label_map=self.spelled_label_map,
            evaluator=self.evaluator.task,
            evaluator_version=self.evaluator.version,
        )

    @property
    def all_parameters(self) -> dict[str, Any]:
        """The evaluator's own, and label keys where they are chosen."""
        keys = {} if self.label_keys is None else {"label_keys": list(self.label_keys)}
        return {**self.parameters, **keys}

    @property
    def spelled_label_map(self) -> list[list[Any]] | None:
        """The label map in JSON."""
        if self.label_map is None:
            return None
        return [list(map(_spelled, pair)) for pair in self.label_map]

    def changes_labels(self, certificate: Certificate) -> bool:
        """Whether labels are mapped or chosen otherwise than an evaluation did."""
        keys = self.all_parameters.get("label_keys")
        other = [certificate.label_map, certificate.parameters.get("label_keys")]
        return canonical_json([self.spelled_label_map, keys]) != canonical_json(other)

    def match(self, dataset: Dataset) -> Part:
        """Match one part."""
        names, chosen = dataset.datums.properties, dataset
        if self.where is not None:
            names, chosen = (
                names | _asked_of_annotations(dataset, self.split),
                self._chosen(dataset),
            )
        judged = self._relabelled(chosen)
        return Part(
            self.evaluator.match(self._reduced(judged), self.parameters) if len(judged) else None,
            names,
            {key for table in _sides(dataset) for key, _ in table.labels},
            {name for table in _sides(judged) for name in table.labels},
        )

    def _chosen(self, dataset: Dataset) -> Dataset:
        """The datums that the filter selects."""
        from velour_plugin.filters.interpret import matching

        node, truth = self.split.datums, dataset.truth
        chosen = matching(node, dataset.datums, dataset.name, strict=False, truth=truth)
        return dataset if chosen.all() else dataset.subset(chosen)

    def _reduced(self, dataset: Dataset) -> Dataset:
        """Only the annotations and predictions that the filter selects."""
        if self.where is None:
            return dataset
        from velour_plugin.filters.reduce import reduced

        return reduced(dataset, self.split)

    def _relabelled(self, dataset: Dataset) -> Dataset:
        """Map labels and keep the keys asked for, on both sides."""
        if self.label_map is None and self.label_keys is None:
            return dataset
        truth, said = (self._mapped(table) for table in _sides(dataset))
        return replace(dataset, truth=truth, predictions=said)

    def _mapped(self, table: AnnotationTable) -> AnnotationTable:
        mapping = dict(self.label_map or ())
        became = [_became(name, mapping) for name in table.labels]
        kept = [name for name in became if self.label_keys is None or name[0] in self.label_keys]
        labels = list(dict.fromkeys(kept))
        place = [labels.index(name) if name in labels else -1 for name in became]
        adds = self.evaluator.adds_scores(self.parameters)
        return _merged(table.relabelled(labels, np.array(place, np.int32)), adds)


def match_parts(
    question: Question, dataset: Dataset | PartitionedDataset, n_jobs: int | None
) -> tuple[Ledger, Callable[[], ContentNames]]:
    """Match a dataset, on as many workers as there are.

    Returns:
        The ledger, and what names the dataset's content: of one in memory when it is called.

    Raises:
        InvalidInput: the filter selects no datum, or none of the labels.
        UnknownName: the filter or the label keys name what no part has.
    """
    parts: list[Ledger] = []
    properties: set[str] = set()
    keys: set[str] = set()
    judged: set[LabelName] = set()

    def fingerprints() -> Iterator[Fingerprints | None]:
        for part, names in _matched(question, dataset, n_jobs):
            properties.update(part.properties)
            keys.update(part.keys)
            judged.update(part.labels)
            if part.ledger is not None:
                parts.append(part.ledger)
            yield names

    def names() -> ContentNames:
        return dataset.names if isinstance(dataset, Dataset) else read

    if isinstance(dataset, PartitionedDataset):
        read = ContentNames.of(
            dataset.metadata, dataset.labels, filter(None, fingerprints()), dataset.location
        )
    else:
        deque(fingerprints(), maxlen=0)  # all parts; what names them, it knows by itself
    if question.where is not None:
        _check_properties(question.split, properties)
    became = {new[0] for _, new in question.label_map or () if not isinstance(new, str)}
    for key in question.label_keys or ():
        if key not in keys | became:
            raise UnknownName("label key", key, keys)
    if question.where is not None:
        _check_labels(question.split, judged)
    if not parts:
        raise InvalidInput(
            f"the filter selects none of the datums of {dataset.name!r}: there is nothing to judge."
        )
    whole = parts[0] if len(parts) == 1 else question.evaluator.concatenate(parts)
    return whole, names


def _matched(
    question: Question, dataset: Dataset | PartitionedDataset, n_jobs: int | None
) -> Iterator[tuple[Part, Fingerprints | None]]:
    """Matched parts, in order; the digests of those that nobody has in memory."""
    workers = _workers(n_jobs)
    if isinstance(dataset, Dataset):
        if workers == 1:
            yield question.match(dataset), None
            return
        loaders: list[Callable[[], Dataset]] = [
            _Given(part) for part in split_dataset(dataset, min(workers, len(dataset)))
        ]
    else:
        loaders = [_Read(str(dataset.folder), number) for number in range(len(dataset))]
    import joblib

    # a generator hands parts over as they are done, so that only ledgers are kept here
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
    yield from parallel(joblib.delayed(_match)(question, loader) for loader in loaders)


def _workers(n_jobs: int | None) -> int:
    """How many match; who never imported joblib has no ``parallel_config`` of it."""
    if n_jobs is None and "joblib" not in sys.modules:
        return 1
    import joblib

    return int(joblib.effective_n_jobs(n_jobs))


def _match(question: Question, load: Callable[[], Dataset]) -> tuple[Part, Fingerprints | None]:
    part = load()
    return question.match(part), part.fingerprints if isinstance(load, _Read) else None


@dataclass(frozen=True, slots=True)
class _Given:
    """A part that travels to its worker."""

    part: Dataset

    def __call__(self) -> Dataset:
        return self.part


@dataclass(frozen=True, slots=True)
class _Read:
    """A part that its worker reads."""

    folder: str
    number: int

    def __call__(self) -> Dataset:
        return PartitionedDataset(self.folder).part(self.number)


def _refuse_runs(split: Split) -> None:
    """Refuse what would select other datums for every model."""
    if split.runs is not None:
        raise BadFilter(
            "model and run_id are about runs that were judged: velour rank asks for them; what "
            "is judged is selected by datums, labels, scores and annotations."
        )
    if split.predictions is not None:
        raise BadFilter(
            "datum.predictions would choose other datums for every model, and no two "
            "evaluations would be comparable: evaluate all datums, and ask for it in slices."
        )


def _asked_of_annotations(dataset: Dataset, split: Split) -> set[str]:
    """Names of annotations' metadata, where a filter asks for any."""
    from velour_plugin.filters.reduce import annotation_properties

    return set() if split.annotations is None else annotation_properties(dataset)


def _check_properties(split: Split, known: set[str]) -> None:
    from velour_plugin.filters.interpret import check_properties
    from velour_plugin.filters.reduce import check_annotation_properties

    if split.datums is not None:
        check_properties(split.datums, known)
    check_annotation_properties(split, known)


def _check_labels(split: Split, known: set[LabelName]) -> None:
    from velour_plugin.filters.reduce import check_labels

    check_labels(split, known)


def _spelled_filter(node: Node) -> str:
    from velour_plugin.filters.language.tree import to_json

    return canonical_json(to_json(node))


_COMMON = ("label_map", "label_keys")


def _sides(dataset: Dataset) -> tuple[AnnotationTable, AnnotationTable]:
    assert dataset.predictions is not None
    return dataset.truth, dataset.predictions


def _sorted_keys(keys: str | Collection[str] | None) -> list[str] | None:
    """Spell label keys once each, sorted."""
    if keys is None:
        return None
    names = {keys} if isinstance(keys, str) else set(keys) if isinstance(keys, Collection) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidInput(f"label_keys {keys!r}: expected at least one key, as ['class'].")
    return sorted(names)


def label_mapping(pairs: Any) -> Any:
    """Pairs of JSON as a mapping; what is neither is for :meth:`Question.of` to refuse."""
    if not isinstance(pairs, (list, tuple)):
        return pairs
    return {_name(old): _name(new) for old, new in pairs}


def _name(side: Any) -> Any:
    return side if isinstance(side, str) else tuple(side)


def _label_pairs(label_map: Mapping[Any, Any] | None) -> list[tuple[Any, Any]] | None:
    """Spell a label map as pairs, sorted; values map values, (key, value) maps (key, value)."""
    if label_map is None:
        return None
    if not isinstance(label_map, Mapping):
        raise InvalidInput(
            f"label_map {label_map!r}: expected a mapping: map a value to a value, as "
            "{'truck': 'vehicle'}."
        )
    pairs = []
    for old, new in label_map.items():
        both = (old, new)
        if not all(map(_is_value, both)) and not all(map(_is_name, both)):
            raise InvalidInput(
                f"label_map {{{old!r}: {new!r}}}: map a value to a value, or a (key, value) pair "
                "to a (key, value) pair."
            )
        pairs.append((old, new) if isinstance(old, str) else (tuple(old), tuple(new)))
    return sorted(pairs, key=lambda pair: canonical_json(list(map(_spelled, pair)))) or None


def _is_value(side: Any) -> bool:
    return isinstance(side, str) and bool(side)


def _is_name(side: Any) -> bool:
    return isinstance(side, (tuple, list)) and len(side) == 2 and all(map(_is_value, side))


def _spelled(side: Any) -> Any:
    return side if isinstance(side, str) else list(side)


def _became(name: LabelName, mapping: Mapping[Any, Any]) -> LabelName:
    """A pair maps one label, a value the label of that value under every key."""
    if name in mapping:
        key, value = mapping[name]
        return (key, value)
    return (name[0], mapping.get(name[1], name[1]))


def _merged(table: AnnotationTable, adds: bool) -> AnnotationTable:
    """Labels of one annotation that became one are one, with the highest score or their sum."""
    order = np.lexsort((-table.score, table.label, table.annotation, table.datum))
    columns = np.stack([table.datum, table.annotation, table.label])[:, order]
    first = np.ones(len(table), bool)
    first[1:] = (columns[:, 1:] != columns[:, :-1]).any(axis=0)
    if first.all():
        return table
    score = table.score.copy()
    if adds:  # shares of 1: together no more than 1, but for rounding
        sums = np.add.reduceat(score[order], np.flatnonzero(first))
        score[order[first]] = np.minimum(sums, 1.0)
    return replace(table, score=score).take(np.sort(order[first]))
