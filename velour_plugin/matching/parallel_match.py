"""Match a dataset part by part, on several workers, into one ledger.

Matching is map and reduce: workers match parts, and their ledgers are concatenated. Parts of a
dataset in memory are sent to the workers; parts of a partitioned dataset are read by them.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from velour_plugin.domain.columns.annotation_table import LabelName
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.encoding.dataset_digests import ContentDigests, Fingerprints
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import UnknownName
from velour_plugin.filters.existing_values import nothing_selected
from velour_plugin.matching.question import MatchedPart, Question
from velour_plugin.matching.vocabulary import ClassCounts
from velour_plugin.partitions import PartitionedDataset
from velour_plugin.partitions import split as split_dataset


def match_parts(
    question: Question, dataset: Dataset | PartitionedDataset, n_jobs: int | None
) -> tuple[Ledger, Callable[[], ContentDigests]]:
    """Match a dataset with predictions, its parts on as many workers as there are.

    Returns:
        The ledger, and a function that returns the digests of the dataset's content: for a
        dataset in memory they are computed when it is called.

    Raises:
        NothingSelected: the filter selects no datum.
        UnknownName: the filter or the label keys name what no part has.
        BadDataset: no prediction is of a class of the ground truth.
    """
    parts = _Parts()
    fingerprints = parts.collected(_matched(question, dataset, n_jobs))
    if isinstance(dataset, PartitionedDataset):
        digests = ContentDigests.of(
            dataset.metadata, dataset.labels, filter(None, fingerprints), dataset.location
        )
    else:
        deque(fingerprints, maxlen=0)  # run through all parts: the dataset digests itself
    parts.check_names(question)
    if not parts.ledgers:
        datums = dataset.datums if isinstance(dataset, Dataset) else ()
        raise nothing_selected(question.where, repr(dataset.name), datums, "evaluate")
    several = len(parts.ledgers) > 1
    ledger = question.evaluator.concatenate(parts.ledgers) if several else parts.ledgers[0]
    return ledger, lambda: dataset.content_digests if isinstance(dataset, Dataset) else digests


@dataclass(frozen=True, slots=True)
class _Parts:
    """Ledgers of the matched parts in order, and the names that occur in any of them."""

    ledgers: list[Ledger] = field(default_factory=list)
    properties: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    labels: set[LabelName] = field(default_factory=set)
    classes: list[ClassCounts] = field(default_factory=list)

    def collected(
        self, matched: Iterator[tuple[MatchedPart, Fingerprints | None]]
    ) -> Iterator[Fingerprints | None]:
        """Collect each part as it comes, and yield its fingerprints."""
        for part, fingerprints in matched:
            self.properties.update(part.properties)
            self.keys.update(part.keys)
            self.labels.update(part.labels)
            if part.classes is not None:
                self.classes.append(part.classes)
            if part.ledger is not None:
                self.ledgers.append(part.ledger)
            yield fingerprints

    def check_names(self, question: Question) -> None:
        """Refuse names of a filter, label keys and predicted classes that no part has."""
        if question.where is not None:
            self._check_properties(question)
        mapped_to = {new[0] for _, new in question.label_map or () if not isinstance(new, str)}
        for key in question.label_keys or ():
            if key not in self.keys | mapped_to:
                raise UnknownName("label key", key, self.keys)
        if question.where is not None:
            from velour_plugin.filters.reduce import check_labels

            check_labels(question.split, self.labels)
        sum(self.classes, ClassCounts()).check()
        question.evaluator.check_labels(question.parameters, self.labels)

    def _check_properties(self, question: Question) -> None:
        from velour_plugin.filters.interpret import check_properties
        from velour_plugin.filters.reduce import check_annotation_properties

        split = question.split
        if split.datums is not None:
            check_properties(split.datums, self.properties)
        check_annotation_properties(split, self.properties)


def _matched(
    question: Question, dataset: Dataset | PartitionedDataset, n_jobs: int | None
) -> Iterator[tuple[MatchedPart, Fingerprints | None]]:
    """Matched parts, in order; fingerprints only of parts that workers read."""
    workers = _workers(n_jobs)
    if isinstance(dataset, Dataset):
        if workers == 1:
            yield question.match(dataset), None
            return
        loaders: list[Callable[[], Dataset]] = [
            _SentPart(part) for part in split_dataset(dataset, min(workers, len(dataset)))
        ]
    else:
        loaders = [_StoredPart(str(dataset.folder), number) for number in range(len(dataset))]
    import joblib

    # a generator hands parts over as they are done, so that only ledgers are kept here
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
    yield from parallel(joblib.delayed(_match)(question, loader) for loader in loaders)


def _workers(n_jobs: int | None) -> int:
    """Number of workers; 1 where joblib was never imported: no ``parallel_config`` is in force."""
    if n_jobs is None and "joblib" not in sys.modules:
        return 1
    import joblib

    return int(joblib.effective_n_jobs(n_jobs))


def _match(
    question: Question, load: Callable[[], Dataset]
) -> tuple[MatchedPart, Fingerprints | None]:
    part = load()
    return question.match(part), part.fingerprints if isinstance(load, _StoredPart) else None


@dataclass(frozen=True, slots=True)
class _SentPart:
    """A part that is sent to its worker."""

    part: Dataset

    def __call__(self) -> Dataset:
        return self.part


@dataclass(frozen=True, slots=True)
class _StoredPart:
    """A part that its worker reads."""

    folder: str
    number: int

    def __call__(self) -> Dataset:
        return PartitionedDataset(self.folder).part(self.number)
