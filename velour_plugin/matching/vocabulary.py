"""Whether predictions are of classes that the ground truth has, after the label map.

Predictions of classes that nobody knows are wrong, every one of them; where all are, the two sides
call their classes differently, and a score of 0 would say nothing about the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName, is_absent
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.inputs.reading import note_unmatched
from velour_plugin.domain.labels import class_in_words
from velour_plugin.errors import BadDataset
from velour_plugin.matching.label_map import mapped_names


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """How many predictions are of classes of the ground truth, and of which others.

    Args:
        truth: the classes of the ground truth, after the label map.
        known: how many predictions are of these.
        unknown: how many are of each other class.
    """

    truth: set[LabelName] = field(default_factory=set)
    known: int = 0
    unknown: Mapping[LabelName, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        label_map: Sequence[tuple[Any, Any]] | None,
        keys: Collection[str] | None,
    ) -> ClassCounts:
        """Count the predictions of a dataset, or of a part of one.

        Args:
            dataset: before its labels are mapped.
            label_map: pairs of old and new label.
            keys: the label keys that are evaluated; ``None`` for all.
        """
        assert dataset.predictions is not None
        table = dataset.predictions
        mapped_truth = mapped_names(dataset.truth.labels, label_map, keys)
        truth = {name for name in mapped_truth if name is not None}
        names = mapped_names(table.labels, label_map, keys)
        if truth.issuperset(names):
            return cls(truth, len(table))  # as nearly always, and nothing has to be counted
        if truth.issubset(names) and _is_distribution(table):
            return cls(truth, len(table))  # scores of more classes than occur are ordinary
        counts = np.bincount(table.label, minlength=len(names)).tolist()
        unknown: Counter[LabelName] = Counter()
        known = 0
        for name, count in zip(names, counts, strict=True):
            if name in truth:
                known += count
            elif name is not None and count:
                unknown[name] += count
        return cls(truth, known, unknown)

    def __add__(self, other: ClassCounts) -> ClassCounts:
        unknown = Counter(self.unknown) + Counter(other.unknown)
        return ClassCounts(self.truth | other.truth, self.known + other.known, unknown)

    def check(self) -> None:
        """Note predictions of unknown classes, and refuse them when there are no others.

        Without any class of the ground truth there is nothing to compare with: all are welcome.

        Raises:
            BadDataset: no prediction is of a class of the ground truth.
        """
        if not self.truth or not self.unknown:
            return
        if not self.known:
            raise _all_unknown(self.truth, self.unknown)
        for name in sorted(self.unknown):
            note_unmatched(
                "predictions of classes that the ground truth does not have",
                repr(class_in_words(name)),
                self.unknown[name],
            )


def _is_distribution(table: AnnotationTable) -> bool:
    """Whether an annotation has scores of several classes of one key."""
    keys = {key: number for number, key in enumerate(dict.fromkeys(key for key, _ in table.labels))}
    key = np.array([keys[name] for name, _ in table.labels], np.int32)[table.label]
    again = (table.annotation[1:] == table.annotation[:-1]) & (key[1:] == key[:-1])
    return not is_absent(table.score) and bool(again.any())


def _all_unknown(truth: Collection[LabelName], unknown: Collection[LabelName]) -> BadDataset:
    return BadDataset(
        f"no prediction is of a class of the ground truth: predicted are {_listed(unknown)}; the "
        f"ground truth has {_listed(truth)}. {_way_out(truth, unknown)}"
    )


def _way_out(truth: Collection[LabelName], unknown: Collection[LabelName]) -> str:
    """What most likely went wrong, and what to write."""
    keys = {key for key, _ in truth}
    if not keys & {key for key, _ in unknown}:
        return "Their label keys differ: use a label_map from (key, value) to (key, value)."
    values, others = ({value for _, value in names} for names in (truth, unknown))
    if all(value.isdigit() for value in others) and not any(value.isdigit() for value in values):
        return (
            "Numbers stand where the ground truth has names: name the classes in the order of "
            "their numbers in labels=, or use a label_map such as {'0': 'name'}."
        )
    if all(value.isdigit() for value in values) and not any(value.isdigit() for value in others):
        return (
            "Names stand where the ground truth has numbers: name the classes in the order of "
            "their numbers in labels=, or use a label_map such as {'name': '0'}."
        )
    nearest = _nearest(values, sorted(others))
    if nearest is not None:
        return f"Did you mean {nearest[1]!r} by {nearest[0]!r}? A label_map makes them one class."
    return "A label_map makes a predicted class one of these."


def _nearest(values: Collection[str], others: Sequence[str]) -> tuple[str, str] | None:
    """A predicted class and the true one that is most like it, whatever the case of letters."""
    folded = {value.strip().casefold(): value for value in values}
    for cutoff in (1.0, 0.6):
        for other in others[:100]:
            near = get_close_matches(other.strip().casefold(), folded, n=1, cutoff=cutoff)
            if near:
                return other, folded[near[0]]
    parts = ((other, value) for other in others[:100] for value in values if value in other)
    return next(parts, None)


def _listed(names: Collection[LabelName]) -> str:
    shown = [repr(class_in_words(name)) for name in sorted(names)[:5]]
    return ", ".join(shown) + (f", … ({len(names)} classes)" if len(names) > 5 else "")
