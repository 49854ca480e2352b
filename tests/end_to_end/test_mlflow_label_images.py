"""Label images by ``mlflow.models.evaluate``: in frames, from functions, about datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.label_pngs import write_png
from velour_plugin.errors import BadDataset

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

NAMES = ["road", "car", "255: void"]
TRUTH = [np.array([[0, 0, 1], [0, 255, 1]]), np.array([[1, 1, 1, 0]])]
PREDICTED = [np.array([[0, 1, 1], [0, 1, 0]]), np.array([[1, 1, 0, 0]])]
ACCURACY = 6 / 9
"""3 of 5 pixels that count, then 3 of 4."""


def evaluated(data: Any, config: dict[str, Any] | None = None, **options: Any) -> float:
    given = {"labels": NAMES, "parameters": {"ignore_label": "void"}, "report": False}
    return runs.metrics(
        runs.evaluate(
            data,
            model_type="semantic-segmentation",
            evaluator_config={**given, **(config or {})},
            **options,
        )
    )["pixel_accuracy"]


def frame(**columns: list[Any]) -> pd.DataFrame:
    uids = {"uid": ["a", "b"]}
    return pd.DataFrame({**uids, **{name: pd.Series(cells) for name, cells in columns.items()}})


def volumes() -> list[Any]:
    """Scores of two classes for each pixel, the classes in front."""
    return [np.stack([image == 0, image == 1]) * 0.5 for image in PREDICTED]


def test_a_frame_of_arrays() -> None:
    data = frame(truth=TRUTH, said=PREDICTED)
    assert evaluated(data, targets="truth", predictions="said") == pytest.approx(ACCURACY)


def test_a_frame_of_paths(tmp_path: Path) -> None:
    paths = {
        side: [str(write_png(tmp_path / side / f"{len(image)}.png", image)) for image in images]
        for side, images in (("truth", TRUTH), ("said", PREDICTED))
    }
    data = frame(**paths)
    assert evaluated(data, targets="truth", predictions="said") == pytest.approx(ACCURACY)


def test_a_function_gives_numbers_or_scores() -> None:
    for answers in (PREDICTED, volumes()):
        given = dict(zip(["a", "b"], answers, strict=True))
        model = lambda asked, given=given: [given[uid] for uid in asked["uid"]]  # noqa: E731
        score = evaluated(frame(truth=TRUTH), {"batch_size": 1}, targets="truth", model=model)
        assert score == pytest.approx(ACCURACY)


def test_a_function_about_a_dataset_of_label_images() -> None:
    dataset = velour.Dataset.from_label_images("street", TRUTH, labels=NAMES)
    data = mlflow.data.from_velour(dataset)
    assert evaluated(data, model=lambda asked: volumes()) == pytest.approx(ACCURACY)


def test_a_frame_becomes_a_dataset_with_its_names() -> None:
    data = mlflow.data.from_velour(
        frame(truth=TRUTH, said=PREDICTED),
        targets="truth", predictions="said", uid="uid", labels=NAMES, name="street",
    )  # fmt: skip
    assert data.velour.labels == (("class", "road"), ("class", "car"), ("class", "void"))
    assert evaluated(data) == pytest.approx(ACCURACY)


def test_a_model_that_names_no_numbers_is_refused() -> None:
    dataset = velour.Dataset.from_label_images("street", TRUTH, labels=NAMES)
    data = mlflow.data.from_velour(dataset)
    with pytest.raises(BadDataset, match="prediction of datum '0': this is a label image, and"):
        evaluated(data, {"labels": None}, model=lambda asked: PREDICTED)
