"""A model's predictions in one parquet file: an artifact from which a store can be rebuilt.

A row is one label of one annotation: ``uid``, ``annotation`` (rows of one annotation
share a number), ``key``, ``value``, ``score``, ``x``, ``y``, ``width``, ``height`` (pixels),
``area``, ``crowd``, ``embedding`` (numbers), ``shape`` (WKB) or
``raster`` (COCO RLE as JSON), ``metadata`` (JSON).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from velour_plugin.domain.canonical import canonical_json
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.embedding import Embedding
from velour_plugin.domain.geometry import MultiPolygon, Polygon, Raster, Shape
from velour_plugin.domain.table import AnnotationTable
from velour_plugin.errors import BadDataset

_CELLS = ("uid", "shape", "raster", "metadata", "embedding")
_BOX = ("x", "y", "width", "height")


def write_predictions(dataset: Dataset, path: Path) -> None:
    """Write a dataset's predictions; the model's name is in the file's own metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    said = dataset.predictions
    assert said is not None
    keys, values = zip(*said.labels, strict=True) if said.labels else ((), ())
    columns = {
        "uid": _named(dataset.uids, said.datum),
        "annotation": pa.array(said.annotation),
        "key": _named(keys, said.label),
        "value": _named(values, said.label),
        "score": pa.array(said.score, from_pandas=True),
        **{name: pa.array(said.box[:, at], from_pandas=True) for at, name in enumerate(_BOX)},
        "area": pa.array(said.area, from_pandas=True),
        "crowd": pa.array(said.crowd),
        "shape": pa.array(_each(said.shape, said, _wkb), pa.binary()),
        "raster": pa.array(_each(said.shape, said, _rle), pa.string()),
        "metadata": pa.array(_each(said.metadata, said, canonical_json), pa.string()),
        "embedding": pa.array(
            _each(said.embedding, said, lambda item: item.vector), pa.list_(pa.float64())
        ),
    }
    table = pa.table(columns).replace_schema_metadata({"velour.model": str(dataset.model)})
    pq.write_table(table, path, compression="zstd")


def read_predictions(path: Path, dataset: Dataset) -> Dataset:
    """Give a dataset the predictions of a file that :func:`write_predictions` made.

    Raises:
        BadDataset: a row is for no datum of the dataset.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    model = (table.schema.metadata or {}).get(b"velour.model", b"").decode()
    columns = {name: table[name].to_pylist() for name in _CELLS}
    numbers = {name: table[name].to_numpy().astype(np.float64) for name in (*_BOX, "score", "area")}
    names = list(zip(table["key"].to_pylist(), table["value"].to_pylist(), strict=True))
    labels = list(dict.fromkeys([*dataset.truth.labels, *sorted(set(names))]))
    place = {name: at for at, name in enumerate(labels)}
    strange = next((uid for uid in columns["uid"] if uid not in dataset.place), None)
    if strange is not None:
        raise BadDataset(f"{str(path)!r}: datum {strange!r} is not in dataset {dataset.name!r}.")
    said = AnnotationTable.from_columns(
        labels,
        np.array([dataset.place[uid] for uid in columns["uid"]], np.int32),
        np.array([place[name] for name in names], np.int32),
        annotation=table["annotation"].to_numpy(),
        score=numbers["score"],
        box=np.column_stack([numbers[name] for name in _BOX]),
        area=numbers["area"],
        crowd=table["crowd"].to_numpy(zero_copy_only=False),
        shape=[_shape(*both) for both in zip(columns["shape"], columns["raster"], strict=True)],
        metadata=[said and json.loads(said) for said in columns["metadata"]],
        embedding=[None if row is None else Embedding(row) for row in columns["embedding"]],
    )
    return dataset.with_predictions(said, model)


def _named(names: Sequence[str], places: Any) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(places), pa.array(list(names), pa.string()))


def _each(column: Any, said: AnnotationTable, spell: Any) -> list[Any]:
    if column is None:
        return [None] * len(said)
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
