"""Draw ground truth and predictions onto images, and find the image files of a dataset.

Ground truth is drawn in green, predictions in orange, masks as tints. A datum's metadata, or its
uid, names its file: absolute, or relative to the folder that the caller passes; without one, to
the working directory and to where datasets of the usual layouts keep images beside annotations.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Annotation, Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.geometry import Raster

if TYPE_CHECKING:
    from PIL.Image import Image

NAMES = ("file_name", "image_path", "image", "path", "filename")
"""Metadata that may name the file of a datum; other values do when they end as images do."""

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")

TRUTH, PREDICTED = (0, 158, 115), (230, 120, 0)
SIDE, MANY = 640, 100
"""Pixels of the longer side at most; annotations of a side that are drawn at most."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A datum's image with its ground truth and predictions drawn on it, and its uid."""

    uid: str
    image: Image


def image_folders(folder: Path | None, source_path: str | None = None) -> Iterator[Path]:
    """Yield the folders in which images may be, the most likely first.

    Args:
        folder: the one that the caller passes; only it and the folders in it are searched then.
        source_path: what the dataset was read from: COCO's ``annotations/instances_SPLIT.json``
            beside ``SPLIT/``, VOC's ``JPEGImages``, YOLO's ``images/SPLIT`` and ``SPLIT/images``.
    """
    if folder is not None:
        yield from (folder, folder / "images", *sorted(folder.glob("*/")))
        return
    yield Path()
    if source_path is None:
        return
    source = Path(source_path)
    home = source if source.is_dir() else source.parent
    split = source.stem.partition("_")[2]
    for root in (home, *list(home.parents)[:2]):
        yield from (root / name for name in ("", "images", "JPEGImages", split))
    yield from home.glob("images/*/")
    yield from home.glob("*/images/")


def image_file(datum: Datum, folders: Sequence[Path]) -> Path | None:
    """Return the file that a datum's metadata name, or else its uid; ``None`` if no folder has it.

    A uid may lack the ending of the file's name.
    """
    paths = (folder / name for name in _file_names(datum) for folder in folders)
    return next((path for path in paths if os.path.isfile(path)), None)  # False, whatever a uid is


def _file_names(datum: Datum) -> Iterator[str]:
    """Names that may be the datum's image file, the most likely first."""
    metadata = datum.metadata
    named = (metadata.get(key) for key in NAMES)
    yield from (name for name in named if isinstance(name, str) and name)
    yield datum.uid
    if not _is_image(datum.uid):
        yield from (f"{datum.uid}{ending}" for ending in ENDINGS)
    others = (value for key, value in metadata.items() if key not in NAMES)
    yield from (value for value in others if isinstance(value, str) and _is_image(value))


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


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
        path = image_file(dataset.datums[index], folders)
        image = None if path is None else _opened(path)
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


def _opened(path: Path) -> tuple[Image, float] | None:
    """Read an image, shrunk to :data:`SIDE`, and its scale; ``None`` if it is no image."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            width = file.width
            file.draft("RGB", (SIDE, SIDE))  # JPEG is read at about the size that is needed
            image = file.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None
    image.thumbnail((SIDE, SIDE))
    return image, image.width / width


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
