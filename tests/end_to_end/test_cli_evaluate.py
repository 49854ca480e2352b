"""``velour evaluate`` of models, functions and several files, over files and stored datasets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.fires import NIGHT, fires
from velour_plugin.cli import main
from velour_plugin.helpers.parquet import write_predictions
from velour_plugin.matching.question import Question
from velour_plugin.store.sql import opening
from velour_plugin.store.sql.records import evaluations

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

HALF = ("2", "10")
MODULE = '''
FIRE = [{"label": "fire", "bbox": [0, 0, 10, 10], "score": 0.9}]

def everything(frame):
    """One row a datum: its uid, metadata and place."""
    assert {"uid", "hour", "sensor", "latitude", "longitude"} <= set(frame.columns)
    return [FIRE for _ in frame["uid"]]

class Night:
    @staticmethod
    def only(frame):
        return [FIRE if hour >= 20 else [] for hour in frame["hour"]]

def one_row_less(frame):
    return [[] for _ in frame["uid"]][1:]

def wrong_keys(frame):
    return [[{"name": "fire", "box": [0, 0, 10, 10]}] for _ in frame["uid"]]

ANSWER = 42
'''


@pytest.fixture(autouse=True)
def _in_a_directory_with_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module beside the stored dataset ``fires``; what is imported is forgotten afterwards."""
    (tmp_path / "some_models.py").write_text(MODULE)
    (tmp_path / "needs_more.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "broken.py").write_text("raise RuntimeError('half written')\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("some_models", "needs_more", "broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with velour.open_store() as store:
        store.save_dataset(fires())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """COCO files: four images with a fire each, and results of two models."""
    box = {"category_id": 1, "bbox": [0, 0, 10, 10]}
    images = (1, 2, 3, 4)
    truth = {
        "images": [{"id": number, "height": 99, "width": 99} for number in images],
        "categories": [{"id": 1, "name": "fire"}],
        "annotations": [{"id": n, "image_id": n, "area": 100, **box} for n in images],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    for name, found in {"three": (1, 2, 3), "one": (4,)}.items():
        results = [{"image_id": number, "score": 0.9, **box} for number in found]
        (tmp_path / f"{name}.json").write_text(json.dumps(results))
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", *arguments], prog_name="velour")


def as_json(*arguments: str) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def value(evaluation: dict[str, Any], name: str = "mAR_100") -> Any:
    """Of a metric about all labels."""
    return {item["name"]: item["value"] for item in evaluation["metrics"]}[name]


def log_model(uids: tuple[str, ...] = HALF) -> str:
    """Log a model that finds the fires of some images; returns its id."""

    class Finds(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: Any, params: Any = None) -> list[Any]:
            fire = [{"label": "fire", "bbox": [0, 0, 10, 10], "score": 0.9}]
            return [fire if uid in uids else [] for uid in model_input["uid"]]

    logged = mlflow.pyfunc.log_model(name="finds", python_model=Finds(), pip_requirements=[])
    return str(logged.model_id)


# Functions


def test_a_function_is_evaluated_on_a_stored_dataset_in_a_run() -> None:
    evaluation = as_json("some_models:everything", "--dataset", "fires")
    assert (evaluation["model"], value(evaluation)) == ("some_models:everything", 1.0)
    assert evaluation["certificate"]["dataset_digest"] == fires().digest
    run = runs.last_run()
    assert runs.tags(run)["velour.evaluation_id"] == evaluation["id"]
    assert mlflow.get_run(run).info.run_name == "some_models:everything"
    assert runs.metrics(run)["mAR_100"] == 1.0


def test_what_was_evaluated_in_a_run_is_not_read_back_from_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plugin returns the evaluation; its question is checked here and in the run."""
    read: list[str] = []
    checked: list[str] = []
    load, check = evaluations.load_evaluation, Question.of

    def reading(connection: Any, evaluation_id: str) -> velour.Evaluation:
        evaluation = load(connection, evaluation_id)  # which is not there before the run
        read.append(evaluation_id)
        return evaluation

    def checking(evaluator: Any, *question: Any) -> Question:
        checked.append(evaluator.task)
        return check(evaluator, *question)

    monkeypatch.setattr(evaluations, "load_evaluation", reading)
    monkeypatch.setattr(Question, "of", checking)
    as_json("some_models:everything", "--dataset", "fires")
    assert read == []
    assert checked == ["object-detection"] * 2


def test_a_function_of_a_class_may_have_a_name_an_experiment_a_filter_and_parameters() -> None:
    more = ("--model", "owl", "--experiment", "night shift", "--where", NIGHT)
    given = ("--parameters", '{"iou_thresholds": [0.75]}')
    evaluation = as_json("some_models:Night.only", "--dataset", "fires", *more, *given)
    assert (evaluation["model"], value(evaluation)) == ("owl", 1.0)
    assert evaluation["certificate"]["parameters"]["iou_thresholds"] == [0.75]
    experiment = mlflow.get_experiment_by_name("night shift")
    (run,) = mlflow.search_runs([experiment.experiment_id], output_format="list")
    assert run.info.run_name == "owl"
    assert "hour" in runs.evaluation_json(run.info.run_id)["certificate"]["filter"]


def test_it_runs_as_a_program_and_finds_modules_where_it_is_called(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "velour"
    asked = ("some_models:everything", "some_models:Night.only", "--dataset", "fires")
    result = subprocess.run(
        [program, "evaluate", *asked], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "some_models:everything on fires, object-detection, iou_type box"
    assert "mAP on fires: 4 of 4 datums" in lines


# Models of MLflow


def test_versions_of_the_registry_are_evaluated_linked_and_ranked() -> None:
    model_id = log_model()
    mlflow.register_model(f"models:/{model_id}", "finder")
    mlflow.register_model(f"models:/{log_model(('20',))}", "finder")
    mlflow.MlflowClient().set_registered_model_alias("finder", "champion", "1")
    asked = ("models:/finder/2", "models:/finder@champion", "--dataset", "fires")
    answer = as_json(*asked)
    assert [value(one) for one in answer["evaluations"]] == [0.25, 0.5]
    board = answer["leaderboard"]
    assert [(row["model"], row["rank"]) for row in board["rows"]] == [
        ("finder/1", 1),
        ("finder/2", 2),
    ]
    run = mlflow.get_run(board["rows"][0]["run_id"])
    assert [one.model_id for one in run.inputs.model_inputs] == [model_id]
    logged = {metric.key: metric.value for metric in mlflow.get_logged_model(model_id).metrics}
    assert logged["mAR_100"] == 0.5


def test_a_logged_model_is_evaluated_by_its_id() -> None:
    model_id = log_model()
    evaluation = as_json(f"models:/{model_id}", "--dataset", "fires")
    assert (evaluation["model"], value(evaluation)) == (f"finds@{model_id[:10]}", 0.5)
    assert mlflow.get_run(runs.last_run()).info.run_name == evaluation["model"]


# Files


def test_several_files_are_ranked_without_mlflow(files: Path) -> None:
    asked = ("--truth", "truth.json", "--predictions", "one.json", "--predictions", "three.json")
    result = call(*asked)
    assert result.exit_code == 0, result.output
    first, second, board = result.stdout.split("\n\n", 2)
    assert first.startswith("one on truth, object-detection, iou_type box\nmAP ")
    assert second.startswith("three on truth, object-detection, iou_type box\nmAP ")
    assert board.startswith("mAP on truth: 4 of 4 datums")
    answer = as_json(*asked)
    assert [row["model"] for row in answer["leaderboard"]["rows"]] == ["three", "one"]
    assert [row["run_id"] for row in answer["leaderboard"]["rows"]] == [None, None]
    assert [value(one) for one in answer["evaluations"]] == [0.25, 0.75]
    assert mlflow.search_runs(search_all_experiments=True, output_format="list") == []


def test_the_leaderboard_is_of_those_who_were_asked_for(files: Path) -> None:
    asked = ("--truth", "truth.json", "--predictions")
    as_json(*asked, "one.json", "--model", "before")
    answer = as_json(*asked, "one.json", "--predictions", "three.json")
    assert [row["model"] for row in answer["leaderboard"]["rows"]] == ["three", "one"]


def test_files_are_evaluated_in_runs_when_an_experiment_is_named(files: Path) -> None:
    asked = ("--truth", "truth.json", "--predictions", "one.json", "--predictions", "three.json")
    names = ("--model", "uno", "--model", "tre")
    answer = as_json(*asked, *names, "--experiment", "detectors")
    experiment = mlflow.get_experiment_by_name("detectors")
    found = mlflow.search_runs([experiment.experiment_id], output_format="list")
    assert {run.info.run_name for run in found} == {"uno", "tre"}
    assert {row["run_id"] for row in answer["leaderboard"]["rows"]} == {
        run.info.run_id for run in found
    }


def test_a_model_and_a_file_stand_on_one_leaderboard(tmp_path: Path) -> None:
    write_predictions(fires(["2"], "from a run"), tmp_path / "predictions.parquet")
    asked = ("some_models:everything", "--predictions", "predictions.parquet")
    rows = as_json(*asked, "--dataset", "fires")["leaderboard"]["rows"]
    assert [(row["model"], row["run_id"] is None) for row in rows] == [
        ("some_models:everything", False),
        ("from a run", True),
    ]


@pytest.mark.parametrize("number", ["fires@1", f"fires@{fires().digest[:12]}"])
def test_an_older_version_of_a_dataset_is_named_by_number_or_digest(
    number: str, tmp_path: Path
) -> None:
    with velour.open_store() as store:
        store.save_dataset(fires(images=["2"]))
    write_predictions(fires(HALF, "half"), tmp_path / "predictions.parquet")
    evaluation = as_json("--predictions", "predictions.parquet", "--dataset", number)
    assert evaluation["certificate"]["dataset_digest"] == fires().digest
    assert value(evaluation) == 0.5


# What is refused: exit code 2, on stderr, without a traceback


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("there is no module 'some_model', neither installed nor in", ["some_model:everything"]),
        ("needs_more needs nowhere_to_be_found", ["needs_more:model"]),
        ("importing broken failed: RuntimeError('half written')", ["broken:model"]),
        ("'everythin': did you mean 'everything'?", ["some_models:everythin"]),
        ("'Night.none'", ["some_models:Night.none"]),
        ("is a int: expected a function", ["some_models:ANSWER"]),
        ("expected models:/NAME/VERSION or module:function", ["predictions.json"]),
        ("unknown registered model 'finder'", ["models:/finder/1"]),
        ("MLflow at sqlite:", ["models:/m-0123456789abcdef0123456789abcdef"]),
        ("cannot load it", ["runs:/0123456789abcdef0123456789abcdef/model"]),
        ("nothing to evaluate: pass a MODEL", []),
        ("1 names (--model) for 2", ["some_models:everything", "a:b", "--model", "x"]),
        ("two inputs are named 'some_models:everything'", ["some_models:everything"] * 2),
        ("unknown task 'detection'", ["some_models:everything", "--task", "detection"]),
        ("'iou_treshold'", ["some_models:everything", "--parameters", '{"iou_treshold": 1}']),
        ("no version '7'; known are: fires@1", ["some_models:everything", "--dataset", "fires@7"]),
        ("unknown dataset 'fire'", ["some_models:everything", "--dataset", "fire"]),
        ("name it with --truth", ["--predictions", "results.json"]),
        ("'nowhere.parquet' cannot be read", ["--predictions", "nowhere.parquet"]),
        ("'other.parquet': there is no column 'key'", ["--predictions", "other.parquet"]),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_a_run_begins(
    message: str, arguments: list[str], tmp_path: Path
) -> None:
    pd.DataFrame({"uid": ["2"], "box": [[0, 0, 1, 1]]}).to_parquet(tmp_path / "other.parquet")
    dataset = [] if "--dataset" in arguments else ["--dataset", "fires"]
    refused(message, *arguments, *dataset)
    assert mlflow.search_runs(search_all_experiments=True, output_format="list") == []


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("the model returned 3 outputs for 4 rows", ["some_models:one_row_less"]),
        ("key of an object 'name': did you mean 'label'", ["some_models:wrong_keys"]),
        ("unknown property 'our'", ["some_models:everything", "--where", "our > 3"]),
    ],
)
def test_what_shows_when_a_model_is_asked_fails_its_run_and_nothing_is_stored(
    message: str, arguments: list[str]
) -> None:
    refused(message, *arguments, "--dataset", "fires")
    assert runs.evaluations("fires") == 0
    run = mlflow.get_run(runs.last_run())
    assert (run.info.status, run.data.metrics) == ("FAILED", {})


def test_a_model_of_the_registry_needs_a_version() -> None:
    mlflow.register_model(f"models:/{log_model()}", "finder")
    refused("names no version: models:/finder/1", "models:/finder", "--dataset", "fires")
    refused("unknown version of 'finder' '9'", "models:/finder/9", "--dataset", "fires")


@pytest.mark.parametrize(
    "arguments", [["some_models:everything"], ["a:b", "--dataset", "fires", "--metadata", "x.csv"]]
)
def test_ground_truth_is_named_once(arguments: list[str]) -> None:
    refused("no ground truth: pass a file", *arguments)


def refused(message: str, *arguments: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)


# Without a store

ONE = ("--truth", "truth.json", "--predictions", "one.json")


def test_files_are_evaluated_without_a_store(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is opened or made; the numbers are those that a store would keep."""
    sources = ("--truth", "truth.json", "--predictions", "three.json")
    kept = as_json(*sources)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a store was opened")

    monkeypatch.setattr(opening, "open_sql_store", refuse)
    before = sorted(files.iterdir())
    alone = as_json(*sources, "--no-store")
    assert {**alone, "created_at": None} == {**kept, "created_at": None}
    assert "mAR_100      0.7500" in call(*sources, "--no-store").output
    assert sorted(files.iterdir()) == before


@pytest.mark.usefixtures("files")
def test_several_files_without_a_store_are_not_ranked() -> None:
    sources = ("--truth", "truth.json", "--predictions", "three.json", "--predictions", "one.json")
    found = as_json(*sources, "--no-store")
    assert [value(one) for one in found["evaluations"]] == [0.75, 0.25]
    assert "leaderboard" not in found
    assert "rank" not in call(*sources, "--no-store").output


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--dataset", "fires", "--predictions", "one.json"], "--dataset without --truth"),
        (["--truth", "truth.json", "some_models:everything"], "a MODEL"),
        (
            ["--truth", "truth.json", "--predictions", "one.json", "--experiment", "e"],
            "--experiment",
        ),
        (
            ["--truth", "truth.json", "--predictions", "one.json", "--store", "sqlite:///x"],
            "--store",
        ),
    ],
)
@pytest.mark.usefixtures("files")
def test_what_needs_a_store_is_refused_without_one(arguments: list[str], name: str) -> None:
    result = call("--no-store", *arguments)
    assert result.exit_code == 2
    assert f"--no-store and {name}: that needs a store" in result.output


@pytest.mark.usefixtures("files")
def test_a_condition_on_facts_is_refused_without_a_store() -> None:
    result = call("--no-store", *ONE, "--where", "fact.quality.blur > 1")
    assert (result.exit_code, "facts are in a store" in result.output) == (2, True)
