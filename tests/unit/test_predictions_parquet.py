"""Predictions and datums rest in parquet files, from which they come back as they were."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

import velour_plugin as velour
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.helpers.parquet import (
    read_datums,
    read_predictions,
    write_datums,
    write_predictions,
)

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
HOLE = [(1, 1), (3, 1), (3, 3), (1, 3)]
DATUMS = [velour.Datum(uid) for uid in ("1", "2", "Zürich/3.png")]

REGIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "box": {"bounding_box": velour.BoundingBox.from_xywh(0.1, 0, 0.2, 4)},
    "polygon": {"polygon": velour.Polygon([SQUARE, HOLE])},
    "multipolygon": {"multipolygon": velour.MultiPolygon([[SQUARE], [[(9, 9), (8, 9), (8, 8)]]])},
    "raster": {"raster": velour.Raster(np.eye(5, dtype=bool))},
    "empty raster": {"raster": velour.Raster(np.zeros((2, 3), bool))},
    "box and raster": {
        "bounding_box": velour.BoundingBox(0, 0, 1, 1),
        "raster": velour.Raster(np.ones((2, 3), bool)),
    },
}
EXTRAS: dict[str, dict[str, Any]] = {
    "nothing more": {},
    "crowd": {"is_crowd": True},
    "area": {"area": 0.1},
    "metadata": {"metadata": {"late": True, "at": dt.date(2024, 6, 1), "of": [1.5, None]}},
    "embedding": {"embedding": [0.1, -2.0, 3.0]},
}


def dataset(*annotations: velour.Annotation, uid: str = "2", model: str = "yolo") -> velour.Dataset:
    data = velour.Dataset.from_groundtruths(map(velour.GroundTruth, DATUMS), "fires")
    predictions = [velour.Prediction(velour.Datum(uid), annotations)] if annotations else []
    return data.with_predictions(predictions, model)


def annotation(**options: Any) -> velour.Annotation:
    labels = [velour.Label("class", "fire", 0.1), velour.Label("color", "röt", 1 / 3)]
    return velour.Annotation(labels, **options)


def through_parquet(data: velour.Dataset, folder: Path) -> velour.Dataset:
    write_predictions(data, folder / "predictions.parquet")
    empty = velour.Dataset.from_groundtruths(map(velour.GroundTruth, DATUMS), "fires")
    return read_predictions(folder / "predictions.parquet", empty)


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("region", REGIONS)
def test_predictions_come_back(tmp_path: Path, region: str, extra: str) -> None:
    data = dataset(annotation(**REGIONS[region], **EXTRAS[extra]))
    back = through_parquet(data, tmp_path)
    assert back.predictions_digest == data.predictions_digest
    assert list(back.predicted) == list(data.predicted)
    assert back.model == "yolo"


def test_regions_of_every_kind_come_back_together(tmp_path: Path) -> None:
    """And no score stays no score."""
    annotations = [
        annotation(**region, **extra) for region in REGIONS.values() for extra in EXTRAS.values()
    ]
    annotations.append(velour.Annotation(velour.Label("class", "fire")))
    data = dataset(*annotations)
    back = through_parquet(data, tmp_path)
    assert back.predictions_digest == data.predictions_digest
    assert list(back.predicted) == list(data.predicted)


def test_no_predictions_are_a_file_without_rows(tmp_path: Path) -> None:
    data = dataset()
    back = through_parquet(data, tmp_path)
    assert back.predictions_digest == data.predictions_digest
    assert pq.read_table(tmp_path / "predictions.parquet").num_rows == 0


def test_a_row_is_one_label_of_one_annotation(tmp_path: Path) -> None:
    write_predictions(dataset(annotation(**REGIONS["box"])), tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert [(row["uid"], row["key"], row["value"], row["score"]) for row in rows] == [
        ("2", "class", "fire", 0.1), ("2", "color", "röt", 1 / 3),
    ]  # fmt: skip
    assert [rows[0][name] for name in ("x", "y", "width", "height")] == [0.1, 0, 0.2, 4]
    assert rows[0]["annotation"] == rows[1]["annotation"]
    assert "area" not in rows[0], "a column without a value is absent"


def test_classes_keep_the_order_of_the_ground_truth(tmp_path: Path) -> None:
    order = [("class", "smoke"), ("class", "fire"), ("color", "röt"), ("color", "grün")]
    data = velour.Dataset.from_groundtruths(map(velour.GroundTruth, DATUMS), "f", labels=order)
    annotations = data.with_predictions([velour.Prediction(DATUMS[0], [annotation()])], "m")
    write_predictions(annotations, tmp_path / "p.parquet")
    back = read_predictions(tmp_path / "p.parquet", data)
    assert back.predictions is not None
    assert back.predictions.labels == tuple(order)


def test_a_prediction_for_another_dataset_is_refused(tmp_path: Path) -> None:
    write_predictions(dataset(annotation(), uid="2"), tmp_path / "p.parquet")
    other = velour.Dataset.from_groundtruths([velour.GroundTruth(velour.Datum("1"))], "other")
    with pytest.raises(BadDataset, match=r"p\.parquet': datum '2' is not in the dataset"):
        read_predictions(tmp_path / "p.parquet", other)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("uid,score\n1,0.5\n")
    for name, reason in (("absent.parquet", "cannot be read"), ("text.parquet", "is no parquet")):
        with pytest.raises(InvalidInput, match=reason) as refusal:
            read_predictions(tmp_path / name, dataset())
        assert name in str(refusal.value)


def test_a_file_without_a_column_that_it_needs_is_refused(tmp_path: Path) -> None:
    """As other programs may write them."""
    write_predictions(dataset(annotation()), tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet")
    for name in ("uid", "key", "value"):
        pq.write_table(table.drop_columns([name]), tmp_path / "p.parquet")
        with pytest.raises(BadDataset, match=rf"p\.parquet': there is no column '{name}'"):
            read_predictions(tmp_path / "p.parquet", dataset())


def test_a_row_without_a_datum_is_refused(tmp_path: Path) -> None:
    columns = {"uid": ["2", None], "key": ["class", "class"], "value": ["fire", "fire"]}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    with pytest.raises(BadDataset, match="column 'uid' has 1 rows without a value"):
        read_predictions(tmp_path / "p.parquet", dataset())


def test_numbers_are_no_names_of_datums(tmp_path: Path) -> None:
    columns = {"uid": [2], "key": ["class"], "value": ["fire"]}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    with pytest.raises(BadDataset, match="column 'uid' holds int64: expected text"):
        read_predictions(tmp_path / "p.parquet", dataset())


def test_plain_columns_of_other_programs_are_read(tmp_path: Path) -> None:
    """Text that is no dictionary, a missing score as null or NaN, no annotation numbers."""
    columns = {
        "uid": ["2", "1", "2"],
        "key": ["class"] * 3,
        "value": ["fire", "smoke", "fire"],
        "score": [0.5, None, float("nan")],
    }
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    table = read_predictions(tmp_path / "p.parquet", dataset()).predictions
    assert table is not None
    assert table.labels == (("class", "fire"), ("class", "smoke"))
    assert table.datum.tolist() == [0, 1, 1]
    assert table.label.tolist() == [1, 0, 0]
    assert str(table.score.tolist()) == "[nan, 0.5, nan]"


def test_masks_as_run_length_encoding_are_read(tmp_path: Path) -> None:
    """As COCO has them in JSON, and artifacts of older runs."""
    mask = velour.Raster(np.eye(5, dtype=bool))
    columns = {
        "uid": ["2", "1"], "key": ["class"] * 2, "value": ["fire"] * 2,
        "raster": [json.dumps(mask.to_rle()), None],
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    table = read_predictions(tmp_path / "p.parquet", dataset()).predictions
    assert table is not None
    assert table.shape is not None
    assert list(table.shape) == [None, mask]


@pytest.mark.parametrize("name", ["raster", "embedding"])
def test_a_column_that_should_hold_lists_is_refused_by_its_type(tmp_path: Path, name: str) -> None:
    columns = {"uid": ["2"], "key": ["class"], "value": ["fire"], name: [1.5]}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    with pytest.raises(BadDataset, match=f"column '{name}' holds double: expected lists"):
        read_predictions(tmp_path / "p.parquet", dataset())


@pytest.mark.parametrize("numbers", [[5], [0, 5, 1], [2, 3, 4, 2], [2, 3, -1], [2, 3, 7]])
def test_a_mask_that_breaks_its_rules_is_refused(tmp_path: Path, numbers: list[int]) -> None:
    """Height and width above 0, then positions in the mask that rise."""
    columns = {"uid": ["2"], "key": ["class"], "value": ["fire"], "raster": [numbers]}
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    with pytest.raises(BadDataset, match="mask in row 0"):
        read_predictions(tmp_path / "p.parquet", dataset())


def test_datums_come_back(tmp_path: Path) -> None:
    datums = [
        velour.Datum("1", {"hour": 20, "at": dt.date(2024, 6, 1), "name": "Zürich"}, (47.4, 8.5)),
        velour.Datum("2", {"of": {"deep": [1.5, None]}}, shapely.box(0, 0, 1, 1)),
        velour.Datum("3"),
    ]
    write_datums(datums, tmp_path / "datums.parquet")
    assert read_datums(tmp_path / "datums.parquet") == datums
