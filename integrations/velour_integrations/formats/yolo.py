"""YOLO, as Ultralytics reads and writes it: a text file an image, a line a region.

A line is ``class x y width height`` (the box's centre and size) or ``class x1 y1 x2 y2 …`` (a
polygon; four corners of a rotated box are one), as shares of the image's size; a model's line ends
with its confidence. The size is that of the image file, or ``width`` and ``height`` of the metadata
table, which needs no image. An image is a datum, named by its file; so is a label file without one.

Labels may not leave their image by more than 1 %, as at Ultralytics: pixels would.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path as FilePath

import numpy as np
import shapely

from velour_integrations.formats.row_builder import (
    RowBuilder,
    checked_score,
    class_names,
    place_of,
    read_lines,
)
from velour_integrations.formats.yolo_layout import Layout, find_layout, label_files, names_in
from velour_plugin import AnnotationTable, Dataset, Datum, ImageMetadata, Polygon
from velour_plugin.errors import BadDataset, InvalidInput, MissingExtra
from velour_plugin.plugin import Path, Records, natural_order, read_records

Size = tuple[int, int]
_OUTSIDE, _DIGITS = 0.01, 6
_TURNED = range(5, 9)
"""Orientations of EXIF in which an image is shown with its sides exchanged."""


class YoloFormat:
    """A split in Ultralytics' layout; a folder of label files with confidences."""

    name = "yolo"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read a data.yaml, a folder of labels or images, or a list of images."""
        layout = find_layout(FilePath(path))
        records = read_records(metadata)
        uids = sorted({*layout.images, *layout.labels}, key=natural_order)
        datums = [_datum(uid, layout, records, path) for uid in uids]
        records.check_used(uids, *(_names_of(uid, layout) for uid in uids))
        sizes = {datum.uid: _size_of(datum) for datum in datums}
        files = [(at, sizes[uid], layout.labels[uid]) for at, uid in enumerate(uids)
                 if uid in layout.labels]  # fmt: skip
        table = _read(files, layout.names, scored=False).table(layout.names)
        reader = partial(read_predictions, sizes=sizes, names=layout.names)
        return Dataset.from_table(name or _called(path), datums, table, reader=reader)


def read_predictions(
    dataset: Dataset, path: Path, sizes: Mapping[str, Size], names: Sequence[str]
) -> AnnotationTable:
    """Read a folder of label files with confidences, as ``yolo predict save_txt save_conf`` does.

    Args:
        dataset: the datums that the predictions are for.
        path: of the folder, or of one with a folder ``labels``.
        sizes: height and width of all images, also of those that a subset lacks.
        names: classes of the dataset, for a folder that names none.
    """
    folder = FilePath(path)
    if not folder.is_dir():
        raise InvalidInput(f"{os.fspath(path)!r}: expected a folder of label files: YOLO.")
    files = []
    for uid, file in label_files(folder).items():
        at = place_of(uid, dataset, sizes, repr(os.fspath(file)))
        if at is not None:
            files.append((at, sizes[uid], file))
    rows = _read(sorted(files), names_in(folder) or names, scored=True)
    return rows.table(class_names(dataset))


def _called(path: Path) -> str:
    resolved = FilePath(path).resolve()
    stem = resolved.parent.name if resolved.suffix.lower() in (".yaml", ".yml") else resolved.stem
    return stem or "yolo"


def _datum(uid: str, layout: Layout, records: Records, path: Path) -> Datum:
    extra, location = records.of(*_names_of(uid, layout))
    image = layout.images.get(uid)
    properties = {} if image is None else {"file_name": image.name}
    if not {"width", "height"} <= extra.keys():
        if image is None:
            raise BadDataset(
                f"{os.fspath(path)!r}: the size of image {uid!r} is not known, and YOLO's numbers "
                "are shares of it: put the images into the folder 'images' beside 'labels', or "
                "give metadata= a table with the columns file_name, width, height."
            )
        properties.update(_measured(image).to_metadata())
    datum = Datum(uid, {**properties, **extra}, location)
    _size_of(datum)
    return datum


def _names_of(uid: str, layout: Layout) -> tuple[str, ...]:
    image = layout.images.get(uid)
    return (uid, uid.rpartition("/")[2], *(() if image is None else (image.name,)))


def _size_of(datum: Datum) -> Size:
    properties = datum.metadata
    size = ImageMetadata(height=properties["height"], width=properties["width"])
    return size.height, size.width


def _measured(path: FilePath) -> ImageMetadata:
    """Size of an image as it is shown; only the head of its file is read."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "sizes of images are read by Pillow: pip install pillow; or give metadata= a table "
            "with the columns file_name, width, height."
        ) from error
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.format in ("JPEG", "MPO") and image.getexif().get(0x0112) in _TURNED
    except (OSError, UnidentifiedImageError) as error:
        raise BadDataset(f"{os.fspath(path)!r} is no image that Pillow reads: {error}.") from error
    return ImageMetadata(*((width, height) if turned else (height, width)))


def _read(
    files: Iterable[tuple[int, Size, FilePath]], names: Sequence[str], scored: bool
) -> RowBuilder:
    """Read label files, each with its datum's position and its image's height and width."""
    rows = RowBuilder()
    for at, (height, width), path in files:
        for number, line in enumerate(read_lines(path), 1):
            words = line.split()
            if words:
                numbers = _numbers(words, scored, path, number)
                label = _class(words[0], numbers[0], names, path, number)
                score = checked_score(numbers.pop(), _at(path, number)) if scored else None
                _add(rows, at, label, numbers[1:], (width, height), score, _at(path, number))
    return rows


def _numbers(words: Sequence[str], scored: bool, path: FilePath, number: int) -> list[float]:
    regular = len(words) - scored
    if regular != 5 and (regular < 7 or regular % 2 == 0):
        confidence = "a confidence" if scored else "no confidence"
        raise BadDataset(
            f"{_at(path, number)}: {len(words)} numbers: expected class x y width height, or "
            f"class and a polygon's points, with {confidence}"
            + (" last: predict with save_conf=True." if scored else ".")
        )
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise BadDataset(f"{_at(path, number)}: {error}: expected numbers.") from error


def _class(word: str, value: float, names: Sequence[str], path: FilePath, number: int) -> str:
    if not value.is_integer() or value < 0 or (names and value >= len(names)):
        last = f" to {len(names) - 1}, one of the {len(names)} classes" if names else ""
        raise BadDataset(
            f"{_at(path, number)}: class {word}: expected a whole number from 0{last}."
        )
    return names[int(value)] if names else str(int(value))


def _add(
    rows: RowBuilder,
    at: int,
    label: str,
    numbers: list[float],
    size: tuple[int, int],
    score: float | None,
    where: str,
) -> None:
    slack = _OUTSIDE if score is None else 1.0  # predictions may well lie outside
    total = sum(numbers)  # NaN, if any is: comparisons alone may overlook it
    if not (min(numbers) >= -slack and max(numbers) <= 1 + slack and total == total):
        wrong = next(n for n in numbers if not -slack <= n <= 1 + slack)
        raise BadDataset(
            f"{where}: {wrong:g} is outside [0, 1]: expected shares of the image's width and "
            "height, not pixels."
        )
    if len(numbers) == 4:
        x, y, width, height = numbers
        if width < 0 or height < 0:
            raise BadDataset(f"{where}: a box of width {width:g} and height {height:g}.")
        across, down = size
        left, top = (x - width / 2) * across, (y - height / 2) * down
        box = _pixels(left), _pixels(top), _pixels(width * across), _pixels(height * down)
        rows.add(at, label, box, score=score)
    else:
        points = np.reshape(numbers, (-1, 2)) * size
        rows.add(at, label, shape=Polygon(shapely.Polygon(points.round(_DIGITS))), score=score)


def _pixels(length: float) -> float:
    """What was a whole number of pixels is one again: an overlap of exactly 0.5 stays so."""
    return round(length, _DIGITS)


def _at(path: FilePath, number: int) -> str:
    return f"{os.fspath(path)!r}, line {number}"
