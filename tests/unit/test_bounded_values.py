"""Values that are enormous, nested deep or no text end at the door, whatever the store."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import velour_plugin as velour
from velour_plugin.domain.metadata import DEEPEST, decode_metadata, encode_metadata
from velour_plugin.errors import (
    BadAnnotation,
    BadDataset,
    BadFilter,
    BadGeometry,
    BadMetadata,
    InvalidInput,
    UnknownName,
    VelourError,
)
from velour_plugin.filters import parse_filter
from velour_plugin.helpers.parquet import read_predictions, write_predictions
from velour_plugin.helpers.representation import shortened

LABEL = velour.Label("class", "cat")
ENORMOUS = 10**400
HALF = "\ud83d"


def nested(levels: int, kind: Callable[[Any], Any] = lambda value: [value]) -> Any:
    return functools.reduce(lambda value, _: kind(value), range(levels), 1)


NOT_STORABLE: dict[str, Callable[[], Any]] = {
    "label": lambda: velour.Label("class", HALF),
    "long label": lambda: velour.Label("class", "x" * 10**7),
    "long label of few letters": lambda: velour.Label("class", "é" * 501),
    "label of a table": lambda: velour.AnnotationTable.from_columns(
        [("class", "cat"), ("class", HALF)], np.zeros(1), np.zeros(1)
    ),
    "long label of a table": lambda: velour.AnnotationTable.from_columns(
        [("class", "x" * 1_001)], np.zeros(1), np.zeros(1)
    ),
    "empty label of a table": lambda: velour.AnnotationTable.from_columns(
        [("class", "")], np.zeros(1), np.zeros(1)
    ),
    "uid": lambda: velour.Datum("a\x00"),
    "long uid": lambda: velour.Datum("x" * 2_501),
    "metadata of an annotation": lambda: velour.Annotation([LABEL], metadata={"a": "\x00"}),
    "metadata of a table": lambda: velour.AnnotationTable.from_columns(
        [("class", "cat")], np.zeros(1), np.zeros(1), metadata=[{"note": "a\x00b"}]
    ),
    "key in a table": lambda: velour.AnnotationTable.from_columns(
        [("class", "cat")], np.zeros(1), np.zeros(1), metadata=[{"a\x00": 1}]
    ),
    "NaN in a table": lambda: velour.AnnotationTable.from_columns(
        [("class", "cat")], np.zeros(1), np.zeros(1), metadata=[{"a": float("nan")}]
    ),
    "model": lambda: velour.Model("x" * 1_001),
    "dataset": lambda: velour.Dataset.from_groundtruths(
        [velour.GroundTruth(velour.Datum("a"), [])], "x" * 1_001
    ),
}


@pytest.mark.parametrize("name", NOT_STORABLE)
def test_what_no_store_can_hold_is_refused_in_a_short_message(name: str) -> None:
    """PostgreSQL's indexes have no room for more than 2,704 bytes, and none for U+0000."""
    with pytest.raises(InvalidInput) as refused:
        NOT_STORABLE[name]()
    assert len(str(refused.value).encode()) < 400


@pytest.mark.parametrize("kind", [BadDataset, UnknownName])
def test_a_message_can_be_printed_whatever_it_quotes(kind: type[VelourError]) -> None:
    error = UnknownName("class", "x", ["y"]) if kind is UnknownName else kind("ring \ud800")
    error.args = ("ring \ud800",)
    assert str(error) == "ring \\ud800"


def test_the_longest_names_are_kept(tmp_path: Path) -> None:
    label = velour.Label("k" * 1_000, "é" * 500)
    truth = [velour.GroundTruth(velour.Datum("x" * 2_500), [velour.Annotation([label])])]
    dataset = velour.Dataset.from_groundtruths(truth, "d" * 1_000)
    assert list(dataset.truth.annotations_of(0)[0].labels) == [label]


def test_metadata_nests_within_a_limit() -> None:
    deepest = {"a": nested(DEEPEST)}
    assert decode_metadata(encode_metadata(deepest)) == deepest
    for kind in (lambda value: [value], lambda value: {"b": value}):
        with pytest.raises(BadMetadata, match="nested too deep: expected at most 64"):
            encode_metadata({"a": nested(900, kind)})


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_moments_outside_the_calendar_of_utc_are_refused(text: str) -> None:
    with pytest.raises(BadMetadata, match="in UTC that is outside the years 1 to 9999"):
        encode_metadata({"at": dt.datetime.fromisoformat(text)})


@pytest.mark.parametrize(
    "encoded",
    [
        {"a": {"$date": 5}},
        {"a": {"$datetime": "yesterday"}},
        {"a": {"$duration": 1e300}},
        {"a": [{"$time": None}]},
        {"a": {"type": "Polygon", "coordinates": [[1]]}},
        {"a": {"type": "Point", "coordinates": [ENORMOUS, 1]}},
        [1],
    ],
)
def test_metadata_at_rest_that_is_damaged_is_refused(encoded: Any) -> None:
    with pytest.raises(BadMetadata, match="expected a"):
        decode_metadata(encoded)


@pytest.mark.parametrize(
    "make",
    [
        lambda: velour.BoundingBox(0, 0, ENORMOUS, 1),
        lambda: velour.BoundingBox.from_xywh(0, 0, 1, ENORMOUS),
        lambda: velour.Polygon([(0, 0), (ENORMOUS, 0), (1, 1)]),
        lambda: velour.Raster({"size": [float("inf"), 1], "counts": [1]}),
        lambda: velour.Raster({"size": [1, 1], "counts": [ENORMOUS]}),
        lambda: velour.Annotation([LABEL], area=ENORMOUS),
        lambda: velour.Annotation([LABEL], embedding=[ENORMOUS]),
        lambda: velour.Label("class", "cat", ENORMOUS),
    ],
)
def test_numbers_that_no_float_can_hold_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises((BadGeometry, BadAnnotation)):
        make()


def compared(operand: Any, op: str = "=") -> dict[str, Any]:
    return {"op": op, "args": [{"property": "location"}, operand]}


FILTERS: dict[str, tuple[Any, str]] = {
    "corner": (compared({"bbox": [1, 2, 3, ENORMOUS]}, "s_within"), "expected west, south"),
    "nested place": (
        compared({"type": "Polygon", "coordinates": nested(3_000)}, "s_within"),
        r"geometry \{'coordinates': \[\[",
    ),
    "nested collection": (
        compared(
            nested(3_000, lambda part: {"type": "GeometryCollection", "geometries": [part]}),
            "s_within",
        ),
        "geometry ",
    ),
    "type that is none": (compared({"type": [1], "coordinates": [1]}), "expected a property"),
    "number": (compared(ENORMOUS), "expected a property, literal"),
    "number without a text": (compared(10**5_000), "an enormous int in a filter"),
    "half a letter": (compared(HALF), "expected a property, literal"),
    "nested name": ({"op": "=", "args": [{"property": nested(3_000)}, 1]}, "expected the name of"),
    "nested operator": ({"op": nested(3_000), "args": []}, "expected the name of an operator"),
    "nested moment": (compared({"timestamp": nested(3_000)}), "is no moment"),
    "nested operators": (
        nested(3_000, lambda part: {"op": "not", "args": [part]}),
        "nests deeper than 100",
    ),
    "nested value": (compared(nested(3_000)), "expected a property, literal"),
    "long text": (f"a = '{'x' * 1_000_000}'", "has 1,000,006 characters"),
    "wrong far on": (f"a = '{'x' * 5_000}' AND b = 1e400", "expected a property, literal"),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_beyond_measure_are_refused_in_a_bounded_message(name: str) -> None:
    where, message = FILTERS[name]
    with pytest.raises((BadFilter, BadGeometry), match=message) as refused:
        parse_filter(where)
    assert len(str(refused.value)) < 2_000


def test_any_value_has_a_short_text() -> None:
    values = [10**5_000, nested(3_000), "x" * 10**6, {"a": nested(99)}, list(range(1_000)), HALF]
    assert all(len(shortened(value)) < 200 for value in values)


DAMAGES: dict[str, tuple[str, Any, str]] = {
    "text for a score": ("score", pa.array(["x"]), "column 'score' holds string: expected numbers"),
    "numbers for metadata": ("metadata", pa.array([1]), "column 'metadata' holds int64"),
    "text for a shape": ("shape", pa.array(["x"]), "column 'shape' holds string: expected WKB"),
    "number for crowd": ("crowd", pa.array([1]), "column 'crowd' holds int64: expected true"),
    "no annotation": ("annotation", pa.array([None], pa.int32()), "1 rows without a value"),
    "WKB of nothing": ("shape", pa.array([b"\x01\x03"]), "no annotations as Velour writes them"),
    "WKB of a point": (
        "shape",
        pa.array([b"\x01\x01\x00\x00\x00" + bytes(16)]),
        "expected",
    ),
    "metadata cut off": ("metadata", pa.array(['{"a": ']), "metadata is not valid JSON"),
    "metadata of a list": ("metadata", pa.array(["[1]"]), "expected a JSON object"),
    "metadata of a bad date": ("metadata", pa.array(['{"a": {"$date": 5}}']), "row 0: metadata"),
    "metadata without end": ("metadata", pa.array(["[" * 9_000]), "metadata is nested too deep"),
    "enormous mask": ("raster", pa.array([[10**9, 10**9, 5]]), "at most 2,147,483,647 pixels"),
    "NaN in an embedding": ("embedding", pa.array([[float("nan")]]), "embedding of shape"),
    "score of 2": ("score", pa.array([2.0]), "a score is a number in"),
}


@pytest.fixture
def dataset() -> velour.Dataset:
    datum, said = velour.Datum("1"), velour.Annotation([velour.Label("class", "cat", 0.5)])
    truth = velour.Dataset.from_groundtruths([velour.GroundTruth(datum, [])], "pets")
    return truth.with_predictions([velour.Prediction(datum, [said])], "m")


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_column_of_a_parquet_file_is_refused_by_file_and_value(
    name: str, dataset: velour.Dataset, tmp_path: Path
) -> None:
    column, values, message = DAMAGES[name]
    path = tmp_path / "predictions.parquet"
    write_predictions(dataset, path)
    table = pq.read_table(path)
    if column in table.column_names:
        table = table.drop_columns([column])
    pq.write_table(table.append_column(column, values), path)
    with pytest.raises(InvalidInput, match=f"predictions.parquet'.*{message}"):
        read_predictions(path, dataset)


@pytest.mark.parametrize("keep", [0, 3, 4, 40, 300, -1, -8])
def test_a_parquet_file_that_is_cut_is_refused(
    keep: int, dataset: velour.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(dataset, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadDataset, match="is no parquet, or a damaged file"):
        read_predictions(path, dataset)


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "5",
        '{"name": "d"}',
        '{"name": "d", "model": "m", "metadata": [], "labels": [], "parts": []}',
        '{"name": "d", "model": "m", "metadata": {}, "labels": [["a"]], "parts": []}',
        '{"name": "d", "model": "m", "metadata": {}, "labels": [], "parts": ["../elsewhere"]}',
        '{"name": "d", "model": "m", "metadata": {}, "labels": [], "parts": [7]}',
        '{"name": "d", "model": "m", "metadata": {}, "labels": [], "parts": [], "location": 5}',
        "[" * 10_000,
    ],
)
def test_an_index_of_partitions_that_is_none_is_refused(index: str, tmp_path: Path) -> None:
    (tmp_path / "velour-partitions.json").write_text(index)
    with pytest.raises(InvalidInput, match="holds no partitions"):
        velour.PartitionedDataset(tmp_path)


@pytest.mark.parametrize("part", ["images", "categories", "annotations"])
def test_a_list_of_a_coco_file_that_stands_twice_is_refused(part: str, tmp_path: Path) -> None:
    """By the compiled reader as by Python: half of a file would be read."""
    lists = {
        "images": [{"id": 1, "height": 9, "width": 9}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]}],
    }
    text = json.dumps(lists).replace(f'"{part}"', f'"{part}": [], "{part}"')
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(BadDataset, match=f"has '{part}' twice in one object"):
        velour.read_dataset(tmp_path / "truth.json")
