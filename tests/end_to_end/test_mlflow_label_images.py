"""Label images by ``mlflow.models.evaluate``: in frames, from functions, about datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.data.dataset_source_registry import get_dataset_source_from_json
from packaging.version import Version

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.label_pngs import write_png
from velour_plugin.errors import BadDataset, InvalidInput

pytestmark = [*runs.QUIET, pytest.mark.usefixtures("tracking")]

NAMES = ["road", "car", "255: void"]
TRUTH = [np.array([[0, 0, 1], [0, 255, 1]]), np.array([[1, 1, 1, 0]])]
PREDICTED = [np.array([[0, 1, 1], [0, 1, 0]]), np.array([[1, 1, 0, 0]])]
ACCURACY = 6 / 9
"""3 of 5 pixels that count, then 3 of 4."""
OF_ANY_SIZE = pytest.mark.skipif(
    Version(mlflow.__version__) < Version("3.17"),
    reason="this MLflow takes columns of arrays only where all are of one shape",
)


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


@OF_ANY_SIZE
def test_a_frame_of_arrays() -> None:
    data = frame(truth=TRUTH, predicted=PREDICTED)
    assert evaluated(data, targets="truth", predictions="predicted") == pytest.approx(ACCURACY)


def test_a_frame_of_paths(tmp_path: Path) -> None:
    paths = {
        side: [str(write_png(tmp_path / side / f"{len(image)}.png", image)) for image in images]
        for side, images in (("truth", TRUTH), ("predicted", PREDICTED))
    }
    data = frame(**paths)
    assert evaluated(data, targets="truth", predictions="predicted") == pytest.approx(ACCURACY)


@OF_ANY_SIZE
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
        frame(truth=TRUTH, predicted=PREDICTED),
        targets="truth", predictions="predicted", uid="uid", labels=NAMES, name="street",
    )  # fmt: skip
    assert data.velour.labels == (("class", "road"), ("class", "car"), ("class", "void"))
    assert evaluated(data) == pytest.approx(ACCURACY)


def test_a_model_that_names_no_numbers_is_refused() -> None:
    dataset = velour.Dataset.from_label_images("street", TRUTH, labels=NAMES)
    data = mlflow.data.from_velour(dataset)
    with pytest.raises(BadDataset, match="prediction of datum '0': this is a label image, and"):
        evaluated(data, {"labels": None}, model=lambda asked: PREDICTED)


# mlflow.data.from_label_images


def folders(home: Path) -> dict[str, str]:
    for side, images in (("truth", TRUTH), ("unet", PREDICTED)):
        for uid, image in zip("ab", images, strict=True):
            write_png(home / side / f"{uid}.png", image)
    return {"truth": str(home / "truth"), "predictions": str(home / "unet")}


def test_folders_of_label_images(tmp_path: Path) -> None:
    data = mlflow.data.from_label_images(**folders(tmp_path), model="unet", labels=NAMES)
    assert (data.name, data.velour.model, data.velour.uids) == ("truth", "unet", ("a", "b"))
    assert evaluated(data) == pytest.approx(ACCURACY)


@pytest.mark.parametrize("in_file", [False, True], ids=["names", "file of names"])
def test_a_folder_is_read_again_with_the_names_of_its_numbers(
    in_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another directory, as nothing of it is in a store."""
    files, names = folders(tmp_path), tmp_path / "names" / "of-classes.txt"
    names.parent.mkdir()
    names.write_text("\n".join(NAMES), "utf-8")
    monkeypatch.chdir(tmp_path)
    labels: Any = "names/of-classes.txt" if in_file else NAMES
    data = mlflow.data.from_label_images("truth", labels=labels)
    monkeypatch.chdir("/")
    loaded = get_dataset_source_from_json(data.source.to_json(), "velour").load()
    expected = velour.read_dataset(files["truth"], "label-images", labels=NAMES)
    assert (loaded.digest, loaded.labels) == (expected.digest, expected.labels)


def test_arrays_of_label_images_are_those_of_velour() -> None:
    """Named by the experiment; uids decide the order, metadata are those of the datums."""
    known: dict[str, Any] = {"uids": ["10", "9"], "metadata": [{"hour": 23}, {"hour": 12}]}
    data = mlflow.data.from_label_images(TRUTH, PREDICTED, "unet", labels=NAMES, **known)
    expected = velour.Dataset.from_label_images("any", TRUTH, labels=NAMES, **known)
    assert (data.name, data.velour.uids) == ("Default", ("9", "10"))
    assert data.velour.digest == expected.digest
    assert evaluated(data) == pytest.approx(ACCURACY)
    (row,) = velour.rank("pixel_accuracy", where="hour > 20", resamples=0)
    assert (row.model, row.value) == ("unet", pytest.approx(3 / 5))


def test_a_model_is_evaluated_on_arrays() -> None:
    data = mlflow.data.from_label_images(TRUTH, labels=NAMES, name="street")
    assert evaluated(data, model=lambda asked: volumes()) == pytest.approx(ACCURACY)


def test_what_label_images_do_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="are named by their files: leave uids out"):
        mlflow.data.from_label_images(**folders(tmp_path), labels=NAMES, uids=["a", "b"])
    with pytest.raises(InvalidInput, match="labels None: expected names in the order of their"):
        mlflow.data.from_label_images(TRUTH)
    with pytest.raises(InvalidInput, match="who made the predictions given beside it, and there"):
        mlflow.data.from_label_images(TRUTH, model="unet", labels=NAMES)
