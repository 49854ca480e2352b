"""Predictions of one evaluation, laid out as rows with geometry for SQL and QGIS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from sqlalchemy import NullPool, create_engine, text

import velour_plugin as velour
from velour_plugin.cli import main
from velour_plugin.store import upgrade_store

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
TWO_LABELS = [velour.Label("class", "fire", 0.75), velour.Label("color", "röt", 0.5)]
PREDICTED = [
    velour.Annotation(
        TWO_LABELS,
        bounding_box=velour.BoundingBox.from_xywh(1, 2, 3, 4),
        metadata={"anchor": 3, "scale": 2.0},
    ),
    velour.Annotation([velour.Label("class", "fire", 0.5)], polygon=velour.Polygon(SQUARE)),
    velour.Annotation(
        [velour.Label("class", "fire", 0.25)], raster=velour.Raster(np.ones((2, 3), bool))
    ),
]


@pytest.fixture
def url(store_url: str) -> str:
    """A store with two evaluations, of models ``yolo`` and ``silent``."""
    upgrade_store(store_url)
    truths = [velour.GroundTruth(velour.Datum(uid)) for uid in ("1", "Zürich/2.png")]
    data = velour.Dataset.from_groundtruths(truths, "fires")
    detected = [velour.Prediction(velour.Datum("Zürich/2.png"), PREDICTED)]
    with velour.open_store(store_url) as store:
        for predictions, model in ((detected, "yolo"), ([], "silent")):
            parameters = {"iou_type": "box"}
            dataset = data.with_predictions(predictions, model)
            velour.evaluate(dataset, "object-detection", parameters=parameters, store=store)
    return store_url


def rows(url: str) -> list[dict[str, Any]]:
    """What SQL finds; geometry as WKB on both databases."""
    spelled = "ST_AsBinary({0}) AS {0}" if url.startswith("postgres") else "{0}"
    columns = ["uid", "annotation", "key", "value", "score", "metadata"]
    columns += [spelled.format(name) for name in ("box", "shape")]
    query = f"SELECT {', '.join(columns)} FROM expanded_predictions ORDER BY row"
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def command(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["db", "expand", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def geometry(value: Any) -> Any:
    return None if value is None else shapely.from_wkb(bytes(value))


def test_a_row_is_one_label_of_one_prediction(url: str) -> None:
    assert "4 rows of evaluation" in command("yolo", "--store", url)
    found = rows(url)
    assert [(row["uid"], row["key"], row["value"], row["score"]) for row in found] == [
        ("Zürich/2.png", "class", "fire", 0.75),
        ("Zürich/2.png", "color", "röt", 0.5),
        ("Zürich/2.png", "class", "fire", 0.5),
        ("Zürich/2.png", "class", "fire", 0.25),
    ]
    assert [row["annotation"] for row in found] == [0, 0, 1, 2]


def test_regions_are_geometry_in_pixels(url: str) -> None:
    """A mask is the union of its pixels: 2 rows of 3."""
    command("yolo", "--store", url)
    found = rows(url)
    boxes = [geometry(row["box"]) for row in found]
    assert [box and box.bounds for box in boxes] == [(1, 2, 4, 6), (1, 2, 4, 6), None, None]
    shapes = [geometry(row["shape"]) for row in found]
    assert shapes[:2] == [None, None]
    assert shapes[2].equals(shapely.Polygon(SQUARE))
    assert shapes[3].equals(shapely.box(0, 0, 3, 2))


def test_expanding_twice_is_expanding_once(url: str) -> None:
    command("yolo", "--store", url)
    once = rows(url)
    command("yolo", "--store", url)
    assert rows(url) == once


def test_drop_removes_the_rows_of_that_evaluation_only(url: str) -> None:
    command("yolo", "--store", url)
    assert "0 rows" in command("silent", "--store", url)
    assert "0 rows" in command("silent", "--drop", "--store", url)
    assert len(rows(url)) == 4
    assert "4 rows of evaluation" in command("yolo", "--drop", "--store", url)
    assert rows(url) == []


def test_sql_asks_where_predictions_are(url: str) -> None:
    """Which is what the rows are for; SQLite has no such functions without our connection."""
    if url.startswith("sqlite"):
        pytest.skip("QGIS reads WKB from an SQLite file; plain SQL does not")
    command("yolo", "--store", url)
    point = "ST_Point(2, 3)"
    query = f"SELECT count(*) FROM expanded_predictions WHERE ST_Intersects(box, {point})"
    with create_engine(url, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text(query)) == 2


def test_an_unknown_evaluation_is_refused(url: str) -> None:
    result = CliRunner().invoke(main, ["db", "expand", "yolo8", "--store", url])
    assert (result.exit_code, "did you mean 'yolo'" in result.output) == (2, True)
    assert rows(url) == []


def test_a_name_of_two_evaluations_is_refused(url: str) -> None:
    """Both ids are named."""
    with velour.open_store(url) as store:
        item = store.evaluations_of("yolo")[0]
        data = store.load_version(item.version).with_predictions(
            store.load_predictions(item.evaluation_id), "yolo"
        )
        parameters = {"iou_type": "box", "score_threshold": 0.25}
        other = velour.evaluate(data, "object-detection", parameters=parameters, store=store)
    result = CliRunner().invoke(main, ["db", "expand", "yolo", "--store", url])
    assert result.exit_code == 2
    assert item.evaluation_id in result.output
    assert other.id in result.output
