"""scikit-learn: ``score(X, y)`` of a fitted classifier, a pipeline or a search.

Scores that scikit-learn computes itself, in cross validation or for a search, are not people's
evaluations and are left out. One more pass computes the classifier's probabilities; where they
decide otherwise than its ``predict`` (as an SVC's may), its predictions are evaluated without
scores.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np

from velour_integrations.autologging import recording
from velour_plugin import Autologger
from velour_plugin.plugin import Watch

logger = logging.getLogger("mlflow.velour")


def _watch(module: ModuleType, watch: Watch) -> None:
    watch(_door(module.ClassifierMixin), "score", _capture)


def _door(mixin: Any) -> Any:
    """What ``score`` goes through, for the watcher to stand in.

    MLflow's own autologging patches ``score`` of every class, and what it then calls is what they
    inherit without patches. So the inherited method stays one of the class's own, and
    the watcher is put on what it calls.
    """
    door: Any = getattr(mixin.score, "_velour_door", None)
    if door is None:
        door = type("Door", (), {"score": mixin.score})

        @wraps(mixin.score)
        def score(self: Any, *args: Any, **kwargs: Any) -> Any:
            return door.score(self, *args, **kwargs)

        score._velour_door = door  # type: ignore[attr-defined]
        mixin.score = score
        _lay_anew()
    return door


def _lay_anew() -> None:
    """Let MLflow patch scikit-learn again, if it has: its patches hold the ``score`` of before."""
    from mlflow.utils.autologging_utils import AUTOLOGGING_INTEGRATIONS, autologging_is_disabled

    if not autologging_is_disabled("sklearn"):
        import mlflow.sklearn

        kept = dict(AUTOLOGGING_INTEGRATIONS["sklearn"])
        known = {key: value for key, value in kept.items() if key != "globally_configured"}
        mlflow.sklearn.autolog(**known)
        AUTOLOGGING_INTEGRATIONS["sklearn"] = kept


def _capture(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> None:
    names = ("X", "y", "sample_weight")
    arguments = {**dict(zip(names, args, strict=False)), **kwargs, "self": self}
    recorded = recording.is_listening() and not _is_training()
    call = _outermost_call(arguments) if recorded else None
    with recording.quiet():
        score = original(self, *args, **kwargs)
    if call is None:
        return
    if arguments.get("sample_weight") is not None:
        logger.warning("scikit-learn: not logged: sample_weight; Velour weighs rows alike.")
        return
    with recording.quiet():
        captured = _captured(call["self"], call["X"], call["y"], score)
    if captured is not None:
        recording.record([captured])


def _outermost_call(arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Model, X and y of the ``score`` of a person's call; ``None`` for scikit-learn's own.

    A pipeline's ``score`` ends in that of its last step, and what people evaluate are the rows
    that went in. So the outermost function of scikit-learn on the stack is looked at.
    """
    outermost, frame = None, sys._getframe(1)
    while frame is not None:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package == "sklearn":
            outermost = frame
        elif package not in ("velour_integrations", "mlflow", "contextlib"):
            break
        frame = frame.f_back  # type: ignore[assignment]
    if outermost is None:
        return arguments
    known = outermost.f_locals
    return (
        known if outermost.f_code.co_name == "score" and {"self", "X", "y"} <= set(known) else None
    )


def _is_training() -> bool:
    """Whether MLflow's own autologging scores the data that a model is fitted with right now."""
    from mlflow.utils import autologging_utils

    is_active = getattr(autologging_utils, "_has_active_training_session", None)
    return is_active is not None and bool(is_active())


def _captured(model: Any, features: Any, truth: Any, score: float) -> recording.Captured | None:
    """A fitted classifier's predictions of rows; ``None`` when each has several outputs."""
    from velour_integrations.autologging.classification import classified, facts_of

    true = np.asarray(truth)
    known = getattr(model, "classes_", None)
    if true.ndim == 2 and true.shape[1] == 1:
        true = true.ravel()
    if true.ndim != 1 or isinstance(known, list):
        logger.warning("scikit-learn: not logged: several outputs a row; evaluate each by itself.")
        return None
    classes = np.unique(true) if known is None else np.asarray(known)
    predictions = _scores(model, features, len(classes))
    if predictions is not None:
        agree = np.isclose(np.mean(classes[predictions.argmax(axis=1)] == true), score)
        predictions = predictions if agree else None
    if predictions is None:
        predictions = np.asarray(model.predict(features)).ravel()
    dataset = classified(None, classes.tolist(), true, predictions, facts_of(features))
    reported = {"accuracy": float(score)}
    source, task = type(model).__name__, "tabular-classification"
    return recording.Captured(source, dataset, task, {}, reported, model=_class_name(model))


def _class_name(model: Any) -> str:
    """The classifier's class; of a search or pipeline, that of what decides within it.

    A pipeline's ``steps`` are pairs of a name and a step.
    """
    best = getattr(model, "best_estimator_", None)
    if best is not None:
        return _class_name(best)
    steps = getattr(model, "steps", None)
    return _class_name(steps[-1][1]) if steps else type(model).__name__


def _scores(model: Any, features: Any, classes: int) -> Any:
    try:
        scores = np.asarray(model.predict_proba(features), np.float64)
    except AttributeError:  # not every classifier has them, and a pipeline says so when asked
        return None
    return scores if scores.ndim == 2 and scores.shape[1] == classes else None


AUTOLOGGER = Autologger("scikit-learn", {"sklearn.base": _watch}, ">=1.2")
