"""Hugging Face: ``Trainer.evaluate`` of models that classify rows, texts or images.

A ``Trainer`` keeps predictions only when it has ``compute_metrics``; without, there is nothing to
capture. Logits become scores by softmax, or by the sigmoid where labels are many a row. Regression,
tokens and generated text are no tasks of Velour's and are left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import PurePath
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.autologging import recording
from velour_integrations.mlflow.datasets.frame_names import experiment_name
from velour_plugin import Autologger
from velour_plugin.plugin import Watch

logger = logging.getLogger("mlflow.velour")

_outputs: ContextVar[list[Any] | None] = ContextVar("velour_trainer", default=None)
"""Where the loop of the evaluation that runs now puts its output."""


def _watch(module: ModuleType, watch: Watch) -> None:
    watch(module.Trainer, "evaluate", _capture)
    watch(module.Trainer, "evaluation_loop", _note)


def _note(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> None:
    output = original(self, *args, **kwargs)
    outputs = _outputs.get()
    if outputs is not None:
        outputs.append(output)


def _capture(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> None:
    names = ("eval_dataset", "ignore_keys", "metric_key_prefix")
    arguments = {**dict(zip(names, args, strict=False)), **kwargs}
    is_listening, outputs = recording.is_listening(), list[Any]()
    token = _outputs.set(outputs)
    try:
        original(self, *args, **kwargs)
    finally:
        _outputs.reset(token)
    if not is_listening or len(outputs) != 1:  # several datasets come as an evaluation each, within
        return
    captured = _captured(self, outputs[0], arguments)
    if captured is not None:
        recording.record([captured])


def _captured(trainer: Any, output: Any, arguments: Any) -> recording.Captured | None:
    from velour_integrations.autologging.classification import classified, softmax

    predictions, truth = _array(output.predictions), _array(output.label_ids)
    if predictions is None or truth is None:
        logger.debug("Trainer: it keeps predictions only when it has compute_metrics.")
        return None
    many = (
        truth.shape == predictions.shape
        and predictions.dtype.kind == "f"
        and np.isin(truth, (0, 1)).all()
    )
    single_label = truth.ndim == 1 and truth.dtype.kind in "iu" and _is_of_classes(predictions)
    if not (single_label or (many and truth.ndim == 2)):
        logger.debug("Trainer: labels of shape %s are no task of Velour's.", truth.shape)
        return None
    classes = _classes(
        trainer, predictions.shape[1] if predictions.ndim == 2 else _most(truth, predictions) + 1
    )
    odd = truth[(truth < 0) | (truth >= len(classes))] if single_label else truth[:0]
    bare = 0 if single_label else int((truth == 0).all(axis=1).sum())
    if len(odd):
        logger.warning("Trainer: not logged: label %s is none of the model's classes.", odd[0])
    if bare:
        logger.warning(
            "Trainer: not logged: %d of %d rows have no true label, and Velour evaluates only "
            "rows that have one. Give them a label of their own, such as 'none'.",
            bare,
            len(truth),
        )
    if len(odd) or bare:
        return None
    if not single_label:
        predictions, truth = 1 / (1 + np.exp(-predictions.astype(np.float64))), truth == 1
    else:
        scored = predictions.ndim == 2
        predictions = softmax(predictions) if scored else classes[predictions]
        truth = classes[truth]
    main = getattr(trainer.model, "main_input_name", "")
    return recording.Captured(
        "Trainer",
        classified(_name(trainer, arguments), classes.tolist(), truth, predictions),
        "image-classification" if main == "pixel_values" else "tabular-classification",
        {} if single_label else {"multi_label": True},
        step=int(trainer.state.global_step),
        model=_model_name(trainer.model),
    )


def _model_name(model: Any) -> str:
    """The last part of what its weights are called (``vit-base``); else its class."""
    weights = getattr(getattr(model, "config", None), "_name_or_path", None)
    return PurePath(str(weights or "")).name or type(model).__name__


def _array(values: Any) -> NDArray[Any] | None:
    """Models may give hidden states after their logits."""
    first = values[0] if isinstance(values, (tuple, list)) and len(values) else values
    return first if isinstance(first, np.ndarray) else None


def _is_of_classes(predictions: NDArray[Any]) -> bool:
    """Logits of several classes, or the classes that ``preprocess_logits_for_metrics`` chose."""
    if predictions.ndim == 1:
        return predictions.dtype.kind in "iu"
    return predictions.ndim == 2 and predictions.shape[1] > 1


def _most(*classes: NDArray[Any]) -> int:
    return max(int(of.max(initial=-1)) for of in classes)


def _classes(trainer: Any, count: int) -> NDArray[Any]:
    """Names of the classes by the model's configuration, where it has them; else their numbers."""
    from velour_integrations.autologging.classification import distinct

    known = getattr(getattr(trainer.model, "config", None), "id2label", None) or {}
    return np.array(distinct([str(known.get(number, number)) for number in range(count)]))


def _name(trainer: Any, arguments: Any) -> str | None:
    """The name of a ``datasets.Dataset``; ``None`` where the experiment's will do.

    Of several without a name, the experiment's and the key of each, as in ``birds-spring``.
    """
    chosen = arguments.get("eval_dataset")
    dataset = chosen if chosen is not None else trainer.eval_dataset
    if isinstance(chosen, str) and isinstance(trainer.eval_dataset, dict):
        dataset = trainer.eval_dataset.get(chosen)
    dataset_name = getattr(getattr(dataset, "info", None), "dataset_name", None)
    split = getattr(dataset, "split", None)
    prefix = str(arguments.get("metric_key_prefix", "eval"))
    if dataset_name and split:
        return f"{dataset_name}-{split}"
    key = prefix.removeprefix("eval").removeprefix("_")
    return f"{experiment_name()}-{key}" if key else None


AUTOLOGGER = Autologger("transformers", {"transformers.trainer": _watch}, ">=4.40")
