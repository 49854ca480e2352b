"""``mlflow.models.evaluate`` with a real MLflow: what is judged, logged, stored and refused."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import shapely
from mlflow.models.evaluation import EvaluationResult, ModelEvaluator
from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry
from velour_integrations.mlflow.evaluation.evaluator import VelourEvaluator

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.digests import count_digests
from tests.fires import BOSTON, NEAR_BOSTON, NIGHT, fires
from tests.scenes import ITS_LEFT_HALF, annotation
from velour_plugin.errors import BadDataset, BadFilter, InvalidInput, UnknownName, VelourError
from velour_plugin.helpers.parquet import read_predictions, write_predictions
from velour_plugin.plugin import note_repaired

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

HALF = ["2", "10"]
Box = list[float]


def cell(*boxes: Box, score: float | None = None) -> list[dict[str, Any]]:
    """A cell of a frame, in COCO's terms."""
    predicted = {} if score is None else {"score": score}
    return [{"label": "fire", "bbox": box, **predicted} for box in boxes]


def find_half(frame: pd.DataFrame) -> list[Any]:
    return [cell([0, 0, 10, 10], score=0.9) if uid in HALF else [] for uid in frame["uid"]]


def finds_half() -> mlflow.pyfunc.PythonModel:
    """A model that finds the fires of Boston, as people package it."""

    class FindsHalf(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> list[Any]:
            return find_half(model_input)

    return FindsHalf()


# What is logged


def test_static_predictions_are_evaluated_and_their_metrics_logged_once() -> None:
    run = runs.evaluate(fires(HALF))
    assert runs.metrics(run)["mAR_100"] == 0.5
    assert runs.metrics(run)["mAP"] == pytest.approx(51 / 101)
    assert runs.history_lengths(run) == {1}


def test_content_is_digested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four fires and two predictions, for MLflow's digest, the certificate and the store."""
    digested = count_digests(monkeypatch)
    runs.evaluate(fires(HALF))
    assert sorted(digested) == [2, 4]


def test_metrics_that_are_undefined_are_not_logged() -> None:
    """Every fire is small: medium and large ones are not zero, they are not there."""
    logged = set(runs.metrics(runs.evaluate(fires(HALF))))
    small = {"mAP", "mAP_50", "mAP_75", "mAP_small", "mAR_1", "mAR_10", "mAR_100", "mAR_small"}
    assert logged >= small
    assert logged.isdisjoint({"mAP_medium", "mAP_large", "mAR_medium", "mAR_large"})


def test_tags_name_the_evaluation_its_task_and_its_dataset() -> None:
    run = runs.evaluate(fires(HALF))
    assert runs.tags(run) == {
        "velour.evaluation_id": runs.evaluation_json(run)["id"],
        "velour.shown": runs.evaluation_json(run)["id"],
        "velour.task": "object-detection",
        "velour.model": "model",
        "velour.dataset": "fires",
        "velour.dataset_version": f"fires@{fires().digest[:12]}",
        "velour.store": os.environ["VELOUR_STORE_URI"],
    }


def test_the_evaluation_of_the_tag_is_in_the_store() -> None:
    run = runs.evaluate(fires(HALF))
    with velour.open_store() as store:
        evaluation = store.load(runs.tags(run)["velour.evaluation_id"])
    assert evaluation["mAR_100"] == 0.5
    assert evaluation.run == velour.EvaluatedRun(run, mlflow.get_run(run).info.run_name, "0")


def test_the_artifacts_give_back_predictions_and_evaluation() -> None:
    predicted = fires(HALF, "sharp")
    run = runs.evaluate(predicted)
    assert runs.artifacts(run) == ["velour/evaluation.json", "velour/predictions.parquet"]
    restored = read_predictions(runs.download(run, "velour/predictions.parquet"), fires())
    metrics = runs.evaluation_json(run)
    assert (
        restored.predictions_digest == predicted.predictions_digest == metrics["predictions_digest"]
    )
    assert (restored.model, metrics["model"]) == ("sharp", "sharp")
    values = {item["name"]: item["value"] for item in metrics["metrics"] if item["label"] is None}
    assert (values["mAR_100"], values["mAP_large"]) == (0.5, None)


def find_half_and_repair(frame: pd.DataFrame) -> list[Any]:
    note_repaired("scores above 1 by rounding, set to 1", "'2'")
    return find_half(frame)


def test_what_is_repaired_is_logged_with_the_run(caplog: pytest.LogCaptureFixture) -> None:
    run = runs.evaluate(fires(), model=find_half_and_repair)
    path = "velour/reading_of_predictions.json"
    assert path in runs.artifacts(run)
    report = json.loads(runs.download(run, path).read_text(encoding="utf-8"))
    assert [remark["count"] for remark in report["repaired"]] == [1]
    assert "repaired: 1 scores above 1 by rounding, set to 1 ('2')" in caplog.text


def test_a_strict_evaluation_refuses_what_would_be_repaired() -> None:
    with pytest.raises(BadDataset, match="reading is strict"):
        runs.evaluate(fires(), model=find_half_and_repair, evaluator_config={"strict": True})


def test_predictions_of_every_kind_survive_the_artifact(tmp_path: Any) -> None:
    """Polygons with holes, in parts, rasters, several labels, metadata, areas, crowds."""
    ring, hole = [(0, 0), (9, 0), (9, 9), (0, 9)], [(2, 2), (4, 2), (4, 4)]
    labels = [velour.Label("class", "fire", 0.7), velour.Label("color", "red", 0.2)]
    mask = np.eye(5, dtype=bool)
    parts = velour.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(3, 3, 4.5, 4)])
    annotations = [
        velour.Annotation(labels, polygon=velour.Polygon([ring, hole])),
        velour.Annotation(labels[:1], multipolygon=parts, metadata={"seen": dt.date(2026, 1, 2)}),
        velour.Annotation(labels[:1], raster=velour.Raster(mask), area=3.5, is_crowd=True),
        velour.Annotation(labels, bounding_box=velour.BoundingBox.from_xywh(0.1, 0.2, 0.7, 1e-9)),
        velour.Annotation(labels[1:]),
    ]
    predictions = [velour.Prediction(velour.Datum("20"), annotations)]
    dataset = fires().with_predictions(predictions, "many kinds")
    write_predictions(dataset, tmp_path / "predicted.parquet")
    restored = read_predictions(tmp_path / "predicted.parquet", fires())
    assert restored.predictions_digest == dataset.predictions_digest
    assert list(restored.predicted) == list(dataset.predicted)


def test_a_model_that_finds_nothing_leaves_an_empty_artifact() -> None:
    run = runs.evaluate(fires([]))
    restored = read_predictions(runs.download(run, "velour/predictions.parquet"), fires())
    assert restored.predictions_digest == fires([]).predictions_digest
    assert runs.metrics(run)["mAR_100"] == 0.0


def test_the_dataset_is_a_run_input_with_our_digest_and_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MLflow's inference walks every cell: it may not even be asked."""
    inferred: list[Any] = []
    for module in ("mlflow.types.utils", "mlflow.data.pandas_dataset"):
        monkeypatch.setattr(f"{module}._infer_schema", inferred.append)
    (entry,) = mlflow.get_run(runs.evaluate(fires(HALF))).inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("fires", fires().digest[:32])
    columns = json.loads(entry.dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in columns][-2:] == ["ground_truth", "prediction"]
    profile = json.loads(entry.dataset.profile)
    assert (profile["datums"], profile["annotations"], profile["predictions"]) == (4, 4, 2)
    assert inferred == []


def test_a_run_input_leads_back_to_the_dataset_in_the_store() -> None:
    (entry,) = mlflow.get_run(runs.evaluate(fires(HALF))).inputs.dataset_inputs
    assert mlflow.data.get_source(entry.dataset).load().digest == fires().digest


def test_evaluating_again_in_one_run_replaces_its_artifacts() -> None:
    run = runs.evaluate(fires(HALF))
    runs.evaluate(fires([]), run_id=run)
    assert runs.artifacts(run) == ["velour/evaluation.json", "velour/predictions.parquet"]
    assert runs.evaluation_json(run)["id"] == runs.tags(run)["velour.evaluation_id"]
    restored = read_predictions(runs.download(run, "velour/predictions.parquet"), fires())
    assert restored.predictions_digest == fires([]).predictions_digest
    assert runs.metrics(run)["mAR_100"] == 0.0


def test_the_same_predictions_in_two_runs_are_two_rows_where_all_are_shown() -> None:
    """The evaluation is computed once; its artifact, written twice, says the same."""
    first, second = (runs.evaluate(fires(HALF), name=name) for name in ("first", "second"))
    board = velour.rank("mAR_100", dataset="fires", all_runs=True)
    assert {row.run for row in board} == {"first", "second"}
    assert {(row.rank, row.value) for row in board} == {(1, 0.5)}
    assert runs.evaluation_json(first) == runs.evaluation_json(second)
    assert runs.metrics(first) == runs.metrics(second)


def test_where_in_the_configuration_evaluates_only_its_datums() -> None:
    """Of two images by night, one's fire is found."""
    run = runs.evaluate(fires(["2"]), evaluator_config={"where": NIGHT})
    assert runs.metrics(run)["mAR_100"] == 0.5
    assert "hour" in runs.evaluation_json(run)["certificate"]["filter"]


def test_parameters_in_the_configuration_reach_the_evaluator() -> None:
    """The left half of a fire is found at an overlap of 0.5, not at 0.75."""
    found = [velour.Prediction(velour.Datum("2"), [annotation(ITS_LEFT_HALF, score=0.9)])]
    predicted = fires(images=["2"]).with_predictions(found, "left")
    given = {"parameters": {"iou_thresholds": [0.75]}}
    assert runs.metrics(runs.evaluate(predicted))["mAR_100"] == pytest.approx(0.1)
    assert runs.metrics(runs.evaluate(predicted, evaluator_config=given))["mAR_100"] == 0.0


def test_the_store_in_the_configuration_is_the_one_that_is_written(tmp_path: Any) -> None:
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    runs.evaluate(fires(HALF), evaluator_config={"store": elsewhere})
    with velour.open_store(elsewhere) as store:
        assert store.dataset_names() == ["fires"]
    assert runs.evaluations("fires") == 0


# Models


def test_a_function_is_asked_with_one_row_a_datum() -> None:
    frames = []

    def model(frame: pd.DataFrame) -> list[Any]:
        frames.append(frame)
        return find_half(frame)

    run = runs.evaluate(fires(), name="by function", model=model)
    assert runs.metrics(run)["mAR_100"] == 0.5
    assert runs.history_lengths(run) == {1}
    assert runs.evaluation_json(run)["model"] == "by function"
    assert list(frames[0]["uid"]) == ["2", "10", "20", "roof"]
    assert list(frames[0]["hour"]) == [23, 12, 22, 9]
    assert (frames[0]["latitude"][0], frames[0]["longitude"][0]) == BOSTON


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda predicted: predicted, id="list"),
        pytest.param(lambda predicted: pd.Series(predicted), id="series"),
        pytest.param(lambda predicted: pd.DataFrame({"boxes": predicted}), id="frame"),
        pytest.param(
            lambda predicted: [np.array(item, dtype=object) for item in predicted], id="arrays"
        ),
    ],
)
def test_a_model_may_answer_in_many_forms(answer: Callable[[list[Any]], Any]) -> None:
    run = runs.evaluate(fires(), model=lambda frame: answer(find_half(frame)))
    assert runs.metrics(run)["mAR_100"] == 0.5


def test_a_model_may_answer_as_torchvision_does() -> None:
    def model(frame: pd.DataFrame) -> list[Any]:
        found = {"boxes": np.array([[0, 0, 10, 10.0]]), "labels": ["fire"], "scores": [0.9]}
        nothing = {"boxes": np.empty((0, 4)), "labels": [], "scores": []}
        return [found if uid in HALF else nothing for uid in frame["uid"]]

    assert runs.metrics(runs.evaluate(fires(), model=model))["mAR_100"] == 0.5


def test_a_logged_model_gets_its_metrics_once_on_run_and_model() -> None:
    """MLflow logs the metrics itself when it knows the model: twice would be once too often."""
    logged = mlflow.pyfunc.log_model(
        name="finds-half", python_model=finds_half(), pip_requirements=[]
    )
    run = runs.evaluate(fires(), model=f"models:/{logged.model_id}")
    assert runs.metrics(run)["mAR_100"] == 0.5
    assert runs.history_lengths(run) == {1}
    metrics = mlflow.get_logged_model(logged.model_id).metrics
    assert sorted(metric.key for metric in metrics) == sorted(runs.metrics(run))
    assert {(item.dataset_name, item.dataset_digest) for item in metrics} == {
        ("fires", fires().digest[:32])
    }
    assert [item.model_id for item in mlflow.get_run(run).inputs.model_inputs] == [logged.model_id]
    assert runs.evaluation_json(run)["model"] == f"finds-half@{logged.model_id[:10]}"


def test_a_loaded_model_may_be_named_in_the_configuration(tmp_path: Any) -> None:
    mlflow.pyfunc.save_model(tmp_path / "model", python_model=finds_half(), pip_requirements=[])
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    run = runs.evaluate(fires(), model=model, evaluator_config={"model": "half"})
    assert runs.evaluation_json(run)["model"] == "half"
    assert runs.metrics(run)["mAR_100"] == 0.5


# Plain frames


def plain_frame(uids: list[str] | None = None) -> pd.DataFrame:
    """Each datum's fire is elsewhere; rows are not in the order of the uids."""
    uids = uids or ["roof", "20", "2", "10"]
    boxes = {"2": [0, 0, 10, 10], "10": [20, 0, 10, 10], "20": [40, 0, 9, 9], "roof": [60, 0, 8, 8]}
    return pd.DataFrame(
        {
            "uid": uids,
            "lat": [np.nan if uid == "roof" else BOSTON[0] for uid in uids],
            "lon": [np.nan if uid == "roof" else BOSTON[1] for uid in uids],
            "hour": [{"2": 23}.get(uid, 12) for uid in uids],
            "taken": [pd.Timestamp("2026-03-01T12:00") if uid == "2" else pd.NaT for uid in uids],
            "truth": [cell(boxes[uid]) for uid in uids],
            "predicted": [cell(boxes[uid], score=0.9) if uid != "20" else [] for uid in uids],
        }
    )


PLACED = {"dataset": "frames", "uid": "uid", "latitude": "lat", "longitude": "lon"}


def test_a_plain_frame_is_evaluated_row_by_row_in_any_order() -> None:
    """Three of four fires are found, each where its own row says."""
    run = runs.evaluate(
        plain_frame(), targets="truth", predictions="predicted", evaluator_config=PLACED
    )
    assert runs.metrics(run)["mAR_100"] == 0.75
    assert runs.history_lengths(run) == {1}
    with velour.open_store() as store:
        dataset = store.load_dataset("frames")
    assert dataset.uids == ("2", "10", "20", "roof")
    assert shapely.get_coordinates(dataset.datums[0].location).tolist() == [[-71.03, 42.36]]
    assert dataset.datums[3].location is None
    taken = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    assert dataset.datums[0].metadata == {"hour": 23, "taken": taken}
    assert dataset.datums[3].metadata == {"hour": 12}


def test_a_function_is_asked_about_a_plain_frame_in_its_own_order() -> None:
    answers = dict(zip(plain_frame()["uid"], plain_frame()["predicted"], strict=True))
    run = runs.evaluate(
        plain_frame().drop(columns="predicted"),
        model=lambda frame: [answers[uid] for uid in frame["uid"]],
        targets="truth",
        evaluator_config=PLACED,
    )
    assert runs.metrics(run)["mAR_100"] == 0.75


def test_a_plain_frame_can_be_ranked_by_place() -> None:
    runs.evaluate(plain_frame(), targets="truth", predictions="predicted", evaluator_config=PLACED)
    (row,) = velour.rank("mAR_100", dataset="frames", where=NEAR_BOSTON)
    assert (row.value, row.datums) == (pytest.approx(2 / 3), 3)


def test_a_plain_frame_without_uids_numbers_its_rows() -> None:
    frame = plain_frame()[["truth", "predicted"]]
    runs.evaluate(
        frame, targets="truth", predictions="predicted", evaluator_config={"dataset": "bare"}
    )
    with velour.open_store() as store:
        assert store.load_dataset("bare").uids == ("0", "1", "2", "3")


# Others


def test_evaluations_of_others_are_left_alone() -> None:
    """A classifier's run is the same whether Velour is asked or not."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris(as_frame=True).frame.query("target < 2")
    model = LogisticRegression().fit(data.drop(columns="target"), data["target"])
    given = {
        "data": data,
        "model": model.predict,
        "targets": "target",
        "model_type": "classifier",
        "evaluator_config": {"log_model_explainability": False},
    }
    everyone = runs.evaluate(**given, evaluators=None)
    default = runs.evaluate(**given, evaluators="default")
    assert runs.metrics(everyone) == runs.metrics(default) != {}
    assert runs.history_lengths(everyone) == {1}
    assert "velour.evaluation_id" not in runs.tags(everyone)
    assert not os.path.exists("velour.db")


@pytest.mark.parametrize(
    ("model_type", "config"),
    [
        ("regressor", None),
        ("regressor", {}),
        ("text", {"task": None}),
        ("question-answering", {"col_mapping": {}}),
        ("object-detector", {"task": "detect", "weights": "x.pt"}),
        (None, None),
    ],
)
def test_model_types_of_others_are_not_ours(model_type: Any, config: Any) -> None:
    assert not VelourEvaluator.can_evaluate(model_type=model_type, evaluator_config=config)


@pytest.mark.parametrize(
    ("model_type", "config"),
    [
        ("object-detection", None),
        ("instance-segmentation", {"where": "a = 1"}),
        ("classifier", {"task": "object-detection"}),
        ("classifier", {"task": "object-detektion"}),
    ],
)
def test_our_tasks_are_ours_and_so_is_a_task_that_is_misspelt(model_type: str, config: Any) -> None:
    """Declined, a misspelt task would be MLflow's "could not be evaluated", without a reason."""
    assert VelourEvaluator.can_evaluate(model_type=model_type, evaluator_config=config)


def test_several_evaluators_work_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counts(ModelEvaluator):  # type: ignore[misc]
        @classmethod
        def can_evaluate(cls, **_: Any) -> bool:
            return True

        def evaluate(self, *, dataset: Any, **_: Any) -> EvaluationResult:
            metrics = sum(map(len, dataset.labels_data))
            return EvaluationResult({"fires": metrics, "shape": len(dataset.features_data)}, {})

    monkeypatch.setitem(_model_evaluation_registry._registry, "counts", Counts)
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            data=mlflow.data.from_velour(fires(HALF)),
            model_type="object-detection",
            evaluators=["counts", "velour"],
            evaluator_config={"velour": {"model": "half"}},
        )
    assert (result.metrics["fires"], result.metrics["shape"]) == (4, 4)
    assert result.metrics["mAR_100"] == 0.5
    assert "velour_evaluation" in result.artifacts


# What is refused: an error that says the way out, and nothing logged or stored by Velour


def untouched(run: str) -> None:
    """Nothing of an evaluation is on the run; the store in use is, as on every run."""
    assert runs.metrics(run) == {}
    assert runs.tags(run).keys().isdisjoint({"velour.evaluation_id", "velour.task"})
    assert runs.artifacts(run) == []


def refused(kind: type[VelourError], message: str, data: Any, **options: Any) -> None:
    with pytest.raises(kind, match=message):
        runs.evaluate(data, **options)
    run = runs.last_run()
    untouched(run)
    with velour.open_store() as store:
        assert store.dataset_names() == []


@pytest.mark.parametrize(
    ("kind", "message", "config"),
    [
        (UnknownName, "did you mean 'parameters'", {"paramters": {}}),
        (UnknownName, "did you mean 'object-detection'", {"task": "object-detektion"}),
        (UnknownName, "did you mean 'iou_threshold'", {"parameters": {"iou_treshold": 0.5}}),
        (InvalidInput, "score_threshold", {"parameters": {"score_threshold": "high"}}),
        (BadFilter, "does not parse", {"where": "hour >="}),
        (UnknownName, "did you mean 'hour'", {"where": "hours > 3"}),
        (InvalidInput, "selects none of the ", {"where": "hour > 99"}),
        (UnknownName, "label key", {"parameters": {"label_keys": ["colour"]}}),
        (InvalidInput, "expected sqlite:///", {"store": "mysql://nowhere/velour"}),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(
    kind: type[VelourError], message: str, config: dict[str, Any]
) -> None:
    refused(kind, message, fires(HALF), evaluator_config=config)


GOOD = cell([0, 0, 10, 10], score=0.9)


@pytest.mark.parametrize(
    ("message", "answers"),
    [
        ("3 outputs for 4 rows", [GOOD] * 3),
        ("5 outputs for 4 rows", [GOOD] * 5),
        ("an answer for each row|expected a list", None),
        ("an answer for each row|expected a list", 7),
        ("datum 'roof': None is a NoneType; say", [GOOD, GOOD, GOOD, None]),
        ("datum '10'.*bbox.*", [GOOD, cell([0, 0, 5], score=0.9), [], []]),
        ("datum '10'.*nan", [GOOD, cell([0, 0, 5, np.nan], score=0.9), [], []]),
        ("datum '10'.*-5", [GOOD, cell([0, 0, 5, -5], score=0.9), [], []]),
        ("datum '20'.*score 1.5", [GOOD, [], cell([0, 0, 5, 5], score=1.5), []]),
        ("datum '2'.*lacks 'label'", [[{"bbox": [0, 0, 1, 1], "score": 1}], [], [], []]),
        ("datum '2'.*'fire' is a str", [["fire"], [], [], []]),
        (
            "different lengths",
            [{"boxes": [[0, 0, 1, 1]], "labels": [], "scores": [1]}, *[GOOD] * 3],
        ),
        ("'2' has no score", [cell([0, 0, 1, 1]), [], [], []]),
        ("name the one to evaluate", pd.DataFrame({"a": [GOOD] * 4, "b": [GOOD] * 4})),
    ],
)
def test_answers_that_cannot_be_read_are_refused(message: str, answers: Any) -> None:
    refused(InvalidInput, f"(?s){message}", fires(), model=lambda _: answers)


@pytest.mark.parametrize(
    ("message", "change", "config"),
    [
        ("datum '20'.*None is a NoneType; say", {"truth": [cell([0, 0, 1, 1]), None, [], []]}, {}),
        ("datum '20'.*nan is a float; say", {"predicted": [[], np.nan, [], []]}, {}),
        ("datum uid '2' occurs twice", {"uid": ["2", "2", "10", "20"]}, {}),
        ("unknown column 'latitude'.*did you mean 'lat'", {}, {"latitude": "latitude"}),
        ("row 2 has no uid", {"uid": ["2", "10", None, "20"]}, {}),
        ("datum '20'.*latitude is within", {"lat": [np.nan, 99.0, 1.0, 1.0]}, {}),
    ],
)
def test_frames_that_cannot_be_read_are_refused(
    message: str, change: dict[str, Any], config: dict[str, str]
) -> None:
    refused(
        InvalidInput,
        f"(?s){message}",
        plain_frame().assign(**change),
        targets="truth",
        predictions="predicted",
        evaluator_config={**PLACED, **config},
    )


def test_a_frame_without_ground_truth_or_predictions_is_refused() -> None:
    refused(BadDataset, "a column of ground truth", plain_frame(), predictions="predicted")
    refused(BadDataset, "nothing to evaluate", plain_frame(), targets="truth")
    refused(BadDataset, "nothing to evaluate", fires())


def test_predictions_for_a_datum_that_is_not_there_are_refused() -> None:
    with pytest.raises(BadDataset, match="'nowhere', which is not in dataset 'fires'"):
        fires(["nowhere"])


def test_a_parquet_of_another_dataset_is_refused() -> None:
    run = runs.evaluate(fires(HALF))
    path = runs.download(run, "velour/predictions.parquet")
    with pytest.raises(BadDataset, match="datum '2' is not in"):
        read_predictions(path, fires(images=["10", "20"]))


def test_a_store_that_does_not_answer_leaves_the_run_untouched() -> None:
    with pytest.raises(velour.errors.StoreUnavailable, match=r"sqlite:////nowhere/velour\.db"):
        runs.evaluate(fires(HALF), evaluator_config={"store": "sqlite:////nowhere/velour.db"})
    untouched(runs.last_run())


# Importing


def python(code: str) -> str:
    """Run code in a fresh process where every warning of ours is an error."""
    options = ("-W", "error", "-W", "ignore:::mlflow", "-W", "ignore:::sqlalchemy")
    result = subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def test_importing_mlflow_finds_us_without_a_word() -> None:
    code = "import mlflow; print(mlflow.data.from_velour.__name__)"
    assert python(code) == "from_velour\n"


def test_the_evaluator_may_be_imported_before_mlflow() -> None:
    first = "import velour_integrations.mlflow.evaluation.evaluator"
    assert python(f"{first}, mlflow; print(mlflow.data.from_velour)").startswith(
        "<function from_velour"
    )


@pytest.mark.parametrize("module", ["cells", "constructors", "data", "source"])
def test_the_datasets_may_be_imported_before_mlflow(module: str) -> None:
    """MLflow would meet the module half imported, and go on without it."""
    python(f"import velour_integrations.mlflow.datasets.{module}, mlflow; mlflow.data.from_velour")


@pytest.mark.parametrize(
    "code",
    [
        "import velour_plugin as velour; velour.Dataset, velour.evaluate, velour.open_store",
        "from velour_plugin.cli import main; main(['--help'], standalone_mode=False)",
        "from velour_plugin.cli import main; main(['rank', '--help'], standalone_mode=False)",
        "from velour_plugin.plugins.installed import installed; installed().commands()",
    ],
)
def test_mlflow_is_not_imported_before_it_is_needed(code: str) -> None:
    printed = python(f"import sys\n{code}\nprint('mlflow' in sys.modules)")
    assert printed.strip().endswith("False")
