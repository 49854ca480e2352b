"""Annotations of many datums in columns: the form that is matched, stored and digested.

Objects are for people; a quarter of a million boxes are columns. A row is one
label of one annotation; rows are sorted by datum and keep the order in which a
datum's annotations were given, which is content: COCO breaks ties by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Annotation
from velour_plugin.domain.columns.region_column import RegionColumn
from velour_plugin.domain.columns.vocabulary import LabelName as LabelName
from velour_plugin.domain.columns.vocabulary import Vocabulary
from velour_plugin.domain.embedding import Embedding
from velour_plugin.domain.geometry import (
    MOST_PIXELS,
    BoundingBox,
    MultiPolygon,
    Polygon,
    Raster,
    Shape,
)
from velour_plugin.domain.labels import Label, check_label_names
from velour_plugin.domain.metadata import check_encoded, decode_metadata, encode_metadata
from velour_plugin.errors import BadAnnotation, BadGeometry


@dataclass(frozen=True, slots=True, eq=False)
class AnnotationTable:
    """Rows of labels on regions of datums.

    Args:
        labels: the classes, as (key, value); columns refer to them by index.
        datum: ``(n,)`` int32, index of the datum in its dataset, non-decreasing.
        annotation: ``(n,)`` int32; the rows of one annotation share a number.
        label: ``(n,)`` int32, index in ``labels``.
        score: ``(n,)`` float64 in [0, 1]; NaN where there is none.
        box: ``(n, 4)`` float64 as x, y, width, height in pixels; NaN where there is none.
        area: ``(n,)`` float64 in square pixels; NaN where it follows from the region.
        crowd: ``(n,)`` bool.
        shape: the regions finer than boxes; ``None`` when no row has one.
        metadata: ``(n,)`` of JSON mappings; ``None`` when no row has any.
        embedding: ``(n,)`` of Embedding or ``None``; ``None`` when no row has one.

    Score, box, area and crowd are absent where no row has a value: read-only views that show NaN
    or ``False`` in every row and take no memory (:func:`is_absent`).
    """

    labels: tuple[LabelName, ...]
    datum: NDArray[np.int32]
    annotation: NDArray[np.int32]
    label: NDArray[np.int32]
    score: NDArray[np.float64]
    box: NDArray[np.float64]
    area: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    shape: RegionColumn | None = None
    metadata: NDArray[np.object_] | None = None
    embedding: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        return len(self.datum)

    @classmethod
    def from_columns(
        cls,
        labels: Sequence[LabelName],
        datum: NDArray[Any],
        label: NDArray[Any],
        *,
        score: NDArray[np.float64] | None = None,
        box: NDArray[np.float64] | None = None,
        area: NDArray[np.float64] | None = None,
        crowd: NDArray[np.bool_] | None = None,
        shape: Sequence[Shape | None] | RegionColumn | None = None,
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
        annotation: NDArray[Any] | None = None,
        embedding: Sequence[Embedding | None] | None = None,
    ) -> AnnotationTable:
        """Make a table from columns in any order of datums; columns left out are absent.

        Raises:
            BadAnnotation: a score is outside [0, 1] or a label does not exist, naming its row; a
                label is no text that stores can hold.
            BadGeometry: a box is not finite or has a size below 0, or a mask is too large, naming
                its row.
            BadMetadata: metadata break a rule, naming their row.
        """
        rows = len(datum)
        check_label_names(labels)
        table = cls(
            labels=tuple(labels),
            datum=np.asarray(datum, np.int32),
            annotation=np.arange(rows, dtype=np.int32)
            if annotation is None
            else np.asarray(annotation, np.int32),
            label=_checked_labels(label, len(labels)),
            score=_numbers("score", None if score is None else _checked_scores(score), rows),
            box=_numbers("box", None if box is None else _checked_boxes(box), rows),
            area=_numbers("area", None if area is None else np.asarray(area, np.float64), rows),
            crowd=_numbers("crowd", None if crowd is None else np.asarray(crowd, bool), rows),
            shape=_regions(shape),
            metadata=_checked_metadata(metadata),
            embedding=_objects(embedding),
        )
        if (table.datum[1:] < table.datum[:-1]).any():
            return table.take(np.argsort(table.datum, kind="stable"))
        return table

    @classmethod
    def from_scores(
        cls,
        labels: Sequence[LabelName],
        scores: NDArray[Any],
        datum: NDArray[Any] | None = None,
    ) -> AnnotationTable:
        """Make a table of the score of every label on whole datums: one annotation a datum.

        Args:
            labels: the classes, as (key, value), in the order of the columns.
            scores: ``(rows, labels)`` in [0, 1]; float64 is not copied.
            datum: ``(rows,)`` index of each row's datum; ``None`` where row i is datum i.

        Raises:
            BadAnnotation: a score is outside [0, 1], naming its position row by row.
        """
        if datum is not None and (datum[1:] < datum[:-1]).any():
            order = np.argsort(datum, kind="stable")
            datum, scores = datum[order], scores[order]
        rows, count = len(scores), len(labels)
        numbers = np.arange(rows, dtype=np.int32)
        annotation = np.repeat(numbers, count)
        return cls.from_columns(
            labels,
            annotation if datum is None else np.repeat(datum.astype(np.int32), count),
            np.tile(np.arange(count, dtype=np.int32), rows),
            score=np.asarray(scores, np.float64).reshape(-1),
            annotation=annotation,
        )

    @classmethod
    def from_annotations(
        cls,
        annotations: Iterable[tuple[int, Sequence[Annotation]]],
        labels: Sequence[LabelName] = (),
    ) -> AnnotationTable:
        """Make a table from objects, a row for each label of each annotation.

        Args:
            annotations: pairs of a datum's index and its annotations.
            labels: classes that come first, in this order; others follow, sorted.
        """
        rows = [
            (datum, item, label, number)
            for number, (datum, item) in enumerate(
                (datum, item) for datum, items in annotations for item in items
            )
            for label in item.labels
        ]
        vocabulary = Vocabulary(labels, (row[2].name for row in rows))
        items = [row[1] for row in rows]
        return cls.from_columns(
            vocabulary.names,
            np.array([row[0] for row in rows], np.int32),
            vocabulary.indices(row[2].name for row in rows),
            annotation=np.array([row[3] for row in rows], np.int32),
            score=np.array([np.nan if row[2].score is None else row[2].score for row in rows]),
            box=np.array([_xywh(item) for item in items]).reshape(-1, 4),
            area=np.array([np.nan if item.area is None else item.area for item in items]),
            crowd=np.array([item.is_crowd for item in items], bool),
            shape=[item.shape for item in items],
            metadata=[encode_metadata(item.metadata) for item in items],
            embedding=[item.embedding for item in items],
        )

    @classmethod
    def joined(
        cls, parts: Sequence[AnnotationTable], labels: Iterable[LabelName] = ()
    ) -> AnnotationTable:
        """Concatenate tables of different datums of one dataset.

        Args:
            parts: in any order of datums.
            labels: those that come first, in this order; others follow, sorted.
        """
        vocabulary = Vocabulary(labels, (name for part in parts for name in part.labels))
        tables = [part.in_vocabulary(vocabulary) for part in parts]
        if not tables:
            return cls.from_annotations((), vocabulary.names)
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(table, name) for table in tables]) for name in _WHOLE
        }
        columns |= {name: _joined_numbers(tables, name) for name in _NOTHING}
        # the annotations of a part are numbered after those of the parts before it
        ends = np.cumsum([0, *(int(table.annotation.max(initial=-1)) + 1 for table in tables)])
        columns["annotation"] += np.repeat(ends[:-1], list(map(len, tables))).astype(np.int32)
        objects: dict[str, Any] = {name: _joined_objects(tables, name) for name in _OBJECTS}
        objects["shape"] = _joined_regions(tables)
        whole = replace(tables[0], **columns, **objects)
        return whole.take(np.argsort(whole.datum, kind="stable"))

    def take(self, rows: NDArray[Any] | slice) -> AnnotationTable:
        """Return some rows, by index or mask, in that order."""
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in _WHOLE}
        kept = len(columns["datum"])
        for name in _NOTHING:
            column = getattr(self, name)
            columns[name] = _absent(name, kept) if is_absent(column) else column[rows]
        objects = {name: _taken(getattr(self, name), rows) for name in ("shape", *_OBJECTS)}
        return replace(self, **columns, **objects)

    def on_datums(self, chosen: NDArray[np.bool_]) -> AnnotationTable:
        """Return the rows of the chosen datums, which are renumbered from 0.

        Args:
            chosen: ``(datums,)`` bool.
        """
        kept = self.take(chosen[self.datum])
        index = (np.cumsum(chosen) - 1).astype(np.int32)
        return replace(kept, datum=index[kept.datum])

    def relabelled(self, labels: Sequence[LabelName], index: NDArray[Any]) -> AnnotationTable:
        """Return the rows under other labels: ``index[old]`` is the new one, -1 drops the rows."""
        label = np.asarray(index, np.int32)[self.label] if len(self.labels) else self.label
        table = replace(self, labels=tuple(labels), label=label)
        return table if (label >= 0).all() else table.take(label >= 0)

    @property
    def used_labels(self) -> list[LabelName]:
        """The labels that some row has, in their order."""
        counts = np.bincount(self.label, minlength=len(self.labels))
        return [name for name, count in zip(self.labels, counts, strict=True) if count]

    def in_vocabulary(self, vocabulary: Vocabulary) -> AnnotationTable:
        """Return the same rows, with labels numbered as in another vocabulary.

        Raises:
            KeyError: a label is not in it.
        """
        return self.relabelled(vocabulary.names, vocabulary.indices(self.labels))

    def annotations_of(self, datum: int) -> list[Annotation]:
        """Return the annotations of one datum, by its index, as objects; maybe none."""
        first, last = np.searchsorted(self.datum, [datum, datum + 1])
        if first == last:
            return []
        numbers = self.annotation[first:last]
        starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
        ends = [*starts[1:], last - first]
        return [
            self._annotation(first + start, first + end)
            for start, end in zip(starts, ends, strict=True)
        ]

    def _annotation(self, first: int, last: int) -> Annotation:
        shape = None if self.shape is None else self.shape[first]
        box, area = self.box[first], float(self.area[first])
        return Annotation(
            labels=[
                _label(self.labels[self.label[row]], self.score[row]) for row in range(first, last)
            ],
            bounding_box=None if np.isnan(box[0]) else BoundingBox.from_xywh(*box.tolist()),
            polygon=shape if isinstance(shape, Polygon) else None,
            multipolygon=shape if isinstance(shape, MultiPolygon) else None,
            raster=shape if isinstance(shape, Raster) else None,
            metadata={} if self.metadata is None else decode_metadata(self.metadata[first] or {}),
            is_crowd=bool(self.crowd[first]),
            area=_maybe(area),
            embedding=None if self.embedding is None else self.embedding[first],
        )


_OBJECTS = ("metadata", "embedding")
_WHOLE = ("datum", "annotation", "label")
_NOTHING: Mapping[str, Any] = {
    "score": np.float64(np.nan),
    "box": np.full(4, np.nan),
    "area": np.float64(np.nan),
    "crowd": np.False_,
}
"""Columns that may be absent, and the value that every row has then."""


def is_absent(column: NDArray[Any]) -> bool:
    """Whether a column of numbers has no value in any row and takes no memory."""
    return not column.size or (column.strides[0] == 0 and not _has_values(column[:1]))


def _absent(name: str, rows: int) -> NDArray[Any]:
    """A column without values: one missing value, broadcast to every row."""
    nothing = np.asarray(_NOTHING[name])
    return np.broadcast_to(nothing, (rows, *nothing.shape))


def _has_values(column: NDArray[Any]) -> bool:
    return bool(column.any() if column.dtype == bool else not np.isnan(column).all())


def _numbers(name: str, column: NDArray[Any] | None, rows: int) -> NDArray[Any]:
    """A column of numbers; one without any value becomes absent."""
    return _absent(name, rows) if column is None or not _has_values(column) else column


def _joined_numbers(tables: Sequence[AnnotationTable], name: str) -> NDArray[Any]:
    columns = [getattr(table, name) for table in tables]
    if all(map(is_absent, columns)):
        return _absent(name, sum(map(len, columns)))
    return np.concatenate(columns)


def _objects(values: Sequence[Any] | None) -> NDArray[np.object_] | None:
    """A column of objects, or ``None`` when every one of them is empty."""
    if values is None or not any(value is not None and value != {} for value in values):
        return None
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _checked_metadata(
    metadata: Sequence[Mapping[str, Any] | None] | None,
) -> NDArray[np.object_] | None:
    column = _objects(metadata)
    if column is not None:
        check_encoded(column.tolist())
    return column


def _regions(shape: Sequence[Shape | None] | RegionColumn | None) -> RegionColumn | None:
    """A column of regions, or ``None`` when no row has one."""
    if shape is None or isinstance(shape, RegionColumn):
        column = shape
    else:
        column = RegionColumn.of_shapes(shape)
    if column is None or not column.is_present.any():
        return None
    _check_sizes(column)
    return column


def _check_sizes(column: RegionColumn) -> None:
    height, width = column.size.T
    wrong = np.flatnonzero(height.astype(np.float64) * width > MOST_PIXELS)
    if wrong.size:
        row = wrong[0]
        raise BadGeometry(
            f"the mask in row {row} is {height[row]:,}x{width[row]:,}: a mask has at most "
            f"{MOST_PIXELS:,} pixels; give polygons, or cut the image into tiles."
        )


def _joined_regions(tables: Sequence[AnnotationTable]) -> RegionColumn | None:
    columns = [table.shape for table in tables]
    if all(column is None for column in columns):
        return None
    return RegionColumn.joined(
        [
            RegionColumn.empty(len(table)) if column is None else column
            for table, column in zip(tables, columns, strict=True)
        ]
    )


def _joined_objects(tables: Sequence[AnnotationTable], name: str) -> NDArray[np.object_] | None:
    columns = [getattr(table, name) for table in tables]
    if all(column is None for column in columns):
        return None
    return np.concatenate(
        [
            np.full(len(table), None, object) if column is None else column
            for table, column in zip(tables, columns, strict=True)
        ]
    )


def _taken(column: Any, rows: NDArray[Any] | slice) -> Any:
    return None if column is None else column[rows]


def _label(name: LabelName, score: float) -> Label:
    key, value = name
    return Label(key, value, _maybe(score))


def _maybe(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _xywh(item: Annotation) -> tuple[float, float, float, float]:
    box = item.bounding_box
    return (np.nan,) * 4 if box is None else box.xywh


def _checked_labels(label: NDArray[Any], count: int) -> NDArray[np.int32]:
    label = np.asarray(label, np.int32)
    wrong = np.flatnonzero((label < 0) | (label >= count))
    if wrong.size:
        raise BadAnnotation(
            f"label {label[wrong[0]]} in row {wrong[0]}: expected the index of one of the "
            f"{count} labels, counted from 0."
        )
    return label


def _checked_scores(score: NDArray[np.float64]) -> NDArray[np.float64]:
    score = np.asarray(score, np.float64)
    if np.fmin.reduce(score, initial=0) < 0 or np.fmax.reduce(score, initial=1) > 1:
        wrong = np.flatnonzero((score < 0) | (score > 1))
        raise BadAnnotation(
            f"score {score[wrong[0]]!r} in row {wrong[0]}: a score is a number in [0, 1]; "
            "pass logits through a sigmoid or softmax first."
        )
    return score


def _checked_boxes(box: NDArray[np.float64]) -> NDArray[np.float64]:
    box = np.asarray(box, np.float64).reshape(-1, 4)
    if np.isfinite(box).all() and (box[:, 2:] >= 0).all():
        return box
    absent = np.isnan(box).all(axis=1)
    with np.errstate(invalid="ignore"):
        fine = np.isfinite(box).all(axis=1) & (box[:, 2] >= 0) & (box[:, 3] >= 0)
    wrong = np.flatnonzero(~(fine | absent))
    if wrong.size:
        raise BadGeometry(
            f"box {box[wrong[0]].tolist()} in row {wrong[0]}: expected finite "
            "(x, y, width, height) with sizes >= 0, in pixels."
        )
    return box
