"""What people add to an evaluation: extra metrics, custom artifacts, evaluators of their own."""

from __future__ import annotations

import json
from typing import Any

import mlflow
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow.metrics.base import MetricValue
from mlflow.models import make_metric
from sklearn.metrics import accuracy_score

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.fires import fires
from tests.five_tasks import TASKS, frame_of
from velour_plugin.domain.evaluation import Metric
from velour_plugin.plugins.installed import installed

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

TASK = "object-detection"
PLAIN = {"uid": "uid", "dataset": "plain", "report": False}


def judge(config: dict[str, Any] | None = None, task: str = TASK, **options: Any) -> str:
    """Evaluate what a model says of a plain frame."""
    given = {"evaluator_config": {**PLAIN, **(config or {})}, "targets": "truth", **options}
    answers = TASKS[task].outputs
    model = given.pop("model", lambda frame: [answers[uid] for uid in frame["uid"]])
    return runs.evaluate(frame_of(task), model=model, model_type=task, **given)


# Extra metrics


def found(predictions: Any, targets: Any, metrics: Any) -> float:
    """How many are found for each true one, in percent of recall."""
    share = sum(map(len, predictions)) / sum(map(len, targets))
    return share / float(metrics["mAR_100"].aggregate_results["mAR_100"])


def test_an_extra_metric_sees_predictions_targets_and_our_metrics() -> None:
    """Three of four are found, as recall says; it is logged beside ours, each once."""
    run = judge(extra_metrics=[make_metric(eval_fn=found, greater_is_better=True, name="agree")])
    assert runs.metrics(run)["agree"] == pytest.approx(1.0)
    assert runs.metrics(run)["mAR_100"] == 0.75
    assert runs.history_lengths(run) == {1}


def test_an_extra_metric_sees_the_slice_and_the_columns_it_names() -> None:
    seen: list[list[Any]] = []

    def hours(predictions: Any, targets: Any, hour: Any) -> float:
        seen.append([list(map(len, predictions)), list(hour)])
        return float(hour.mean())

    metric = make_metric(eval_fn=hours, greater_is_better=True, name="hours")
    run = judge({"where": "hour > 20"}, extra_metrics=[metric])
    assert runs.metrics(run)["hours"] == 22.5
    assert seen[-1] == [[0, 1], [22, 23]]


def test_a_mapping_of_columns_names_an_argument() -> None:
    def when(predictions: Any, targets: Any, moment: Any) -> float:
        return float(moment.max())

    metric = make_metric(eval_fn=when, greater_is_better=True, name="when")
    run = judge({"col_mapping": {"moment": "hour"}}, extra_metrics=[metric])
    assert runs.metrics(run)["when"] == 23.0


def test_extra_metrics_see_static_predictions_and_plain_labels() -> None:
    def own(predictions: Any, targets: Any) -> float:
        return float(accuracy_score(targets, predictions))

    task = "tabular-classification"
    run = runs.evaluate(
        frame_of(task, predicted=True),
        model_type=task,
        targets="truth",
        predictions="predicted",
        evaluator_config=PLAIN,
        extra_metrics=[make_metric(eval_fn=own, greater_is_better=True, name="own")],
    )
    assert runs.metrics(run)["own"] == runs.metrics(run)["accuracy"] == 0.75


def scores_of(run: str) -> pd.DataFrame:
    """The table of scores, as MLflow reads it."""
    with mlflow.start_run(run_id=run):
        return mlflow.load_table("velour_extra_metrics.json", run_ids=[run])


def test_scores_of_single_rows_are_a_table_of_the_run() -> None:
    def boxes(predictions: Any, targets: Any) -> MetricValue:
        counts = [float(len(cell)) for cell in predictions]
        return MetricValue(scores=counts, aggregate_results={"mean": sum(counts) / len(counts)})

    metric = make_metric(eval_fn=boxes, greater_is_better=True, name="boxes")
    run = judge(extra_metrics=[metric])
    assert runs.metrics(run)["boxes/mean"] == 0.75
    assert list(scores_of(run)["uid"]) == ["roof", "20", "2", "10"]
    assert list(scores_of(run)["boxes/score"]) == [1, 0, 1, 1]
    blind = {"model": lambda frame: [[]] * len(frame)}
    runs_again = judge(run_id=run, extra_metrics=[metric], **blind)
    assert runs_again == run
    assert runs.metrics(run)["boxes/mean"] == 0.0
    assert list(scores_of(run)["boxes/score"]) == [0, 0, 0, 0]


def test_a_name_that_mlflow_refuses_is_spelled_otherwise() -> None:
    metric = make_metric(eval_fn=found, greater_is_better=True, name="agree@[.5]")
    assert "agree__.5_" in runs.metrics(judge(extra_metrics=[metric]))


@pytest.mark.parametrize("static", [True, False])
def test_velour_datasets_show_their_annotations(static: bool) -> None:
    def count(predictions: Any, targets: Any) -> float:
        assert all(isinstance(item, velour.Annotation) for cell in targets for item in cell)
        return float(sum(map(len, predictions)))

    metric = make_metric(eval_fn=count, greater_is_better=True, name="count")
    options = {} if static else {"model": lambda frame: [[]] * len(frame)}
    run = runs.evaluate(fires(["2"] if static else None), extra_metrics=[metric], **options)
    assert runs.metrics(run)["count"] == (1.0 if static else 0.0)


def test_an_extra_metric_that_fails_leaves_nothing() -> None:
    def fails(predictions: Any, targets: Any) -> float:
        raise ZeroDivisionError("nothing to divide by")

    metric = make_metric(eval_fn=fails, greater_is_better=True, name="fails")
    with pytest.raises(mlflow.MlflowException, match="nothing to divide by"):
        judge(extra_metrics=[metric])
    run = runs.last_run()
    assert runs.metrics(run) == {}
    assert "velour.evaluation_id" not in runs.tags(run)
    assert runs.artifacts(run) == []
    assert runs.evaluations("plain") == 0


def test_an_extra_metric_that_wants_what_is_not_there_is_refused() -> None:
    def wants(predictions: Any, targets: Any, weather: Any) -> float:
        return 0.0

    metric = make_metric(eval_fn=wants, greater_is_better=True, name="wants")
    with pytest.raises(mlflow.MlflowException, match=r"missing columns \['weather'\]"):
        judge(extra_metrics=[metric])
    assert runs.evaluations("plain") == 0


# Custom artifacts


def test_custom_artifacts_are_logged_as_mlflow_logs_them() -> None:
    def kinds(eval_df: pd.DataFrame, metrics: Any, folder: str) -> dict[str, Any]:
        figure = Figure()
        figure.add_subplot().plot([0, 1])
        return {
            "counts": pd.DataFrame({"found": eval_df["prediction"].map(len)}),
            "recall": {"mAR_100": metrics["mAR_100"].aggregate_results["mAR_100"]},
            "curve": figure,
        }

    run = judge(custom_artifacts=[kinds])
    for name in ("counts.csv", "recall.json", "curve.png"):
        assert runs.download(run, name).stat().st_size > 0
    assert list(pd.read_csv(runs.download(run, "counts.csv"))["found"]) == [1, 0, 1, 1]
    assert json.loads(runs.download(run, "recall.json").read_text()) == {"mAR_100": 0.75}


def test_artifacts_are_in_the_result_and_see_extra_metrics() -> None:
    def sums(eval_df: pd.DataFrame, metrics: Any) -> Any:
        return None

    def names(eval_df: pd.DataFrame, metrics: Any, folder: str) -> dict[str, Any]:
        return {"names": sorted(metrics)}

    metric = make_metric(eval_fn=found, greater_is_better=True, name="agree")
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            data=mlflow.data.from_velour(fires(["2"])),
            model_type=TASK,
            evaluators="velour",
            extra_metrics=[metric],
            custom_artifacts=[names],
        )
    assert {"velour_evaluation", "names"} <= set(result.artifacts)
    assert {"agree", "mAR_100"} <= set(result.artifacts["names"].content)
    assert result.metrics["agree"] == pytest.approx(1.0)


def test_a_version_of_mlflow_that_reads_extras_otherwise_leaves_them_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr("mlflow.models.evaluation.default_evaluator.BuiltInEvaluator")
    run = judge(extra_metrics=[make_metric(eval_fn=found, greater_is_better=True, name="agree")])
    assert runs.metrics(run)["mAR_100"] == 0.75
    assert "agree" not in runs.metrics(run)
    assert "are left out" in caplog.text


# Evaluators of others


def test_a_metric_that_mlflow_refuses_is_sanitised_there_and_kept_in_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "mAP@[.5:.95]"
    theirs = type(installed().evaluator(TASK))

    class Renamed(theirs):  # type: ignore[misc, valid-type]
        headline = (name,)

        def measure(self, *given: Any, **more: Any) -> list[Metric]:
            names = super().measure(*given, **more)
            return [Metric(name, item.value) for item in names if item.name == "mAP"]

    monkeypatch.setitem(installed().evaluators, TASK, Renamed())
    run = runs.evaluate(fires(["2", "10"]), evaluator_config={"report": False})
    assert runs.metrics(run)["mAP__.5:.95_"] == pytest.approx(51 / 101)
    with velour.open_store() as store:
        kept = store.load(runs.tags(run)["velour.evaluation_id"])
    assert kept[name] == pytest.approx(51 / 101)
