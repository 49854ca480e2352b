"""Datasets and predictions in parquet files: artifacts, interchange, and partitions.

A row of annotations is one label of one annotation: ``uid``, ``annotation`` (rows of one
annotation share a number), ``key``, ``value``, ``score``, ``x``, ``y``, ``width``, ``height``
(pixels), ``area``, ``crowd``, ``shape`` (WKB) or ``raster`` (COCO RLE as JSON), ``metadata``
(JSON), ``embedding`` (numbers). A row of datums is ``uid``, ``metadata`` (JSON), ``location``
(WKB).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.canonical import canonical_json
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.embedding import Embedding
from velour_plugin.domain.geometry import MultiPolygon, Polygon, Raster, Shape
from velour_plugin.domain.metadata import decode_metadata, encode_metadata
from velour_plugin.domain.table import AnnotationTable, LabelName
from velour_plugin.errors import BadDataset, InvalidInput

_BOX = ("x", "y", "width", "height")
_CELLS = ("uid", "shape", "raster", "metadata", "embedding")


def write_predictions(dataset: Dataset, path: Path) -> None:
    """Write a dataset's predictions; the model's name is in the file's own metadata."""
    assert dataset.predictions is not None
    write_table(dataset.predictions, dataset.uids, path, {"velour.model": str(dataset.model)})


def read_predictions(path: Path, dataset: Dataset) -> Dataset:
    """Give a dataset the predictions of a file that :func:`write_predictions` made.

    Raises:
        BadDataset: a row is for no datum of the dataset.
    """
    said, notes = read_table(path, dataset.place, dataset.truth.labels)
    return dataset.with_predictions(said, notes.get("velour.model", ""))


def write_table(
    table: AnnotationTable, uids: Sequence[str], path: Path, notes: Mapping[str, str] | None = None
) -> None:
    """Write annotations.

    Args:
        table: of the datums named by ``uids``.
        uids: of the datums, by position.
        path: of the file, which is replaced.
        notes: kept in the file's own metadata.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys, values = zip(*table.labels, strict=True) if table.labels else ((), ())
    columns = {
        "uid": _named(uids, table.datum),
        "annotation": pa.array(table.annotation),
        "key": _named(keys, table.label),
        "value": _named(values, table.label),
        "score": pa.array(table.score, from_pandas=True),
        **{name: pa.array(table.box[:, at], from_pandas=True) for at, name in enumerate(_BOX)},
        "area": pa.array(table.area, from_pandas=True),
        "crowd": pa.array(table.crowd),
        "shape": pa.array(_each(table.shape, table, _wkb), pa.binary()),
        "raster": pa.array(_each(table.shape, table, _rle), pa.string()),
        "metadata": pa.array(_each(table.metadata, table, canonical_json), pa.string()),
        "embedding": pa.array(
            _each(table.embedding, table, lambda item: item.vector), pa.list_(pa.float64())
        ),
    }
    content = pa.table(columns).replace_schema_metadata(dict(notes or {}))
    pq.write_table(content, path, compression="zstd")


def read_table(
    path: Path, place: Mapping[str, int], labels: Sequence[LabelName] = ()
) -> tuple[AnnotationTable, dict[str, str]]:
    """Read annotations, and the notes that were written with them.

    Args:
        path: of the file.
        place: position of each datum by its uid.
        labels: classes to keep a place for, in this order; others follow, sorted.

    Raises:
        InvalidInput: the file cannot be read.
        BadDataset: it is no parquet, or a row is for no datum in ``place``.
    """
    content = _content(path)
    columns = {name: content[name].to_pylist() for name in _CELLS}
    numbers = {
        name: content[name].to_numpy().astype(np.float64) for name in (*_BOX, "score", "area")
    }
    names = list(zip(content["key"].to_pylist(), content["value"].to_pylist(), strict=True))
    known = list(dict.fromkeys([*labels, *sorted(set(names))]))
    at = {name: number for number, name in enumerate(known)}
    strange = next((uid for uid in columns["uid"] if uid not in place), None)
    if strange is not None:
        raise BadDataset(f"{str(path)!r}: datum {strange!r} is not in the dataset.")
    table = AnnotationTable.from_columns(
        known,
        np.array([place[uid] for uid in columns["uid"]], np.int32),
        np.array([at[name] for name in names], np.int32),
        annotation=content["annotation"].to_numpy(),
        score=numbers["score"],
        box=np.column_stack([numbers[name] for name in _BOX]),
        area=numbers["area"],
        crowd=content["crowd"].to_numpy(zero_copy_only=False),
        shape=[_shape(*both) for both in zip(columns["shape"], columns["raster"], strict=True)],
        metadata=[said and json.loads(said) for said in columns["metadata"]],
        embedding=[None if row is None else Embedding(row) for row in columns["embedding"]],
    )
    notes = content.schema.metadata or {}
    return table, {key.decode(): value.decode() for key, value in notes.items()}


def write_datums(datums: Iterable[Datum], path: Path) -> None:
    """Write datums without their annotations."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        (
            datum.uid,
            canonical_json(encode_metadata(datum.metadata)),
            None if datum.location is None else bytes(shapely.to_wkb(datum.location)),
        )
        for datum in datums
    ]
    uids, metadata, places = zip(*rows, strict=True)
    columns = {
        "uid": pa.array(uids, pa.string()),
        "metadata": pa.array(metadata, pa.string()),
        "location": pa.array(places, pa.binary()),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def read_datums(path: Path) -> list[Datum]:
    """Read datums that :func:`write_datums` wrote, in their order."""
    content = _content(path)
    columns = (content[name].to_pylist() for name in ("uid", "metadata", "location"))
    return [
        Datum(uid, decode_metadata(json.loads(said)), place and shapely.from_wkb(place))
        for uid, said, place in zip(*columns, strict=True)
    ]


def _content(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except OSError as error:
        raise InvalidInput(f"{str(path)!r} cannot be read: {error}.") from error
    except pa.ArrowInvalid as error:
        raise BadDataset(f"{str(path)!r} is no parquet: {error}.") from error


def _named(names: Sequence[str], places: Any) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(places), pa.array(list(names), pa.string()))


def _each(column: Any, table: AnnotationTable, spell: Callable[[Any], Any]) -> list[Any]:
    if column is None:
        return [None] * len(table)
    return [None if value is None else spell(value) for value in column]


def _wkb(shape: Shape) -> bytes | None:
    return None if isinstance(shape, Raster) else bytes(shapely.to_wkb(shape.shape))


def _rle(shape: Shape) -> str | None:
    return json.dumps(shape.to_rle()) if isinstance(shape, Raster) else None


def _shape(wkb: bytes | None, rle: str | None) -> Shape | None:
    if rle is not None:
        return Raster(json.loads(rle))
    if wkb is None:
        return None
    geometry = shapely.from_wkb(wkb)
    return Polygon(geometry) if isinstance(geometry, shapely.Polygon) else MultiPolygon(geometry)
