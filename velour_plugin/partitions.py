"""Datasets too large for memory: a folder of parquet files, read part by part.

A part is consecutive datums in :func:`velour_plugin.domain.order.natural_order` with their
ground truth and a model's predictions. A worker reads its part, matches it and returns a
ledger; the whole is never in memory. Parts that overlap or are out of order are refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from velour_plugin.domain.columns.annotation_table import LabelName
from velour_plugin.domain.datasets import Dataset, check_dataset_name
from velour_plugin.domain.encoding.arrow import refusing_damage
from velour_plugin.domain.encoding.canonical import exact_json
from velour_plugin.domain.labels import check_label_names
from velour_plugin.domain.metadata import checked_location, decode_metadata, encode_metadata
from velour_plugin.domain.order import natural_order
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.helpers.input_files import read_bytes
from velour_plugin.helpers.json_text import parse_json
from velour_plugin.helpers.libraries import shapely
from velour_plugin.helpers.parquet import (
    read_datums,
    read_predictions,
    read_table,
    write_datums,
    write_predictions,
    write_table,
)

_INDEX = "velour-partitions.json"


class PartitionedDataset:
    """A dataset with predictions in a folder, read part by part.

    Args:
        folder: that :meth:`write` made.

    Raises:
        InvalidInput: the folder holds no partitions.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            with refusing_damage(f"{_INDEX} is no list of parts"):
                self._read(parse_json(read_bytes(self.folder / _INDEX), _INDEX))
        except InvalidInput as error:
            raise InvalidInput(
                f"{str(self.folder)!r} holds no partitions ({error}): make them with "
                "velour.PartitionedDataset.write(folder, parts)."
            ) from error

    def _read(self, index: Any) -> None:
        self.name: str = index["name"]
        self.model: str = index["model"]
        self.metadata: dict[str, Any] = decode_metadata(index["metadata"])
        self.labels: list[LabelName] = [(key, value) for key, value in index["labels"]]
        self.location: Any = checked_location(index.get("location"))
        self.groups: tuple[str, ...] = tuple(map(str, index.get("groups", ())))
        self.parts: list[str] = index["parts"]
        check_dataset_name(self.name)
        check_label_names(self.labels)
        wrong = [part for part in self.parts if not re.fullmatch(r"part-\d+", part)]
        if wrong:
            raise BadDataset(f"part {wrong[0]!r}: expected the name of a folder, as 'part-000000'")

    @classmethod
    def write(cls, folder: str | os.PathLike[str], parts: Iterable[Dataset]) -> PartitionedDataset:
        """Write parts as they come, and return the whole; only one needs to be in memory.

        Args:
            folder: to make; parts of an earlier call are replaced.
            parts: datasets of one name, metadata, vocabulary and model, with predictions, in the
                order of their datums.

        Raises:
            BadDataset: a part has no predictions, or does not follow the one before it.
        """
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        for old in root.glob("part-*"):
            import shutil

            shutil.rmtree(old)
        first: Dataset | None = None
        last: Dataset | None = None
        names: list[str] = []
        for part in parts:
            _check_follows(first, last, part)
            first, last = first or part, part
            names.append(f"part-{len(names):06}")
            _write_part(root / names[-1], part)
        if first is None:
            raise BadDataset("there are no parts: a dataset has at least one datum.")
        index = {
            "name": first.name,
            "model": str(first.model),
            "metadata": encode_metadata(first.metadata),
            "labels": first.truth.labels,
            "parts": names,
            "groups": list(first.groups),
            "location": first.location and shapely.geometry.mapping(first.location),
        }
        (root / _INDEX).write_text(exact_json(index), encoding="utf-8")
        return cls(root)

    def __len__(self) -> int:
        return len(self.parts)

    def part(self, number: int) -> Dataset:
        """Read one part, by its number from 0, with its predictions."""
        folder = self.folder / self.parts[number]
        datums = read_datums(folder / "datums.parquet")
        index_of = {uid: index for index, uid in enumerate(datums.uids)}
        truth, _ = read_table(folder / "truth.parquet", index_of, self.labels)
        dataset = Dataset.from_table(
            self.name, datums, truth, self.metadata, location=self.location
        )
        return read_predictions(folder / "predictions.parquet", dataset)

    def __iter__(self) -> Iterator[Dataset]:
        return map(self.part, range(len(self)))

    def __repr__(self) -> str:
        return f"<PartitionedDataset {self.name!r}: {len(self)} parts in {str(self.folder)!r}>"


def parts_of(dataset: Dataset | PartitionedDataset) -> Iterable[Dataset]:
    """Return the parts of a dataset, read as they are iterated; one in memory is its only part."""
    return (dataset,) if isinstance(dataset, Dataset) else dataset


def split(dataset: Dataset, parts: int) -> Sequence[Dataset]:
    """Split a dataset in memory into at most so many parts of about equal size, none empty."""
    import numpy as np

    bounds = np.linspace(0, len(dataset), parts + 1).astype(int)
    index = np.arange(len(dataset))
    return [
        dataset.subset((index >= low) & (index < high))
        for low, high in pairwise(bounds)
        if high > low
    ]


def _write_part(folder: Path, part: Dataset) -> None:
    folder.mkdir()
    write_datums(part.datums, folder / "datums.parquet")
    write_table(part.truth, part.uids, folder / "truth.parquet")
    write_predictions(part, folder / "predictions.parquet")


def _check_follows(first: Dataset | None, last: Dataset | None, part: Dataset) -> None:
    if part.predictions is None:
        raise BadDataset(f"part {part!r} has no predictions: use with_predictions.")
    if first is None or last is None:
        return
    same = (part.name, part.model, part.truth.labels, dict(part.metadata), part.location) == (
        first.name,
        first.model,
        first.truth.labels,
        dict(first.metadata),
        first.location,
    )
    if not same:
        raise BadDataset(
            f"part {part!r} is of another dataset, model or vocabulary than the first, {first!r}."
        )
    if natural_order(part.uids[0]) <= natural_order(last.uids[-1]):
        raise BadDataset(
            f"a part begins with datum {part.uids[0]!r} after one that ends with "
            f"{last.uids[-1]!r}: parts come in the order of their datums, numbers by size."
        )
