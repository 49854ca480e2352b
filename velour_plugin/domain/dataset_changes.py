"""What differs between two datasets, in words for people, where digests only say that it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.encoding.content import annotation_digests, location_bytes
from velour_plugin.domain.metadata import encode_metadata

KEYS_NAMED = 5
"""How many keys of metadata a sentence names."""


@dataclass(frozen=True, slots=True)
class DatasetChanges:
    """What differs on the datums that two datasets have in common, and in their descriptions.

    Args:
        metadata: on how many datums each key of their metadata differs.
        described: datums whose metadata differ.
        moved: datums at another location.
        annotated: datums with other ground truth.
        annotations_added: annotations of these that only the second dataset has.
        annotations_removed: annotations that only the first has; a changed one counts as both.
        description: what differs of the datasets as a whole: keys of their metadata, ``location``,
            ``labels``.
    """

    metadata: Mapping[str, int]
    described: tuple[str, ...]
    moved: tuple[str, ...]
    annotated: tuple[str, ...]
    annotations_added: int
    annotations_removed: int
    description: tuple[str, ...]

    @classmethod
    def between(cls, before: Dataset, after: Dataset) -> DatasetChanges:
        """Compare two datasets on the datums that they have in common, which have one order."""
        common = [uid for uid in before.uids if uid in after.index_of]
        sides = [_part(dataset, common) for dataset in (before, after)]
        assert sides[0].uids == sides[1].uids
        pairs = _differing_datums(*sides)
        keys = {one.uid: _differing(one.metadata, other.metadata) for one, other in pairs}
        annotated = np.array(_unequal(*(side.truth_digests for side in sides)), bool)
        lost, gained = _counted(*(side.subset(annotated).truth for side in sides))
        return cls(
            dict(Counter(key for differing in keys.values() for key in differing)),
            tuple(uid for uid, differing in keys.items() if differing),
            tuple(one.uid for one, other in pairs if _are_apart(one, other)),
            tuple(compress(common, annotated)),
            gained,
            lost,
            _description(before, after),
        )

    def __str__(self) -> str:
        return "; ".join(self.sentences)

    @property
    def sentences(self) -> list[str]:
        """What differs, a sentence each, and what does not although something else does."""
        keys = sorted(self.metadata, key=lambda key: (-self.metadata[key], key))
        named = ", ".join(keys[:KEYS_NAMED]) + (", …" if len(keys) > KEYS_NAMED else "")
        lines = []
        if self.described:
            lines.append(f"metadata differ on {_datums(self.described)}: {named}")
        if self.moved:
            lines.append(f"locations differ on {_datums(self.moved)}")
        if self.annotated:
            lines.append(
                f"annotations differ on {_datums(self.annotated)}: {self.annotations_removed} only "
                f"before, {self.annotations_added} only after"
            )
        if self.description:
            lines.append(f"the description differs in {', '.join(self.description)}")
        if lines and not self.annotated:
            lines.append("all annotations are the same")
        return lines


def _part(dataset: Dataset, uids: Sequence[str]) -> Dataset:
    """The datums of some uids, all of which a dataset has."""
    chosen = np.zeros(len(dataset), bool)
    chosen[[dataset.index_of[uid] for uid in uids]] = True
    return dataset.subset(chosen)


def _unequal(before: Iterable[str], after: Iterable[str]) -> list[bool]:
    return [old != new for old, new in zip(before, after, strict=True)]


def _differing_datums(before: Dataset, after: Dataset) -> list[tuple[Datum, Datum]]:
    """Pairs of a datum in both datasets, of those whose metadata or location differ."""
    differs = _unequal(before.datum_digests, after.datum_digests)
    return list(compress(zip(before.datums, after.datums, strict=True), differs))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Keys whose values are not the same JSON, or that only one side has."""
    old, new = encode_metadata(before), encode_metadata(after)
    return [
        key
        for key in (old | new)
        if canonical_json([old.get(key), key in old]) != canonical_json([new.get(key), key in new])
    ]


def _description(before: Dataset, after: Dataset) -> tuple[str, ...]:
    differing = _differing(before.metadata, after.metadata)
    if _are_apart(before, after):
        differing.append("location")
    if sorted(before.labels) != sorted(after.labels):
        differing.append("labels")
    return tuple(differing)


def _are_apart(before: Datum | Dataset, after: Datum | Dataset) -> bool:
    return location_bytes(before.location) != location_bytes(after.location)


def _counted(before: AnnotationTable, after: AnnotationTable) -> tuple[int, int]:
    """How many annotations only the first table has, and how many only the second."""
    old, new = _annotations(before), _annotations(after)
    return (old - new).total(), (new - old).total()


def _annotations(table: AnnotationTable) -> Counter[tuple[int, str]]:
    """Annotations by their datum's index and their own digest."""
    columns = np.stack([table.datum, table.annotation])
    is_first = (np.diff(columns, prepend=-1) != 0).any(axis=0)
    starts = np.flatnonzero(is_first)
    alone = replace(table, datum=(np.cumsum(is_first) - 1).astype(np.int32))  # each as a datum
    digests = annotation_digests(alone, ("",) * len(starts))
    return Counter(zip(table.datum[starts].tolist(), digests, strict=True))


def _datums(uids: Sequence[str]) -> str:
    return f"{len(uids)} datum{'' if len(uids) == 1 else 's'}"
