"""Choose the form in which regions of both sides are compared, and bring them into it.

Forms go from coarse to fine: box, raster, polygon. A finer region can be made
coarser (a polygon is rasterised, a raster boxed), never the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from velour_evaluators.kernels import overlap
from velour_plugin import AnnotationTable, BoundingBox, Dataset, MultiPolygon, Polygon, Raster
from velour_plugin.errors import BadDataset

Form = Literal["box", "raster", "polygon"]
FORMS: tuple[Form, ...] = ("box", "raster", "polygon")


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of some rows, in one form.

    Args:
        form: which one.
        values: ``(n, 4)`` boxes as x, y, width, height; or ``(n,)`` rasters or shapely polygons.
        areas: ``(n,)`` in square pixels.
    """

    form: Form
    values: Any
    areas: NDArray[np.float64]

    def ious(
        self, others: Regions, crowd: NDArray[np.bool_], mine: NDArray[Any], their: NDArray[Any]
    ) -> NDArray[np.float64]:
        """IoU of pairs: these are truths, some of them crowds, the others detections."""
        with np.errstate(over="ignore", invalid="ignore"):  # an endless area overlaps nothing
            if self.form == "box":
                return overlap.box_ious(self.values, others.values, crowd, mine, their)
            # only the rows that meet are prepared: run edges of the others are never looked at
            ours, mine = _used(mine, len(self.values))
            theirs, their = _used(their, len(others.values))
            rows = self.values[ours], others.values[theirs], crowd[ours], mine, their
            return (
                overlap.raster_ious(*rows) if self.form == "raster" else overlap.polygon_ious(*rows)
            )


def finest_common_form(*tables: AnnotationTable) -> Form:
    """The finest form that every row of every table has; boxes where there are no rows."""
    forms = {_form_of(table) for table in tables if len(table)}
    return min(forms, key=FORMS.index) if forms else "box"


def regions_of(
    table: AnnotationTable, form: Form, dataset: Dataset, sizes: NDArray[np.int64] | None
) -> Regions:
    """Bring the regions of a table into one form.

    Args:
        table: annotations of the dataset's datums.
        form: what to bring them into.
        dataset: for names in messages.
        sizes: ``(datums, 2)`` height and width, -1 where unknown; needed for rasters.

    Raises:
        BadDataset: a row has no region fine enough, or a raster is not of its image's size.
    """
    if form == "box":
        values: Any = boxes_of(table, dataset)
        with np.errstate(over="ignore"):
            areas = values[:, 2] * values[:, 3]
    elif form == "raster":
        assert sizes is not None
        values = _rasters(table, dataset, sizes)
        areas = overlap.raster_areas(values)
    else:
        values = overlap.mended(_polygons(table, dataset))
        areas = shapely.area(values)
    return Regions(form, values, np.where(np.isnan(table.area), areas, table.area))


def image_sizes(dataset: Dataset, *tables: AnnotationTable) -> NDArray[np.int64]:
    """Height and width of each image, from its metadata or else from a raster of it.

    Returns:
        ``(datums, 2)`` int64, -1 where unknown.
    """
    sizes = np.full((len(dataset), 2), -1, np.int64)
    for table in tables:
        for row, shape in enumerate(() if table.shape is None else table.shape):
            if isinstance(shape, Raster):
                sizes[table.datum[row]] = (shape.height, shape.width)
    for place, datum in enumerate(dataset.datums):
        height, width = datum.metadata.get("height"), datum.metadata.get("width")
        if isinstance(height, int) and isinstance(width, int):
            sizes[place] = (height, width)
    return sizes


def boxes_of(table: AnnotationTable, dataset: Dataset) -> NDArray[np.float64]:
    """``(n, 4)`` x, y, width, height: the box of each row, or the one around its region."""
    boxes = table.box
    for row in np.flatnonzero(np.isnan(boxes[:, 0])):
        shape = None if table.shape is None else table.shape[row]
        if shape is None:
            raise _no_region(table, int(row), dataset, "box")
        boxes = boxes.copy() if boxes is table.box else boxes
        boxes[row] = _box_around(shape).xywh
    return boxes


def _used(rows: NDArray[Any], size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of ``size`` rows occur, rising, and where among these each one is."""
    used = np.zeros(size, bool)
    used[rows] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[rows]


def _form_of(table: AnnotationTable) -> Form:
    if table.shape is None or any(shape is None for shape in table.shape):
        return "box"
    return "raster" if any(isinstance(shape, Raster) for shape in table.shape) else "polygon"


def _box_around(shape: Polygon | MultiPolygon | Raster) -> BoundingBox:
    return shape.bounding_box if isinstance(shape, Raster) else BoundingBox(*shape.shape.bounds)


def _rasters(
    table: AnnotationTable, dataset: Dataset, sizes: NDArray[np.int64]
) -> NDArray[np.object_]:
    rasters = np.empty(len(table), dtype=object)
    for row, region in enumerate(_finest(table)):
        height, width = sizes[table.datum[row]].tolist()
        if region is None:
            raise _no_region(table, row, dataset, "raster")
        if isinstance(region, Raster):
            rasters[row] = _of_its_image(region, height, width, dataset, int(table.datum[row]))
            continue
        if height < 0:
            uid = dataset.uids[table.datum[row]]
            raise BadDataset(
                f"datum {uid!r} of dataset {dataset.name!r} has a polygon but no known size: give "
                "it the metadata height and width (velour.ImageMetadata), or set "
                "iou_type='polygon'."
            )
        rasters[row] = Raster.from_geometry(region, height, width)
    return rasters


def _of_its_image(raster: Raster, height: int, width: int, dataset: Dataset, place: int) -> Raster:
    if (raster.height, raster.width) != (height, width):
        raise BadDataset(
            f"a mask of {raster.height}x{raster.width} pixels on datum {dataset.uids[place]!r}, "
            f"whose image is {height}x{width}: resize the mask to its image."
        )
    return raster


def _polygons(table: AnnotationTable, dataset: Dataset) -> list[Any]:
    polygons = []
    for row, region in enumerate(_finest(table)):
        if region is None or isinstance(region, Raster):
            raise _no_region(table, row, dataset, "polygon")
        polygons.append(region.shape)
    return polygons


def _finest(table: AnnotationTable) -> Sequence[Any]:
    """The finest region of each row, in whatever form it came."""
    shapes = [None] * len(table) if table.shape is None else list(table.shape)
    for row in np.flatnonzero(~np.isnan(table.box[:, 0])):
        if shapes[row] is None:
            shapes[row] = BoundingBox.from_xywh(*table.box[row].tolist())
    return shapes


def _no_region(table: AnnotationTable, row: int, dataset: Dataset, form: str) -> BadDataset:
    key, value = table.labels[table.label[row]]
    return BadDataset(
        f"an annotation {key}={value!r} of datum {dataset.uids[table.datum[row]]!r} has no region "
        f"that can be compared as a {form}: give it one, or choose a coarser iou_type "
        f"({' < '.join(FORMS)})."
    )
