"""What frames and models are called in MLflow when nobody names them, and what hints there are."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.fires import fires

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

FIRE = [{"label": "fire", "bbox": [0, 0, 10, 10]}]
SURE = [{**FIRE[0], "score": 0.9}]
COLUMNS = {"targets": "truth", "predictions": "found"}
VELOUR = {"model_type": "object-detection", "evaluators": "velour"}


def frame(**columns: Any) -> pd.DataFrame:
    """Two images in no order, the second without a fire."""
    content = {"image": ["b", "a"], "hour": [3, 4], "truth": [FIRE, []], "found": [SURE, []]}
    return pd.DataFrame({**content, **columns})


def stored_names() -> list[str]:
    with velour.open_store() as store:
        return store.dataset_names()


# Frames


def test_a_frame_without_a_name_is_called_after_its_experiment() -> None:
    with mlflow.start_run(experiment_id=mlflow.create_experiment("night fires")):
        mlflow.models.evaluate(data=frame(), **COLUMNS, **VELOUR)
        mlflow.models.evaluate(data=mlflow.data.from_velour(frame(), **COLUMNS), **VELOUR)
    assert stored_names() == ["night fires"]


def test_a_frame_without_a_name_is_called_after_its_source() -> None:
    """Of MLflow's own frames, the source is known by the input of the run."""
    source = "s3://bucket/2026/harbour.csv"
    given = {**COLUMNS, "source": source}
    runs.evaluate(mlflow.data.from_pandas(frame(image=["c", "d"]), **given))
    runs.evaluate(frame(), **COLUMNS, dataset_path="data/quay.parquet")
    assert mlflow.data.from_velour(frame(), **given).name == "harbour"
    assert stored_names() == ["harbour", "quay"]


def test_the_folder_of_an_experiment_is_no_part_of_the_name() -> None:
    """Databricks calls experiments by paths."""
    with mlflow.start_run(experiment_id=mlflow.create_experiment("/Users/ann/fires")):
        assert mlflow.data.from_velour(frame(), **COLUMNS).name == "fires"


def test_a_name_that_mlflow_gives_by_itself_may_be_chosen() -> None:
    config = {"dataset": "dataset"}
    runs.evaluate(frame(), **COLUMNS, evaluator_config=config)
    named = mlflow.data.from_velour(frame(hour=[5, 6]), name="dataset", **COLUMNS)
    runs.evaluate(named)
    assert stored_names() == ["dataset"]


def test_a_model_is_given_the_columns_of_a_frame_as_they_were() -> None:
    """Rows are those of the datums, whose order is that of their names."""
    seen: list[pd.DataFrame] = []

    def find(rows: pd.DataFrame) -> list[Any]:
        seen.append(rows)
        return [SURE if image == "b" else [] for image in rows["image"]]

    data = frame().drop(columns="found")
    run = runs.evaluate(mlflow.data.from_velour(data, targets="truth", uid="image"), model=find)
    assert runs.metrics(run)["mAR_100"] == 1.0
    assert seen[0].to_dict("list") == {"image": ["a", "b"], "hour": [4, 3]}


def test_columns_may_have_the_names_that_velour_uses_itself() -> None:
    """Neither ``ground_truth`` nor ``uid`` is taken for the columns that are named."""
    seen: list[str] = []

    def find(rows: pd.DataFrame) -> list[Any]:
        seen.extend(rows.columns)
        return [SURE, []]

    data = frame(ground_truth=[1, 2], prediction=[3, 4], uid=["x", "y"]).drop(columns="found")
    run = runs.evaluate(mlflow.data.from_velour(data, targets="truth"), model=find)
    assert runs.metrics(run)["mAR_100"] == 1.0
    assert seen == ["image", "hour", "ground_truth", "prediction", "uid"]
    renamed = frame().rename(columns={"truth": "ground_truth", "found": "prediction"})
    given = {"targets": "ground_truth", "predictions": "prediction"}
    assert runs.metrics(runs.evaluate(mlflow.data.from_velour(renamed, **given)))["mAR_100"] == 1.0


def test_a_frame_of_two_columns_is_enough() -> None:
    data = mlflow.data.from_velour(frame()[["truth", "found"]], **COLUMNS)
    assert runs.metrics(runs.evaluate(data))["mAR_100"] == 1.0


def test_a_dataset_says_what_it_holds() -> None:
    shown = repr(mlflow.data.from_velour(fires(["2"], model="half")))
    assert shown.startswith("<VelourDataset 'fires' for MLflow, of <Dataset 'fires': 4 datums")
    assert "predictions by 'half'" in shown


# Models


def finds(name: str, registered: str | None = None) -> Any:
    class Finds(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> list[Any]:
            return [[] for _ in range(len(model_input))]

    return mlflow.pyfunc.log_model(
        name=name, python_model=Finds(), pip_requirements=[], registered_model_name=registered
    )


def test_a_registered_model_has_one_name_everywhere() -> None:
    """However it is loaded: by its version, an alias or the logged model behind it."""
    logged = finds("m", "finder")
    mlflow.MlflowClient().set_registered_model_alias("finder", "champion", "1")
    for uri in ("models:/finder/1", "models:/finder@champion", f"models:/{logged.model_id}"):
        run = runs.evaluate(fires(), model=uri, evaluator_config={"report": False})
        assert runs.tags(run)["velour.model"] == "finder/1"
    assert {row.model for row in velour.rank("mAR_100", dataset="fires", resamples=0)} == {
        "finder/1"
    }


# Hints, MLflow's own words, and the name of MLflow's that is deprecated


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Warnings of Velour's logger itself: as MLflow migrates, it replaces the handlers above."""
    messages: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    ear = Ear(logging.WARNING)
    logging.getLogger("velour").addHandler(ear)
    yield messages
    logging.getLogger("velour").removeHandler(ear)


@pytest.mark.parametrize(
    ("model_type", "near"),
    [
        ("detection", "'object-detection'"),
        ("object-detektion", "'object-detection'"),
        ("Object_Detection", "'object-detection'"),
        ("segmentation", "'instance-segmentation' or 'semantic-segmentation'"),
        ("classifier", "'tabular-classification'"),
        ("classification", "'image-classification' or 'tabular-classification'"),
    ],
)
def test_a_model_type_that_nearly_is_a_task_is_hinted_at(
    model_type: str, near: str, heard: list[str]
) -> None:
    """MLflow's own message names no type; the hint beside it does."""
    data = mlflow.data.from_velour(fires(["2"]))
    with pytest.raises(mlflow.MlflowException, match="could not be evaluated"):
        runs.evaluate(data, model_type=model_type)
    assert heard == [f"Velour has no task {model_type!r}: did you mean model_type={near}?"]


def test_the_evaluators_of_others_hear_no_hint(heard: list[str]) -> None:
    """Without evaluators= MLflow asks everyone, and a classifier is its own affair."""
    data = pd.DataFrame({"truth": [0, 1], "found": [0, 1]})
    runs.evaluate(data, **COLUMNS, model_type="classifier", evaluators=None)
    assert heard == []


def test_the_deprecated_name_of_mlflow_works() -> None:
    with mlflow.start_run() as run, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that it is deprecated
        mlflow.evaluate(
            data=mlflow.data.from_velour(fires(["2"])),
            model_type="object-detection",
            evaluators="velour",
        )
    assert runs.metrics(run.info.run_id)["mAR_100"] == 0.25


def test_commands_leave_out_what_mlflow_says_of_its_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new database, and the store that a search for runs needs."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'new.db'}")
    with velour.open_store() as store:
        velour.evaluate(fires(["2"], model="half"), "object-detection", store=store)
    program = "from velour_plugin.cli import main; main()"
    words = ["rank", "--dataset", "fires", "--runs", "metrics.mAP > 2"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=tmp_path
    )
    assert (tmp_path / "new.db").exists()
    assert "INFO" not in done.stderr
