"""A request to evaluate in a run of a tracker, such as MLflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from velour_plugin.domain.datasets import Dataset


@dataclass(frozen=True, slots=True)
class TrackedEvaluation:
    """A model or its predictions, the dataset, and task, parameters and filter of the evaluation.

    Args:
        dataset: with predictions when there is no model.
        model: a URI that the tracker understands, or a function from a frame with one row a datum
            to a list with one answer a row; ``None`` when predictions are evaluated.
        name: what the model is called; ``None`` for the tracker's name of it.
        task: of the evaluation.
        parameters: of the task.
        where: a filter: only its datums are evaluated.
        store: URL of the store; ``None`` for the default one.
        experiment: name of the experiment that gets the run; ``None`` for the tracker's default.
    """

    dataset: Dataset
    model: str | Callable[..., Any] | None
    name: str | None
    task: str
    parameters: Mapping[str, Any]
    where: str | None
    store: str | None
    experiment: str | None
