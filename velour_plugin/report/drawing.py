"""Draw what is true and what was said onto an image, and find the images of a dataset.

Truth is drawn in green, predictions in orange, masks as tints. A datum's metadata, or
its uid, names its file: absolute, or relative to the folder that the caller names; without one, to
the working directory and where datasets of the usual layouts keep images beside annotations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from velour_plugin.domain.annotations import Annotation, Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.geometry import Raster

if TYPE_CHECKING:
    from PIL.Image import Image

NAMES = ("file_name", "image_path", "image", "path", "filename")
"""Metadata that may say which file a datum is."""

TRUTH, SAID = (0, 158, 115), (230, 120, 0)
SIDE, MANY = 640, 100
"""Pixels of the longer side at most; annotations of a side that are drawn at most."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """An image with what is true and what was said drawn on it."""

    uid: str
    image: Image


def image_folders(folder: Path | None, source_path: str | None = None) -> Iterator[Path]:
    """Folders in which images may be, the most likely first.

    Args:
        folder: the one that the caller names; only it is searched then, and its ``images``.
        source_path: what the dataset was read from: COCO's ``annotations/instances_SPLIT.json``
            beside ``SPLIT/``, VOC's ``JPEGImages``, YOLO's ``images/SPLIT`` and ``SPLIT/images``.
    """
    if folder is not None:
        yield from (folder, folder / "images")
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
    """The file that a datum's metadata names, or else its uid, in the first folder that has it."""
    named = [name for key in NAMES if isinstance(name := datum.metadata.get(key), str) and name]
    paths = (folder / name for name in (*named, datum.uid) for folder in folders)
    return next((path for path in paths if os.path.isfile(path)), None)  # False, whatever a uid is


def drawn(
    dataset: Dataset, uids: Sequence[str], folder: Path | None, threshold: float = 0.0
) -> Iterator[Drawn]:
    """Draw the images that can be found and read.

    Args:
        dataset: with predictions.
        uids: of the datums to draw.
        folder: where images are; ``None`` seeks them, see :func:`image_folders`.
        threshold: predictions of lower scores are left out.
    """
    folders = list(image_folders(folder, dataset.source_path))
    for uid in uids:
        place = dataset.index_of[uid]
        path = image_file(dataset.datums[place], folders)
        image = None if path is None else _opened(path)
        if image is not None:
            yield Drawn(uid, _with_annotations(image, dataset, place, threshold))


def _opened(path: Path) -> tuple[Image, float] | None:
    """An image no longer than :data:`SIDE`, and by how much it shrank."""
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
    opened: tuple[Image, float], dataset: Dataset, place: int, threshold: float
) -> Image:
    from PIL import ImageDraw

    image, scale = opened
    truths = dataset.truth.annotations_of(place)
    said = _said(dataset.predictions, place, threshold)
    for side, colour in ((truths, TRUTH), (said, SAID)):
        for annotation in side:
            if annotation.raster is not None:
                image = _tinted(image, annotation.raster, colour)
    pen = ImageDraw.Draw(image)
    for annotation in truths[:MANY]:
        _outline(pen, annotation, scale, TRUTH, "")
    for annotation in said[:MANY]:
        _outline(pen, annotation, scale, SAID, _caption(annotation))
    whole = [
        f"{who}: {', '.join(map(_caption, some))}"
        for who, some in (("true", _of_whole(truths)), ("said", _of_whole(said)))
        if some
    ]
    if whole:
        _text(pen, (4, 4), "\n".join(whole), (31, 41, 51))
    return image


def _said(
    predictions: AnnotationTable | None, place: int, threshold: float
) -> Sequence[Annotation]:
    """Those that reach the threshold, the best first; of whole images, the best only."""
    if predictions is None:
        return ()
    said = sorted(predictions.annotations_of(place), key=_score, reverse=True)
    here = [one for one in said if _score(one) >= threshold]
    return here or [one for one in said[:1] if _is_of_whole(one)]


def _score(annotation: Annotation) -> float:
    scores = [label.score for label in annotation.labels]
    return max((1.0 if score is None else score for score in scores), default=0.0)


def _is_of_whole(annotation: Annotation) -> bool:
    regions = (annotation.bounding_box, annotation.polygon, annotation.multipolygon)
    return not any(region is not None for region in (*regions, annotation.raster))


def _of_whole(annotations: Sequence[Annotation]) -> list[Annotation]:
    return [one for one in annotations if _is_of_whole(one)]


def _caption(annotation: Annotation) -> str:
    label = max(annotation.labels, key=lambda one: one.score or 0.0, default=None)
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

    mask = Image.fromarray(np.where(raster.mask, 96, 0).astype(np.uint8))
    if mask.size != image.size:
        mask = mask.resize(image.size)
    image.paste(Image.new("RGB", image.size, colour), mask=mask)
    return image


def _text(pen: Any, at: tuple[float, float], text: str, colour: Any) -> None:
    """White on a ground, in the letters that Pillow's own font has."""
    text = text.encode("latin-1", "replace").decode("latin-1")
    pen.rectangle(pen.textbbox(at, text), fill=colour)
    pen.text(at, text, fill=(255, 255, 255))
