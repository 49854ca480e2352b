"""Datasets and predictions in parquet files: artifacts, interchange, and partitions.

Annotations are encoded by :mod:`velour_plugin.domain.encoding.codec`. A row of datums is ``uid``,
``metadata`` (JSON), ``location`` (WKB).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.columns.datum_columns import DatumColumns
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.encoding.arrow import (
    columns_to_parquet,
    parquet_to_table,
    refusing_damage,
)
from velour_plugin.domain.encoding.canonical import exact_json
from velour_plugin.domain.encoding.codec import table_from_bytes, table_to_bytes
from velour_plugin.domain.metadata import decode_metadata, encode_metadata
from velour_plugin.helpers.input_files import naming_files, read_bytes
from velour_plugin.helpers.json_text import parse_all
from velour_plugin.helpers.libraries import shapely


def write_predictions(dataset: Dataset, path: Path) -> None:
    """Write a dataset's predictions, and the model's name in the file's own metadata."""
    assert dataset.predictions is not None
    write_table(dataset.predictions, dataset.uids, path, {"velour.model": str(dataset.model)})


def read_predictions(path: Path, dataset: Dataset) -> Dataset:
    """Read what :func:`write_predictions` wrote, and return the dataset with it as predictions.

    Raises:
        BadDataset: a row is for no datum of the dataset.
    """
    predictions, notes = read_table(path, dataset.index_of, dataset.truth.labels)
    return dataset.with_predictions(predictions, notes.get("velour.model", ""))


def write_table(
    table: AnnotationTable, uids: Sequence[str], path: Path, notes: Mapping[str, str] | None = None
) -> None:
    """Write annotations as a parquet file.

    Args:
        table: of the datums named by ``uids``.
        uids: of the datums, in order.
        path: of the file, which is replaced.
        notes: kept in the file's own metadata.
    """
    path.write_bytes(table_to_bytes(table, uids, notes))


def read_table(
    path: Path, index_of: Mapping[str, int], labels: Iterable[LabelName] = ()
) -> tuple[AnnotationTable, dict[str, str]]:
    """Read annotations, and the notes of their file, from a parquet file.

    Args:
        path: of the file.
        index_of: index of each datum by its uid.
        labels: those that come first, in this order; others follow, sorted.

    Raises:
        InvalidInput: the file cannot be read.
        BadDataset: it is no parquet, or a row is for no datum in ``index_of``.
    """
    with naming_files(path):
        return table_from_bytes(read_bytes(path), index_of, labels)


def write_datums(datums: Iterable[Datum], path: Path) -> None:
    """Write datums without their annotations as a parquet file."""
    import pyarrow as pa

    rows = [(datum.uid, encode_metadata(datum.metadata), datum.location) for datum in datums]
    uids, metadata, locations = zip(*rows, strict=True)
    columns = {
        "uid": pa.array(uids, pa.string()),
        "metadata": pa.array(map(exact_json, metadata), pa.string()),
        "location": pa.array(shapely.to_wkb(np.array(locations, object)), pa.binary()),
    }
    path.write_bytes(columns_to_parquet(columns))


def read_datums(path: Path) -> DatumColumns:
    """Read datums that :func:`write_datums` wrote, in their order.

    Raises:
        InvalidInput: the file cannot be read.
        BadDataset: it holds something else.
    """
    with naming_files(path):
        table = parquet_to_table(read_bytes(path))
        with refusing_damage("this holds no datums as Velour writes them"):
            return _datums_of(table)


def _datums_of(table: Any) -> DatumColumns:
    uids, texts, wkb = (table[name].to_pylist() for name in ("uid", "metadata", "location"))
    metadata = [decode_metadata(known) for known in parse_all(texts, "metadata")]
    locations = list(shapely.from_wkb(np.array([*wkb, None], object)[:-1])) if any(wkb) else None
    return DatumColumns.of_uids(uids, metadata if any(metadata) else None, locations)
