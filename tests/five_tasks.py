"""A small dataset for each task and what a model says of it, as JSON: one datum of four is wrong.

Rows are not in the order of datums, so that answers which are read in the wrong order show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import velour_plugin as velour

UIDS = ("2", "10", "20", "roof")
BOX = [0.0, 0.0, 10.0, 10.0]
SQUARE = {"size": [16, 16], "counts": [0, *[10, 6] * 9, 10, 102]}
"""Ten by ten pixels."""
LEFT = {"size": [4, 4], "counts": [0, 8, 8]}
RIGHT = {"size": [4, 4], "counts": [8, 8]}


@dataclass(frozen=True)
class Task:
    """A task.

    Args:
        truth: a cell for each uid.
        outputs: a cell for each uid.
        metric: to look at.
        value: what it is.
    """

    truth: Mapping[str, Any]
    outputs: Mapping[str, Any]
    metric: str
    value: float


def _cells(found: Any, missed: Any) -> dict[str, Any]:
    return {uid: missed if uid == "20" else found for uid in UIDS}


def _halves(left: str, right: str) -> list[Any]:
    return [{"label": left, "segmentation": LEFT}, {"label": right, "segmentation": RIGHT}]


CLASSES = {"2": "cat", "10": "dog", "20": "cat", "roof": "dog"}
TASKS = {
    "object-detection": Task(
        {uid: [{"label": "fire", "bbox": BOX}] for uid in UIDS},
        _cells([{"label": "fire", "bbox": BOX, "score": 0.9}], []),
        "mAR_100",
        0.75,
    ),
    "instance-segmentation": Task(
        {uid: [{"label": "fire", "segmentation": SQUARE}] for uid in UIDS},
        _cells([{"label": "fire", "segmentation": SQUARE, "score": 0.9}], []),
        "mAR_100",
        0.75,
    ),
    "semantic-segmentation": Task(
        dict.fromkeys(UIDS, _halves("road", "car")),
        _cells(_halves("road", "car"), _halves("car", "road")),
        "pixel_accuracy",
        0.75,
    ),
    "image-classification": Task(
        CLASSES,
        {
            uid: {"cat": 0.8, "dog": 0.2} if name == "cat" and uid != "20" else {"dog": 1.0}
            for uid, name in CLASSES.items()
        },
        "accuracy",
        0.75,
    ),
    "tabular-classification": Task(CLASSES, {**CLASSES, "20": "dog"}, "accuracy", 0.75),
}


def frame_of(task: str, predicted: bool = False) -> Any:
    """A plain frame of a task, with predictions or without."""
    import pandas as pd

    known, uids = TASKS[task], ["roof", "20", "2", "10"]
    columns = {
        "uid": uids,
        "hour": [9, 22, 23, 12],
        "note": [np.nan, "dim", "clear", "clear"],
        "truth": [known.truth[uid] for uid in uids],
    }
    if predicted:
        columns["predicted"] = [known.outputs[uid] for uid in uids]
    return pd.DataFrame(columns)


def dataset_of(task: str) -> velour.Dataset:
    """The Velour dataset of a task, without predictions."""
    from velour_integrations.mlflow.datasets.cells import annotations_of

    return velour.Dataset.from_groundtruths(
        [
            velour.GroundTruth(velour.Datum(uid), annotations_of(cell, uid, "ground truth"))
            for uid, cell in TASKS[task].truth.items()
        ],
        task,
    )


def answering(answers: Mapping[str, Any]) -> Any:
    """A model, as people package it, that answers by uid."""
    import mlflow

    class Answers(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        # MLflow would read type hints as a schema
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            if "task" in model_input:  # one server for all tasks
                asked = zip(model_input["task"], model_input["uid"], strict=True)
                return [answers[task][uid] for task, uid in asked]
            return [answers[uid] for uid in model_input["uid"]]

    return Answers()
