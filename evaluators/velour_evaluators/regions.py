"""Convert the regions of both sides to one form: box, raster or polygon.

The form is asked for, never chosen by the data. A finer region is made coarser (a polygon
is rasterised, a raster boxed); a box that is asked for as a shape is its rectangle; what cannot be
converted is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels import overlap
from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import (
    AREA_UNIT,
    PIXELS,
    RegionColumn,
    boxes_around,
    geometries_of,
    mask_areas,
    rasterised,
    with_boxes,
)

Form = Literal["box", "raster", "polygon"]
FORMS: tuple[Form, ...] = ("box", "raster", "polygon")
"""From coarse to fine."""


@dataclass(frozen=True, slots=True)
class RegionArray:
    """Regions of some rows in one form, with their areas.

    Args:
        form: which one.
        values: ``(n, 4)`` boxes as x, y, width, height; or a column of masks; or ``(n,)`` shapely
            polygons.
        areas: ``(n,)`` in square pixels.
    """

    form: Form
    values: Any
    areas: NDArray[np.float64]

    def ious(
        self,
        others: RegionArray,
        crowd: NDArray[np.bool_],
        truth: NDArray[Any],
        detection: NDArray[Any],
    ) -> NDArray[np.float64]:
        """Compute the IoU of pairs of these, ground truths, with others, detections.

        Args:
            others: the detections.
            crowd: ``(T,)`` bool, truths that are crowds.
            truth: ``(P,)`` truth of each pair.
            detection: ``(P,)`` detection of each pair.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # an endless area overlaps nothing
            if self.form == "box":
                return overlap.box_ious(self.values, others.values, crowd, truth, detection)
            # only rows in a pair are prepared: the run edges of others are never decoded
            truth_rows, truth = _used(truth, len(self.values))
            detection_rows, detection = _used(detection, len(others.values))
            rows = (
                self.values[truth_rows],
                others.values[detection_rows],
                crowd[truth_rows],
                truth,
                detection,
            )
            if self.form == "polygon":
                return overlap.polygon_ious(*rows)
            return overlap.raster_ious(list(rows[0]), list(rows[1]), *rows[2:])


def refuse_boxes_alone(table: AnnotationTable, dataset: Dataset, what: str) -> None:
    """Refuse annotations that have a box and no shape.

    Args:
        table: annotations of the dataset's datums.
        dataset: for names in messages.
        what: the annotations are, in the plural.

    Raises:
        BadDataset: there are some; how many, and the first.
    """
    alone = np.flatnonzero(~_shapes(table).is_present & ~np.isnan(table.box[:, 0]))
    if alone.size:
        raise BadDataset(
            f"{alone.size} of {len(table)} {what} of dataset {dataset.name!r} have a box only, the "
            f"first on datum {dataset.uids[table.datum[alone[0]]]!r}: instances are compared by "
            "mask or polygon. Give each its shape, or use task='object-detection'."
        )


def regions_of(
    table: AnnotationTable, form: Form, dataset: Dataset, sizes: NDArray[np.int64] | None
) -> RegionArray:
    """Convert the regions of a table to one form.

    Args:
        table: annotations of the dataset's datums.
        form: to convert to.
        dataset: for names in messages.
        sizes: ``(datums, 2)`` height and width, -1 where unknown; needed for rasters.

    Raises:
        BadDataset: a row has no region fine enough, or a raster is not of its image's size.
    """
    if form == "box":
        values: Any = boxes_of(table, dataset)
        table = with_areas_of_shapes(table)
        with np.errstate(over="ignore"):
            areas = values[:, 2] * values[:, 3]
    elif form == "raster":
        assert sizes is not None
        values = masks_of(table, dataset, sizes)
        areas = np.full(len(table), np.nan)
        unknown = np.flatnonzero(np.isnan(table.area))
        areas[unknown] = mask_areas(values.view(unknown))
    else:
        values = overlap.mended(_polygons(table, dataset))
        areas = overlap.polygon_areas(values)
    return RegionArray(form, values, np.where(np.isnan(table.area), areas, table.area))


def with_areas_of_shapes(table: AnnotationTable) -> AnnotationTable:
    """Return a table to compare by boxes: what came as a shape alone has its area, as in COCO."""
    alone = np.isnan(table.area) & np.isnan(table.box[:, 0])
    if not alone.any():
        return table
    shapes, areas = _shapes(table), table.area.copy()
    masks, polygons = (np.flatnonzero(alone & kind) for kind in (shapes.is_mask, shapes.is_polygon))
    areas[masks] = mask_areas(shapes.view(masks))
    areas[polygons] = overlap.polygon_areas(overlap.mended(geometries_of(shapes.view(polygons))))
    return replace(table, area=areas)


def image_sizes(dataset: Dataset, *tables: AnnotationTable) -> NDArray[np.int64]:
    """Find height and width of each image, from its metadata or else from a raster of it.

    Returns:
        ``(datums, 2)`` int64, -1 where unknown.
    """
    sizes = np.full((len(dataset), 2), -1, np.int64)
    for table in tables:
        if table.shape is not None:
            masks = table.shape.is_mask
            sizes[table.datum[masks]] = table.shape.size[masks]
    for datum, known in enumerate(dataset.datums.metadata or ()):
        height, width = known.get("height"), known.get("width")
        if isinstance(height, int) and isinstance(width, int):
            sizes[datum] = (height, width)
    return sizes


def boxes_of(table: AnnotationTable, dataset: Dataset) -> NDArray[np.float64]:
    """Return the box of each row, or the one around its region: ``(n, 4)`` x, y, width, height."""
    absent = np.flatnonzero(np.isnan(table.box[:, 0]))
    if not absent.size:
        return table.box
    shapes = _shapes(table).view(absent)
    if not shapes.is_present.all():
        raise _no_region(table, int(absent[~shapes.is_present][0]), dataset, "box")
    boxes = table.box.copy()
    boxes[absent] = boxes_around(shapes)
    return boxes


def _used(rows: NDArray[Any], size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of ``size`` rows occur, rising, and where among these each one is."""
    used = np.zeros(size, bool)
    used[rows] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[rows]


def _shapes(table: AnnotationTable) -> RegionColumn:
    return RegionColumn.empty(len(table)) if table.shape is None else table.shape


def masks_of(table: AnnotationTable, dataset: Dataset, sizes: NDArray[np.int64]) -> RegionColumn:
    """Return the finest region of each row as a mask of its image; see :func:`regions_of`."""
    if dataset.metadata.get(AREA_UNIT, PIXELS) != PIXELS:
        raise BadDataset(
            f"dataset {dataset.name!r} is not in pixels ({AREA_UNIT} "
            f"{dataset.metadata[AREA_UNIT]!r}): it has no masks. Compare its polygons by "
            "iou_type='polygon', or by iou_type='box' the boxes around them."
        )
    shapes = with_boxes(_shapes(table), table.box)
    size = sizes[table.datum]
    fits = np.where(shapes.is_mask, (shapes.size == size).all(axis=1), size[:, 0] >= 0)
    wrong = np.flatnonzero(~(shapes.is_present & fits))
    if wrong.size:
        raise _no_mask(table, int(wrong[0]), shapes, size[wrong[0]].tolist(), dataset)
    return rasterised(shapes, size)


def _no_mask(
    table: AnnotationTable, row: int, shapes: RegionColumn, size: list[int], dataset: Dataset
) -> BadDataset:
    uid = dataset.uids[table.datum[row]]
    if not shapes.is_present[row]:
        return _no_region(table, row, dataset, "raster")
    if shapes.is_polygon[row]:
        return BadDataset(
            f"datum {uid!r} of dataset {dataset.name!r} has a polygon but no known size: give "
            "it the metadata height and width (velour.ImageMetadata), or set "
            "iou_type='polygon'."
        )
    height, width = shapes.size[row].tolist()
    return BadDataset(
        f"a mask of {height}x{width} pixels on datum {uid!r}, "
        f"whose image is {size[0]}x{size[1]}: resize the mask to its image."
    )


def _polygons(table: AnnotationTable, dataset: Dataset) -> NDArray[np.object_]:
    shapes = with_boxes(_shapes(table), table.box)
    wrong = np.flatnonzero(~shapes.is_polygon)
    if wrong.size:
        raise _no_region(table, int(wrong[0]), dataset, "polygon")
    return geometries_of(shapes)


def _no_region(table: AnnotationTable, row: int, dataset: Dataset, form: str) -> BadDataset:
    key, value = table.labels[table.label[row]]
    return BadDataset(
        f"an annotation {key}={value!r} of datum {dataset.uids[table.datum[row]]!r} has no region "
        f"that can be compared as a {form}: give it one, or choose a coarser iou_type "
        f"({' < '.join(FORMS)})."
    )
