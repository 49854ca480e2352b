"""Predictions of one evaluation as rows with geometry, for SQL and QGIS.

Velour itself reads predictions from columns; these rows are a copy for people, made and dropped
on demand. Geometry is in pixels, y downwards: PostGIS geometry, or WKB on SQLite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete

from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.columns.region_column import RegionColumn
from velour_plugin.domain.geometry import Raster
from velour_plugin.filters.row_filter import region_of
from velour_plugin.helpers.libraries import shapely
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.records.datasets import version_uids
from velour_plugin.store.sql.records.evaluations import load_predictions, version_id_of


def expand_predictions(connection: Connection, backend: Backend, evaluation_id: str) -> int:
    """Write the predictions of an evaluation as rows, replacing its earlier rows.

    Returns:
        the number of rows: one for each label of each predicted annotation.

    Raises:
        NotFound: no evaluation has that id.
    """
    uids = version_uids(connection, version_id_of(connection, evaluation_id))
    table = load_predictions(connection, evaluation_id)
    drop_expanded(connection, evaluation_id)
    columns = {"evaluation_id": [evaluation_id] * len(table), **_columns(table, uids)}
    backend.insert(connection, schema.expanded_predictions, columns)
    return len(table)


def drop_expanded(connection: Connection, evaluation_id: str) -> int:
    """Remove the rows that :func:`expand_predictions` wrote; return their number."""
    rows = schema.expanded_predictions
    return connection.execute(delete(rows).where(rows.c.evaluation_id == evaluation_id)).rowcount


def _columns(table: AnnotationTable, uids: list[str]) -> dict[str, Any]:
    keys, values = zip(*table.labels, strict=True) if table.labels else ((), ())
    nothing: list[None] = [None] * len(table)
    return {
        "row": np.arange(len(table)),
        "uid": [uids[datum] for datum in table.datum.tolist()],
        "annotation": table.annotation,
        "key": [keys[label] for label in table.label.tolist()],
        "value": [values[label] for label in table.label.tolist()],
        "score": table.score,
        "box": _box_wkb(table.box),
        "area": table.area,
        "crowd": table.crowd.astype(np.int64),
        "shape": nothing if table.shape is None else _shape_wkb(table.shape),
        "metadata": nothing if table.metadata is None else list(table.metadata),
    }


def _box_wkb(box: NDArray[np.float64]) -> list[bytes | None]:
    absent = np.isnan(box[:, 0])
    x, y, width, height = np.where(absent[:, None], 0, box).T
    boxes = shapely.box(x, y, x + width, y + height)
    boxes[absent] = None
    wkb: list[bytes | None] = shapely.to_wkb(boxes).tolist()
    return wkb


def _shape_wkb(shapes: RegionColumn) -> list[bytes | None]:
    """Regions as WKB: polygons, and the union of a mask's pixels."""
    regions = [
        region_of(shape) if isinstance(shape, Raster) else shape and shape.shape for shape in shapes
    ]
    wkb: list[bytes | None] = shapely.to_wkb(np.array(regions, object)).tolist()
    return wkb
