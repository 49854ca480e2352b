"""scikit-learn under autologging: what people score is evaluated, and what it scores itself not."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as official
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.autologging import QUIET, all_runs, history, off_afterwards, stored, warned

__all__ = ["off_afterwards", "warned"]
pytestmark = [*QUIET, pytest.mark.usefixtures("tracking")]

X, y = load_iris(return_X_y=True, as_frame=True)
TRAIN, TEST = slice(0, None, 2), slice(1, None, 2)


@pytest.fixture(autouse=True)
def on() -> None:
    velour.autolog(log_artifacts=False)


def fitted(model: Any) -> Any:
    return model.fit(X[TRAIN], y[TRAIN])


def test_score_is_an_evaluation_with_scikit_learns_own_numbers() -> None:
    model = fitted(LogisticRegression(max_iter=500, C=0.01))
    score = model.score(X[TEST], y[TEST])
    (run,) = all_runs()
    scores, true = model.predict_proba(X[TEST]), y[TEST]
    expected = {
        "accuracy": score,
        "f1_macro": official.f1_score(true, scores.argmax(1), average="macro"),
        "log_loss": official.log_loss(true, scores),
        "roc_auc": official.roc_auc_score(true, scores, multi_class="ovr"),
    }
    logged = {name: run.data.metrics[name] for name in expected}
    assert 0.5 < score < 1
    assert logged == pytest.approx(expected)
    assert run.data.tags["velour.task"] == "tabular-classification"


@pytest.mark.parametrize(
    "classes",
    [[False, True], [3, 7], [0.0, 1.0], ["no", "yes"], np.array(["no", "yes"])],
    ids=["bool", "int", "float", "text", "numpy"],
)
@pytest.mark.parametrize("model", [LogisticRegression(), SVC()])
def test_classes_of_every_type_give_scikit_learns_accuracy(classes: Any, model: Any) -> None:
    truth = np.array(classes)[(y > 0).to_numpy(int)]
    noisy = X + np.random.default_rng(0).normal(0, 2, X.shape)
    model.fit(noisy[TRAIN], truth[TRAIN])
    score = model.score(noisy[TEST], truth[TEST])
    (run,) = all_runs()
    assert 0.5 < score < 1
    assert run.data.metrics["accuracy"] == pytest.approx(score)
    assert run.data.metrics["mcc"] == pytest.approx(
        official.matthews_corrcoef(truth[TEST], model.predict(noisy[TEST]))
    )


def test_columns_of_a_frame_are_metadata_to_slice_by() -> None:
    model = fitted(LogisticRegression(max_iter=500))
    model.score(X[TEST], y[TEST])
    (run,) = all_runs()
    found = velour.slices(run.info.run_id, by=["petal width (cm)"], metric="accuracy")
    assert len(found.to_frame()) > 1


def test_a_pipeline_is_asked_about_the_rows_that_went_in() -> None:
    model = fitted(make_pipeline(StandardScaler(), LogisticRegression()))
    score = model.score(X[TEST], y[TEST])
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == score
    with velour.open_store() as store:
        dataset = store.load_dataset(run.data.tags["velour.dataset"])
    assert dataset.datums[0].metadata == X[TEST].iloc[0].to_dict()


def test_a_search_is_one_evaluation_however_often_it_scores() -> None:
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1.0]}, cv=3)
    fitted(search)
    assert all_runs() == []
    score = search.score(X[TEST], y[TEST])
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == score


def test_cross_validation_is_left_alone() -> None:
    cross_val_score(LogisticRegression(max_iter=500), X, y, cv=3)
    assert all_runs() == []


def test_probabilities_that_decide_otherwise_are_not_believed() -> None:
    """An SVC calibrates them apart: the score is that of ``predict``."""
    rng = np.random.default_rng(0)
    features, truth = rng.normal(size=(40, 2)), np.arange(40) % 2
    model = DecisionTreeClassifier(max_depth=1).fit(features, truth)
    model.predict_proba = lambda rows: np.tile([0.4, 0.6], (len(rows), 1))
    score = model.score(features, truth)
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == score
    assert "log_loss" not in run.data.metrics


def test_a_classifier_without_probabilities_is_evaluated_by_its_labels() -> None:
    score = fitted(SVC(kernel="linear", C=0.001)).score(X[TEST], y[TEST])
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == score
    assert "roc_auc" not in run.data.metrics


def test_classes_have_names_and_some_were_never_fitted() -> None:
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    some = names != "virginica"
    model = LogisticRegression(max_iter=500).fit(X[some], names[some])
    score = model.score(X, names)
    (run,) = all_runs()
    assert score == pytest.approx(2 / 3, abs=0.01)
    assert run.data.metrics["accuracy"] == score
    labels = {label for _, label in stored(run).ledger.labels}
    assert labels == {"setosa", "versicolor", "virginica"}


def test_a_dummy_is_a_classifier_too() -> None:
    model = DummyClassifier(strategy="prior").fit(X, y)
    score = model.score(X, y)
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == score == pytest.approx(1 / 3)


def test_arguments_may_be_named() -> None:
    score = fitted(LogisticRegression(max_iter=500)).score(y=y[TEST], X=X[TEST])
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == score


def test_scores_in_one_run_are_steps() -> None:
    features, truth = load_breast_cancer(return_X_y=True)
    scores = []
    with mlflow.start_run() as run:
        for depth in (1, 2, 3):
            model = DecisionTreeClassifier(max_depth=depth, random_state=0)
            scores.append(model.fit(features[::2], truth[::2]).score(features[1::2], truth[1::2]))
    assert history(run.info.run_id, "accuracy") == list(enumerate(scores))


def test_another_dataset_in_the_run_has_names_of_its_own() -> None:
    model = fitted(LogisticRegression(max_iter=500, C=0.01))
    with mlflow.start_run() as run:
        on_test, on_train = model.score(X[TEST], y[TEST]), model.score(X[TRAIN], y[TRAIN])
    metrics = runs.metrics(run.info.run_id)
    (other,) = (name for name in metrics if name.endswith("/accuracy"))
    assert (metrics["accuracy"], metrics[other]) == (on_test, on_train)
    assert other == "Default-2/accuracy"
    assert runs.tags(run.info.run_id)["velour.dataset"] == "Default"


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(max_iter=500),
        make_pipeline(StandardScaler(), LogisticRegression()),
        GridSearchCV(make_pipeline(LogisticRegression(max_iter=500)), {}, cv=3),
    ],
)
def test_a_model_is_called_by_its_class_and_the_data_by_their_experiment(
    model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The message ends in the command that ranks what was evaluated."""
    experiment = mlflow.create_experiment("iris of May")
    caplog.set_level("INFO", "mlflow.velour")
    with mlflow.start_run(experiment_id=experiment, run_name="third try") as run:
        fitted(model).score(X[TEST], y[TEST])
    tags = runs.tags(run.info.run_id)
    assert (tags["velour.model"], tags["velour.dataset"]) == ("LogisticRegression", "iris of May")
    line = "in run third try. Next: velour rank accuracy --dataset 'iris of May'"
    assert line in caplog.text


def test_weights_and_several_outputs_are_warnings(warned: list[str]) -> None:
    model = fitted(LogisticRegression(max_iter=500))
    model.score(X[TEST], y[TEST], np.arange(1, 76))
    both = pd.DataFrame({"a": y, "b": y})
    MultiOutputClassifier(DecisionTreeClassifier()).fit(X, both)
    tree = DecisionTreeClassifier().fit(X, (y == 1).to_numpy()[:, None])
    tree.score(X, (y == 1).to_numpy()[:, None])
    assert "sample_weight" in warned[0]
    assert len(all_runs()) == 1


def test_regression_is_no_classification() -> None:
    LinearRegression().fit(X, y).score(X, y)
    assert all_runs() == []


@pytest.mark.parametrize("first", ["mlflow", "velour"])
def test_mlflows_own_autologging_goes_on_beside(first: str) -> None:
    """Whoever comes first: it patches each class, and Velour the method that they inherit."""
    if first == "velour":
        mlflow.sklearn.autolog(log_models=False, silent=True)
    else:
        velour.autolog(disable=True)
        mlflow.sklearn.autolog(log_models=False, silent=True)
        velour.autolog(log_artifacts=False)
    try:
        with mlflow.start_run() as run:
            model = fitted(LogisticRegression(max_iter=500, C=0.01))
        with mlflow.start_run(run_id=run.info.run_id):
            score = model.score(X[TEST], y[TEST])
    finally:
        mlflow.sklearn.autolog(disable=True)
    metrics = runs.metrics(run.info.run_id)
    assert history(run.info.run_id, "accuracy") == [(0, score)]  # not that of the training data
    assert any("training_" in name for name in metrics)
    assert any(name.startswith("LogisticRegression_score") for name in metrics)
