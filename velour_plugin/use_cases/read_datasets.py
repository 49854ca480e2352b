"""The use case: read a dataset from files in a format that a plugin offers."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

from velour_plugin.contracts.formats import Format, Path
from velour_plugin.domain.columns.label_names import numbered_names
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.inputs.reading import reading
from velour_plugin.errors import InvalidInput
from velour_plugin.helpers.input_files import naming_files
from velour_plugin.plugins.installed import installed


def read_dataset(
    path: Path,
    format: str = "coco",
    *,
    name: str | None = None,
    metadata: Path | None = None,
    labels: Any = None,
    strict: bool = False,
) -> Dataset:
    """Read a dataset from files.

    Args:
        path: the file or folder of ground truth.
        format: the name of an installed format; ``velour plugins`` lists them.
        name: what people call the dataset; the file's name when left out.
        metadata: a CSV or JSON file with one record a datum: a column ``uid``, ``file_name`` or
            ``image_id`` names the datum, ``latitude`` and ``longitude`` are its place, any other
            is metadata.
        labels: names of all classes: a list in the order of numbers from 0, a mapping of numbers
            to names, or a file of either. Files that hold numbers (``label-images``) mean these
            names, and without take the file ``classes.txt`` beside the data; in files that hold
            names, now and in predictions to come, any other class is refused.
        strict: refuse what would be repaired, skipped or unmatched. Otherwise the dataset's
            ``reading`` lists it, and a :class:`ReadingWarning` shows it.

    Raises:
        UnknownName: there is no such format, or a class is not among the labels.
        InvalidInput: a path is none, or names what cannot be read.
        BadDataset, BadGeometry, BadAnnotation, BadMetadata: what the file says breaks a rule; or
            it would be repaired, and reading is strict.
    """
    _check_path("path", path)
    if metadata is not None:
        _check_path("metadata", metadata)
    reader = installed().format(format)
    are_numbered = labels is not None and _takes_labels(reader)
    named = {"labels": labels} if are_numbered else {}
    with reading(strict) as log, _hinted(path, format), naming_files(path, metadata, labels):
        dataset = reader.read(path, name, metadata, **named)
    if labels is not None and not are_numbered:
        dataset = dataset.with_vocabulary(numbered_names(labels).values())
    return replace(dataset, source_path=os.path.abspath(path), reading=log.report)


@contextmanager
def _hinted(path: Path, format: str) -> Iterator[None]:
    """Name the format that a path looks like, where it cannot be read in another one."""
    try:
        yield
    except InvalidInput as error:
        likely = next((name for name in _formats_like(path) if name in installed().formats), None)
        if likely is not None and likely != format and format not in _formats_like(path):
            error.args = (
                f"{error} It was read in the format {format!r}, and looks like {likely!r}: pass "
                f"format={likely!r} (--format {likely}).",
                *error.args[1:],
            )
        raise


def _formats_like(path: Path) -> list[str]:
    """Formats that a path looks like by the suffixes of its files, the likeliest first."""
    name = os.fspath(path)
    if not isinstance(name, str) or not os.path.isdir(name):
        return list(_BY_SUFFIX.get(os.path.splitext(str(name))[1].lower(), ()))
    suffixes = {
        os.path.splitext(file)[1].lower()
        for _, _, files in islice(os.walk(name), _FOLDERS)
        for file in files
    }
    return [likely for suffix, of in _IN_FOLDERS.items() if suffix in suffixes for likely in of]


_FOLDERS = 20
"""Folders in a folder that are looked into, at most."""

_BY_SUFFIX = {
    ".yaml": ("yolo",), ".yml": ("yolo",), ".xml": ("voc",), ".geojson": ("geojson", "spacenet"),
    ".json": ("coco", "geojson", "spacenet"), ".png": ("label-images",),
}  # fmt: skip
_IN_FOLDERS = {
    ".xml": ("voc",), ".geojson": ("spacenet", "geojson"), ".yaml": ("yolo",), ".yml": ("yolo",),
    ".txt": ("yolo", "label-images"), ".png": ("label-images",),
}  # fmt: skip


def _takes_labels(format: Format) -> bool:
    """Whether files of a format hold numbers, which labels are the names of."""
    return "labels" in inspect.signature(format.read).parameters


def _check_path(name: str, path: object) -> None:
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidInput(f"{name} {path!r}: expected a path, such as 'fires.json'.")
