"""Datasets: datums with their ground truth, and optionally the predictions of one model.

A dataset is identified by the digest of its whole content: every datum, its location and
metadata, every annotation. MLflow's own digests read the first rows only, and
skip columns of objects; two datasets of one digest here are the same dataset.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from velour_plugin.domain.annotations import Datum, GroundTruth, Prediction, all_of
from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.columns.class_arrays import ClassArrays
from velour_plugin.domain.columns.datum_columns import DatumColumns
from velour_plugin.domain.columns.label_arrays import label_image_rows
from velour_plugin.domain.columns.label_names import numbered_names
from velour_plugin.domain.columns.table_checks import (
    check_places,
    check_unscored,
    check_vocabulary,
)
from velour_plugin.domain.encoding.content import (
    annotation_digests,
    content_digests,
    datum_digests,
)
from velour_plugin.domain.encoding.dataset_digests import (
    ContentDigests,
    Fingerprints,
    version_digest,
)
from velour_plugin.domain.encoding.digests import Digest, chosen_names
from velour_plugin.domain.inputs.group_names import check_declared, group_names
from velour_plugin.domain.inputs.reading import ReadingReport, note_read, reading
from velour_plugin.domain.labels import DEFAULT_KEY, label_name
from velour_plugin.domain.metadata import AREA_UNIT, checked_location, encode_metadata
from velour_plugin.domain.models import Model
from velour_plugin.domain.order import natural_argsort, natural_order
from velour_plugin.domain.storable_text import LONGEST_NAME, is_name
from velour_plugin.errors import BadDataset
from velour_plugin.helpers.input_files import naming_files
from velour_plugin.helpers.representation import shortened

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


PredictionReader = Callable[["Dataset", "str | os.PathLike[str]"], AnnotationTable]
"""Reads prediction files for a dataset, in the format that the dataset was read from."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Datums with their ground truth, and optionally the predictions of one model.

    Make one with :meth:`from_groundtruths` or :func:`velour_plugin.read_dataset`.
    Datums are in the order of their uids, numbers first and by size, as COCO
    evaluates images: the order of the input changes nothing.
    """

    name: str
    datums: DatumColumns
    truth: AnnotationTable
    metadata: Mapping[str, Any] = field(default_factory=dict)
    predictions: AnnotationTable | None = None
    model: str | None = None
    reader: PredictionReader | None = field(default=None, repr=False)
    location: BaseGeometry | None = None
    source_path: str | None = field(default=None, repr=False)
    """The file or folder that it was read from, absolute: images are looked up near it."""
    reading: ReadingReport | None = field(default=None, repr=False)
    """What was repaired, skipped and unmatched when it was read; ``None`` for what was not read."""
    predictions_reading: ReadingReport | None = field(default=None, repr=False)
    """Likewise for its predictions. Neither is content: digests do not depend on them."""
    vocabulary: frozenset[LabelName] | None = field(default=None, repr=False)
    """The only classes that annotations may have; ``None`` where nobody closed them. No content."""
    groups: Sequence[str] = field(default=(), repr=False)
    """Properties whose values tell which datums belong together, as the frames of a video; ``none``
    alone where datums are independent, empty where nobody said. No content: it changes no value."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "datums", DatumColumns.of(self.datums))
        object.__setattr__(self, "groups", group_names(self.groups) if self.groups else ())

    @classmethod
    def from_groundtruths(
        cls,
        groundtruths: Iterable[GroundTruth],
        name: str,
        metadata: Mapping[str, Any] | None = None,
        labels: Iterable[LabelName] = (),
        location: Any | None = None,
        groups: str | Iterable[str] = (),
    ) -> Dataset:
        """Make a dataset from objects.

        Args:
            groundtruths: one for each datum.
            name: of the dataset; its versions share it.
            metadata: of the dataset as a whole.
            labels: the classes, as (key, value) or values, even those that no datum shows: an
                annotation of another class is refused. Empty for those that occur.
            location: where it is from: ``(latitude, longitude)``, GeoJSON, or shapely, in WGS84.
            groups: which datums belong together; see :meth:`with_groups`.

        Raises:
            BadDataset: something is no ground truth, a uid occurs twice, there is no datum, or
                the name is empty.
            UnknownName: an annotation has a class that is not among the labels.
        """
        ordered = sorted(
            all_of(GroundTruth, groundtruths), key=lambda truth: natural_order(truth.datum.uid)
        )
        names = tuple(map(label_name, labels))
        table = AnnotationTable.from_annotations(
            ((index, truth.annotations) for index, truth in enumerate(ordered)), names
        )
        dataset = cls.from_table(
            name, [truth.datum for truth in ordered], table, metadata, location=location
        )
        dataset = dataset.with_vocabulary(names) if names else dataset
        return dataset.with_groups(groups)

    @classmethod
    def from_arrays(
        cls,
        name: str,
        truth: ArrayLike,
        predictions: ArrayLike | None = None,
        *,
        model: str = "model",
        labels: Sequence[Any] | None = None,
        key: str = DEFAULT_KEY,
        uids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        groups: str | Iterable[str] = (),
        strict: bool = False,
    ) -> Dataset:
        """Make a dataset for classification from arrays, as scikit-learn takes them.

        Args:
            name: of the dataset.
            truth: ``(rows,)`` classes, or ``(rows, classes)`` of 0 and 1 where a row may have many.
            predictions: ``(rows, classes)`` probabilities or decision values, ``(rows,)`` classes,
                or ``(rows,)`` probabilities of the second of two classes; ``None`` leaves them
                for :meth:`with_predictions`.
            model: whose predictions they are.
            labels: the classes, in the order of the columns: there are no others, and numbers that
                none of them is count them from 0. ``None`` for the columns of a frame, else for
                the classes of ``truth``, sorted. ``True``, 1, 1.0 and "1" are one class.
            key: of the labels.
            uids: ``(rows,)`` names of the datums; ``None`` numbers the rows from 0.
            metadata: of each datum; ``None`` for none.
            groups: which datums belong together; see :meth:`with_groups`.
            strict: refuse what would be repaired, such as decision values as scores that rank.

        Raises:
            BadDataset: lengths differ, a value is no class, a class is not among the labels, a
                score is no number, or a uid occurs twice.

        >>> scores = [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]
        >>> Dataset.from_arrays("pets", ["cat", "dog", "dog"], scores, model="resnet").labels
        (('class', 'cat'), ('class', 'dog'))
        """
        with reading(strict) as log:
            arrays = ClassArrays.of(truth, predictions, labels, key)
            datums, places = _rows_as_datums(len(arrays.truth), uids, metadata)
            dataset = cls.from_table(name, datums, arrays.truth_table(places))
            note_read("rows", len(dataset))
        dataset = replace(dataset, reading=log.report).with_groups(groups)
        if arrays.is_closed:
            dataset = dataset.with_vocabulary(arrays.names)
        if predictions is None:
            return dataset
        with reading(strict) as log:
            table = arrays.predictions_table(places)
            note_read("predictions", len(table))
        return dataset.with_predictions(table, model).with_predictions_reading(log.report)

    @classmethod
    def from_label_images(
        cls,
        name: str,
        truth: Iterable[Any],
        predictions: Iterable[Any] | None = None,
        *,
        labels: Any,
        model: str = "model",
        uids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        groups: str | Iterable[str] = (),
    ) -> Dataset:
        """Make a dataset for semantic segmentation from label images, one read at a time.

        Args:
            name: of the dataset.
            truth: of each datum ``(height, width)`` numbers of classes, a volume of one-hot with
                the classes at either end, or the path of a PNG file.
            predictions: likewise, and volumes of scores; ``None`` leaves them for
                :meth:`with_label_images`.
            labels: names of the classes in the order of their numbers, a mapping of numbers to
                names, or a file of either. Pixels that shall not count have a name, too: that of
                the evaluation's parameter ``ignore_label``.
            model: whose predictions they are.
            uids: names of the datums; ``None`` numbers them from 0.
            metadata: of each datum; ``None`` for none. Height and width are added.
            groups: which datums belong together; see :meth:`with_groups`.

        Raises:
            BadDataset: something is no label image, a number has no name, or there are not as many
                predictions as truths.

        >>> truth, predicted = [np.array([[0, 0, 1]])], [np.array([[0, 1, 1]])]
        >>> dataset = Dataset.from_label_images("street", truth, predicted, labels=["road", "car"])
        >>> len(dataset.truth), dataset.labels
        (2, (('class', 'road'), ('class', 'car')))
        """
        names = numbered_names(labels)
        rows, sizes = label_image_rows(truth, uids, names, "truth")
        uids = list(map(str, range(len(sizes)))) if uids is None else list(uids)
        known = [dict(zip(("height", "width"), size, strict=True)) for size in sizes]
        if metadata is not None:
            known = [{**size, **more} for size, more in zip(known, metadata, strict=True)]
        order = natural_argsort(uids)
        index_of = np.argsort(order)
        datums = DatumColumns.of_uids([uids[at] for at in order], [known[at] for at in order])
        dataset = cls.from_table(name, datums, rows.table(index_of))
        dataset = dataset.with_vocabulary(names.values()).with_groups(groups)
        if predictions is None:
            return dataset
        predicted, _ = label_image_rows(predictions, uids, names, "prediction")
        return dataset.with_predictions(predicted.table(index_of), model)

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
        """Make a dataset from columns whose datums are already in :func:`natural_order`.

        Args:
            name: of the dataset.
            datums: objects, or :class:`DatumColumns`, which make none.
            truth: ground truth of the datums, by their index.
            metadata: of the dataset as a whole.
            reader: reads predictions in the format that it came from.
            location: where it is from, as in :meth:`from_groundtruths`.

        Raises:
            BadDataset: a uid occurs twice, there is no datum, or an annotation is of none.
        """
        datums = DatumColumns.of(datums)
        check_dataset_name(name)
        if not datums:
            raise BadDataset(f"dataset {name!r} has no datum: there is nothing to evaluate.")
        datums.check_unique(name)
        encode_metadata({} if metadata is None else metadata)
        check_places(truth, len(datums))
        check_unscored(truth, datums)
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
        *,
        strict: bool = False,
    ) -> Dataset:
        """Return this dataset with the predictions of one model.

        Args:
            predictions: objects, columns, or a file in the format that this dataset was
                read from. A datum without a prediction counts as one on which the model
                found nothing.
            model: the model, or its name. Its metadata is stored by ``store.save_model``.
            strict: refuse what would be repaired, skipped or unmatched; see
                :attr:`predictions_reading`.

        Raises:
            BadDataset: something is no prediction, or one is for no datum of this dataset, or
                for one twice; reading is strict and would repair.
        """
        model = model.name if isinstance(model, Model) else model
        if model != "" and not is_name(model):
            raise BadDataset(
                f"model {shortened(model)}: expected its name, a string without U+0000, of at most "
                f"{LONGEST_NAME:,} bytes."
            )
        with reading(strict) as log:
            if isinstance(predictions, (str, os.PathLike)):
                predictions = self._read(predictions)
            if not isinstance(predictions, AnnotationTable):
                predictions = self._table_of(predictions)
            check_places(predictions, len(self))
            check_vocabulary(predictions, self.vocabulary, "prediction")
        return self._changed(
            _OF_TRUTH, predictions=predictions, model=model, predictions_reading=log.report
        )

    def with_label_images(
        self, predictions: Iterable[Any], model: str | Model, *, labels: Any
    ) -> Dataset:
        """Return this dataset with the label images of one model.

        Args:
            predictions: one for each of :attr:`datums`, in their order, as
                :meth:`from_label_images` takes them.
            model: the model, or its name.
            labels: names of the numbers, as there.

        Raises:
            BadDataset: as there.
        """
        rows, _ = label_image_rows(predictions, self.uids, numbered_names(labels), "prediction")
        return self.with_predictions(rows.table(), model)

    def with_model(self, model: str) -> Dataset:
        """Return this dataset with its predictions under another name of their model."""
        return self._changed(_OF_CONTENT, model=model)

    def with_vocabulary(self, labels: Iterable[Any]) -> Dataset:
        """Return this dataset with these classes and no others, now and in predictions to come.

        Args:
            labels: the classes, as (key, value) or values; their order changes nothing.

        Raises:
            UnknownName: an annotation has another class.
        """
        vocabulary = frozenset(map(label_name, labels))
        check_vocabulary(self.truth, vocabulary, "ground truth")
        if self.predictions is not None:
            check_vocabulary(self.predictions, vocabulary, "prediction")
        return self._changed((*_OF_CONTENT, "_sides"), vocabulary=vocabulary)

    def with_groups(self, groups: str | Iterable[str]) -> Dataset:
        """Return this dataset with the declaration of which datums belong together.

        Rankings and comparisons resample and exchange whole groups, unless a query names others.
        What is declared is no content: the digest does not change.

        Args:
            groups: a property of datums as filters name it, such as ``video``,
                ``metadata.site.id`` or ``location:0.5``; several, of which each combination of
                values is a group; ``"none"`` for independent datums; nothing for no declaration.

        Raises:
            UnknownName: no datum has the property; the nearest is named.
            InvalidInput: something is no name.
        """
        names = group_names(groups) if groups != () else ()
        check_declared(names, self.datums)
        return self._changed(_OF_CONTENT, groups=names)

    def with_predictions_reading(self, report: ReadingReport) -> Dataset:
        """Return this dataset with another report of how its predictions were read."""
        return self._changed(_OF_CONTENT, predictions_reading=report)

    def with_name(self, name: str) -> Dataset:
        """Return this dataset under another name; its digest does not change."""
        return self._changed(_OF_CONTENT, name=name)

    def with_metadata(self, metadata: Mapping[str, Any], location: Any = None) -> Dataset:
        """Return this dataset with other metadata and location: another version of it.

        Args:
            metadata: of the dataset as a whole, replacing the present one, but for the unit of
                areas (``area_unit``), which stays that of the annotations where none is named.
            location: where it is from, as in :meth:`from_groundtruths`.

        Raises:
            BadMetadata, BadGeometry: they break a rule.
        """
        encode_metadata(metadata)
        unit = {name: self.metadata[name] for name in (AREA_UNIT,) if name in self.metadata}
        return self._changed(
            (*_OF_DATUMS, "_sides"),
            metadata={**unit, **metadata},
            location=checked_location(location),
        )

    def subset(self, chosen: NDArray[np.bool_]) -> Dataset:
        """Return this dataset with the chosen datums and their annotations only.

        Args:
            chosen: ``(datums,)`` bool, in the order of :attr:`datums`.

        Raises:
            BadDataset: the mask is longer or shorter than the datums.
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
            datums=self.datums.where(chosen),
            truth=self.truth.on_datums(chosen),
            predictions=self.predictions and self.predictions.on_datums(chosen),
        )
        known = vars(self)
        vars(part).update(
            {name: chosen_names(known[name], chosen) for name in _OF_DATUMS if name in known}
        )
        return part

    def _changed(self, known: Iterable[str], **fields: Any) -> Dataset:
        """Replace some fields; cached properties that stay valid are kept."""
        changed = replace(self, **fields)
        vars(changed).update({name: vars(self)[name] for name in known if name in vars(self)})
        return changed

    def __len__(self) -> int:
        return len(self.datums)

    @property
    def groundtruths(self) -> Iterator[GroundTruth]:
        """Yield every datum with its ground truth, as an object."""
        for index, datum in enumerate(self.datums):
            yield GroundTruth(datum, self.truth.annotations_of(index))

    @property
    def predicted(self) -> Iterator[Prediction]:
        """Yield every datum with the model's annotations, as objects; none without predictions."""
        for index, datum in enumerate(self.datums if self.predictions is not None else ()):
            yield Prediction(datum, self.predictions.annotations_of(index))  # type: ignore[union-attr]

    @property
    def uids(self) -> tuple[str, ...]:
        """Uids of the datums, in order."""
        return self.datums.uids

    @cached_property
    def index_of(self) -> Mapping[str, int]:
        """Index of each datum, by its uid."""
        return {uid: position for position, uid in enumerate(self.uids)}

    @property
    def labels(self) -> tuple[LabelName, ...]:
        """The dataset's classes, as (key, value)."""
        return self.truth.labels

    @cached_property
    def datum_digests(self) -> Sequence[str]:
        """SHA-256 of each datum with its metadata and location, in order, as hexadecimal."""
        return datum_digests(self.datums)

    @cached_property
    def truth_digests(self) -> Sequence[str]:
        """SHA-256 of each datum's ground truth, in order, as hexadecimal."""
        return annotation_digests(self.truth, self.uids)

    @cached_property
    def prediction_digests(self) -> Sequence[str]:
        """SHA-256 of each datum's predictions, in the order of uids; empty without predictions."""
        table = self.predictions
        return () if table is None else annotation_digests(table, self.uids)

    @cached_property
    def contents(self) -> Sequence[str]:
        """SHA-256 of each datum with its ground truth, in order, as hexadecimal."""
        return content_digests(self.datum_digests, self.truth_digests)

    @property
    def fingerprints(self) -> Fingerprints:
        """Hexadecimal digests of each datum, its ground truth and its predictions, in order."""
        return Fingerprints(
            self.contents, self.datum_digests, self.truth_digests, self.prediction_digests
        )

    @cached_property
    def content_digests(self) -> ContentDigests:
        """Hexadecimal digests of the whole content and of its parts, computed once."""
        whole, predictions = (
            version_digest(self.metadata, self.truth.labels, self.location),
            Digest(),
        )
        whole.add_all(self.contents)
        sides = self._sides
        self._forget("datum_digests", "truth_digests")
        predictions.add_all(self.prediction_digests)
        self._forget("prediction_digests")
        return ContentDigests(whole.hex, *sides, predictions.hex)

    @cached_property
    def _sides(self) -> tuple[str, str]:
        """Digests of all datums, and of all ground truth."""
        datums, truths = Digest(), Digest()
        datums.add_all(self.datum_digests)
        truths.add_all(self.truth_digests)
        return datums.hex, truths.hex

    def _forget(self, *names: str) -> None:
        """Free per-datum digests once they are in the whole: a million take 32 MB."""
        for name in names:
            vars(self).pop(name, None)

    @property
    def digest(self) -> str:
        """SHA-256 of the whole content but the predictions: 64 hexadecimal digits."""
        return self.content_digests.dataset

    @property
    def predictions_digest(self) -> str:
        """SHA-256 of all predictions, 64 hexadecimal digits; there must be predictions."""
        if self.predictions is None:
            raise BadDataset(f"dataset {self.name!r} has no predictions: use with_predictions.")
        return self.content_digests.predictions

    def __repr__(self) -> str:
        predictions = f", predictions by {self.model!r}" if self.predictions is not None else ""
        return (
            f"<Dataset {self.name!r}: {len(self):,} datums, {len(self.truth):,} labels of "
            f"{len(self.truth.labels):,} classes{predictions}, {self.digest[:12]}>"
        )

    def _table_of(self, predictions: Iterable[Prediction]) -> AnnotationTable:
        items = all_of(Prediction, predictions)
        seen: set[str] = set()
        for prediction in items:
            uid = prediction.datum.uid
            if uid not in self.index_of:
                raise BadDataset(
                    f"prediction for datum {uid!r}, which is not in dataset {self.name!r}."
                )
            if uid in seen:
                raise BadDataset(f"datum {uid!r} is predicted twice: put it all in one Prediction.")
            seen.add(uid)
        return AnnotationTable.from_annotations(
            ((self.index_of[item.datum.uid], item.annotations) for item in items), self.truth.labels
        )

    def _read(self, path: str | os.PathLike[str]) -> AnnotationTable:
        if self.reader is None:
            raise BadDataset(
                f"predictions {os.fspath(path)!r}: this dataset came from no file format. "
                "Read it with velour.read_dataset, or give velour.Prediction objects."
            )
        with naming_files(path):
            return self.reader(self, path)


_OF_DATUMS = ("datum_digests", "truth_digests", "prediction_digests", "contents")
"""Cached per-datum digests: a subset of the dataset has a subset of them."""
_OF_TRUTH = ("index_of", "datum_digests", "truth_digests", "contents", "_sides")
"""Cached properties that do not depend on predictions."""
_OF_CONTENT = (*_OF_TRUTH, "prediction_digests", "content_digests")


def check_dataset_name(name: object) -> None:
    """Refuse a dataset name that is empty, too long, or that no store can hold.

    Raises:
        BadDataset: the name is such.
    """
    if not is_name(name):
        raise BadDataset(
            f"dataset name {shortened(name)}: expected a non-empty string without U+0000, of "
            f"at most {LONGEST_NAME:,} bytes."
        )


def _rows_as_datums(
    rows: int, uids: Sequence[str] | None, metadata: Sequence[Mapping[str, Any]] | None
) -> tuple[DatumColumns, NDArray[np.intp]]:
    """Datums of rows, and the position of each row's datum among them."""
    if uids is None:
        return DatumColumns.numbered(rows, metadata), np.arange(rows)
    if len(uids) != rows:
        raise BadDataset(f"{len(uids):,} uids of {rows:,} rows: expected one for each, in order.")
    order = natural_argsort(list(uids))
    sorted_metadata = metadata and [metadata[row] for row in order]
    return DatumColumns.of_uids([uids[row] for row in order], sorted_metadata), np.argsort(order)
