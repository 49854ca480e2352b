"""What people put into one cell of a frame, or return from a model for one row, as annotations.

Understood, for one datum:

- a list of ``velour.Annotation``;
- a list of mappings in COCO's terms: ``label`` (or ``category``), ``bbox`` as x, y, width, height
  and/or ``segmentation`` (polygons or RLE), and ``score`` on predictions;
- a mapping of arrays as torchvision returns: ``boxes`` ``(n, 4)`` as x1, y1, x2, y2, ``labels``,
  ``scores`` and maybe ``masks`` ``(n, height, width)`` or ``(n, 1, height, width)``; of its
  targets ``area`` and ``iscrowd``, too;
- a mapping of lists as in Hugging Face's ``objects``: ``bbox`` as x, y, width, height,
  ``category`` and maybe ``score``, ``area``, ``iscrowd``;
- a text, bool or whole number: the class of the whole datum; a list of these: its classes; a
  mapping of class to score, of ground truth to 0 or 1: likewise; a list of 0 and 1, or of scores,
  for each class;
- a label image, where names are given to its numbers: a 2-D array, a volume of scores, a PNG file;
- any of the lists and mappings as a text in JSON, as frames out of CSV files hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.mlflow.datasets.boxes import ITEM_KEYS, boxes_table
from velour_integrations.mlflow.datasets.cell_rules import SEMANTIC, CellRules, is_label_image
from velour_integrations.mlflow.datasets.class_cells import (
    TRUTH,
    class_array,
    class_table,
    from_json,
    lists_table,
    parsed,
    rows_of_scalars,
)
from velour_integrations.mlflow.datasets.columns import is_plain, is_scalar
from velour_plugin import (
    Annotation,
    AnnotationTable,
    BoundingBox,
    Label,
    MultiPolygon,
    Polygon,
    Raster,
)
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.plugin import (
    DEFAULT_KEY,
    LabelImageRows,
    LabelName,
    as_label_image,
    class_text,
    is_missing,
)

ARRAY_KEYS = ("boxes", "labels", "scores", "masks")
_COLUMN_KEYS = ("bbox", "category", "label", "labels", "score", "scores")
_OF_TARGETS = ("area", "iscrowd", "bbox_id")
"""Keys of the targets of torchvision and Hugging Face; ``bbox_id`` says nothing about a match."""
_FOREIGN = (KeyError, OverflowError, RecursionError, TypeError, ValueError, IndexError)
"""What reading a cell of any kind may raise."""
_ANY_CELL = CellRules()


def table_of(
    cells: Sequence[Any] | NDArray[Any],
    uids: Sequence[str],
    places: NDArray[Any],
    side: str,
    labels: Sequence[LabelName] = (),
    numbered: bool = False,
    rules: CellRules = _ANY_CELL,
) -> AnnotationTable:
    """Read a column of cells, or a model's outputs: one for each row.

    Args:
        cells: one for each row's datum.
        uids: the datums' names, for messages.
        places: ``(rows,)`` positions of the rows' datums in their dataset.
        side: ``ground truth`` or ``prediction``, for messages.
        labels: classes that come first, in this order; others follow, sorted.
        numbered: the cells are a frame's, and messages name their rows.
        rules: how they are read.

    Raises:
        BadDataset: a cell is none of what is understood, naming its datum.
    """
    sides = [f"row {row}, {side}" for row in range(len(cells))] if numbered else [side] * len(cells)
    if rules.are_label_images(cells):
        return _label_images(cells, uids, places, sides, rules)
    cells = parsed(cells)
    classes = _classes_table(cells, places, side, labels, rules)
    if classes is not None:
        return classes
    boxes = boxes_table(cells, places, labels, rules.named)
    if boxes is not None:
        return boxes
    annotations = [
        (int(index), annotations_of(cell, uid, side, rules))
        for index, uid, cell, side in zip(places, uids, cells, sides, strict=True)
    ]
    return AnnotationTable.from_annotations(sorted(annotations, key=itemgetter(0)), labels)


def _classes_table(
    cells: Sequence[Any] | NDArray[Any],
    places: NDArray[Any],
    side: str,
    labels: Sequence[LabelName],
    rules: CellRules,
) -> AnnotationTable | None:
    """Cells of classes as columns at once; ``None`` when they are anything else."""
    if rules.task == SEMANTIC and any(map(is_label_image, cells)):
        return None
    try:
        if is_plain(cells):
            return class_table(class_array(cells), None, places, side, labels, rules)
        rows = rows_of_scalars(cells) if rules.task == "" or rules.is_classification else None
        return None if rows is None else lists_table(rows, places, side, labels, rules)
    except InvalidInput as error:
        raise BadDataset(f"{side}: {str(error).rstrip('.')}. {rules.expected}") from error


def annotations_of(
    cell: Any, uid: str, side: str, rules: CellRules = _ANY_CELL
) -> list[Annotation]:
    """Read one cell.

    Args:
        cell: of the datum.
        uid: its name, for messages.
        side: ``ground truth`` or ``prediction``, for messages.
        rules: how it is read.

    Raises:
        BadDataset: the cell is none of what is understood, or breaks a rule.
    """
    try:
        return _read(cell, side, rules)
    except (InvalidInput, *_FOREIGN) as error:
        raise _not_understood(error, uid, side, rules) from error


def _not_understood(error: Exception, uid: str, side: str, rules: CellRules) -> BadDataset:
    lacks = isinstance(error, KeyError) and not isinstance(error, InvalidInput)
    reason = f"lacks {error}" if lacks else str(error).rstrip(".")
    return BadDataset(f"{side} of datum {uid!r}: {reason}. {rules.expected}")


def _label_images(
    cells: Sequence[Any] | NDArray[Any],
    uids: Sequence[str],
    places: NDArray[Any],
    sides: Sequence[str],
    rules: CellRules,
) -> AnnotationTable:
    assert rules.names is not None
    rows = LabelImageRows(rules.names)
    for index, uid, cell, side in zip(places, uids, cells, sides, strict=True):
        try:
            rows.add(int(index), as_label_image(cell, rules.names))
        except InvalidInput as error:
            raise _not_understood(error, uid, side, rules) from error
    return rows.table()


def _read(cell: Any, side: str, rules: CellRules) -> list[Annotation]:
    cell = from_json(cell)
    if isinstance(cell, Mapping):
        return _mapped(cell, side, rules)
    if rules.task == SEMANTIC:
        rules.refuse_label_image(cell)
    if is_missing(cell) and side.endswith(TRUTH) and rules.is_classification:
        class_text(cell)  # refuses it in the words of classes
    if is_scalar(cell) and not is_missing(cell):
        return [_whole([(cell, None)], rules)]
    if not isinstance(cell, (list, tuple, np.ndarray)):
        raise TypeError(f"{cell!r} is a {type(cell).__name__}; say [] where there is nothing")
    return [item if isinstance(item, Annotation) else _mapping(item, rules) for item in cell]


def _mapped(cell: Mapping[Any, Any], side: str, rules: CellRules) -> list[Annotation]:
    """Columns of objects, arrays, or scores of classes."""
    if "bbox" in cell:
        rules.check_keys(cell, (*_COLUMN_KEYS, *_OF_TARGETS), "objects")
        return [_mapping(item, rules) for item in _objects(cell)]
    if "boxes" in cell or "masks" in cell:
        rules.check_keys(cell, (*ARRAY_KEYS, *_OF_TARGETS), "arrays")
        return _arrays(cell, rules)
    if any(np.ndim(score) for score in cell.values()):  # of what are no classes
        rules.check_keys(cell, ARRAY_KEYS, "arrays")
    if side.endswith(TRUTH):
        true = [(name, None) for name, value in cell.items() if _is_true(name, value)]
        return [_whole(true, rules)] if true else []
    return [_whole(cell.items(), rules)]


def _is_true(name: Any, value: Any) -> bool:
    if is_scalar(value) and not isinstance(value, (str, bytes)) and value in (0, 1):
        return bool(value)
    raise ValueError(
        f"{name!r} has the score {value!r}: ground truth has none; write 1 where the class is true "
        "of the datum, 0 where not"
    )


def _whole(scores: Iterable[tuple[Any, Any]], rules: CellRules) -> Annotation:
    """Classes of the whole datum with their scores."""
    labels = [Label(DEFAULT_KEY, rules.named(name), score) for name, score in scores]
    values = [label.value for label in labels]
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise ValueError(f"class {twice!r} is named twice")
    return Annotation(labels)


def _mapping(item: Any, rules: CellRules) -> Annotation:
    if not isinstance(item, Mapping):
        raise TypeError(f"{item!r} is a {type(item).__name__}, not a mapping")
    rules.check_keys(item, ITEM_KEYS, "an object")
    name = item["category"] if "category" in item and "label" not in item else item["label"]
    segmentation = item.get("segmentation")
    return Annotation(
        [Label(DEFAULT_KEY, rules.named(name), score=item.get("score"))],
        bounding_box=_box(item.get("bbox")),
        is_crowd=bool(item.get("iscrowd", False)),
        area=item.get("area"),
        **_segmentation(segmentation),
    )


def _box(value: Any) -> BoundingBox | None:
    if value is None:
        return None
    if np.ndim(value) != 1 or len(value) != 4:
        raise ValueError(f"bbox {value!r}: expected [x, y, width, height], in pixels")
    return BoundingBox.from_xywh(*value)


def _segmentation(value: Any) -> dict[str, Any]:
    if value is None or (isinstance(value, Sequence) and not value):
        return {}
    if isinstance(value, (Mapping, np.ndarray)):
        return {"raster": Raster(value)}
    if not isinstance(value, Sequence):
        raise TypeError(f"segmentation {value!r}: expected polygons, RLE or a mask")
    rings = [np.asarray(ring, float).reshape(-1, 2) for ring in value]
    if len(rings) == 1:
        return {"polygon": Polygon([rings[0]])}
    return {"multipolygon": MultiPolygon([[ring] for ring in rings])}


def _arrays(cell: Mapping[str, Any], rules: CellRules) -> list[Annotation]:
    keys = ("boxes", "scores", "masks", "area", "iscrowd")
    columns = {key: np.asarray(cell[key]) for key in keys if key in cell}
    labels = [rules.named(name) for name in cell["labels"]]
    lengths = {len(column) for column in columns.values()} | {len(labels)}
    if len(lengths) > 1:
        names = ", ".join(["labels", *columns])
        raise ValueError(f"{names} of different lengths {sorted(lengths)}")
    boxes, masks = columns.get("boxes"), columns.get("masks")
    if boxes is not None and boxes.size and boxes.shape[1:] != (4,):
        raise ValueError(f"boxes of shape {boxes.shape}: expected (n, 4) as x1, y1, x2, y2")
    if masks is not None and masks.ndim == 4 and masks.shape[1] == 1:
        masks = masks[:, 0]
    if masks is not None and masks.size and masks.ndim != 3:
        raise ValueError(f"masks of shape {masks.shape}: expected (n, height, width)")
    return [
        Annotation(
            [Label(DEFAULT_KEY, name, score=_at(columns.get("scores"), index))],
            bounding_box=None if boxes is None else BoundingBox(*boxes[index].tolist()),
            raster=None if masks is None else Raster(masks[index] > 0.5),
            is_crowd=bool(_at(columns.get("iscrowd"), index)),
            area=_at(columns.get("area"), index),
        )
        for index, name in enumerate(labels)
    ]


def _objects(cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Hugging Face's columns of one image as a list of its objects."""
    names = next((cell[key] for key in ("category", "label", "labels") if key in cell), None)
    if names is None:
        raise KeyError("category")
    columns = {"label": names, "bbox": cell["bbox"]}
    scores = next((cell[key] for key in ("score", "scores") if key in cell), None)
    if scores is not None:
        columns["score"] = scores
    columns |= {key: cell[key] for key in ("area", "iscrowd") if key in cell}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"{', '.join(columns)} of different lengths {sorted(lengths)}")
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _at(numbers: np.ndarray[Any, Any] | None, index: int) -> float | None:
    return None if numbers is None else float(numbers[index])
