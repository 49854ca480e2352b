"""Digests of a dataset as a whole, put together from those of its datums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.encoding.content import location_bytes
from velour_plugin.domain.encoding.digests import Digest
from velour_plugin.domain.metadata import encode_metadata

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from velour_plugin.domain.columns.annotation_table import LabelName


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """SHA-256 of every datum of a part of a dataset, in order, as hexadecimal.

    Args:
        contents: of each datum with its ground truth.
        datums: of each datum alone.
        truths: of each datum's ground truth.
        predictions: of each datum's predictions; empty without predictions.
    """

    contents: Sequence[str]
    datums: Sequence[str]
    truths: Sequence[str]
    predictions: Sequence[str]


@dataclass(frozen=True, slots=True)
class ContentDigests:
    """SHA-256 of a dataset without predictions, of datums, of ground truth, of predictions."""

    dataset: str
    datums: str
    groundtruth: str
    predictions: str

    @classmethod
    def of(
        cls,
        metadata: Mapping[str, Any],
        labels: Iterable[LabelName],
        parts: Iterable[Fingerprints],
        location: BaseGeometry | None = None,
    ) -> ContentDigests:
        """Digest content whose parts come one after another, in the order of their datums.

        The order of labels does not matter.
        """
        whole = version_digest(metadata, labels, location)
        datums, truths, predictions = Digest(), Digest(), Digest()
        for part in parts:
            whole.add_all(part.contents)
            datums.add_all(part.datums)
            truths.add_all(part.truths)
            predictions.add_all(part.predictions)
        return cls(whole.hex, datums.hex, truths.hex, predictions.hex)


def version_digest(
    metadata: Mapping[str, Any], labels: Iterable[LabelName], location: BaseGeometry | None
) -> Digest:
    """Begin the digest of a dataset version; :attr:`Dataset.contents` are still to be added.

    Args:
        metadata: of the dataset as a whole.
        labels: its classes; their order does not matter.
        location: of the dataset as a whole; a missing one leaves the digest as it is without.
    """
    wkb = [] if location is None else [location_bytes(location)]
    return Digest(canonical_json(encode_metadata(metadata)), canonical_json(sorted(labels)), *wkb)
