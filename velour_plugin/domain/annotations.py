"""Datums with their annotations: ground truth by people, predictions by a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from velour_plugin.domain.embedding import Embedding
from velour_plugin.domain.geometry import BoundingBox, MultiPolygon, Polygon, Raster, Shape
from velour_plugin.domain.labels import Label
from velour_plugin.domain.metadata import checked_location, encode_metadata
from velour_plugin.domain.storable_text import LONGEST_UID, is_name
from velour_plugin.errors import BadAnnotation, BadDataset
from velour_plugin.helpers.libraries import shapely
from velour_plugin.helpers.representation import short_repr, shortened

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, repr=False)
class Datum:
    """One item that is evaluated: an image, a frame, a row of a table.

    Args:
        uid: its name, unique in its dataset.
        metadata: names and values (see :mod:`velour_plugin.domain.metadata`).
        location: where it is from: ``(latitude, longitude)``, GeoJSON, or shapely, in WGS84.

    Raises:
        BadDataset: the uid is not a non-empty string.
        BadMetadata, BadGeometry: metadata or location break their rules.
    """

    uid: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    location: shapely.Geometry | Any | None = None

    def __post_init__(self) -> None:
        if not is_name(self.uid, LONGEST_UID):
            raise BadDataset(
                f"datum uid {shortened(self.uid)}: expected a non-empty string without U+0000, "
                f"of at most {LONGEST_UID:,} bytes; write str(...) around a number."
            )
        encode_metadata(self.metadata)
        object.__setattr__(self, "location", checked_location(self.location))

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True, slots=True, repr=False)
class Annotation:
    """Labels of a region of the datum, or of the whole datum where there is no region.

    Args:
        labels: at least one; a region usually has one of each key.
        bounding_box, polygon, multipolygon, raster: the region, maybe in several forms.
        metadata: names and values, such as ``{"occluded": True}``.
        is_crowd: a group that no detector has to take apart, as COCO's ``iscrowd``.
        area: in square pixels where it is known better than from the region, as COCO's ``area``.
        embedding: the vector that a model computed for it.

    Raises:
        BadAnnotation: there is no label, or a value is of the wrong type.
    """

    labels: Sequence[Label]
    bounding_box: BoundingBox | None = None
    polygon: Polygon | None = None
    multipolygon: MultiPolygon | None = None
    raster: Raster | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_crowd: bool = False
    area: float | None = None
    embedding: Embedding | Any | None = None

    def __post_init__(self) -> None:
        labels = _each(self.labels)
        if not labels or not all(isinstance(label, Label) for label in labels):
            raise BadAnnotation(f"labels {self.labels!r}: expected at least one velour.Label.")
        object.__setattr__(self, "labels", labels)
        for name, kind in _REGIONS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise BadAnnotation(f"{name} {value!r}: expected a velour.{kind.__name__}.")
        if sum(shape is not None for shape in (self.polygon, self.multipolygon, self.raster)) > 1:
            raise BadAnnotation(
                "an annotation has a polygon, a multipolygon or a raster, not two of them: "
                "give the finest, the others follow from it."
            )
        if self.area is not None:
            object.__setattr__(self, "area", _checked_area(self.area))
        if self.embedding is not None and not isinstance(self.embedding, Embedding):
            object.__setattr__(self, "embedding", Embedding(self.embedding))
        encode_metadata(self.metadata)

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def shape(self) -> Shape | None:
        """The polygon, multipolygon or raster; ``None`` where there is at most a box."""
        return self.polygon or self.multipolygon or self.raster


def _checked_area(area: object) -> float:
    try:
        number = float(area)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        number = -1.0
    if not 0 <= number < math.inf:
        raise BadAnnotation(
            f"area {area!r}: expected square pixels >= 0; leave out what is not known."
        )
    return number


_REGIONS: dict[str, type] = {
    "bounding_box": BoundingBox,
    "polygon": Polygon,
    "multipolygon": MultiPolygon,
    "raster": Raster,
}


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """A datum with its true annotations; none means that there is nothing to find.

    Raises:
        BadAnnotation: a label has a score: ground truth has none.
    """

    datum: Datum
    annotations: Sequence[Annotation] = ()

    def __post_init__(self) -> None:
        _check(self)
        for label in (label for item in self.annotations for label in item.labels):
            if label.score is not None:
                raise BadAnnotation(
                    f"{label} on the ground truth of {self.datum.uid!r}: truths have no score."
                )


@dataclass(frozen=True, slots=True)
class Prediction:
    """A datum with a model's annotations; none means that the model found nothing."""

    datum: Datum
    annotations: Sequence[Annotation] = ()

    def __post_init__(self) -> None:
        _check(self)


def _check(item: GroundTruth | Prediction) -> None:
    if not isinstance(item.datum, Datum):
        raise BadDataset(f"datum {item.datum!r}: expected a velour.Datum.")
    annotations = _each(item.annotations)
    if not all(isinstance(item, Annotation) for item in annotations):
        raise BadAnnotation(
            f"annotations of {item.datum.uid!r}: expected velour.Annotation only; leave them out "
            "where there is none."
        )
    object.__setattr__(item, "annotations", annotations)


def _each(items: Any) -> tuple[Any, ...]:
    """The items as a tuple; a single item as a tuple of one."""
    return tuple(items) if isinstance(items, Iterable) else (items,)


def check_kind(item: object, kind: type) -> None:
    """Refuse an item that is not of the expected kind: ground truth or prediction.

    Raises:
        BadDataset: it is something else.
    """
    if not isinstance(item, kind):
        array = getattr(item, "ndim", 0) > 1
        images = " Label images are for from_label_images and with_label_images." if array else ""
        raise BadDataset(
            f"{shortened(item)}: expected a velour.{kind.__name__}: a datum with its annotations."
            f"{images}"
        )


def all_of(kind: type[Item], items: Iterable[Item]) -> list[Item]:
    """Return the items as a list; a single item becomes a list of one.

    Raises:
        BadDataset: an item is not of the kind.
    """
    known = list(items) if isinstance(items, Iterable) else [items]
    for item in known:
        check_kind(item, kind)
    return known
