"""Floats of few decimals rest as whole numbers, and come back to the bit."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.domain.encoding.arrow import (
    column_to_numpy,
    columns_to_parquet,
    numbers_to_arrow,
    parquet_to_table,
)
from velour_plugin.domain.encoding.codec import table_from_bytes, table_to_bytes
from velour_plugin.domain.encoding.content import datum_bytes

RNG = np.random.default_rng(3)
COLUMNS: dict[str, Any] = {
    **{f"decimals {d}": RNG.normal(0, 500, 300).round(d) + 0.0 for d in range(8)},
    "short": RNG.random(300).round(2).astype(np.float32),
    "short, any": RNG.random(300).astype(np.float32),
    "any": RNG.random(300),
    "large": RNG.normal(0, 1e12, 300).round(1),
    "seldom": np.array([0.5] * 299 + [1 / 3]),
    "zero": np.array([0.0, -0.0] * 150),
    "not a number": np.array([0.5, np.nan, np.inf] * 100),
    "whole": np.arange(300, dtype=np.int32),
    "bits": RNG.integers(0, 2**63, 300).astype(np.uint64),
    "flags": RNG.random(300) < 0.5,
    "texts": np.array([f"ä{number % 7}" for number in range(300)], object),
}


def same(left: Any, right: Any) -> bool:
    if left.dtype == object:
        return bool(left.tolist() == right.tolist())
    return bool(left.dtype == right.dtype and left.tobytes() == right.tobytes())


@pytest.mark.parametrize("compact", [True, False])
def test_every_column_comes_back_to_the_bit(compact: bool) -> None:
    table = parquet_to_table(columns_to_parquet(COLUMNS, {"note": "it"}, compact=compact))
    assert table.schema.metadata == {b"note": b"it"}
    assert table.column_names == list(COLUMNS)
    for name, column in COLUMNS.items():
        assert same(column_to_numpy(table[name]), column), name


def test_a_missing_number_stays_missing() -> None:
    column = np.array([1.25, np.nan, -3.5, 0.0] * 9)
    absent = numbers_to_arrow(column, nan_is_absent=True)
    table = parquet_to_table(columns_to_parquet({"x": absent}, compact=True))
    assert table["x"].null_count == absent.null_count == 9
    assert same(column_to_numpy(table["x"]), column)


def test_empty_columns_come_back() -> None:
    columns = {"x": np.zeros(0), "n": np.zeros(0, np.int32), "b": np.zeros(0, bool)}
    table = parquet_to_table(columns_to_parquet(columns, compact=True))
    assert [len(column_to_numpy(table[name])) for name in columns] == [0, 0, 0]


def test_decimals_are_less_than_half_as_large() -> None:
    """Such as coordinates in images; a thousand different numbers would go in a dictionary."""
    column = {"x": (np.random.default_rng(5).random(20_000) * 640).round(3)}
    assert 2 * len(columns_to_parquet(column, compact=True)) < len(columns_to_parquet(column))


def test_writing_and_reading_import_no_pandas() -> None:
    """It takes as long as writing ten evaluations."""
    program = (
        "import sys, numpy as np\n"
        "from velour_plugin.domain.encoding.codec import table_from_bytes, table_to_bytes\n"
        "from velour_plugin.domain.columns.annotation_table import AnnotationTable\n"
        "datum, names = np.arange(9, dtype=np.int32), [('class', 'a')]\n"
        "box, score = np.ones((9, 4)), np.linspace(0, 1, 9)\n"
        "score[3] = np.nan\n"
        "table = AnnotationTable.from_columns(names, datum, datum * 0, score=score, box=box)\n"
        "uids = [str(number) for number in range(9)]\n"
        "content = table_to_bytes(table, uids, compact=True)\n"
        "table_from_bytes(content, {'3': 0, '7': 1}, some=True)\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def annotations(seed: int, **more: Any) -> velour.AnnotationTable:
    """Rows on twelve datums, some without, some with shapes and metadata."""
    rng = np.random.default_rng(seed)
    rows = 60
    box = rng.random((rows, 4)).round(3) * 100
    shapes = [
        velour.Raster(rng.random((4, 5)) < 0.5) if row % 3 else
        velour.Polygon([(0, 0), (row + 1, 0), (0, 2.5)]) if row % 2 else None
        for row in range(rows)
    ]  # fmt: skip
    columns = {"score": rng.random(rows).round(4), "box": box, "crowd": rng.random(rows) < 0.2}
    return velour.AnnotationTable.from_columns(
        [("class", "a"), ("class", "b"), ("color", "blue")],
        np.sort(rng.integers(0, 12, rows)),
        rng.integers(0, 3, rows),
        **{**columns, "area": box[:, 2] * box[:, 3], "shape": shapes, **more},
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"area": np.arange(60) / 7},
        {"area": None, "shape": None},
        {"box": None, "area": None, "score": None},
        {"metadata": [{"n": number} if number % 2 else {} for number in range(60)]},
    ],
)
def test_compact_annotations_have_the_same_digests(seed: int, more: dict[str, Any]) -> None:
    table, uids = annotations(seed, **more), [f"uid {number}" for number in range(12)]
    index_of = {uid: index for index, uid in enumerate(uids)}
    content = table_to_bytes(table, uids, {"model": "m"}, compact=True)
    back, notes = table_from_bytes(content, index_of, table.labels)
    assert notes == {"model": "m"}
    assert list(datum_bytes(back, 12)) == list(datum_bytes(table, 12))
    assert back.area.tobytes() == table.area.tobytes()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("compact", [True, False])
def test_some_datums_are_read_as_if_the_others_had_been_left_out(seed: int, compact: bool) -> None:
    table, uids = annotations(seed), [f"uid {number}" for number in range(12)]
    chosen = np.random.default_rng(seed).random(12) < 0.4
    names = [uid for uid, stays in zip(uids, chosen, strict=True) if stays]
    content = table_to_bytes(table, uids, compact=compact)
    index_of = {uid: index for index, uid in enumerate(names)}
    some, _ = table_from_bytes(content, index_of, table.labels, some=True)
    expected = table.on_datums(chosen)
    assert some.labels == expected.labels
    assert some.annotation.tolist() == expected.annotation.tolist()
    assert list(datum_bytes(some, len(names))) == list(datum_bytes(expected, len(names)))
