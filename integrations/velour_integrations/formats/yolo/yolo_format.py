"""YOLO, as Ultralytics reads and writes it: a text file an image, a line a region.

A line is ``class x y width height`` (the box's centre and size) or ``class x1 y1 x2 y2 …`` (a
polygon; four corners of a rotated box are one), as shares of the image's size; a model's line ends
with its confidence. The size is that of the image file, or ``width`` and ``height`` of the metadata
table, which needs no image. An image is a datum, named by its file; so is a label file without one.

Labels may not leave their image by more than 1 %, as at Ultralytics: pixels would.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import shapely

from velour_integrations.formats.row_builder import (
    Box,
    RowBuilder,
    class_names,
    note_predictions,
    positions_of,
    read_lines,
)
from velour_integrations.formats.yolo.image_sizes import (
    SIZES_FROM_TABLE,
    measured,
    without_warnings,
)
from velour_integrations.formats.yolo.yolo_keypoints import (
    KeypointCheck,
    has_keypoints,
    keypoints_refused,
)
from velour_integrations.formats.yolo.yolo_layout import Layout, find_layout, label_files
from velour_integrations.formats.yolo.yolo_names import ClassNames, names_in
from velour_plugin import AnnotationTable, Dataset, Datum, ImageMetadata, Polygon
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.plugin import (
    ImageNames,
    Path,
    natural_order,
    note_read,
    note_skipped,
    parse_number,
    parse_score,
    read_records,
)

Size = tuple[int, int]
_OUTSIDE, _DIGITS = 0.01, 6


class YoloFormat:
    """A split in Ultralytics' layout; a folder of label files with confidences."""

    name = "yolo"

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read a data.yaml, a folder of labels or images, or a list of images."""
        layout = find_layout(FilePath(path))
        uids = sorted({*layout.images, *layout.labels}, key=natural_order)
        images = [layout.images.get(uid) for uid in uids]
        file_names = [None if image is None else image.name for image in images]
        described = dict(zip(uids, read_records(metadata).of_images(uids, file_names), strict=True))
        uids = [uid for uid in uids if not _is_stray(uid, layout, described[uid][0])]
        if not uids:
            raise BadDataset(f"{os.fspath(path)!r} holds neither images nor labels: no YOLO.")
        with without_warnings():
            datums = [_datum(uid, layout, described[uid], path) for uid in uids]
        sizes = {datum.uid: _size_of(datum) for datum in datums}
        files = [(at, sizes[uid], layout.labels[uid]) for at, uid in enumerate(uids)
                 if uid in layout.labels]  # fmt: skip
        classes = ClassNames(layout.names)
        rows = _read(files, classes, scored=False)
        names = classes.without_twins(repr(os.fspath(path)))
        table = rows.table([name for name in names if name])
        note_read("images", len(datums))
        note_read("annotations", len(table))
        known = ImageNames(uids, [datum.metadata.get("file_name") for datum in datums])
        reader = partial(read_predictions, known=known, sizes=sizes, names=names)
        return Dataset.from_table(name or _called(path), datums, table, reader=reader)


def read_predictions(
    dataset: Dataset,
    path: Path,
    known: ImageNames,
    sizes: Mapping[str, Size],
    names: Sequence[str],
) -> AnnotationTable:
    """Read a folder of label files with confidences, as ``yolo predict save_txt save_conf`` does.

    Args:
        dataset: the datums that the predictions are for.
        path: of the folder, or of one with a folder ``labels``.
        known: all images, also those that a subset lacks.
        sizes: height and width of each.
        names: classes of the dataset, for a folder that names none.
    """
    folder = FilePath(path)
    if not folder.is_dir():
        raise InvalidInput(f"{os.fspath(path)!r}: expected a folder of label files: YOLO.")
    where, files = repr(os.fspath(path)), label_files(folder)
    for uid in [uid for uid, file in files.items() if uid not in known and _holds_no_labels(file)]:
        del files[uid]
    if not files:
        raise BadDataset(
            f"{where} holds no label files (.txt): expected a folder as 'yolo predict "
            "save_txt=True save_conf=True' writes it."
        )
    positions = positions_of(files, dataset, known, where)
    listed = [(at, sizes[dataset.uids[at]], files[uid]) for uid, at in positions.items()]
    own_names = names_in(folder) or names_in(folder / "labels")
    classes = ClassNames(own_names or names)
    table = _read(sorted(listed), classes, scored=True).table(class_names(dataset))
    classes.without_twins(where)
    note_predictions(dataset, table, where)
    return table


def _called(path: Path) -> str:
    resolved = FilePath(path).resolve()
    stem = resolved.parent.name if resolved.suffix.lower() in (".yaml", ".yml") else resolved.stem
    return stem or "yolo"


def _is_stray(uid: str, layout: Layout, extra: Mapping[str, Any]) -> bool:
    """Whether a text file is about no image, such as a list of images or a README."""
    is_sized = uid in layout.images or extra.keys() >= {"width", "height"}
    return not is_sized and _holds_no_labels(layout.labels[uid])


def _holds_no_labels(path: FilePath) -> bool:
    """Whether a file begins with something else than a number, which is then noted."""
    words = next((line.split() for line in read_lines(path) if line.strip()), ["0"])
    if re.fullmatch(r"[-+.0-9eE]+", words[0]):
        return False
    note_skipped("text files that hold no labels", repr(os.fspath(path)))
    return True


def _datum(uid: str, layout: Layout, described: tuple[Any, Any], path: Path) -> Datum:
    extra, location = described
    image = layout.images.get(uid)
    properties = {} if image is None else {"file_name": image.name}
    if not {"width", "height"} <= extra.keys():
        if image is None:
            raise BadDataset(
                f"{os.fspath(path)!r}: the size of image {uid!r} is not known, and YOLO's numbers "
                "are shares of it: put the images into the folder 'images' beside 'labels', or "
                f"{SIZES_FROM_TABLE}."
            )
        properties.update(measured(image).to_metadata())
    datum = Datum(uid, {**properties, **extra}, location)
    _size_of(datum)
    return datum


def _size_of(datum: Datum) -> Size:
    properties = datum.metadata
    size = ImageMetadata(height=properties["height"], width=properties["width"])
    return size.height, size.width


def _read(
    files: Iterable[tuple[int, Size, FilePath]], classes: ClassNames, scored: bool
) -> RowBuilder:
    """Read label files, each with its datum's position and its image's height and width."""
    rows, keypoints = RowBuilder(), KeypointCheck()
    slack = 1.0 if scored else _OUTSIDE  # predictions may well lie outside
    for at, (height, width), path in files:
        name = repr(os.fspath(path))
        for number, line in enumerate(read_lines(path), 1):
            words = line.split()
            if words:
                where = f"{name}, line {number}"
                numbers = _numbers(line, words, scored, where)
                label = classes.name_of(numbers[0], where)
                score = numbers.pop() if scored else None
                if score is not None and not 0 <= score <= 1:
                    score = parse_score(score, where, "confidence")
                region = numbers[1:]
                if len(region) == 4:
                    box = _box(region, width, height, slack, where)
                    rows.add(at, label, box=box, score=score)
                else:
                    keypoints.add(region, where)
                    shape = _polygon(region, (width, height), slack, where)
                    rows.add(at, label, shape=shape, score=score)
    keypoints.refuse_poses()
    return rows


def _numbers(line: str, words: Sequence[str], scored: bool, where: str) -> list[float]:
    regular = len(words) - scored
    if regular != 5 and (regular < 7 or regular % 2 == 0):
        confidence = "a confidence" if scored else "no confidence"
        raise BadDataset(
            f"{where}: {len(words)} numbers: expected class x y width height, or "
            f"class and a polygon's points, with {confidence}"
            + (" last: predict with save_conf=True" if scored else "")
            + "; keypoints are not read."
        )
    try:
        if line.isascii() and "_" not in line:
            return list(map(float, words))
    except ValueError:
        pass
    wrong = next(word for word in words if parse_number(word) is None)
    raise BadDataset(f"{where}: {wrong[:60]!r}: expected numbers.")


def _box(numbers: list[float], across: int, down: int, slack: float, where: str) -> Box:
    """The box of a line, in pixels of an image as wide and high as ``across`` and ``down``.

    What was a whole number of pixels is one again: an overlap of exactly 0.5 stays so.
    """
    x, y, width, height = numbers
    low, high = -slack, 1 + slack
    if not (
        low <= x <= high and low <= y <= high and low <= width <= high and low <= height <= high
    ):
        raise _outside(numbers, slack, where)
    if width < 0 or height < 0:
        raise BadDataset(f"{where}: a box of width {width:g} and height {height:g}.")
    return (
        round((x - width / 2) * across, _DIGITS),
        round((y - height / 2) * down, _DIGITS),
        round(width * across, _DIGITS),
        round(height * down, _DIGITS),
    )


def _polygon(numbers: list[float], size: tuple[int, int], slack: float, where: str) -> Polygon:
    total = sum(numbers)  # NaN, if any is: comparisons alone may overlook it
    if not (min(numbers) >= -slack and max(numbers) <= 1 + slack and total == total):
        raise _outside(numbers, slack, where)
    points = np.reshape(numbers, (-1, 2)) * size
    return Polygon(shapely.Polygon(points.round(_DIGITS)))


def _outside(numbers: list[float], slack: float, where: str) -> BadDataset:
    if len(numbers) > 4 and has_keypoints(numbers):
        return keypoints_refused(where)
    wrong = next(n for n in numbers if not -slack <= n <= 1 + slack)
    return BadDataset(
        f"{where}: {wrong:g} is outside [0, 1]: expected shares of the image's width and "
        "height, not pixels."
    )
