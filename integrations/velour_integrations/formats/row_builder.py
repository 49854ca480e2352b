"""What formats of many small files share: rows that become columns, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import BadDataset, UnreadableFile
from velour_plugin.plugin import DEFAULT_KEY, Shape, Vocabulary

Box = tuple[float, float, float, float]
NO_BOX: Box = (np.nan,) * 4


@dataclass
class RowBuilder:
    """Annotations of one label each, gathered one after another.

    ``boxes`` are x, y, width, height in pixels; ``scores`` are NaN on ground truth.
    """

    datums: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    shapes: list[Shape | None] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    crowds: list[bool] = field(default_factory=list)
    metadata_of_rows: list[Mapping[str, Any]] = field(default_factory=list)

    def add(
        self,
        datum: int,
        label: str,
        box: Box = NO_BOX,
        shape: Shape | None = None,
        score: float | None = None,
        crowd: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one annotation of the datum at a position."""
        self.datums.append(datum)
        self.labels.append(label)
        self.boxes.append(box)
        self.shapes.append(shape)
        self.scores.append(np.nan if score is None else score)
        self.crowds.append(crowd)
        self.metadata_of_rows.append(metadata or {})

    def table(self, known: Sequence[str] = ()) -> AnnotationTable:
        """Return a table; ``known`` classes come first, in their order, others follow, sorted."""
        labels = [(DEFAULT_KEY, name) for name in self.labels]
        vocabulary = Vocabulary([(DEFAULT_KEY, name) for name in known], labels)
        return AnnotationTable.from_columns(
            vocabulary.names,
            np.array(self.datums, np.int32),
            vocabulary.indices(labels),
            box=np.array(self.boxes, np.float64).reshape(-1, 4),
            score=np.array(self.scores, np.float64),
            crowd=np.array(self.crowds, bool),
            shape=self.shapes,
            metadata=self.metadata_of_rows,
        )


def class_names(dataset: Dataset) -> list[str]:
    """Return the classes of a dataset, in their order, for the predictions of a model."""
    return [value for _, value in dataset.truth.labels]


def place_of(uid: str, dataset: Dataset, known: Collection[str], where: str) -> int | None:
    """Return the index of the datum that a prediction is for; ``None`` if a subset lacks it.

    Args:
        uid: the datum's name.
        dataset: that the predictions are about.
        known: uids of the whole dataset that was read.
        where: the file, for the message.
    """
    index = dataset.index_of.get(uid)
    if index is None and uid not in known:
        raise BadDataset(
            f"{where}: predictions for {uid!r}, which is not in dataset {dataset.name!r} "
            f"({next(iter(known), None)!r}, …)."
        )
    return index


def read_bytes(path: Path) -> bytes:
    """Read a file; one that cannot be read is :class:`UnreadableFile`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(repr(os.fspath(path)), error) from error


def read_lines(path: Path) -> list[str]:
    """Read a file's lines, as UTF-8, whatever ends them."""
    try:
        return read_bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadDataset(f"{os.fspath(path)!r} is no text in UTF-8: {error}.") from error


def checked_score(text: Any, where: str) -> float:
    """Return a model's confidence as a number.

    Raises:
        BadDataset: it is no number in [0, 1].
    """
    try:
        score = float(text)
    except (TypeError, ValueError):
        score = np.nan
    if isinstance(text, bool) or not 0 <= score <= 1:
        raise BadDataset(f"{where}: confidence {text!r}: expected a number in [0, 1].")
    return score


def by_name(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Return files below a folder by their path in it, without suffix: ``{"a/42": …/a/42.txt}``.

    Raises:
        BadDataset: two files have one name.
    """
    by_uid: dict[str, Path] = {}
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        inside = Path(parent).relative_to(folder)
        for file in sorted(files):
            stem, suffix = os.path.splitext(file)
            if suffix.lower() not in suffixes or file.startswith("."):
                continue
            uid = (inside / stem).as_posix()
            if uid in by_uid:
                raise BadDataset(
                    f"{os.fspath(folder)!r}: {by_uid[uid].name} and {file} are both {uid!r}; give "
                    "each a name of its own."
                )
            by_uid[uid] = Path(parent, file)
    return by_uid
