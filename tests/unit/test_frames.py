"""Frames as columns of datums: the same as row by row, and the same refusals."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from velour_integrations.mlflow.datasets import frames
from velour_integrations.mlflow.datasets.columns import scores_table

import velour_plugin as velour
from velour_plugin.domain.columns.datum_columns import DatumColumns
from velour_plugin.domain.encoding.content import datum_bytes
from velour_plugin.errors import BadDataset

FRAME = pd.DataFrame(
    {
        "uid": ["10", "9", "x", "1"],
        "city": ["Rome", None, "Oslo", "Rome"],
        "age": [3, 4, 3, 9],
        "share": [0.5, np.nan, 0.25, 1e300],
        "seen": [dt.datetime(2024, 5, 1), pd.NaT, dt.datetime(2024, 5, 2), pd.NaT],
        "mixed": [True, [1], 2, "two"],
        "nothing": [None] * 4,
    }
)
TRUTH = np.array([1, 0, 1, 2])


def row_by_row(frame: pd.DataFrame, config: dict[str, str]) -> velour.Dataset:
    """What reading made of each row before there were columns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "_check_columns", _refuse)
        dataset: velour.Dataset = frames.read_frame(frame, TRUTH, "people", config)[0]
    return dataset


def _refuse(columns: Any) -> None:
    raise BadDataset("not by columns")


@pytest.mark.parametrize("config", [{}, {"uid": "uid"}])
@pytest.mark.parametrize("columns", [list(FRAME), ["uid"], ["uid", "nothing"]])
def test_columns_and_rows_are_one_dataset(config, columns):
    """With metadata of every kind, with none, and in another order of datums."""
    read, uids = frames.read_frame(FRAME[columns], TRUTH, "people", config)
    assert list(uids) == (FRAME["uid"].tolist() if config else ["0", "1", "2", "3"])
    other = row_by_row(FRAME[columns], config)
    assert read.datums == other.datums
    assert read.digest == other.digest


def test_a_frame_without_metadata_has_columns_without_rows():
    read, _ = frames.read_frame(FRAME[[]], TRUTH, "people", {})
    assert read.datums.metadata is None
    assert read.datums.is_numbered


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"age": [1, 2, np.inf, 4]}, "row 2, datum '2': metadata 'age' is inf: expected a number"),
        ({"age": ["a", "b", "c\0", "d"]}, "row 2, datum '2': metadata 'age' is"),
        ({"$age": [1, 2, 3, 4]}, "row 0, datum '0': metadata key '\\$age'"),
    ],
)
def test_what_a_row_may_not_say_is_refused_with_its_row(column, message):
    with pytest.raises(BadDataset, match=message):
        frames.read_frame(pd.DataFrame(column), TRUTH, "people", {})


def test_a_value_without_a_hash_is_read_row_by_row():
    """Such as a numpy record that may be written to."""
    records = np.zeros(4, [("a", int)])
    frame = pd.DataFrame({"odd": pd.Series([records[row] for row in range(4)], dtype=object)})
    read, _ = frames.read_frame(frame, TRUTH, "people", {})
    assert read.digest == row_by_row(frame, {}).digest


def test_scores_are_columns_whatever_the_order_of_their_rows():
    """Sorted by datum, and a little above 1 is 1, as float32 sums are."""
    scores = np.array([[0.2, 0.8], [1 + 1e-7, 0.0], [0.5, 0.5]])
    table = scores_table(scores, ["a", "b"], np.array([2, 0, 1]))
    assert table.datum.tolist() == [0, 0, 1, 1, 2, 2]
    assert table.score.tolist() == [1.0, 0.0, 0.5, 0.5, 0.2, 0.8]
    in_order = scores_table(scores[[1, 2, 0]], ["a", "b"], np.arange(3))
    assert list(datum_bytes(table, 3)) == list(datum_bytes(in_order, 3))


def test_numbered_datums_are_those_of_their_names():
    numbered = DatumColumns.numbered(3)
    assert numbered == DatumColumns.of_uids(["0", "1", "2"])
    assert numbered.take([2, 0]) == DatumColumns.of_uids(["2", "0"])
    with pytest.raises(BadDataset, match="'2' occurs twice in dataset 'x'"):
        numbered.take([2, 2]).check_unique("x")
