"""The use case: read a dataset from files in a format that a plugin offers."""

from __future__ import annotations

import inspect
import os
from dataclasses import replace
from typing import Any

from velour_plugin.contracts.formats import Format, Path
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.inputs.reading import reading
from velour_plugin.errors import InvalidInput
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
        labels: names of classes, for a format whose files hold their numbers (``label-images``):
            in the order of numbers from 0, as a mapping of numbers to names, or a file of either;
            ``None`` for the file ``classes.txt`` beside the data.
        strict: refuse what would be repaired, skipped or unmatched. Otherwise the dataset's
            ``reading`` lists it, and a :class:`ReadingWarning` shows it.

    Raises:
        UnknownName: there is no such format.
        InvalidInput: a path is none, or names what cannot be read; the format takes no labels.
        BadDataset, BadGeometry, BadAnnotation, BadMetadata: what the file says breaks a rule; or
            it would be repaired, and reading is strict.
    """
    _check_path("path", path)
    if metadata is not None:
        _check_path("metadata", metadata)
    reader = installed().format(format)
    with reading(strict) as log:
        if labels is None:
            dataset = reader.read(path, name, metadata)
        else:
            _check_takes_labels(reader)
            dataset = reader.read(path, name, metadata, labels=labels)  # type: ignore[call-arg]
    return replace(dataset, source_path=os.path.abspath(path), reading=log.report)


def _check_takes_labels(format: Format) -> None:
    if "labels" not in inspect.signature(format.read).parameters:
        raise InvalidInput(
            f"labels: files of the format {format.name!r} name their classes themselves: leave the "
            "names out. Formats of numbers take them, such as label-images."
        )


def _check_path(name: str, path: object) -> None:
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidInput(f"{name} {path!r}: expected a path, such as 'fires.json'.")
