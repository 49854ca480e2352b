"""Draw ground truth and predictions onto images.

Ground truth is drawn in green, predictions in orange, masks as tints.
"""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Annotation
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.geometry import Raster
from velour_plugin.report.image_files import (
    RefusedImage,
    image_file,
    image_folders,
    opened_image,
)

if TYPE_CHECKING:
    from PIL.Image import Image

TRUTH, PREDICTED = (0, 158, 115), (230, 120, 0)
SIDE, MANY = 640, 100
"""Pixels of the longer side at most; annotations of a side that are drawn at most."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A datum's image with its ground truth and predictions drawn on it, and its uid."""

    uid: str
    image: Image


def drawn(
    dataset: Dataset, uids: Sequence[str], folder: Path | None, threshold: float = 0.0
) -> Iterator[Drawn]:
    """Yield the images that exist and can be read, drawn one at a time; others are skipped.

    Args:
        dataset: with predictions.
        uids: of the datums to draw.
        folder: where images are; ``None`` for the usual folders, see :func:`image_folders`.
        threshold: predictions of lower scores are left out.
    """
    folders = list(image_folders(folder, dataset.source_path))
    for uid in uids:
        index = dataset.index_of[uid]
        try:
            path = image_file(dataset.datums[index], folders)
            image = None if path is None else opened_image(path, SIDE)
        except RefusedImage as error:
            logging.getLogger("velour").warning("image not drawn: %s", error)
        else:
            if image is not None:
                yield Drawn(uid, _with_annotations(image, dataset, index, threshold))


def data_url(image: Image, side: int = SIDE) -> str:
    """Encode an image as JPEG in a ``data:`` URL, no side longer than ``side`` pixels."""
    if max(image.size) > side:
        image = image.copy()
        image.thumbnail((side, side))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def _with_annotations(
    opened: tuple[Image, float], dataset: Dataset, index: int, threshold: float
) -> Image:
    from PIL import ImageDraw

    image, scale = opened
    truths = dataset.truth.annotations_of(index)
    predictions = _predictions(dataset.predictions, index, threshold)
    for side, colour in ((truths, TRUTH), (predictions, PREDICTED)):
        for annotation in side:
            if annotation.raster is not None:
                image = _tinted(image, annotation.raster, colour)
    pen = ImageDraw.Draw(image)
    for annotation in truths[:MANY]:
        _outline(pen, annotation, scale, TRUTH, "")
    for annotation in predictions[:MANY]:
        _outline(pen, annotation, scale, PREDICTED, _caption(annotation))
    of_image = [
        f"{side}: {', '.join(map(_caption, annotations))}"
        for side, annotations in (
            ("true", _of_image(truths)),
            ("predicted", _of_image(predictions)),
        )
        if annotations
    ]
    if of_image:
        _text(pen, (4, 4), "\n".join(of_image), (31, 41, 51))
    return image


def _predictions(
    predictions: AnnotationTable | None, index: int, threshold: float
) -> Sequence[Annotation]:
    """Those that reach the threshold, the best first; of labels of whole images, the best only."""
    if predictions is None:
        return ()
    ranked = sorted(predictions.annotations_of(index), key=_score, reverse=True)
    kept = [annotation for annotation in ranked if _score(annotation) >= threshold]
    return kept or [annotation for annotation in ranked[:1] if _is_of_image(annotation)]


def _score(annotation: Annotation) -> float:
    scores = [label.score for label in annotation.labels]
    return max((1.0 if score is None else score for score in scores), default=0.0)


def _is_of_image(annotation: Annotation) -> bool:
    """Whether an annotation is about the whole image: it has no region."""
    regions = (annotation.bounding_box, annotation.polygon, annotation.multipolygon)
    return not any(region is not None for region in (*regions, annotation.raster))


def _of_image(annotations: Sequence[Annotation]) -> list[Annotation]:
    return [annotation for annotation in annotations if _is_of_image(annotation)]


def _caption(annotation: Annotation) -> str:
    label = max(annotation.labels, key=lambda label: label.score or 0.0, default=None)
    if label is None:
        return ""
    return label.value if label.score is None else f"{label.value} {label.score:.2f}"


def _outline(pen: Any, annotation: Annotation, scale: float, colour: Any, caption: str) -> None:
    corner = None
    for ring in _rings(annotation):
        points = [(x * scale, y * scale) for x, y in ring]
        pen.line([*points, points[0]], fill=colour, width=2)
        corner = corner or (min(x for x, _ in points), min(y for _, y in points))
    if caption and corner is not None:
        _text(pen, (corner[0], max(corner[1] - 12, 0)), caption, colour)


def _rings(annotation: Annotation) -> Iterator[list[tuple[float, float]]]:
    shape = annotation.polygon or annotation.multipolygon
    if shape is not None:
        for part in getattr(shape.shape, "geoms", [shape.shape]):
            yield [(x, y) for x, y, *_ in part.exterior.coords]
    elif annotation.bounding_box is not None:
        box = annotation.bounding_box
        yield [(box.xmin, box.ymin), (box.xmax, box.ymin), (box.xmax, box.ymax),
               (box.xmin, box.ymax)]  # fmt: skip


def _tinted(image: Image, raster: Raster, colour: tuple[int, int, int]) -> Image:
    from PIL import Image

    mask = Image.fromarray(_sampled(raster, *image.size).astype(np.uint8) * np.uint8(96))
    image.paste(Image.new("RGB", image.size, colour), mask=mask)
    return image


def _sampled(raster: Raster, width: int, height: int) -> NDArray[np.bool_]:
    """Whether a mask covers the middle of each pixel of a drawing, ``(height, width)``.

    A mask of a few bytes may have billions of pixels: it is never decoded.
    """
    rows = ((np.arange(height) + 0.5) * raster.height / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * raster.width / width).astype(np.int64)
    positions = rows[:, None] + columns * raster.height
    return np.asarray(np.searchsorted(raster.edges, positions, side="right") % 2 == 1)


def _text(pen: Any, at: tuple[float, float], text: str, colour: Any) -> None:
    """White text on a coloured ground; Pillow's built-in font has Latin-1 only."""
    text = text.encode("latin-1", "replace").decode("latin-1")
    pen.rectangle(pen.textbbox(at, text), fill=colour)
    pen.text(at, text, fill=(255, 255, 255))
