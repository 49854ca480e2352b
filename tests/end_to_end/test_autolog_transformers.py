"""A Hugging Face ``Trainer`` under autologging, with tiny models that are made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pytest

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.autologging import QUIET, all_runs, history, off_afterwards, warned

torch = pytest.importorskip("torch", reason="torch is not installed: extra test-torch")
pytest.importorskip("accelerate", reason="accelerate is not installed: extra test-torch")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: extra test-torch"
)

__all__ = ["off_afterwards", "warned"]
pytestmark = [
    *QUIET,
    pytest.mark.usefixtures("tracking"),
    pytest.mark.filterwarnings("ignore:::torch"),
    pytest.mark.filterwarnings("ignore:::transformers"),
]

rng = np.random.default_rng(0)
FEATURES = rng.normal(size=(60, 4)).astype(np.float32)
TRUTH = (FEATURES[:, 0] > 0).astype(np.int64) + (FEATURES[:, 1] > 0.5)


class Linear(torch.nn.Module):  # type: ignore[misc,name-defined]
    """One layer, and a configuration as Hugging Face's models have it."""

    main_input_name = "features"

    def __init__(self, classes: int, many: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = torch.nn.Linear(4, classes)
        self.many = many
        names = {number: f"kind {number}" for number in range(classes)}
        self.config = SimpleNamespace(id2label=names, to_dict=dict, keys_to_ignore_at_inference=[])

    def forward(self, features: Any, labels: Any = None) -> dict[str, Any]:
        logits = self.layer(features)
        functions = torch.nn.functional
        loss = (
            functions.binary_cross_entropy_with_logits(logits, labels.float())
            if self.many
            else functions.cross_entropy(logits, labels)
        )
        return {"loss": loss, "logits": logits}


class Rows(torch.utils.data.Dataset):  # type: ignore[misc,name-defined]
    def __init__(self, features: Any, labels: Any) -> None:
        self.rows = list(zip(features, labels, strict=True))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        features, label = self.rows[place]
        return {"features": torch.tensor(features), "labels": torch.tensor(label)}


def accuracy(found: Any) -> dict[str, float]:
    return {"accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())}


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., Any]:
    def made(model: Any = None, labels: Any = TRUTH, **options: Any) -> Any:
        given = transformers.TrainingArguments(
            str(tmp_path / "out"),
            per_device_eval_batch_size=7,
            per_device_train_batch_size=20,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            save_strategy="no",
            **options.pop("arguments", {}),
        )
        rows = Rows(FEATURES, labels)
        options = {
            "train_dataset": rows,
            "eval_dataset": rows,
            "compute_metrics": accuracy,
            **options,
        }
        return transformers.Trainer(model or Linear(3), given, **options)

    return made


def test_an_evaluation_has_the_trainers_numbers(trainer: Callable[..., Any]) -> None:
    velour.autolog(log_artifacts=False)
    reported = trainer().evaluate()
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == pytest.approx(reported["eval_accuracy"])
    assert run.data.metrics["log_loss"] == pytest.approx(reported["eval_loss"], abs=1e-5)
    assert run.data.tags["velour.task"] == "tabular-classification"
    assert run.data.tags["velour.dataset"] == "Default"
    assert run.data.tags["velour.model"] == "Linear"
    assert {"f1_by_class/kind 0", "f1_by_class/kind 1"} <= set(run.data.metrics)


def test_epochs_are_the_trainers_steps(trainer: Callable[..., Any]) -> None:
    velour.autolog(log_artifacts=False)
    with mlflow.start_run() as run:
        trainer(arguments={"num_train_epochs": 3, "eval_strategy": "epoch"}).train()
    assert [step for step, _ in history(run.info.run_id, "accuracy")] == [3, 6, 9]


def test_several_datasets_are_an_evaluation_each(trainer: Callable[..., Any]) -> None:
    velour.autolog(log_artifacts=False)
    halves = {"day": Rows(FEATURES[:30], TRUTH[:30]), "night": Rows(FEATURES[30:], TRUTH[30:])}
    with mlflow.start_run() as run:
        reported = trainer(eval_dataset=halves).evaluate()
    metrics = runs.metrics(run.info.run_id)
    assert metrics["accuracy"] == pytest.approx(reported["eval_day_accuracy"])
    assert metrics["Default-night/accuracy"] == pytest.approx(reported["eval_night_accuracy"])


def share(found: Any) -> dict[str, float]:
    """Of rows whose whole set of labels is right."""
    right = (found.predictions > 0) == (found.label_ids > 0.5)
    return {"accuracy": float(right.all(1).mean())}


def test_many_labels_a_row(trainer: Callable[..., Any]) -> None:
    velour.autolog(log_artifacts=False)
    labels = (FEATURES[:, :3] > 0).astype(np.float32)
    labels[:, 2] = np.maximum(labels[:, 2], labels.sum(1) == 0)
    reported = trainer(Linear(3, many=True), labels, compute_metrics=share).evaluate()
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == pytest.approx(reported["eval_accuracy"])


def test_rows_without_a_label_are_a_warning(trainer: Callable[..., Any], warned: list[str]) -> None:
    """Velour would leave them out, and its numbers would not be the trainer's."""
    velour.autolog()
    labels = np.zeros((60, 3), np.float32)
    labels[:57, 0] = 1
    trainer(Linear(3, many=True), labels, compute_metrics=share).evaluate()
    assert all_runs() == []
    assert "3 of 60 rows have no true label" in warned[0]


def test_classes_that_were_chosen_before_they_came(trainer: Callable[..., Any]) -> None:
    velour.autolog(log_artifacts=False)
    reported = trainer(
        compute_metrics=lambda found: {"accuracy": (found.predictions == found.label_ids).mean()},
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1),
    ).evaluate()
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == pytest.approx(reported["eval_accuracy"])
    assert "log_loss" not in run.data.metrics


def test_a_label_that_is_no_class_is_a_warning(
    trainer: Callable[..., Any], warned: list[str]
) -> None:
    """Torch leaves -100 out of its loss; to Velour it would be a class like any other."""
    velour.autolog()
    labels = TRUTH.copy()
    labels[3] = -100
    trainer(labels=labels).evaluate()
    assert all_runs() == []
    assert warned == ["Trainer: not logged: label -100 is none of the model's classes."]


def test_tokens_are_no_task_of_velours(trainer: Callable[..., Any], warned: list[str]) -> None:
    """Tags of two kinds, chosen before they came, look like labels of which there may be many."""
    velour.autolog()

    class Tokens(Linear):
        def forward(self, features: Any, labels: Any = None) -> dict[str, Any]:
            logits = self.layer(features)[:, :, None].repeat(1, 1, 2)
            return {"loss": logits.mean(), "logits": logits}

    trainer(
        Tokens(3),
        (FEATURES[:, :3] > 0).astype(np.int64),
        compute_metrics=lambda found: {"accuracy": 0.5},
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1),
    ).evaluate()
    assert (all_runs(), warned) == ([], [])


def test_without_metrics_a_trainer_keeps_no_predictions(
    trainer: Callable[..., Any], warned: list[str]
) -> None:
    velour.autolog()
    trainer(compute_metrics=None).evaluate()
    assert (all_runs(), warned) == ([], [])


def test_predict_is_no_evaluation(trainer: Callable[..., Any]) -> None:
    velour.autolog()
    trainer().predict(Rows(FEATURES, TRUTH))
    assert all_runs() == []


def test_regression_is_no_task_of_velours(trainer: Callable[..., Any], warned: list[str]) -> None:
    velour.autolog()
    labels = FEATURES[:, 0].clip(0, 1)

    def error(found: Any) -> dict[str, float]:
        return {"mae": float(np.abs(found.predictions.ravel() - found.label_ids.ravel()).mean())}

    class Squeezed(Linear):
        def forward(self, features: Any, labels: Any = None) -> dict[str, Any]:
            logits = self.layer(features)
            return {"loss": ((logits.ravel() - labels) ** 2).mean(), "logits": logits}

    trainer(Squeezed(1), labels, compute_metrics=error).evaluate()
    assert (all_runs(), warned) == ([], [])


def test_a_failure_of_ours_is_a_warning(
    trainer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    from velour_integrations.autologging import transformers as ours

    def broken(*args: Any) -> Any:
        raise RuntimeError("a mistake of Velour's")

    monkeypatch.setenv("MLFLOW_AUTOLOGGING_TESTING", "false")
    velour.autolog()
    monkeypatch.setattr(ours, "_captured", broken)
    assert "eval_accuracy" in trainer().evaluate()
    assert any("a mistake of Velour's" in reported for reported in warned)


def test_a_real_model_of_texts(trainer: Callable[..., Any]) -> None:
    """A BERT of the smallest size, with weights that nobody trained."""
    velour.autolog(log_artifacts=False)
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8, num_labels=2, id2label={0: "ham", 1: "spam"},
    )  # fmt: skip
    texts = [
        {"input_ids": torch.tensor(row), "labels": torch.tensor(int(row[0] > 15))}
        for row in rng.integers(1, 30, (12, 5))
    ]
    reported = trainer(
        transformers.BertForSequenceClassification(config), eval_dataset=texts
    ).evaluate()
    (run,) = all_runs()
    assert run.data.metrics["accuracy"] == pytest.approx(reported["eval_accuracy"])
    with velour.open_store() as store:
        dataset = store.load_dataset("Default")
    assert [value for _, value in dataset.truth.labels] == ["ham", "spam"]
