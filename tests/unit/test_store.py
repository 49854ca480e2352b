"""The store gives back what it was given, all of it or nothing, on both databases."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.engine import make_url

import velour_plugin as velour
from tests.postgis import Server
from tests.scenes import FOUND, TRUE, scene
from velour_plugin.domain.evaluation import Certificate, Metric
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import InvalidInput, NotFound, StoreUnavailable, UnknownName
from velour_plugin.store import Store, upgrade_store
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.postgis import binary_rows

PROJECT = Path(__file__).resolve().parents[2]
SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
HOLE = [(1, 1), (3, 1), (3, 3), (1, 3)]
NOON = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)

REGIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "box": {"bounding_box": velour.BoundingBox.from_xywh(0.1, 0, 0.2, 4)},
    "enormous box": {"bounding_box": velour.BoundingBox.from_xywh(-1e200, 0, 1e100, 0)},
    "polygon": {"polygon": velour.Polygon([SQUARE, HOLE])},
    "bow tie": {"polygon": velour.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])},
    "multipolygon": {"multipolygon": velour.MultiPolygon([[SQUARE], [[(9, 9), (8, 9), (8, 8)]]])},
    "raster": {"raster": velour.Raster(np.eye(5, dtype=bool))},
    "empty raster": {"raster": velour.Raster(np.zeros((2, 3), bool))},
    "box and raster": {
        "bounding_box": velour.BoundingBox(0, 0, 1, 1),
        "raster": velour.Raster(np.ones((2, 3), bool)),
    },
    "embedding": {"embedding": [0.1, -2.0]},
}
PLACES: dict[str, Any] = {
    "pair": (42.36, -71.03),
    "pole": shapely.Point(0, 90),
    "line": shapely.LineString([(0, 0), (1, 1)]),
    "area": shapely.Polygon([(0, 0), (3, 0), (3, 3), (0, 3)], [HOLE]),
    "points": shapely.MultiPoint([(0, 0), (180, -90)]),
    "collection": shapely.GeometryCollection([shapely.Point(1, 2), shapely.box(0, 0, 1, 1)]),
    "rounded": shapely.Point(0.1 + 0.2, 1 / 3),
}
METADATA: dict[str, Any] = {
    "nothing": None,
    "boolean": False,
    "whole": 2**62 + 1,
    "enormous": 10**30,
    "share": 0.1,
    "whole share": 2.0,
    "tiny": 5e-324,
    "huge": 1e300,
    "largest": 1.7976931348623157e308,
    "numpy whole": np.int64(7),
    "numpy share": np.float32(0.1),
    "numpy boolean": np.bool_(True),
    "text": 'Zürich "quoted" 100% \\ 火 🔥 \n \x7f',
    "no text": "",
    "moment": NOON,
    "day": dt.date(2024, 6, 1),
    "hour": dt.time(23, 59, 59, 5),
    "lasting": dt.timedelta(days=1, microseconds=5),
    "place": shapely.Point(1, 2),
    "list": [1, "a", None, [True, {}]],
    "nested": {"a key": {'"deeper"': [{"moment": NOON}]}, "ключ": 1},
}


@pytest.fixture(scope="module")
def migrated(postgis: Server) -> Iterator[str]:
    """A database with all tables, made once: migrations take longer than most tests."""
    with postgis.database() as url:
        upgrade_store(url)
        yield url


@pytest.fixture(params=["sqlite_url", "migrated"], ids=["sqlite", "postgis"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store of each kind."""
    with velour.open_store(request.getfixturevalue(request.param)) as opened:
        yield opened
        if opened.backend.name == "postgresql":
            names = ", ".join(schema.metadata.tables)
            with opened.engine.begin() as connection:
                connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


def dataset(*truths: velour.GroundTruth, name: str = "fires", **options: Any) -> velour.Dataset:
    return velour.Dataset.from_groundtruths(truths, name, **options)


def truth(uid: str, *saved: velour.Annotation, **datum: Any) -> velour.GroundTruth:
    return velour.GroundTruth(velour.Datum(uid, **datum), saved)


def annotation(value: str = "fire", key: str = "class", **options: Any) -> velour.Annotation:
    return velour.Annotation([velour.Label(key, value)], **options)


def rows(store: Store) -> dict[str, int]:
    """How many rows each table has."""
    with store.engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in schema.metadata.sorted_tables
        }


def assert_comes_back(store: Store, data: velour.Dataset) -> None:
    store.save_dataset(data)
    back = store.load_dataset(data.name)
    assert back.digest == data.digest
    assert list(back.groundtruths) == list(data.groundtruths)
    assert back.truth.labels == data.truth.labels
    assert back.metadata == data.metadata


# Datasets


def test_annotations_of_every_kind_come_back(store: Store) -> None:
    """Each alone on a datum, and all of them together on one."""
    every = [
        annotation(**region, is_crowd=crowd, area=area, metadata=metadata)
        for region in REGIONS.values()
        for crowd, area, metadata in ((False, None, {}), (True, 0.1, {"of": [NOON, None]}))
    ]
    both = velour.Annotation([velour.Label("class", "fire"), velour.Label("color", "röt")])
    alone = [truth(str(place), item) for place, item in enumerate(every)]
    nobody = velour.GroundTruth(velour.Datum("nobody"))
    assert_comes_back(store, dataset(*alone, truth("all", *every, both), nobody))


def test_places_of_every_kind_come_back(store: Store) -> None:
    assert_comes_back(store, dataset(*(truth(uid, location=at) for uid, at in PLACES.items())))


def test_metadata_of_every_type_comes_back(store: Store) -> None:
    truths = [truth(uid, metadata={uid: value}) for uid, value in METADATA.items()]
    data = dataset(*truths, truth("all", metadata=METADATA), metadata=METADATA)
    store.save_dataset(data)
    back = store.load_dataset("fires")
    assert back.digest == data.digest
    for datum, again in zip(data.datums, back.datums, strict=True):
        assert again.metadata == datum.metadata
        assert again.location == datum.location


def test_numbers_keep_their_type(store: Store) -> None:
    store.save_dataset(dataset(truth("1", metadata={"a": 2, "b": 2.0, "c": 2.5, "d": True})))
    (datum,) = store.load_dataset("fires").datums
    assert {name: type(value) for name, value in datum.metadata.items()} == {
        "a": int, "b": float, "c": float, "d": bool,
    }  # fmt: skip


def test_labels_without_annotations_come_back_in_their_order(store: Store) -> None:
    labels = [("class", "smoke"), ("class", "fire"), ("color", "red")]
    assert_comes_back(store, dataset(truth("1", annotation()), labels=labels))


def test_a_dataset_without_annotations_comes_back(store: Store) -> None:
    assert_comes_back(store, dataset(truth("1"), truth("2")))


def test_annotations_of_files_in_any_order_come_back(store: Store) -> None:
    """Columns of a COCO file are not sorted by image."""
    table = velour_table([1, 0, 1, 0], [4.0, 3.0, 2.0, 1.0])
    data = velour.Dataset.from_table("fires", [velour.Datum("1"), velour.Datum("2")], table)
    assert_comes_back(store, data)


def velour_table(datums: list[int], areas: list[float]) -> Any:
    from velour_plugin.domain.columns.annotation_table import AnnotationTable

    return AnnotationTable.from_columns(
        [("class", "fire")], np.array(datums), np.zeros(len(datums), int), area=np.array(areas)
    )


# Versions


def test_equal_content_is_one_version(store: Store) -> None:
    """However it is ordered, and whoever made it."""
    truths = [truth("1", annotation(), metadata={"hour": 20}), truth("2")]
    first = store.save_dataset(dataset(*truths))
    before = rows(store)
    again = store.save_dataset(dataset(*truths[::-1]))
    assert (again.id, again.number, again.digest) == (first.id, 1, first.digest)
    assert rows(store) == before


def test_changed_content_is_a_new_version_that_shares_the_rest(store: Store) -> None:
    """One of three datums changes, one of its two annotations is new."""
    same = [truth("1", annotation()), truth("2", annotation(), location=(1, 2))]
    store.save_dataset(dataset(*same, truth("3")))
    before = rows(store)
    second = store.save_dataset(dataset(*same, truth("3", annotation(), annotation("smoke"))))
    after = rows(store)
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert grown == {"versions": 1, "version_datums": 3, "datums": 1, "annotations": 2, "labels": 1}
    assert second.number == 2
    assert [version.number for version in store.versions("fires")] == [2, 1]
    assert len(store.load_dataset("fires", 1).truth) == 2
    assert len(store.load_dataset("fires").truth) == 4


def test_a_polygon_on_one_datum_does_not_renew_the_others(store: Store) -> None:
    store.save_dataset(dataset(truth("1", annotation(**REGIONS["box"])), truth("2")))
    polygon = annotation(**REGIONS["polygon"])
    store.save_dataset(dataset(truth("1", annotation(**REGIONS["box"])), truth("2", polygon)))
    assert rows(store)["datums"] == 3


def test_a_part_of_a_dataset_is_a_version_that_comes_back(store: Store) -> None:
    whole = dataset(*(truth(uid, annotation(**REGIONS[uid])) for uid in ("box", "polygon")))
    store.save_dataset(whole)
    assert_comes_back(store, whole.subset(np.array([True, False])))
    assert rows(store)["datums"] == 2


def test_going_back_is_the_version_that_was(store: Store) -> None:
    one, two = dataset(truth("1")), dataset(truth("2"))
    assert [store.save_dataset(data).number for data in (one, two, one, two)] == [1, 2, 1, 2]


def test_datasets_of_two_names_are_two_datasets(store: Store) -> None:
    for name in ("fires", "Zürich 100%", "fires "):
        store.save_dataset(dataset(truth("1", annotation()), name=name))
    assert store.dataset_names() == ["Zürich 100%", "fires", "fires "]
    assert [store.versions(name)[0].number for name in store.dataset_names()] == [1, 1, 1]


def test_what_is_not_there_is_named(store: Store) -> None:
    store.save_dataset(dataset(truth("1")))
    with pytest.raises(UnknownName, match="dataset 'fire': did you mean 'fires'"):
        store.load_dataset("fire")
    with pytest.raises(NotFound, match="'fires' has versions 1 to 1, not 2"):
        store.load_dataset("fires", 2)
    with pytest.raises(NotFound, match="no evaluation 'abc'"):
        store.load("abc")


# Evaluations

JUDGED = scene(([TRUE], [FOUND]), ([TRUE, TRUE], [])).with_predictions(
    [velour.Prediction(velour.Datum("0"), [FOUND])], "yolo"
)
EDGES = [0.0, -0.0, 5e-324, 0.1 + 0.2, 1 / 3, -1.7976931348623157e308, np.nan, np.inf, -np.inf]


def handmade(run: velour.EvaluatedRun | None = None) -> velour.Evaluation:
    """With every kind of metric and column that there is."""
    ledger = Ledger(
        "object-detection",
        ("0", "1", "Zürich"),
        (("class", "fire"), ("color", "röt")),
        {"thresholds": [0.5, 0.1], "of": {"b": None, "a": [[1, "x"]]}},
        {
            "detections": {
                "datum": np.array([0, 1, 2], np.int32),
                "bits": np.array([2**63, 2**64 - 1, 0], np.uint64),
                "score": np.array([0.1, 1 / 3, np.nan]),
                "small": np.array([1, -1, 0], np.int8),
                "crowd": np.array([True, False, True]),
                "single": np.array([0.1, np.inf, -0.0], np.float32),
            },
            "edges": {"value": np.array(EDGES)},
            "empty": {"datum": np.empty(0, np.int32), "score": np.empty(0)},
        },
    )
    fire = velour.Label("class", "fire")
    metrics = [
        Metric("mAP", 0.1 + 0.2),
        Metric("mAR_100", None),
        Metric("zero", 0.0),
        Metric("AP", 1 / 3, fire),
        Metric("AP", None, velour.Label("color", "röt")),
        Metric("f1", 0.5, fire, {"score": 0.5, "iou": 0.75}),
        Metric("curve", {"recall": [0.0, 0.1], "precision": [1.0, None]}, fire),
        Metric("matrix", [[1, 2], [3, 4]]),
        Metric("nothing", []),
    ]
    names = JUDGED.content_digests
    certificate = Certificate(
        "fires", names.dataset, names.datums, names.groundtruth, None,
        {"thresholds": [0.5], "details": True, "none": None, "share": 1.0, "small": 1e-300},
        [["truck", "vehicle"], [["class", "car"], ["class", "vehicle"]]],
        "object-detection", "1",
    )  # fmt: skip
    return velour.Evaluation(
        "object-detection", "yolo", certificate, names.predictions, metrics, ledger, run, NOON
    )


def test_an_evaluation_comes_back_to_the_bit(store: Store) -> None:
    run = velour.EvaluatedRun("run1", "a name", "3")
    saved = handmade(run)
    store.save(saved, JUDGED)
    back = store.load(saved.id)
    assert (back.id, back.task, back.model, back.run) == (saved.id, saved.task, saved.model, run)
    assert (back.created_at, back.predictions_digest) == (NOON, saved.predictions_digest)
    assert list(back.metrics) == list(saved.metrics)
    assert back.certificate.differences(saved.certificate) == {}
    assert_same_ledger(back.ledger, saved.ledger)
    assert_same_ledger(next(store.ledgers([saved.id])), saved.ledger)


def assert_same_ledger(one: Ledger, other: Ledger) -> None:
    for name in ("task", "datums", "labels", "parameters"):
        assert getattr(one, name) == getattr(other, name), name
    assert list(one.tables) == list(other.tables)
    for name, columns in other.tables.items():
        assert list(one.tables[name]) == list(columns)
        for column, values in columns.items():
            read = one.tables[name][column]
            assert (column, read.dtype) == (column, values.dtype)
            assert (column, read.tobytes()) == (column, values.tobytes())


def test_whole_numbers_come_back_as_whole_numbers(store: Store) -> None:
    """A count is no fraction, also within details, and a fraction stays one."""
    saved = replace(
        handmade(),
        metrics=[
            Metric("count", 3),
            Metric("large", 2**53 + 1),
            Metric("numpy", np.int64(7)),
            Metric("share", 2.0),
            Metric("certain", True),
            Metric("details", {"counts": [1, 2.0, 0.5], "of": {"n": 3, "share": 3.0}}, None,
                   {"at": 2, "share": 2.0}),
        ],
    )  # fmt: skip
    store.save(saved, JUDGED)
    count, large, numpy, share, certain, details = store.load(saved.id).metrics
    values = [item.value for item in (count, large, numpy, share, certain)]
    assert values == [3, 2**53 + 1, 7, 2.0, True]
    assert [type(value) for value in values] == [int, int, int, float, bool]
    assert [type(value) for value in details.value["counts"]] == [int, float, float]
    assert [type(value) for value in details.value["of"].values()] == [int, float]
    assert [type(value) for value in details.parameters.values()] == [int, float]
    assert store.metric_values([saved.id], "count") == {saved.id: 3}


def test_metadata_of_predictions_keeps_its_numbers(store: Store) -> None:
    """2.0 is no whole number, though it has the digest of one."""
    metadata = {"anchor": 3, "scale": 2.0, "at": NOON}
    found = annotation(**REGIONS["box"], metadata=metadata)
    found = replace(found, labels=[velour.Label("class", "fire", 0.5)])
    predicted = dataset(truth("1")).with_predictions(
        [velour.Prediction(velour.Datum("1"), [found])], "m"
    )
    saved = velour.evaluate(predicted, "object-detection", store=store)
    back = store.load_predictions(saved.id).annotations_of(0)[0].metadata
    assert back == metadata
    assert {name: type(value) for name, value in back.items()} == {
        name: type(value) for name, value in metadata.items()
    }


def test_what_is_too_large_for_a_database_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite takes a gigabyte as one value; nothing of the rest is stored either."""
    monkeypatch.setattr("velour_plugin.store.sql.records.columns._LARGEST", 100)
    before = rows(store)
    with pytest.raises(InvalidInput, match=r"at most .* GB\. Write smaller parts"):
        store.save(handmade(), JUDGED)
    assert rows(store) == before


def test_an_evaluation_is_measured_again_from_its_ledger(store: Store) -> None:
    from velour_evaluators.detection.evaluator import ObjectDetection

    saved = velour.evaluate(JUDGED, "object-detection", store=store)
    again = ObjectDetection().measure(store.load(saved.id).ledger)
    assert again == list(saved.metrics)[: len(again)]


def test_saving_twice_stores_once_and_links_every_run(store: Store) -> None:
    store.save(handmade(velour.EvaluatedRun("run1")), JUDGED)
    before = rows(store)
    store.save(handmade(velour.EvaluatedRun("run1")), JUDGED)
    assert rows(store) == before
    store.save(handmade(velour.EvaluatedRun("run2")), JUDGED)
    assert rows(store) == {**before, "evaluation_runs": 2}
    assert {item.run and item.run.run_id for item in store.candidates("fires")} == {"run1", "run2"}


def test_what_a_model_said_is_stored_once_for_all_evaluations_of_it(store: Store) -> None:
    for parameters in ({}, {"score_threshold": 0.25}):
        velour.evaluate(JUDGED, "object-detection", parameters=parameters, store=store)
    found = rows(store)
    assert (found["evaluations"], found["prediction_sets"]) == (2, 1)
    assert found["prediction_contents"] == 1


def test_the_same_evaluation_is_not_computed_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from velour_evaluators.detection.evaluator import ObjectDetection

    matched = []
    match = ObjectDetection.match

    def counted(self: ObjectDetection, *args: Any) -> Ledger:
        matched.append(args)
        return match(self, *args)

    monkeypatch.setattr(ObjectDetection, "match", counted)
    first = velour.evaluate(JUDGED, "object-detection", store=store)
    again = velour.evaluate(JUDGED, "object-detection", store=store)
    other = velour.evaluate(
        JUDGED, "object-detection", parameters={"iou_threshold": 0.75}, store=store
    )
    assert len(matched) == 2
    assert again.id == first.id != other.id
    assert list(again.metrics) == list(first.metrics)


# All of it or nothing


@pytest.mark.parametrize("failing", ["_save_ledger", "_save_metrics", "table_to_bytes"])
def test_an_evaluation_that_fails_midway_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Not even its dataset."""
    empty = rows(store)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(f"velour_plugin.store.sql.records.evaluations.{failing}", fail)
        with pytest.raises(RuntimeError, match="the power went out"):
            velour.evaluate(JUDGED, "object-detection", store=store)
    assert rows(store) == empty
    if store.backend.name == "sqlite":
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM datum_places").scalar() == 0
    velour.evaluate(JUDGED, "object-detection", store=store)
    assert rows(store)["evaluations"] == 1


def test_a_dataset_that_fails_midway_leaves_the_others_as_they_were(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save_dataset(dataset(truth("1", location=(1, 2))))
    before = rows(store)

    def fail(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("velour_plugin.store.sql.records.datasets.region_columns", fail)
        with pytest.raises(KeyboardInterrupt):
            store.save_dataset(dataset(truth("1"), truth("2", annotation(), location=(3, 4))))
    assert rows(store) == before


# At once


def test_threads_that_save_the_same_dataset_make_one_version(store_url: str) -> None:
    upgrade_store(store_url)
    data = dataset(*(truth(str(n), annotation(), location=(n / 4, n)) for n in range(100)))
    start, numbers, errors = threading.Barrier(4), [], []

    def save() -> None:
        try:
            with velour.open_store(store_url) as store:
                start.wait(10)
                numbers.append(store.save_dataset(data).number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (errors, numbers) == ([], [1, 1, 1, 1])
    with velour.open_store(store_url) as store:
        assert (rows(store)["versions"], rows(store)["datums"]) == (1, 100)


SAVER = """
import sys
import velour_plugin as velour
truths = [
    velour.GroundTruth(velour.Datum(str(uid)), [velour.Annotation(velour.Label("class", str(uid)))])
    for uid in range(100)
]
data = velour.Dataset.from_groundtruths(truths, "fires")
print("ready", flush=True)
sys.stdin.readline()
with velour.open_store(sys.argv[1]) as store:
    print(store.save_dataset(data).number)
"""


def test_processes_that_save_the_same_dataset_make_one_version(store_url: str) -> None:
    """SQLite's file is made by whoever comes first."""
    if store_url.startswith("postgresql"):
        upgrade_store(store_url)
    command = [sys.executable, "-c", SAVER, store_url]
    pipe = subprocess.PIPE
    savers = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=PROJECT) for _ in "ab"
    ]
    for saver in savers:
        assert saver.stdout is not None
        assert saver.stdout.readline() == "ready\n"
    for saver in savers:
        assert saver.stdin is not None
        saver.stdin.write("go\n")
        saver.stdin.flush()
    assert [saver.communicate(timeout=60)[0] for saver in savers] == ["1\n", "1\n"]


def test_labels_of_two_datasets_are_stored_without_deadlock(postgis_url: str) -> None:
    """Two that insert the same labels in different orders would wait for each other."""
    upgrade_store(postgis_url)
    labels = [("class", f"{number:04}") for number in range(2_000)]
    start, errors = threading.Barrier(2), []

    def save(name: str, order: list[tuple[str, str]]) -> None:
        try:
            with velour.open_store(postgis_url) as store:
                data = dataset(truth("1"), name=name, labels=order)
                start.wait(10)
                store.save_dataset(data)
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=save, args=("forward", labels)),
        threading.Thread(target=save, args=("backward", labels[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


# What cannot be opened


def test_an_unreachable_server_is_named_without_its_password() -> None:
    with pytest.raises(StoreUnavailable) as refusal:
        velour.open_store("postgresql://me:secret@127.0.0.1:1/velour")
    message = str(refusal.value)
    assert "postgresql://me:***@127.0.0.1:1/velour" in message
    assert "Is the server running" in message
    assert "VELOUR_STORE_URI" in message
    assert "secret" not in message


def test_a_database_that_is_not_there_is_named(postgis_url: str) -> None:
    url = make_url(postgis_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(StoreUnavailable, match="nowhere"):
        velour.open_store(url)


def test_a_postgresql_store_is_upgraded_by_its_owner_only(postgis_url: str) -> None:
    with pytest.raises(StoreUnavailable) as refusal:
        velour.open_store(postgis_url)
    assert "has schema none" in str(refusal.value)
    assert "velour db upgrade" in str(refusal.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="absent' does not exist; make it first"):
        velour.open_store(f"sqlite:///{tmp_path / 'absent' / 'velour.db'}")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("this is not a database, however long it is " * 99)
    with pytest.raises(StoreUnavailable, match=r"notes\.txt failed: file is not a database"):
        velour.open_store(f"sqlite:///{tmp_path / 'notes.txt'}")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:secret@localhost/velour",
        "velour.db",
        "postgresql://me:secret@localhost:port/velour",
        "postgresql//me:secret@localhost/velour",
        "https://me:secret@localhost/velour",
        "://",
    ],
)
def test_a_url_that_names_no_store_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        velour.open_store(url)
    assert "expected sqlite:///path/to/file.db" in str(refusal.value)
    assert "postgresql://" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_the_store_has_no_password_to_show(postgis_url: str) -> None:
    url = make_url(postgis_url).set(password="secret").render_as_string(hide_password=False)
    upgrade_store(postgis_url)
    with velour.open_store(url) as store:
        assert "secret" not in repr(store)


def test_the_environment_names_the_store(tmp_path: Path) -> None:
    """Set for every test, to a file in its own folder."""
    with velour.open_store() as store:
        store.save_dataset(dataset(truth("1")))
    assert (tmp_path / "velour.db").exists()


# Bulk writes


def bulk_columns() -> dict[str, Any]:
    """Rows with a NULL in every combination of the columns that may have one."""
    optional = ("x", "area", "shape", "raster", "metadata", "embedding")
    pattern = [[bool(number >> place & 1) for place in range(6)] for number in range(64)] * 2
    count = len(pattern)
    saved: dict[str, list[Any]] = {
        "x": [0.1 + number for number in range(count)],
        "area": [1 / (number + 3) for number in range(count)],
        "shape": [shapely.to_wkb(shapely.box(0, 0, 1, number + 1)) for number in range(count)],
        "raster": [bytes([number, 0, 255]) for number in range(count)],
        "metadata": [{"Zürich": [number, None, '"\\']} for number in range(count)],
        "embedding": [np.array([number, 0.5]).tobytes() for number in range(count)],
    }
    for place, name in enumerate(optional):
        saved[name] = [
            None if nulls[place] else value
            for nulls, value in zip(pattern, saved[name], strict=True)
        ]
    numbers = {name: np.array(saved.pop(name), np.float64) for name in ("x", "area")}
    columns = {
        "datum_id": np.ones(count, np.int64),
        "row": np.arange(count),
        "annotation": np.arange(count)[::-1].copy(),
        "label_id": np.ones(count, np.int64),
        "y": np.full(count, -1.5),
        "width": np.full(count, 5e-324),
        "height": np.full(count, 1.7976931348623157e308),
        "crowd": np.arange(count) % 2,
        **numbers,
        **saved,
    }
    return {column.name: columns[column.name] for column in schema.annotations.c}


@pytest.mark.parametrize("order", [1, -1])
def test_bulk_rows_are_the_rows_of_a_plain_insert(store: Store, order: int) -> None:
    """COPY's own encoding of numbers, texts, geometry and NULL, whatever the columns' order."""
    table, columns = schema.annotations, bulk_columns()
    store.save_dataset(dataset(truth("1", annotation())))
    with store.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(delete(table))
        store.backend.insert(connection, table, dict(list(columns.items())[::order]))
        bulk = stored(connection)
        connection.execute(delete(table))
        connection.execute(plain_insert(store), list(plain_rows(columns)))
        one_by_one = stored(connection)
        transaction.rollback()
    assert len(bulk) == 128
    assert bulk == one_by_one


def plain_insert(store: Store) -> Any:
    calls = {"shape": "ST_GeomFromWKB(:shape)", "metadata": "CAST(:metadata AS jsonb)"}
    names = [column.name for column in schema.annotations.c]
    values = [calls.get(name) if store.backend.name == "postgresql" else None for name in names]
    spelled = ", ".join(value or f":{name}" for value, name in zip(values, names, strict=True))
    quoted = ", ".join(f'"{name}"' for name in names)
    return text(f"INSERT INTO annotations ({quoted}) VALUES ({spelled})")


def plain_rows(columns: dict[str, Any]) -> Iterator[dict[str, Any]]:
    lists = {
        name: values.tolist() if isinstance(values, np.ndarray) else values
        for name, values in columns.items()
    }
    for values in zip(*lists.values(), strict=True):
        row = dict(zip(lists, values, strict=True))
        row["metadata"] = row["metadata"] and json.dumps(row["metadata"])
        yield {name: None if value != value else value for name, value in row.items()}


def stored(connection: Connection) -> list[tuple[str, ...]]:
    """Rows without the types that a driver wraps around geometry and bytes."""
    query = select(schema.annotations).order_by(schema.annotations.c.row)
    return [tuple(map(plain, row)) for row in connection.execute(query)]


def plain(value: Any) -> str:
    value = getattr(value, "data", value)
    return repr(bytes(value) if isinstance(value, memoryview) else value)


def test_no_rows_are_a_header_and_an_end() -> None:
    empty = dict.fromkeys(("row", "metadata"), np.empty(0))
    content = binary_rows(schema.annotations, empty)
    assert (content[:6], content[-2:], len(content)) == (b"PGCOPY", b"\xff\xff", 21)


def test_the_digest_of_a_stored_dataset_is_that_of_another_process(store: Store) -> None:
    """Nothing of this process, such as the seed of its hashes, is in a digest."""
    code = (
        "import velour_plugin as v, json;"
        "d = v.Datum('1', {'b': 1, 'a': 'Zürich'}, (1, 2));"
        "t = v.GroundTruth(d, [v.Annotation(v.Label('class', 'fire'), v.BoundingBox(0, 0, 1, 1))]);"
        "print(json.dumps(v.Dataset.from_groundtruths([t], 'fires').digest))"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=PROJECT, text=True)
    ours = dataset(
        truth("1", annotation(bounding_box=velour.BoundingBox(0, 0, 1, 1)),
              metadata={"a": "Zürich", "b": 1}, location=(1, 2))
    )  # fmt: skip
    assert json.loads(printed) == ours.digest == store.save_dataset(ours).digest
