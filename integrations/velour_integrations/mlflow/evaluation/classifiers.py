"""Labels and scores of fitted classifiers: scikit-learn's and those made like them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.mlflow.evaluation.model_outputs import ClassOutputs
from velour_plugin.plugin import ranking_scores

_logger = logging.getLogger("velour")


@dataclass(frozen=True, slots=True)
class ClassifierAnswers:
    """A classifier's answers for the rows of one batch.

    Args:
        labels: ``(rows,)`` as ``predict`` gives them.
        scores: ``(rows, classes)``; ``None`` of a classifier that has none.
        are_probabilities: or decision values, which only rank.
    """

    labels: NDArray[Any]
    scores: NDArray[Any] | None
    are_probabilities: bool


def classifier_behind(model: Any) -> Any:
    """Return the classifier in a model of scikit-learn, XGBoost and the like; ``None`` if none.

    MLflow's own evaluator uses it too, as predictions of such models are labels only.
    """
    try:
        raw = model.get_raw_model()
    except (AttributeError, NotImplementedError):
        return None
    classes: Any = getattr(raw, "classes_", None)
    return raw if np.ndim(classes) == 1 else None  # 2: several outputs a row


def answers_of(classifier: Any, batch: Any, with_scores: bool) -> ClassifierAnswers:
    """Run a classifier on a batch, and return its answers.

    Args:
        classifier: with ``predict`` and ``classes_``.
        batch: its input; of a frame, the columns that it was fitted with.
        with_scores: take its scores, too: probabilities, else decision values.
    """
    features = _features_of(classifier, batch)
    labels = np.asarray(classifier.predict(features))
    if labels.ndim == 2 and labels.shape[1] == 1:  # as CatBoost's
        labels = labels[:, 0]
    for method in ("predict_proba", "decision_function") if with_scores else ():
        if hasattr(classifier, method):
            scores = _one_a_class(np.asarray(getattr(classifier, method)(features)))
            if scores.shape == (len(labels), len(classifier.classes_)):
                return ClassifierAnswers(labels, scores, method == "predict_proba")
    return ClassifierAnswers(labels, None, False)


def _one_a_class(scores: NDArray[Any]) -> NDArray[Any]:
    """Decision values of two classes are those of the second."""
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def chosen_answers(answers: Sequence[ClassifierAnswers], classes: Any) -> ClassOutputs:
    """Choose probabilities; decision values where they decide as the classifier does; else labels.

    Args:
        answers: of all batches.
        classes: of the columns of scores.
    """
    labels = np.concatenate([answer.labels for answer in answers])
    parts = [answer.scores for answer in answers if answer.scores is not None]
    if len(parts) < len(answers):
        return ClassOutputs(labels)
    scores = np.concatenate(parts)
    names = np.asarray(classes)
    differ = int((labels != names[scores.argmax(axis=1)]).sum())
    if not answers[0].are_probabilities:
        return ClassOutputs(labels) if differ else _of_columns(ranking_scores(scores), names)
    if differ:
        _logger.warning(
            "The classifier's labels are not those of the highest probability in %d of %d "
            "rows. Probabilities are evaluated; evaluator_config={'probabilities': False} "
            "takes its labels.",
            differ,
            len(labels),
        )
    return _of_columns(scores, names)


def _of_columns(scores: NDArray[Any], classes: NDArray[Any]) -> ClassOutputs:
    return ClassOutputs(scores, tuple(classes.tolist()))


def _features_of(classifier: Any, batch: Any) -> Any:
    """The columns that a classifier was fitted with, so that a frame may have more."""
    fitted = getattr(classifier, "feature_names_in_", None)
    if fitted is None or not hasattr(batch, "columns"):
        return batch
    return batch[list(fitted)] if set(fitted) <= set(batch.columns) else batch
