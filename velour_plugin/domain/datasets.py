"""Datasets: datums, what is true of them, and maybe what one model said.

A dataset is named by the digest of its whole content: every datum, its place and
metadata, every annotation. MLflow's own digests read the first rows only, and
skip columns of objects; two datasets of one digest here are the same dataset.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import compress, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Datum, GroundTruth, Prediction, all_of
from velour_plugin.domain.canonical import Digest, canonical_json, digest
from velour_plugin.domain.labels import label_name
from velour_plugin.domain.metadata import checked_location, encode_metadata
from velour_plugin.domain.models import Model
from velour_plugin.domain.order import natural_order
from velour_plugin.domain.table import AnnotationTable, LabelName
from velour_plugin.domain.text import is_storable
from velour_plugin.errors import BadDataset
from velour_plugin.libraries import shapely

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """SHA-256 of every datum of a part, in order, as hexadecimal.

    Args:
        contents: of the datum with its ground truth.
        datums: of the datum alone.
        truths: of its ground truth.
        predictions: of its predictions; empty without predictions.
    """

    contents: tuple[str, ...]
    datums: tuple[str, ...]
    truths: tuple[str, ...]
    predictions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContentNames:
    """What names a dataset's content: all but predictions, datums, truths, predictions."""

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
    ) -> ContentNames:
        """Name content whose parts come one after another, in the order of their datums.

        The order of labels does not matter.
        """
        whole = version_digest(metadata, labels, location)
        datums, truths, said = Digest(), Digest(), Digest()
        for part in parts:
            whole.add(*part.contents)
            datums.add(*part.datums)
            truths.add(*part.truths)
            said.add(*part.predictions)
        return cls(whole.hex, datums.hex, truths.hex, said.hex)


def version_digest(
    metadata: Mapping[str, Any], labels: Iterable[LabelName], location: BaseGeometry | None
) -> Digest:
    """What names a dataset version, once :attr:`Dataset.contents` of its datums are added.

    Args:
        metadata: of the dataset as a whole.
        labels: its classes; their order does not matter.
        location: of the dataset as a whole; a missing one leaves the digest as it is without.
    """
    wkb = [] if location is None else [bytes(shapely.to_wkb(location, byte_order=1))]
    return Digest(canonical_json(encode_metadata(metadata)), canonical_json(sorted(labels)), *wkb)


PredictionReader = Callable[["Dataset", "str | os.PathLike[str]"], AnnotationTable]
"""How the format that a dataset came from reads prediction files for it."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Datums with their ground truth, and maybe the predictions of one model.

    Make one with :meth:`from_groundtruths` or :func:`velour_plugin.read_dataset`.
    Datums rest in the order of their uids, numbers first and by size, as COCO
    evaluates images: the order in which they were given changes nothing.
    """

    name: str
    datums: tuple[Datum, ...]
    truth: AnnotationTable
    metadata: Mapping[str, Any] = field(default_factory=dict)
    predictions: AnnotationTable | None = None
    model: str | None = None
    reader: PredictionReader | None = field(default=None, repr=False)
    location: BaseGeometry | None = None

    @classmethod
    def from_groundtruths(
        cls,
        groundtruths: Iterable[GroundTruth],
        name: str,
        metadata: Mapping[str, Any] | None = None,
        labels: Iterable[LabelName] = (),
        location: Any | None = None,
    ) -> Dataset:
        """Make a dataset from objects.

        Args:
            groundtruths: one for each datum.
            name: what people call it; versions of one dataset share a name.
            metadata: what is known of the dataset as a whole.
            labels: classes, as (key, value), that belong to it even where no datum shows them.
            location: where it is from: ``(latitude, longitude)``, GeoJSON, or shapely, in WGS84.

        Raises:
            BadDataset: something is no ground truth, a uid occurs twice, there is no datum, or
                the name is empty.
        """
        told = sorted(
            all_of(GroundTruth, groundtruths), key=lambda truth: natural_order(truth.datum.uid)
        )
        table = AnnotationTable.from_annotations(
            ((place, truth.annotations) for place, truth in enumerate(told)),
            tuple(map(label_name, labels)),
        )
        return cls.from_table(
            name, [truth.datum for truth in told], table, metadata, location=location
        )

    @classmethod
    def from_table(
        cls,
        name: str,
        datums: Iterable[Datum],
        truth: AnnotationTable,
        metadata: Mapping[str, Any] | None = None,
        reader: PredictionReader | None = None,
        location: Any | None = None,
    ) -> Dataset:
        """Make a dataset from columns whose datums are already in :func:`natural_order`."""
        datums = tuple(datums)
        uids = sorted(datum.uid for datum in datums)
        check_dataset_name(name)
        if not uids:
            raise BadDataset(f"dataset {name!r} has no datum: there is nothing to evaluate.")
        if len(set(uids)) < len(uids):
            twice = next(uid for uid, after in pairwise(uids) if uid == after)
            raise BadDataset(f"datum uid {twice!r} occurs twice in dataset {name!r}.")
        encode_metadata({} if metadata is None else metadata)
        _check_places(truth, len(datums))
        return cls(
            name,
            datums,
            truth,
            dict(metadata or {}),
            reader=reader,
            location=checked_location(location),
        )

    def with_predictions(
        self,
        predictions: Iterable[Prediction] | AnnotationTable | str | os.PathLike[str],
        model: str | Model,
    ) -> Dataset:
        """Return this dataset with what one model said of it.

        Args:
            predictions: objects, columns, or a file in the format that this dataset was
                read from. A datum without a prediction counts as one on which the model
                found nothing.
            model: the model, or its name. Its metadata is stored by ``store.save_model``.

        Raises:
            BadDataset: something is no prediction, or one is for no datum of this dataset, or
                for one twice.
        """
        model = model.name if isinstance(model, Model) else model
        if not is_storable(model):
            raise BadDataset(f"model {model!r}: expected its name, a string without U+0000.")
        if isinstance(predictions, (str, os.PathLike)):
            predictions = self._read(predictions)
        if not isinstance(predictions, AnnotationTable):
            predictions = self._table_of(predictions)
        _check_places(predictions, len(self))
        return self._changed(_OF_TRUTH, predictions=predictions, model=model)

    def with_model(self, model: str) -> Dataset:
        """Return this dataset with its predictions under another name of their model."""
        return self._changed(_OF_CONTENT, model=model)

    def with_name(self, name: str) -> Dataset:
        """Return this dataset under another name, which is no part of its content."""
        return self._changed(_OF_CONTENT, name=name)

    def with_metadata(self, metadata: Mapping[str, Any], location: Any = None) -> Dataset:
        """Return this dataset with another description: content, so another version of it.

        Args:
            metadata: what is known of the dataset as a whole, in place of what was.
            location: where it is from, as in :meth:`from_groundtruths`.

        Raises:
            BadMetadata, BadGeometry: they break a rule.
        """
        encode_metadata(metadata)
        return self._changed(
            _OF_DATUMS, metadata=dict(metadata), location=checked_location(location)
        )

    def subset(self, chosen: NDArray[np.bool_]) -> Dataset:
        """Keep the chosen datums and what is said of them.

        Args:
            chosen: ``(datums,)`` bool, in the order of :attr:`datums`.

        Raises:
            BadDataset: there are more or fewer of them than datums.
        """
        chosen = np.asarray(chosen, bool)
        if chosen.shape != (len(self),):
            raise BadDataset(
                f"a choice of shape {chosen.shape} from dataset {self.name!r}: expected "
                f"({len(self)},), true or false for each datum."
            )
        if chosen.all():
            return self
        part = replace(
            self,
            datums=tuple(compress(self.datums, chosen)),
            truth=self.truth.on_datums(chosen),
            predictions=self.predictions and self.predictions.on_datums(chosen),
        )
        known = vars(self)
        vars(part).update(
            {name: tuple(compress(known[name], chosen)) for name in _OF_DATUMS if name in known}
        )
        return part

    def _changed(self, known: Iterable[str], **fields: Any) -> Dataset:
        """Another value of some fields; what is known already is not computed again."""
        changed = replace(self, **fields)
        vars(changed).update({name: vars(self)[name] for name in known if name in vars(self)})
        return changed

    def __len__(self) -> int:
        return len(self.datums)

    @property
    def groundtruths(self) -> Iterator[GroundTruth]:
        """Every datum with its true annotations, as objects."""
        for place, datum in enumerate(self.datums):
            yield GroundTruth(datum, self.truth.annotations_of(place))

    @property
    def predicted(self) -> Iterator[Prediction]:
        """Every datum with the model's annotations, as objects; nothing without predictions."""
        for place, datum in enumerate(self.datums if self.predictions is not None else ()):
            yield Prediction(datum, self.predictions.annotations_of(place))  # type: ignore[union-attr]

    @cached_property
    def uids(self) -> tuple[str, ...]:
        """Names of the datums, in order."""
        return tuple(datum.uid for datum in self.datums)

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Position of each datum by its uid."""
        return {uid: position for position, uid in enumerate(self.uids)}

    @property
    def labels(self) -> tuple[LabelName, ...]:
        """Its classes, as (key, value)."""
        return self.truth.labels

    @cached_property
    def datum_digests(self) -> tuple[str, ...]:
        """SHA-256 of each datum with its metadata and location, in order, as hexadecimal."""
        return tuple(digest(_spelled(datum)) for datum in self.datums)

    @cached_property
    def truth_digests(self) -> tuple[str, ...]:
        """SHA-256 of each datum's ground truth."""
        return tuple(map(digest, self.uids, self.truth.datum_bytes(len(self))))

    @cached_property
    def prediction_digests(self) -> tuple[str, ...]:
        """SHA-256 of each datum's predictions; empty without predictions."""
        table = self.predictions
        return () if table is None else tuple(map(digest, self.uids, table.datum_bytes(len(self))))

    @cached_property
    def contents(self) -> tuple[str, ...]:
        """What names each datum with its ground truth."""
        return tuple(map(digest, self.datum_digests, self.truth_digests))

    @property
    def fingerprints(self) -> Fingerprints:
        """What names each datum, its ground truth and its predictions, in order."""
        return Fingerprints(
            self.contents, self.datum_digests, self.truth_digests, self.prediction_digests
        )

    @cached_property
    def names(self) -> ContentNames:
        """What names the content as a whole and in its parts."""
        return ContentNames.of(self.metadata, self.truth.labels, [self.fingerprints], self.location)

    @property
    def digest(self) -> str:
        """What names the whole content but the predictions: 64 hexadecimal digits."""
        return self.names.dataset

    @property
    def predictions_digest(self) -> str:
        """What names everything that the model said."""
        if self.predictions is None:
            raise BadDataset(f"dataset {self.name!r} has no predictions: use with_predictions.")
        return self.names.predictions

    def __repr__(self) -> str:
        said = f", predictions by {self.model!r}" if self.predictions is not None else ""
        return (
            f"<Dataset {self.name!r}: {len(self):,} datums, {len(self.truth):,} labels of "
            f"{len(self.truth.labels):,} classes{said}, {self.digest[:12]}>"
        )

    def _table_of(self, predictions: Iterable[Prediction]) -> AnnotationTable:
        told = all_of(Prediction, predictions)
        seen: set[str] = set()
        for prediction in told:
            uid = prediction.datum.uid
            if uid not in self.place:
                raise BadDataset(
                    f"prediction for datum {uid!r}, which is not in dataset {self.name!r}."
                )
            if uid in seen:
                raise BadDataset(f"datum {uid!r} is predicted twice: put it all in one Prediction.")
            seen.add(uid)
        return AnnotationTable.from_annotations(
            ((self.place[said.datum.uid], said.annotations) for said in told), self.truth.labels
        )

    def _read(self, path: str | os.PathLike[str]) -> AnnotationTable:
        if self.reader is None:
            raise BadDataset(
                f"predictions {os.fspath(path)!r}: this dataset came from no file format. "
                "Read it with velour.read_dataset, or give velour.Prediction objects."
            )
        return self.reader(self, path)


def check_dataset_name(name: object) -> None:
    """Refuse what no store could find a dataset by."""
    if not name or not is_storable(name):
        raise BadDataset(f"dataset name {name!r}: expected a non-empty string without U+0000.")


_OF_DATUMS = ("datum_digests", "truth_digests", "prediction_digests", "contents")
"""What is computed once of each datum: a part of a dataset has a part of it."""
_OF_TRUTH = ("uids", "place", "datum_digests", "truth_digests", "contents")
"""What is computed once and does not depend on predictions."""
_OF_CONTENT = (*_OF_TRUTH, "prediction_digests", "names")


def _check_places(table: AnnotationTable, datums: int) -> None:
    if len(table) and not 0 <= table.datum[0] <= table.datum[-1] < datums:
        wrong = table.datum[0] if table.datum[0] < 0 else table.datum[-1]
        raise BadDataset(
            f"an annotation is of datum number {wrong}: expected 0 to {datums - 1}, the position "
            "of one of the dataset's datums."
        )


def _spelled(datum: Datum) -> bytes:
    place = b"" if datum.location is None else bytes(shapely.to_wkb(datum.location, byte_order=1))
    said = canonical_json({"uid": datum.uid, "metadata": encode_metadata(datum.metadata)})
    return said.encode() + b"\x00" + place
