"""Label images: a PNG file an image, the number of each pixel's class in it.

Greys of 1 to 16 bits and palettes, whose index is the class. A folder of truth and a folder of each
model's predictions hold files of the same paths, ``a/42.png``; an image is named by its path
without the suffix. Names of classes are given, or stand in ``classes.txt`` in the folder or beside
it: a name a line from 0 on, ``255: void`` for a number out of that order. Pixels that shall not
count have a name, too: that of the evaluation's parameter ``ignore_label``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.formats.row_builder import by_name, positions_of
from velour_plugin import AnnotationTable, Dataset, Datum
from velour_plugin.errors import BadAnnotation, BadDataset, InvalidInput
from velour_plugin.plugin import (
    ImageNames,
    LabelImageRows,
    Path,
    natural_order,
    note_read,
    numbered_names,
    png_header,
    read_label_png,
    read_records,
)

Names = Mapping[int, str]
Size = tuple[int, int]
_LISTS = ("classes.txt", "labels.txt", "classes.json", "labels.json")
_SHOWN = 3


class LabelImagesFormat:
    """A folder of label images in PNG files."""

    name = "label-images"
    usual_task = "semantic-segmentation"

    def read(
        self, path: Path, name: str | None, metadata: Path | None, labels: Any = None
    ) -> Dataset:
        """Read a folder of true label images.

        Args:
            path: of the folder.
            name: of the dataset; ``None`` for that of the folder.
            metadata: a CSV or JSON file with one record an image.
            labels: names of the numbers, as in :func:`velour_plugin.read_dataset`.
        """
        folder = FilePath(path)
        files = _files(folder)
        names = numbered_names(_list_beside(folder) if labels is None else labels)
        uids = sorted(files, key=natural_order)
        file_names = [files[uid].name for uid in uids]
        described = read_records(metadata).of_images(uids, file_names)
        rows, datums = LabelImageRows(names), []
        sizes: dict[str, Size] = {}
        for at, uid in enumerate(uids):
            image = read_label_png(files[uid])
            sizes[uid] = height, width = image.shape
            extra, location = described[at]
            known = {"file_name": file_names[at], "height": height, "width": width}
            datums.append(Datum(uid, {**known, **extra}, location))
            _add(rows, at, image, files[uid])
        note_read("images", len(uids))
        known_images = ImageNames(uids, file_names)
        reader = partial(read_predictions, names=names, known=known_images, sizes=sizes)
        called = name or folder.resolve().name or self.name
        return Dataset.from_table(called, datums, rows.table(), reader=reader)


def read_predictions(
    dataset: Dataset, path: Path, names: Names, known: ImageNames, sizes: Mapping[str, Size]
) -> AnnotationTable:
    """Read a model's folder, with a file for each image of the dataset and no other.

    Args:
        dataset: the datums that the predictions are for.
        path: of the folder.
        names: of the numbers.
        known: all images, also those that a subset lacks.
        sizes: height and width of each.
    """
    files = _files(FilePath(path))
    positions = positions_of(files, dataset, known, repr(os.fspath(path)))
    _check_complete(positions, dataset)
    rows = LabelImageRows(names)
    for at, file in sorted((at, files[uid]) for uid, at in positions.items()):
        _check_size(file, dataset.uids[at], sizes[dataset.uids[at]])
        _add(rows, at, read_label_png(file), file)
    note_read("predicted label images", len(positions))
    return rows.table()


def _files(folder: FilePath) -> dict[str, FilePath]:
    if not folder.is_dir():
        raise InvalidInput(f"{os.fspath(folder)!r}: expected a folder of PNG files: label images.")
    files = by_name(folder, {".png"})
    if not files:
        raise BadDataset(
            f"{os.fspath(folder)!r} holds no PNG file{_other_files(folder)}: expected label images."
        )
    return files


def _other_files(folder: FilePath) -> str:
    """What a folder without PNG files holds instead, as the end of a clause."""
    suffixes = Counter(path.suffix.lower() for path in folder.iterdir() if path.is_file())
    if not suffixes:
        return ""
    suffix, count = suffixes.most_common(1)[0]
    return f", but {count:,} {suffix or 'without suffix'}"


def _list_beside(folder: FilePath) -> FilePath:
    """The file of names in the folder, or the one beside it."""
    places = [path / name for path in (folder, folder.resolve().parent) for name in _LISTS]
    names_file = next((path for path in places if path.is_file()), None)
    if names_file is None:
        raise BadDataset(
            f"{os.fspath(folder)!r}: the numbers of label images have no names: give labels "
            "(--labels FILE), or put classes.txt beside them, with a name a line from 0 on."
        )
    return names_file


def _add(rows: LabelImageRows, at: int, image: NDArray[Any], file: FilePath) -> None:
    try:
        rows.add(at, image)
    except BadAnnotation as error:
        number, pixels = _nameless(image, rows.names)
        raise BadDataset(
            f"{os.fspath(file)!r}: class {number} in {pixels:,} pixels has no name: known are "
            f"{_listed(rows.names)}. Name it too, as in a line '{number}: void'; what shall not "
            "count is then the parameter ignore_label, 'void'."
        ) from error


def _nameless(image: NDArray[Any], names: Names) -> tuple[int, int]:
    """The first number without a name, and how often it occurs."""
    numbers, pixels = np.unique(image, return_counts=True)
    pairs = zip(numbers.tolist(), pixels.tolist(), strict=True)
    return next(pair for pair in pairs if pair[0] not in names)


def _listed(names: Names) -> str:
    numbers = sorted(names)
    if numbers == list(range(len(numbers))):
        return f"0 to {len(numbers) - 1}"
    return ", ".join(map(str, numbers[:20])) + (", …" if len(numbers) > 20 else "")


def _check_complete(positions: Mapping[str, int], dataset: Dataset) -> None:
    """Refuse a folder that lacks the file of an image."""
    predicted = set(positions.values())
    missing = [uid for at, uid in enumerate(dataset.uids) if at not in predicted]
    if missing:
        shown = ", ".join(map(repr, missing[:_SHOWN])) + (", …" if len(missing) > _SHOWN else "")
        raise BadDataset(
            f"{len(missing):,} of {len(dataset):,} images have no prediction ({shown}): every "
            f"image has a PNG file of its path. Add them, or leave the images out of the truth."
        )


def _check_size(file: FilePath, uid: str, size: Size) -> None:
    """Refuse a file of another size than its image before it is decoded."""
    header = png_header(file)
    if (header.height, header.width) != size:
        raise BadDataset(
            f"{os.fspath(file)!r} has {header.height}x{header.width} pixels, but the truth of "
            f"{uid!r} has {size[0]}x{size[1]}: resize it to its image, without smoothing."
        )
