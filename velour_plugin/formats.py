"""Read datasets from files in the formats that plugins offer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from velour_plugin.domain.datasets import Dataset
from velour_plugin.plugins import installed

Path = str | os.PathLike[str]


class Format(Protocol):
    """A way in which people keep annotations in files."""

    name: str

    def read(self, path: Path, name: str | None, metadata: Path | None) -> Dataset:
        """Read ground truth; the dataset knows how to read predictions of this format.

        Args:
            path: the file or folder.
            name: of the dataset; ``None`` for the name of the file.
            metadata: a CSV or JSON file with one record a datum.
        """


def read_dataset(
    path: Path, format: str = "coco", name: str | None = None, metadata: Path | None = None
) -> Dataset:
    """Read a dataset from files.

    Args:
        path: the file or folder of ground truth.
        format: the name of an installed format; ``velour plugins`` lists them.
        name: what people call the dataset; the file's name when left out.
        metadata: a CSV or JSON file with one record a datum: a column ``uid``, ``file_name`` or
            ``image_id`` names the datum, ``latitude`` and ``longitude`` are its place, any other
            is metadata.

    Raises:
        UnknownName: there is no such format.
        BadDataset, BadGeometry, BadAnnotation, BadMetadata: what the file says breaks a rule.
    """
    return installed().format(format).read(path, name, metadata)


def attach_metadata(
    records: Mapping[str, Mapping[str, Any]], uid: str, aliases: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    """Find the record of a datum under its uid or one of its other names."""
    for name in (uid, *aliases):
        if name in records:
            return records[name]
    return {}
