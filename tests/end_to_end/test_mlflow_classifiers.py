"""Classifiers as people have them: scikit-learn models, MLflow's own evaluator beside ours."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import MetricThreshold
from sklearn import metrics as sk
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import velour_plugin as velour
from tests import mlflow_runs as runs
from velour_plugin.errors import BadDataset, InvalidInput

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

TASK = {"task": "tabular-classification", "dataset": "iris", "report": False}
PLAIN_DEFAULT = {"log_model_explainability": False, "log_explainer": False}


def iris(kinds: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Noisy irises to learn from and to judge by; the truth is the column ``target``."""
    data = load_iris(as_frame=True).frame.query(f"target < {kinds}").reset_index(drop=True)
    noise = np.random.default_rng(0).normal(0, 0.8, (len(data), 4))
    data.iloc[:, :4] += noise
    return data.iloc[::2].reset_index(drop=True), data.iloc[1::2].reset_index(drop=True)


def logged(classifier: Any, kinds: int = 3) -> tuple[Any, Any, pd.DataFrame]:
    """A classifier, its logged model and data to judge it by."""
    learn, judge = iris(kinds)
    classifier.fit(learn.drop(columns="target"), learn["target"])
    info = mlflow.sklearn.log_model(
        classifier, name="flowers", pip_requirements=[], serialization_format="cloudpickle"
    )
    return classifier, info, judge


def evaluated(model: Any, data: Any, config: dict[str, Any] | None = None, **options: Any) -> str:
    given = {"targets": "target", "model_type": "classifier", **options}
    return runs.evaluate(data, model=model, evaluator_config={**TASK, **(config or {})}, **given)


def test_probabilities_of_a_logged_classifier_agree_with_scikit_learn() -> None:
    classifier, info, data = logged(LogisticRegression())
    values = runs.metrics(evaluated(info.model_uri, data))
    truth, features = data["target"], data.drop(columns="target")
    predicted, scores = classifier.predict(features), classifier.predict_proba(features)
    expected = {
        "accuracy": sk.accuracy_score(truth, predicted),
        "f1_macro": sk.f1_score(truth, predicted, average="macro"),
        "precision_macro": sk.precision_score(truth, predicted, average="macro"),
        "recall_macro": sk.recall_score(truth, predicted, average="macro"),
        "roc_auc": sk.roc_auc_score(truth, scores, multi_class="ovr"),
        "log_loss": sk.log_loss(truth, scores),
        "mcc": sk.matthews_corrcoef(truth, predicted),
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert expected["accuracy"] < 1


def test_a_classifier_without_probabilities_is_evaluated_by_its_labels() -> None:
    classifier, info, data = logged(RidgeClassifier())
    values = runs.metrics(evaluated(info.model_uri, data))
    predicted = classifier.predict(data.drop(columns="target"))
    assert values["accuracy"] == sk.accuracy_score(data["target"], predicted)
    assert "log_loss" not in values


def test_a_bare_function_gives_labels() -> None:
    classifier, _, data = logged(LogisticRegression())
    values = runs.metrics(evaluated(classifier.predict, data))
    predicted = classifier.predict(data.drop(columns="target"))
    assert values["f1_weighted"] == pytest.approx(
        sk.f1_score(data["target"], predicted, average="weighted")
    )


@pytest.mark.parametrize("whole", [np.asarray, pd.DataFrame])
def test_a_function_may_give_a_matrix_of_scores(whole: Any) -> None:
    """Its columns are called as the labels are, or are their numbers."""
    classifier, _, data = logged(LogisticRegression())
    values = runs.metrics(evaluated(lambda frame: whole(classifier.predict_proba(frame)), data))
    scores = classifier.predict_proba(data.drop(columns="target"))
    assert values["log_loss"] == pytest.approx(sk.log_loss(data["target"], scores))


def test_decision_values_rank_and_are_no_probabilities(caplog: pytest.LogCaptureFixture) -> None:
    classifier, _, data = logged(LogisticRegression())
    told = runs.metrics(evaluated(classifier.decision_function, data))
    values = classifier.decision_function(data.drop(columns="target"))
    one_hot = np.eye(3)[data["target"]]
    assert told["roc_auc"] == pytest.approx(sk.roc_auc_score(one_hot, values), abs=1e-12)
    assert not {"log_loss", "brier", "ece"} & told.keys()
    assert "read as decision values" in caplog.text


def test_decision_values_decide_for_no_sets_of_classes() -> None:
    data = pd.DataFrame({"x": [0.0, 1.0], "target": [[1, 0], [1, 1]]})
    with pytest.raises(BadDataset, match="through a sigmoid first"):
        evaluated(
            lambda frame: np.array([[2.5, -1], [1, 1]]),
            data,
            {"parameters": {"multi_label": True}},
        )
    assert runs.metrics(runs.last_run()) == {}


@pytest.mark.parametrize("kinds", [2, 3])
def test_a_support_vector_machine_is_ranked_by_its_decision_values(kinds: int) -> None:
    """They are used where they decide as the classifier does."""
    classifier, info, data = logged(LinearSVC(dual="auto"), kinds)
    told = runs.metrics(evaluated(info.model_uri, data))
    features, one_hot = data.drop(columns="target"), np.eye(kinds)[data["target"]]
    values = classifier.decision_function(features)
    values = np.stack([-values, values], axis=1) if kinds == 2 else values
    assert told["accuracy"] == classifier.score(features, data["target"])
    assert told["roc_auc"] == pytest.approx(sk.roc_auc_score(one_hot, values), abs=1e-12)
    assert "log_loss" not in told


@pytest.mark.parametrize("classes", [[False, True], [0.0, 1.0], ["no", "yes"]])
def test_classes_of_every_type(classes: Any) -> None:
    data, learn = (frame.copy() for frame in iris(2))
    data["target"], learn["target"] = (
        pd.Series(np.array(classes)[frame["target"]]) for frame in (data, learn)
    )
    classifier = LogisticRegression().fit(learn.drop(columns="target"), learn["target"])
    features = data.drop(columns="target")
    told = runs.metrics(evaluated(classifier.predict, data))
    assert told["accuracy"] == sk.accuracy_score(data["target"], classifier.predict(features))


ROWS = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
SHARES = np.array([[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8]])
OUTPUTS: list[tuple[list[Any], Any, dict[str, Any]]] = [
    ([0, 0, 2], SHARES, {}),
    ([0, 0, 2], pd.DataFrame(SHARES), {}),
    ([0, 0, 2], SHARES.tolist(), {}),
    (["a", "a", "c"], pd.DataFrame(SHARES, columns=list("abc")), {}),
    (["a", "a", "c"], SHARES, {"labels": ["a", "b", "c"]}),
    ([1, 1, 3], SHARES, {"labels": [1, 2, 3]}),
    ([0, 1, 1], np.array([[0], [1], [1]]), {}),
    ([0, 1, 1], pd.DataFrame({"said": [False, True, True]}), {}),
    ([False, True, True], np.array([0.1, 0.9, 0.8]), {}),
    (["no", "yes", "yes"], np.array([0.1, 0.9, 0.8]), {"parameters": {"positive_label": "yes"}}),
    (["no", "yes", "yes"], np.array([0.1, 0.9, 0.8]), {"labels": ["no", "yes"]}),
    (["no", "yes", "yes"], [0, 1, 1], {"labels": ["no", "yes"]}),
    ([0, 1, 2], np.eye(3, dtype=int), {}),
    (["[0, 1]", "[1, 0]", "[1, 1]"], [[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]],
     {"parameters": {"multi_label": True}}),
    ([["a"], ["b", "a"], ["b"]], [{"a": 0.9}, {"a": 0.7, "b": 0.6}, {"b": 0.5}],
     {"parameters": {"multi_label": True}}),
]  # fmt: skip


@pytest.mark.parametrize(("truth", "outputs", "config"), OUTPUTS)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_what_classifiers_return_is_understood(
    truth: list[Any], outputs: Any, config: dict[str, Any], batch_size: int
) -> None:
    """However many rows a batch has: what outputs are is seen in all of them."""

    def model(frame: pd.DataFrame) -> Any:
        rows = frame["x"].astype(int).tolist()
        if isinstance(outputs, list):
            return [outputs[row] for row in rows]
        return outputs.iloc[rows] if hasattr(outputs, "iloc") else outputs[rows]

    config = {**config, "batch_size": batch_size}
    told = runs.metrics(evaluated(model, ROWS.assign(target=truth), config))
    assert told["accuracy"] == 1.0


REFUSED: list[tuple[list[Any], Any, str]] = [
    (["a", "b", "c"], SHARES, "name the classes of all 3 columns, in their order"),
    (["a", "b", "a"], SHARES, "name the classes of all 3 columns"),
    (["a", "b", "a"], pd.DataFrame(SHARES, columns=["p_a", "p_b", "p_c"]), "call columns of prob"),
    (["a", "b", "a"], np.array([0.1, 0.9, 0.2]), "the positive one last"),
    ([0, 1, 2], np.array([0.1, 0.9, 0.2]), "the second of two classes"),
    (["a", "b", "a"], [0, 1, 0], "Numbers stand where the ground truth has names"),
    (["cat", "dog", "cat"], ["Cat", "Dog", "Cat"], "Did you mean 'cat' by 'Cat'"),
    ([0, 1, 2], np.full((3, 3), np.nan), "the score of row 0 is nan"),
    ([0, None, 1], [0, 1, 1], r"row 1, .*class nan is missing: leave the row out"),
    ([0, 1, 1], [0, None, 1], r"datum '1'.*say \[\] where there is nothing"),
    ([{"a": 0.9}, {"a": 1}, {"b": 1}], ["a", "a", "b"], "'a' has the score 0.9: ground truth has"),
]


@pytest.mark.parametrize(("truth", "outputs", "message"), REFUSED)
def test_what_is_refused_is_refused_in_the_words_of_classes(
    truth: list[Any], outputs: Any, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as refusal:
        evaluated(lambda frame: outputs, ROWS.assign(target=truth))
    assert "box" not in str(refusal.value)


def test_a_classifier_of_two_minds_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """The labels of a support vector machine need not follow its probabilities."""

    class Contrary(LogisticRegression):  # type: ignore[misc]
        def predict(self, data: Any) -> Any:
            predicted = super().predict(data)
            predicted[:2] = (predicted[:2] + 1) % 3
            return predicted

    classifier, info, data = logged(Contrary(max_iter=500))
    model = mlflow.pyfunc.load_model(info.model_uri)
    by_scores = runs.metrics(evaluated(model, data))
    assert "not those of the highest probability in 2 of 75 rows" in caplog.text
    by_labels = runs.metrics(evaluated(model, data, {"probabilities": False}))
    features = data.drop(columns="target")
    likely = classifier.classes_[classifier.predict_proba(features).argmax(axis=1)]
    assert by_scores["accuracy"] == sk.accuracy_score(data["target"], likely)
    assert by_labels["accuracy"] == sk.accuracy_score(data["target"], classifier.predict(features))
    assert by_labels["accuracy"] != by_scores["accuracy"]


@pytest.mark.parametrize("kind", [LogisticRegression, RidgeClassifier])
def test_columns_beside_the_features_do_not_disturb_and_can_be_sliced_by(kind: Any) -> None:
    classifier, info, data = logged(kind())
    data = data.assign(
        meadow=["north", "south"] * 37 + ["north"], name=[f"i{n}" for n in data.index]
    )
    run = evaluated(info.model_uri, data, {"uid": "name", "where": "meadow = 'south'"})
    south = data.query("meadow == 'south'")
    predicted = classifier.predict(south[list(classifier.feature_names_in_)])
    assert runs.metrics(run)["accuracy"] == sk.accuracy_score(south["target"], predicted)
    assert runs.evaluation_json(run)["certificate"]["filter"] is not None


def test_fractions_of_a_table_are_features_unless_they_are_asked_for() -> None:
    """Others are what a datum is like; so are whole numbers that pandas holds as floats."""
    classifier, _, data = logged(LogisticRegression())
    width = "petal width (cm)"
    data = data.assign(age=[np.nan, *map(float, range(74))], town=["north"] * 75)
    known = list(classifier.feature_names_in_)

    def metadata(config: dict[str, Any]) -> set[str]:
        name = f"irises {len(config)} {config.get('metadata')}"
        evaluated(lambda frame: classifier.predict(frame[known]), data, {**config, "dataset": name})
        with velour.open_store() as store:
            return set(store.load_dataset(name).datums[-1].metadata)

    assert metadata({}) == {"age", "town"}
    assert metadata({"where": f'"{width}" > 0.5'}) == {"age", "town", width}
    assert metadata({"metadata": [width]}) == {width}
    assert metadata({"metadata": []}) == set()
    with pytest.raises(InvalidInput, match="did you mean 'town'"):
        metadata({"metadata": ["towns"]})


@pytest.mark.parametrize(
    "names", [["setosa", "virginica", "versicolor"], [0.0, 1.0, 2.0], [7, 8, 9]]
)
def test_labels_of_every_kind_are_the_same_in_truth_and_answer(names: list[Any]) -> None:
    learn, judge = iris()
    learn, judge = (
        part.assign(target=[names[n] for n in part["target"]]) for part in (learn, judge)
    )
    classifier = LogisticRegression().fit(learn.drop(columns="target"), learn["target"])
    run = evaluated(classifier.predict, judge)
    predicted = classifier.predict(judge.drop(columns="target"))
    assert runs.metrics(run)["accuracy"] == sk.accuracy_score(judge["target"], predicted)


# Beside MLflow's own


@pytest.mark.parametrize("kinds", [2, 3])
def test_our_numbers_are_those_of_mlflow_beside_us(kinds: int) -> None:
    """Both judge the same model in one call; ours stand under a prefix, each once."""
    _, info, data = logged(LogisticRegression(), kinds)
    config = {"velour": {**TASK, "metric_prefix": "velour/"}, "default": PLAIN_DEFAULT}
    run = runs.evaluate(
        data,
        model=mlflow.pyfunc.load_model(info.model_uri).predict,
        targets="target",
        model_type="classifier",
        evaluators=["default", "velour"],
        evaluator_config=config,
    )
    values = runs.metrics(run)
    assert values["velour/accuracy"] == pytest.approx(values["accuracy_score"])
    assert runs.history_lengths(run) == {1}

    linked = runs.evaluate(
        data,
        model=info.model_uri,
        targets="target",
        model_type="classifier",
        evaluators=["default", "velour"],
        evaluator_config=config,
    )
    values = runs.metrics(linked)
    pairs = {"accuracy_score": "accuracy", "log_loss": "log_loss"}
    pairs |= {"roc_auc": "roc_auc"} if kinds == 2 else {"f1_score": "f1_weighted"}
    for theirs, ours in pairs.items():
        assert values[f"velour/{ours}"] == pytest.approx(values[theirs], abs=1e-12)
    client = mlflow.MlflowClient()
    ours = [name for name in values if name.startswith("velour/")]
    assert {len(client.get_metric_history(linked, name)) for name in ours} == {1}
    on_model = [m.key for m in mlflow.get_logged_model(info.model_id).metrics if m.run_id == linked]
    assert {on_model.count(name) for name in ours} == {1}


def test_everyone_is_asked_when_nobody_is_named() -> None:
    _, info, data = logged(LogisticRegression())
    run = runs.evaluate(
        data,
        model=mlflow.pyfunc.load_model(info.model_uri).predict,
        targets="target",
        model_type="classifier",
        evaluators=None,
        evaluator_config={"velour": TASK, "default": PLAIN_DEFAULT},
    )
    assert {"accuracy_score", "accuracy"} <= set(runs.metrics(run))


def test_thresholds_hold_for_classifiers() -> None:
    classifier, _, data = logged(LogisticRegression())
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            classifier.predict,
            data,
            targets="target",
            model_type="classifier",
            evaluators="velour",
            evaluator_config=TASK,
        )
    wanted = {"accuracy": MetricThreshold(threshold=0.5, greater_is_better=True)}
    mlflow.validate_evaluation_results(wanted, result)


def test_a_store_holds_what_a_classifier_said() -> None:
    _, info, data = logged(SVC(kernel="linear"))
    run = evaluated(info.model_uri, data)
    with velour.open_store() as store:
        kept = store.load(runs.tags(run)["velour.evaluation_id"])
        assert store.load_dataset("iris").uids == tuple(map(str, range(75)))
    assert kept["accuracy"] == runs.metrics(run)["accuracy"]


def test_answers_that_are_no_labels_are_refused() -> None:
    _, data = iris()
    with pytest.raises(InvalidInput, match="the second of two classes"):
        evaluated(lambda frame: [1.5] * len(frame), data)
    with pytest.raises(InvalidInput, match="74 outputs for 75 rows"):
        evaluated(lambda frame: [1] * (len(frame) - 1), data)
    assert runs.metrics(runs.last_run()) == {}
    assert runs.evaluations("iris") == 0
