"""What formats of many small files share: rows that become columns, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import BadDataset, UnreadableFile
from velour_plugin.plugin import (
    DEFAULT_KEY,
    ImageNames,
    Shape,
    Vocabulary,
    note_read,
    note_repaired,
    note_skipped,
    read_bytes,
)

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
        *,
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


def positions_of(
    names: Iterable[str], dataset: Dataset, known: ImageNames, where: str
) -> dict[str, int]:
    """Positions of the datums that predictions are for; what a subset left out has no entry.

    Args:
        names: all that the file or folder has.
        dataset: that the predictions are about.
        known: images of the whole dataset that was read.
        where: the file or folder, for messages.

    Raises:
        BadDataset: a name is no image's, may be two images', or two may be one's.
    """
    found = known.find_all(names, where, dataset.name)
    uids = ((name, known.uids[index]) for name, index in found.items())
    return {name: dataset.index_of[uid] for name, uid in uids if uid in dataset.index_of}


def read_lines(path: Path) -> list[str]:
    """Read a file's lines, as UTF-8, or UTF-16 with its mark, whatever ends them."""
    content = read_bytes(path)
    codec = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(codec).splitlines()
    except UnicodeDecodeError as error:
        raise BadDataset(f"{os.fspath(path)!r} is no text in UTF-8: {error}.") from error


def note_predictions(dataset: Dataset, table: AnnotationTable, where: str) -> None:
    """Count predictions, and the images that have none; that there is none at all is said aloud."""
    note_read("predictions", len(table))
    note_read("images without predictions", len(dataset) - len(np.unique(table.datum)))
    if not len(table):
        note_repaired("empty predictions, read as nothing found", where)


def by_name(folder: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Return files below a folder by their path in it, without suffix: ``{"a/42": …/a/42.txt}``.

    Links to folders are followed, but no folder is read twice.

    Raises:
        UnreadableFile: a folder may not be read.
        BadDataset: two files have one name.
    """
    by_uid: dict[str, Path] = {}
    for parent, files in _folders(folder) if os.path.isdir(folder) else ():
        inside = Path(parent).relative_to(folder).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        for file in files:
            stem, suffix = os.path.splitext(file)
            if suffix.lower() not in suffixes or file.startswith("."):
                continue
            uid = prefix + stem
            if uid in by_uid:
                raise BadDataset(
                    f"{os.fspath(folder)!r}: {by_uid[uid].name} and {file} are both {uid!r}; give "
                    "each a name of its own."
                )
            by_uid[uid] = Path(parent, file)
    return by_uid


def _folders(top: Path) -> Iterator[tuple[str, list[str]]]:
    """A folder and those below it with their files; what links lead to comes last.

    A link to a folder above, as in /proc, would lead through the whole machine.
    """
    seen = {_identity(folder) for folder in top.resolve().parents}
    starts = [os.fspath(top)]
    for start in starts:  # grows
        for parent, folders, files in os.walk(start, onerror=_refuse):
            identity = _identity(parent)
            if identity in seen:
                note_skipped("links to folders that are above or read already", repr(parent))
                folders.clear()
                continue
            seen.add(identity)
            folders.sort()
            below = (os.path.join(parent, name) for name in folders)
            starts += [path for path in below if os.path.islink(path)]
            yield parent, sorted(files)


def _identity(folder: str | Path) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise _unreadable(error) from error
    return status.st_dev, status.st_ino


def _unreadable(error: OSError) -> UnreadableFile:
    return UnreadableFile(repr(os.fspath(error.filename)), error)


def _refuse(error: OSError) -> None:
    raise _unreadable(error)
