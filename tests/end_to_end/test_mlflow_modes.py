"""Every task in every mode of ``mlflow.models.evaluate``, on a real MLflow and a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.fires import fires
from tests.five_tasks import TASKS, UIDS, answering, dataset_of, frame_of
from tests.model_server import ask, gateway, served
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

PLAIN = {"uid": "uid", "dataset": "plain", "report": False}
EVERY_TASK = pytest.mark.parametrize("task", TASKS)


def judge(task: str, data: Any, config: dict[str, Any] | None = None, **options: Any) -> str:
    """Evaluate a task on a plain frame."""
    config = {**PLAIN, **(config or {})}
    given = {"targets": "truth", "evaluator_config": config, "model_type": task, **options}
    return runs.evaluate(data, **given)


def assert_judged(run: str, task: str) -> None:
    """The metric is right, and stands once, in the run as in the store."""
    known = TASKS[task]
    assert runs.metrics(run)[known.metric] == pytest.approx(known.value)
    assert len(mlflow.MlflowClient().get_metric_history(run, known.metric)) == 1
    with velour.open_store() as store:
        kept = store.load(runs.tags(run)["velour.evaluation_id"])
    assert kept[known.metric] == pytest.approx(known.value)


# Modes


@EVERY_TASK
def test_static_predictions(task: str) -> None:
    assert_judged(judge(task, frame_of(task, predicted=True), predictions="predicted"), task)


@EVERY_TASK
def test_a_function(task: str) -> None:
    answers = TASKS[task].outputs
    model = lambda frame: [answers[uid] for uid in frame["uid"]]  # noqa: E731
    assert_judged(judge(task, frame_of(task), model=model), task)


@EVERY_TASK
def test_a_loaded_model_in_batches_gives_what_it_gives_at_once(task: str, tmp_path: Path) -> None:
    """The store computes an evaluation once: equal answers have one id."""
    mlflow.pyfunc.save_model(
        tmp_path / "model", python_model=answering(TASKS[task].outputs), pip_requirements=[]
    )
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    run, batched = (
        judge(task, frame_of(task), {"model": "answers", **size}, model=model)
        for size in ({}, {"batch_size": 1})
    )
    assert_judged(run, task)
    assert_judged(batched, task)
    assert runs.tags(run)["velour.evaluation_id"] == runs.tags(batched)["velour.evaluation_id"]


@EVERY_TASK
def test_the_uri_of_a_logged_model(task: str) -> None:
    """On the run and on the logged model, once each; the model is called by its name."""
    logged = mlflow.pyfunc.log_model(
        name="answers", python_model=answering(TASKS[task].outputs), pip_requirements=[]
    )
    run = runs.evaluate(dataset_of(task), model=f"models:/{logged.model_id}", model_type=task)
    assert_judged(run, task)
    names = [metric.key for metric in mlflow.get_logged_model(logged.model_id).metrics]
    assert len(names) == len(set(names))
    assert TASKS[task].metric in names
    assert runs.evaluation_json(run)["model"] == f"answers@{logged.model_id[:10]}"


def test_a_registered_version_is_the_logged_model_behind_it() -> None:
    logged = mlflow.pyfunc.log_model(
        name="answers",
        python_model=answering(TASKS["object-detection"].outputs),
        pip_requirements=[],
        registered_model_name="finder",
    )
    run = runs.evaluate(dataset_of("object-detection"), model="models:/finder/1")
    assert_judged(run, "object-detection")
    assert [item.model_id for item in mlflow.get_run(run).inputs.model_inputs] == [logged.model_id]


def test_static_predictions_of_a_model_that_mlflow_does_not_hold() -> None:
    """An external model gets the metrics once; the predictions say whose they are."""
    model = mlflow.create_external_model(name="elsewhere", model_type="detector")
    run = runs.evaluate(fires(["2"], model="sharp"), model_id=model.model_id)
    assert runs.metrics(run)["mAR_100"] == 0.25
    keys = [metric.key for metric in mlflow.get_logged_model(model.model_id).metrics]
    assert sorted(keys) == sorted(set(keys))
    assert "mAR_100" in keys
    assert len(mlflow.MlflowClient().get_metric_history(run, "mAR_100")) == 1
    assert runs.evaluation_json(run)["model"] == "sharp"


# Endpoints


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One model server for all tasks."""
    model = tmp_path_factory.mktemp("served") / "model"
    answers = {task: dict(known.outputs) for task, known in TASKS.items()}
    mlflow.pyfunc.save_model(model, python_model=answering(answers), pip_requirements=[])
    with served(model) as url:
        yield url


@EVERY_TASK
def test_a_deployment_endpoint(task: str, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's client asks a gateway, row by row; behind it is ``mlflow models serve``."""
    asked: list[Any] = []

    def answer(name: str, row: Any) -> Any:
        asked.append(row)
        return ask(server, {"task": name, "uid": row["uid"]})

    with gateway(answer, "custom") as target:
        monkeypatch.setenv("MLFLOW_DEPLOYMENTS_TARGET", target)
        run = judge(task, frame_of(task), model=f"endpoints:/{task}")
    assert_judged(run, task)
    assert asked[:2] == [
        {"uid": "roof", "hour": 9, "note": None},
        {"uid": "20", "hour": 22, "note": "dim"},
    ]
    assert runs.evaluation_json(run)["model"] == task


def test_a_chat_endpoint_may_answer_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vision model is sent whole requests of one column, and says what it sees as text."""
    task = "object-detection"
    data = frame_of(task)
    data["chat"] = [{"messages": [{"role": "user", "content": uid}]} for uid in data["uid"]]

    def answer(_: str, request: Any) -> Any:
        predicted = TASKS[task].outputs[request["messages"][0]["content"]]
        return {"choices": [{"message": {"content": json.dumps(predicted)}}]}

    with gateway(answer, "llm/v1/chat") as target:
        monkeypatch.setenv("MLFLOW_DEPLOYMENTS_TARGET", target)
        run = judge(task, data, {"features": "chat"}, model="endpoints:/eyes")
    assert_judged(run, task)


# What a model is asked


def test_a_model_is_asked_about_the_slice_only() -> None:
    asked: list[str] = []

    def model(frame: pd.DataFrame) -> list[Any]:
        asked.extend(frame["uid"])
        return [TASKS["object-detection"].outputs[uid] for uid in frame["uid"]]

    run = judge(
        "object-detection", frame_of("object-detection"), {"where": "hour > 20"}, model=model
    )
    assert asked == ["20", "2"]
    assert runs.metrics(run)["mAR_100"] == 0.5


def test_a_model_is_asked_in_batches_of_the_size_that_is_said() -> None:
    sizes: list[int] = []

    def model(frame: pd.DataFrame) -> list[Any]:
        sizes.append(len(frame))
        return [[]] * len(frame)

    judge("object-detection", frame_of("object-detection"), {"batch_size": 3}, model=model)
    assert sizes == [3, 1]


def test_a_model_is_asked_with_the_columns_that_are_named() -> None:
    columns: list[list[str]] = []

    def model(frame: pd.DataFrame) -> list[Any]:
        columns.append(list(frame.columns))
        return [[]] * len(frame)

    data = frame_of("object-detection")
    judge("object-detection", data, {"features": ["hour", "uid"]}, model=model)
    assert columns == [["hour", "uid"]]
    with pytest.raises(UnknownName, match="did you mean 'hour'"):
        judge("object-detection", data, {"features": "hours"}, model=model)


def test_nonsense_is_refused_before_a_model_works() -> None:
    asked: list[Any] = []
    for config in ({"parameters": {"iou_treshold": 1}}, {"where": "hour >="}, {"store": "x://y"}):
        with pytest.raises(InvalidInput):
            judge("object-detection", frame_of("object-detection"), config, model=asked.append)
    assert asked == []


def test_too_few_answers_to_a_batch_name_the_way_out() -> None:
    with pytest.raises(BadDataset, match=r"(?s)4 outputs for 2 rows.*\{'batch_size': 4\}"):
        judge(
            "object-detection",
            frame_of("object-detection"),
            {"batch_size": 2},
            model=lambda _: [[]] * 4,
        )


@pytest.mark.parametrize(
    ("message", "config"),
    [
        ("batch_size = 0: expected a whole number", {"batch_size": 0}),
        ("batch_size = True: expected", {"batch_size": True}),
        ("parameters = 3: expected a mapping", {"parameters": 3}),
        ("model = 7: expected a text", {"model": 7}),
        ("features = \\[\\]: expected", {"features": []}),
        ("probabilities = 'no'", {"probabilities": "no"}),
        ("did you mean 'batch_size'", {"batchsize": 2}),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused(message: str, config: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=message):
        runs.evaluate(fires(["2"]), evaluator_config=config)


def test_a_configuration_may_be_nested_for_one_evaluator() -> None:
    config = {"velour": {"model": "named", "metric_prefix": "night/"}, "default": {}}
    run = runs.evaluate(fires(["2"]), evaluator_config=config)
    assert runs.metrics(run)["night/mAR_100"] == 0.25
    assert runs.evaluation_json(run)["model"] == "named"


# Thresholds


def result_of(found: list[str]) -> Any:
    with mlflow.start_run():
        data = mlflow.data.from_velour(fires(found))
        return mlflow.models.evaluate(data=data, model_type="object-detection", evaluators="velour")


def test_thresholds_pass_and_fail_on_our_metrics() -> None:
    better, worse = result_of(["2", "10"]), result_of(["2"])
    asked = {
        "mAR_100": MetricThreshold(threshold=0.4, min_absolute_change=0.2, greater_is_better=True)
    }
    mlflow.validate_evaluation_results(asked, better, worse)
    with pytest.raises(ModelValidationFailedException, match="mAR_100"):
        mlflow.validate_evaluation_results(asked, worse, better)
    asked = {"mAP_huge": MetricThreshold(threshold=0.5, greater_is_better=True)}
    with pytest.raises(ModelValidationFailedException, match="mAP_huge"):
        mlflow.validate_evaluation_results(asked, better)


def test_masks_are_read_batch_by_batch_into_runs_of_pixels() -> None:
    """A hundred masks of a megapixel would be 100 MB at once; a batch of them is not."""
    import tracemalloc

    side, count = 1000, 100
    square = np.zeros((side, side), bool)
    square[:10, :10] = True
    item = {"label": "fire", "segmentation": square}

    def model(frame: pd.DataFrame) -> list[Any]:
        return [[{**item, "segmentation": square.copy(), "score": 0.5}] for _ in frame["uid"]]

    mask = {"size": [side, side], "counts": [0, *[10, 990] * 9, 10, side * side - 9_010]}
    truth = [[{"label": "fire", "segmentation": mask}]] * count
    data = pd.DataFrame({"uid": list(map(str, range(count))), "truth": truth})
    judge("instance-segmentation", data, model=lambda frame: [[]] * len(frame))  # imports
    tracemalloc.start()
    judge("instance-segmentation", data, {"batch_size": 5}, model=model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_every_uid_is_asked_about() -> None:
    """The data of this file are what they say they are."""
    assert all(set(known.truth) == set(known.outputs) == set(UIDS) for known in TASKS.values())
