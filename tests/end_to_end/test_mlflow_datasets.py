"""Velour's datasets in a real MLflow: constructors, inputs of runs and the way back, frames."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.data.dataset_registry import get_registered_constructors
from mlflow.data.dataset_source_registry import get_dataset_source_from_json
from velour_integrations.mlflow.datasets.data import VelourDataset
from velour_integrations.mlflow.datasets.source import Files, VelourDatasetSource

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.fires import fires
from velour_plugin.errors import BadDataset, InvalidInput, NotFound, UnknownName

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

CONSTRUCTORS = (
    "from_coco",
    "from_geojson",
    "from_label_images",
    "from_velour",
    "from_voc",
    "from_yolo",
)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


SQUARE = [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]


def in_coco(home: Path) -> tuple[Path, Path]:
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 20, "height": 20} for n in (1, 2)]
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "area": 100}
    truth = {"images": images, "annotations": [box], "categories": [{"id": 1, "name": "fire"}]}
    predicted = [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.9}]
    return (
        write(home / "truth.json", json.dumps(truth)),
        write(home / "predicted.json", json.dumps(predicted)),
    )


def in_yolo(home: Path) -> tuple[Path, Path]:
    write(home / "data/classes.txt", "fire")
    write(home / "data/labels/1.txt", "0 0.25 0.25 0.5 0.5")
    write(home / "data/labels/2.txt", "")
    write(home / "run/1.txt", "0 0.25 0.25 0.5 0.5 0.9")
    return home / "data", home / "run"


def in_voc(home: Path) -> tuple[Path, Path]:
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax></bndbox>"
    thing = f"<object><name>fire</name>{box}</object>"
    write(home / "data/Annotations/1.xml", f"<annotation>{thing}</annotation>")
    write(home / "data/Annotations/2.xml", "<annotation/>")
    write(home / "run/fire.txt", "1 0.9 1 1 10 10")
    return home / "data", home / "run"


def in_geojson(home: Path) -> tuple[Path, Path]:
    def collection(*features: dict[str, Any]) -> str:
        return json.dumps({"type": "FeatureCollection", "features": features, "crs": None})

    def feature(image: int, geometry: Any, **predicted: Any) -> dict[str, Any]:
        properties = {"image": image, "label": "fire" if geometry else None, **predicted}
        return {"type": "Feature", "properties": properties, "geometry": geometry}

    square = {"type": "Polygon", "coordinates": SQUARE}
    truth = collection(feature(1, square), feature(2, None))
    return (
        write(home / "truth.geojson", truth),
        write(home / "predicted.geojson", collection(feature(1, square, score=0.9))),
    )


KINDS = {"coco": in_coco, "geojson": in_geojson, "voc": in_voc, "yolo": in_yolo}


@pytest.fixture(params=KINDS)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """One dataset in each format, with a prediction that finds its only fire."""
    truth, predicted = KINDS[request.param](tmp_path / "files")
    sizes = "uid,width,height,hour\n1,20,20,23\n2,20,20,12\n"
    table = write(tmp_path / "files/table.csv", sizes)
    return {"format": request.param, "path": truth, "predictions": predicted, "metadata": table}


def made(files: dict[str, Any], **options: Any) -> VelourDataset:
    """What the constructor of a format gives."""
    given = {key: value for key, value in files.items() if key != "format"}
    constructor = getattr(mlflow.data, f"from_{files['format']}")
    dataset = constructor(**{**given, "name": "fires", **options})
    assert isinstance(dataset, VelourDataset)
    return dataset


def read(files: dict[str, Any]) -> velour.Dataset:
    return velour.read_dataset(
        files["path"], files["format"], name="fires", metadata=files["metadata"]
    )


def source_of(run: str) -> Any:
    """Where the run's only dataset is from, as MLflow tells it."""
    (entry,) = mlflow.get_run(run).inputs.dataset_inputs
    return mlflow.data.get_source(entry.dataset)


@pytest.fixture
def no_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's schema inference walks every cell: it may not even be asked."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("MLflow inferred a schema")

    for module in ("mlflow.types.utils", "mlflow.data.pandas_dataset", "mlflow.data.numpy_dataset"):
        monkeypatch.setattr(f"{module}._infer_schema", refuse)


# Constructors


def test_every_constructor_is_registered_with_mlflow() -> None:
    registered = get_registered_constructors()
    assert set(CONSTRUCTORS) <= set(registered)
    assert all(registered[name] is getattr(mlflow.data, name) for name in CONSTRUCTORS)


@pytest.mark.usefixtures("no_inference")
def test_files_of_every_format_are_evaluated(files: dict[str, Any]) -> None:
    """The fire is found, the metadata is known, and the run's input has our digest."""
    run = runs.evaluate(made(files, model="finder"))
    assert runs.metrics(run)["mAR_100"] == 1.0
    assert runs.evaluation_json(run)["model"] == "finder"
    (entry,) = mlflow.get_run(run).inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("fires", read(files).digest[:32])
    profile = json.loads(entry.dataset.profile)
    assert (profile["datums"], profile["annotations"], profile["predictions"]) == (2, 1, 1)
    (row,) = velour.rank("mAR_100", dataset="fires", where="hour > 20", resamples=0)
    assert row.datums == 1


@pytest.mark.usefixtures("no_inference")
def test_a_model_is_asked_about_files(files: dict[str, Any]) -> None:
    found = {"label": "fire", "bbox": [0, 0, 10, 10], "score": 0.9}
    if files["format"] == "geojson":
        found["segmentation"] = [np.ravel(SQUARE)]
    run = runs.evaluate(
        made(files, predictions=None),
        model=lambda frame: [[found] if uid == "1" else [] for uid in frame["uid"]],
    )
    assert runs.metrics(run)["mAR_100"] == 1.0


@pytest.mark.usefixtures("no_inference")
def test_a_dataset_may_be_logged_without_an_evaluation(files: dict[str, Any]) -> None:
    with mlflow.start_run() as run:
        mlflow.log_input(made(files), context="validation")
    assert source_of(run.info.run_id).load().digest == read(files).digest


def test_name_digest_and_source_may_be_said(files: dict[str, Any]) -> None:
    dataset = made(files, name="smoke", digest="v7", source="s3://bucket/fires")
    assert (dataset.name, dataset.digest) == ("smoke", "v7")
    assert dataset.source.uri == "s3://bucket/fires"


def test_predictions_may_be_objects(files: dict[str, Any]) -> None:
    nothing = [velour.Prediction(velour.Datum("1"))]
    assert made(files, predictions=nothing).velour.predictions_digest
    with pytest.raises(BadDataset, match="'nowhere', which is not in dataset 'fires'"):
        made(files, predictions=[velour.Prediction(velour.Datum("nowhere"))])


def test_a_model_without_predictions_is_refused(files: dict[str, Any]) -> None:
    with pytest.raises(
        InvalidInput, match="who made the predictions given beside it, and there are"
    ):
        made(files, predictions=None, model="finder")


# What importing costs

ADDED = """
import importlib.metadata as metadata, sys
found = metadata.entry_points
groups = ("mlflow.dataset_source", "mlflow.dataset_constructor", "mlflow.run_context_provider")
ours = [e for group in groups for e in found(group=group) if e.value.startswith("velour_")]
metadata.entry_points = lambda **k: metadata.EntryPoints(e for e in found(**k) if e not in ours)
import mlflow
before = set(sys.modules)
for entry in ours:
    entry.load()
print(*sorted(set(sys.modules) - before))
"""


def test_what_mlflow_loads_of_ours_is_light() -> None:
    """Nothing of the core but its hooks, no kernels; how long it takes, the benchmark says."""
    options = ("-W", "ignore", "-c", ADDED)
    answer = subprocess.run([sys.executable, *options], capture_output=True, text=True, check=True)
    modules = answer.stdout.split()
    assert "velour_integrations.mlflow.datasets.constructors" in modules
    assert {name.partition(".")[0] for name in modules} == {
        "pluggy", "velour_integrations", "velour_plugin"
    }  # fmt: skip
    assert {name for name in modules if name.startswith("velour_plugin.")} == {
        "velour_plugin.hookspecs"
    }


# Sources


def test_a_run_leads_back_to_the_stored_version(files: dict[str, Any]) -> None:
    """Even when the files are gone: what was evaluated is in the store."""
    run = runs.evaluate(made(files))
    expected = read(files)
    shutil.rmtree(files["metadata"].parent)
    source = source_of(run)
    assert isinstance(source, VelourDatasetSource)
    assert source.uri == f"velour://fires@{expected.digest[:32]}"
    assert (source.load().digest, source.load().name) == (expected.digest, "fires")


def test_files_are_read_again_as_they_were(
    files: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From another directory, and without a store: none is made by looking for it."""
    relative = {
        key: os.path.relpath(value) if isinstance(value, Path) else value
        for key, value in files.items()
    }
    source = made(relative).source
    monkeypatch.chdir("/")
    again = get_dataset_source_from_json(source.to_json(), "velour")
    assert again.files == Files(files["format"], str(files["path"]), str(files["metadata"]))
    loaded = again.load()
    assert (loaded.digest, loaded.name) == (read(files).digest, "fires")
    assert not (tmp_path / "velour.db").exists()


def test_files_that_have_changed_are_refused(files: dict[str, Any]) -> None:
    source = made(files).source
    write(files["metadata"], "uid,width,height,hour\n1,20,20,23\n2,20,20,13\n")
    with pytest.raises(BadDataset, match=rf"{files['path'].name}' has changed: its content is now"):
        source.load()


def test_files_that_are_gone_are_named(files: dict[str, Any]) -> None:
    source = made(files).source
    shutil.rmtree(files["metadata"].parent)
    with pytest.raises(InvalidInput, match="cannot be read: "):
        source.load()


def test_a_version_that_is_in_no_store_is_not_found(tmp_path: Path) -> None:
    source = mlflow.data.from_velour(fires()).source
    with pytest.raises(NotFound, match=r"there is no store .* Set VELOUR_STORE_URI"):
        source.load()
    with velour.open_store() as store:
        store.save_dataset(fires(images=["2"]))
    with pytest.raises(NotFound, match=r"but no version .* Set VELOUR_STORE_URI"):
        source.load()
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    with velour.open_store(elsewhere) as store:
        store.save_dataset(fires())
    assert source.load(elsewhere).digest == fires().digest


def test_a_uri_is_resolved_as_any_source() -> None:
    uri = f"velour://a@b@{fires().digest[:32]}"
    dataset = mlflow.data.from_velour(fires(), source=uri)
    assert dataset.source.to_dict() == {"uri": uri}


# Plain frames that break a rule: said before anything is logged

FOUND = [{"label": "fire", "bbox": [0, 0, 10, 10]}]
SURE = [{**FOUND[0], "score": 0.9}]


def frame(**columns: Any) -> pd.DataFrame:
    """Three images; a column may be exchanged."""
    predicted = {
        "image": ["a", "b", "c"],
        "lat": [42.36] * 3,
        "lon": [-71.03] * 3,
        "truth": [FOUND, FOUND, []],
        "predicted": [SURE, [], []],
    }
    return pd.DataFrame({**predicted, **columns})


PLACED = {"uid": "image", "latitude": "lat", "longitude": "lon", "dataset": "frames"}


def refused(kind: type[Exception], message: str, data: pd.DataFrame, **options: Any) -> None:
    """Evaluate, and look that the run has nothing of ours and the store no dataset."""
    given = {"targets": "truth", "predictions": "predicted", "evaluator_config": PLACED, **options}
    with pytest.raises(kind, match=f"(?s){message}"):
        runs.evaluate(data, **given)
    run = runs.last_run()
    assert runs.metrics(run) == {}
    assert mlflow.MlflowClient().list_artifacts(run) == []
    with velour.open_store() as store:
        assert store.dataset_names() == []


def test_a_frame_without_mistakes_is_evaluated() -> None:
    """Half the fires are found; what follows differs from this by one mistake."""
    run = runs.evaluate(frame(), targets="truth", predictions="predicted", evaluator_config=PLACED)
    assert runs.metrics(run)["mAR_100"] == 0.5


def test_a_frame_of_json_texts_is_evaluated() -> None:
    """As a CSV file gives it."""
    texts = {name: list(map(json.dumps, frame()[name])) for name in ("truth", "predicted")}
    given = {"targets": "truth", "predictions": "predicted", "evaluator_config": PLACED}
    assert runs.metrics(runs.evaluate(frame(**texts), **given))["mAR_100"] == 0.5


@pytest.mark.parametrize(
    ("key", "near"), [("uid", "image"), ("latitude", "lat"), ("longitude", "lon")]
)
def test_a_column_that_is_missing_is_named(key: str, near: str) -> None:
    config = {**PLACED, key: f"{near}s"}
    message = f"unknown column '{near}s'.*did you mean '{near}'"
    refused(UnknownName, message, frame(), evaluator_config=config)


def test_a_latitude_without_a_longitude_is_refused() -> None:
    message = "only the column of the latitude is named, 'lat'"
    refused(InvalidInput, message, frame(), evaluator_config={"latitude": "lat"})


def boxes(*box: Any) -> list[dict[str, Any]]:
    return [{"label": "fire", "bbox": list(box)}]


@pytest.mark.parametrize(
    ("message", "columns"),
    [
        ("row 1, ground truth of datum 'b': None is a NoneType; say", {"truth": [[], None, []]}),
        ("row 2, ground truth of datum 'c': nan is a float; say", {"truth": [[], [], np.nan]}),
        (r"row 0, ground truth of datum 'a': bbox \[0, 5", {"truth": [boxes(0, 5), [], []]}),
        ("row 0, .*'a': bbox .*5, 5, 9", {"truth": [boxes(0, 0, 5, 5, 9), [], []]}),
        ("row 1, .*'b': .*width -5", {"truth": [[], boxes(0, 0, -5, 5), []]}),
        ("row 1, .*'b': .*nan", {"truth": [[], boxes(0, 0, np.nan, 5), []]}),
        ("row 1, .*'b': lacks 'label'", {"truth": [[], [{"bbox": [0, 0, 1, 1]}], []]}),
        ("row 1, .*'b': .*boxes of shape", {"truth": [[], {"boxes": [[1]], "labels": ["a"]}, []]}),
        ("row 1, .*'b': .*lengths", {"truth": [[], {"boxes": [], "labels": ["a"]}, []]}),
        ("row 1, .*'b': .*inhomogeneous",
         {"truth": [[], {"boxes": [[0, 0, 1, 1], [0, 0, 1]], "labels": ["a", "b"]}, []]}),
        ("row 1, .*'b': Expecting", {"truth": ["[]", "[{broken", "[]"]}),
        ("'b'.*None is a NoneType; say", {"predicted": [[], None, []]}),
        (r"'b'.*bbox \[0, 0, 5\]", {"predicted": [[], boxes(0, 0, 5), []]}),
        ("'b'.*has no score", {"predicted": [[], FOUND, []]}),
        ("'b'.*score 7", {"predicted": [[], [{**FOUND[0], "score": 7}], []]}),
        ("'b' occurs twice, in rows 1 and 2", {"image": ["a", "b", "b"]}),
        (r"row 1 has no uid \(nan\)", {"image": ["a", np.nan, "b"]}),
        (r"row 1 has no uid \(''\)", {"image": ["a", "", "b"]}),
        ("row 1 has no uid", {"image": pd.array(["a", pd.NA, "b"], dtype="string")}),
        ("row 1, datum 'b': .*latitude is within", {"lat": [0, 99.0, 0]}),
        ("row 1, datum 'b': .*location", {"lat": [0, np.nan, 0]}),
        ("row 1, datum 'b': .*inf", {"hour": [0, np.inf, 0]}),
    ],
)  # fmt: skip
def test_a_row_that_breaks_a_rule_is_named(message: str, columns: dict[str, Any]) -> None:
    refused(InvalidInput, message, frame(**columns))


def test_empty_cells_are_absent_metadata() -> None:
    """Pandas has four ways to say nothing."""
    data = frame(
        hour=pd.array([23, pd.NA, 1], dtype="Int64"),
        sensor=["x", None, np.nan],
        taken=[pd.NaT, pd.Timestamp("2026-03-01T12:00"), pd.NaT],
        share=[np.nan, 0.5, 1.0],
        boxes=[[1], [2], None],
    )
    runs.evaluate(data, targets="truth", predictions="predicted", evaluator_config=PLACED)
    with velour.open_store() as store:
        by_uid = {datum.uid: datum.metadata for datum in store.load_dataset("frames").datums}
    assert by_uid["a"] == {"hour": 23, "sensor": "x"}
    assert sorted(by_uid["b"]) == ["share", "taken"]
    assert by_uid["c"] == {"hour": 1, "share": 1.0}


def test_mlflow_itself_stops_at_an_empty_first_cell() -> None:
    """It hashes the columns before it asks us, and has no words for this one."""
    given = {"targets": "truth", "predictions": "predicted", "evaluator_config": PLACED}
    with pytest.raises(TypeError, match="unhashable"):
        runs.evaluate(frame(truth=[None, FOUND, []]), **given)
    assert runs.metrics(runs.last_run()) == {}


# Frames as datasets of ours, stored datasets

COLUMNS = {"targets": "truth", "uid": "image", "latitude": "lat", "longitude": "lon"}


@pytest.mark.usefixtures("no_inference")
def test_a_frame_as_a_dataset_of_ours_is_evaluated_without_inference() -> None:
    dataset = mlflow.data.from_velour(
        frame(), predictions="predicted", model="finder", name="frames", **COLUMNS
    )
    run = runs.evaluate(dataset)
    assert runs.metrics(run)["mAR_100"] == 0.5
    assert runs.evaluation_json(run)["model"] == "finder"
    plain = runs.evaluate(
        frame(), targets="truth", predictions="predicted", evaluator_config=PLACED
    )
    certificates = [runs.evaluation_json(which)["certificate"] for which in (run, plain)]
    assert certificates[0] == certificates[1]


def test_a_frame_as_a_dataset_of_ours_says_what_is_wrong() -> None:
    def make(data: pd.DataFrame, **options: Any) -> None:
        mlflow.data.from_velour(data, **{"predictions": "predicted", **COLUMNS, **options})

    with pytest.raises(BadDataset, match="row 0, ground truth of datum 'a': None is a NoneType"):
        make(frame(truth=[None, FOUND, []]))
    with pytest.raises(BadDataset, match="row 1, prediction of datum 'b': None is a NoneType"):
        make(frame(predicted=[[], None, []]))
    with pytest.raises(UnknownName, match="column 'truths': did you mean 'truth'"):
        make(frame(), targets="truths")
    with pytest.raises(UnknownName, match="column 'predict': did you mean 'predicted'"):
        make(frame(), predictions="predict")
    with pytest.raises(UnknownName, match="did you mean 'latitude'"):
        make(frame(), lattitude="lat")
    with pytest.raises(InvalidInput, match="targets= names the column of ground truth"):
        mlflow.data.from_velour(frame())


def test_a_stored_dataset_is_taken_by_its_name_or_uri() -> None:
    with velour.open_store() as store:
        store.save_dataset(fires())
    by_name = mlflow.data.from_velour("fires", predictions=list(fires(["2"]).predicted), model="m")
    by_uri = mlflow.data.from_velour(f"velour://fires@{fires().digest[:32]}")
    assert by_name.velour.digest == by_uri.velour.digest == fires().digest
    assert by_name.velour.predictions_digest == fires(["2"]).predictions_digest
    with pytest.raises(UnknownName, match="did you mean 'fires'"):
        mlflow.data.from_velour("fire")


def test_what_is_no_dataset_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"7: expected a velour\.Dataset"):
        mlflow.data.from_velour(7)
    with pytest.raises(InvalidInput, match="uid: columns of a pandas frame, and this is a Dataset"):
        mlflow.data.from_velour(fires(), uid="image")
