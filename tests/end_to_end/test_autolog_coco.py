"""COCOeval under autologging: the numbers that it prints are the numbers of the run."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.autologging import (
    QUIET,
    all_runs,
    coco,
    history,
    off_afterwards,
    stored,
    summarize,
    twelve,
    warned,
)
from tests.coco_oracle import Json, random_boxes, random_masks
from tests.digests import count_digests

__all__ = ["off_afterwards", "warned"]
pytestmark = [*QUIET, pytest.mark.usefixtures("tracking")]

LIBRARIES = ["pycocotools", "faster_coco_eval"]


def parts(library: str) -> tuple[Any, Any]:
    """The library's modules ``coco`` and the class of its evaluations."""
    if library == "pycocotools":
        from pycocotools import coco as module
        from pycocotools.cocoeval import COCOeval

        return module, COCOeval
    import faster_coco_eval

    return faster_coco_eval, faster_coco_eval.COCOeval_faster


def evaluated(
    library: str, truth: Json, detections: list[Json], kind: str = "bbox", **params: Any
) -> Any:
    module, evaluation = parts(library)
    return summarize(evaluation(*coco(module, truth, detections), kind), **params)


def logged(library: str, data: tuple[Json, list[Json]], kind: str = "bbox", **params: Any) -> Any:
    """The evaluation, and what was logged of it to the only run."""
    velour.autolog(log_artifacts=False)
    evaluation = evaluated(library, *data, kind, **params)
    (run,) = all_runs()
    return evaluation, run


def boxes(seed: int) -> tuple[Json, list[Json]]:
    """Random boxes; the first seeds have some on both sides."""
    return random_boxes(np.random.default_rng(seed))


# The same numbers


def test_content_is_digested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each side, for the certificate, the store and MLflow's dataset."""
    digested = count_digests(monkeypatch)
    logged("pycocotools", boxes(1))
    assert len(digested) == 2


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_numbers_of_real_images_are_those_of_the_library(
    library: str, shared_data: Path
) -> None:
    module, evaluation = parts(library)
    velour.autolog(log_artifacts=False)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = module.COCO(str(shared_data / "ground_truth.json"))
        found = truth.loadRes(str(shared_data / "detections.json"))
    stats = summarize(evaluation(truth, found, "bbox")).stats
    published = json.loads((shared_data / "published.json").read_text())
    (run,) = all_runs()
    if library == "pycocotools":  # bit for bit; faster-coco-eval adds in another order
        assert twelve(run.data.metrics) == list(stats)
    assert twelve(run.data.metrics) == pytest.approx(list(stats), abs=1e-12)
    assert [round(value, 6) for value in twelve(run.data.metrics)] == list(published.values())


def test_the_dataset_is_the_one_that_its_file_is(shared_data: Path) -> None:
    """An autologged evaluation compares with one that was made of the files."""
    dataset = velour.read_dataset(shared_data / "ground_truth.json")
    dataset = dataset.with_predictions(shared_data / "detections.json", "by hand")
    with velour.open_store() as store:
        by_hand = velour.evaluate(dataset, "object-detection", store=store)
    velour.autolog()
    module, evaluation = parts("pycocotools")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = module.COCO(str(shared_data / "ground_truth.json"))
        found = truth.loadRes(str(shared_data / "detections.json"))
    with mlflow.start_run(run_name="trained") as run:
        summarize(evaluation(truth, found, "bbox"))
    content = runs.evaluation_json(run.info.run_id)
    assert content["certificate"] == by_hand.certificate.to_dict()
    assert content["predictions_digest"] == by_hand.predictions_digest
    board = velour.rank("mAP", dataset="ground_truth", resamples=0)
    assert {row.model for row in board} == {"by hand", "detections"}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("seed", range(8))
def test_made_boxes(library: str, seed: int) -> None:
    data = boxes(seed)
    if not data[1]:
        pytest.skip("no detections in this sample: COCO.loadRes takes none")
    evaluation, run = logged(library, data)
    assert twelve(run.data.metrics) == pytest.approx(list(evaluation.stats), abs=1e-12)
    assert run.data.tags["velour.task"] == "object-detection"


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("seed", [0, 3, 5])
def test_made_masks(library: str, seed: int) -> None:
    data = random_masks(np.random.default_rng(seed))
    evaluation, run = logged(library, data, "segm")
    assert twelve(run.data.metrics) == pytest.approx(list(evaluation.stats), abs=1e-12)
    assert run.data.tags["velour.task"] == "instance-segmentation"


# Every setting is honoured


def test_images_and_categories_may_be_some_of_them() -> None:
    truth, found = boxes(1)
    images = [image["id"] for image in truth["images"]][::2]
    evaluation, run = logged("pycocotools", (truth, found), imgIds=images)
    assert twelve(run.data.metrics) == list(evaluation.stats)
    assert stored(run).certificate.filter is None
    with velour.open_store() as store:
        name = run.data.tags["velour.dataset"]
        assert set(store.load_dataset(name).uids) == set(map(str, images))


def test_some_categories_alone_are_an_evaluation_of_them() -> None:
    truth, found = boxes(1)
    assert len(truth["categories"]) > 1
    one = truth["categories"][0]["id"]
    evaluation, run = logged("pycocotools", (truth, found), catIds=[one])
    assert twelve(run.data.metrics) == list(evaluation.stats)
    with velour.open_store() as store:
        dataset = store.load_dataset(run.data.tags["velour.dataset"])
    assert dataset.truth.labels == (("class", f"class {one}"),)


def test_some_categories_after_all_of_them_are_part_of_what_is_logged() -> None:
    """People ask again for the AP of each class, which the first evaluation has."""
    velour.autolog(log_artifacts=False)
    module, evaluation = parts("pycocotools")
    truth, found = boxes(1)
    pair = coco(module, truth, found)
    with mlflow.start_run() as run:
        whole = list(summarize(evaluation(*pair, "bbox")).stats)
        for category in truth["categories"]:
            summarize(evaluation(*pair, "bbox"), catIds=[category["id"]])
    assert twelve(runs.metrics(run.info.run_id)) == whole
    assert history(run.info.run_id, "mAP") == [(0, whole[0])]
    with mlflow.start_run() as other:  # what another run holds is no reason to skip it here
        part = summarize(evaluation(*pair, "bbox"), catIds=[truth["categories"][0]["id"]])
    assert twelve(runs.metrics(other.info.run_id)) == list(part.stats)


@pytest.mark.parametrize("library", LIBRARIES)
def test_classes_may_not_count(library: str) -> None:
    evaluation, run = logged(library, boxes(2), useCats=0)
    assert twelve(run.data.metrics) == pytest.approx(list(evaluation.stats), abs=1e-12)
    assert {pair[1] for pair in stored(run).certificate.label_map or ()} == {"object"}


def test_other_thresholds_limits_and_areas() -> None:
    params = {
        "iouThrs": np.array([0.3, 0.5, 0.75]),
        "maxDets": [1, 5, 100],
        "areaRng": [[0, 1e10], [0, 500], [500, 5000], [5000, 1e10]],
    }
    evaluation, run = logged("pycocotools", boxes(4), **params)
    names = ["mAP", "mAP_50", "mAP_75", "mAP_small", "mAP_medium", "mAP_large"]
    names += ["mAR_1", "mAR_5", "mAR_100", "mAR_small", "mAR_medium", "mAR_large"]
    metrics = run.data.metrics
    assert [metrics.get(name, -1.0) for name in names] == list(evaluation.stats)
    asked = stored(run).certificate.parameters
    assert asked["iou_thresholds"] == [0.3, 0.5, 0.75]
    assert asked["max_detections"] == [1, 5, 100]
    assert asked["area_ranges"][1] == ["small", 0.0, 500.0]


def test_faster_coco_eval_has_area_ranges_of_its_own() -> None:
    module, evaluation = parts("faster_coco_eval")
    velour.autolog(log_artifacts=False)
    pair = coco(module, *boxes(4))
    found = summarize(evaluation(*pair, "bbox", ranges={"tiny": [0, 400], "rest": [400, 1e10]}))
    (run,) = all_runs()
    names = ["mAP", "mAP_50", "mAP_75", "mAP_tiny", "mAP_rest"]
    names += ["mAR_1", "mAR_10", "mAR_100", "mAR_tiny", "mAR_rest"]
    logged_ones = [run.data.metrics.get(name, -1.0) for name in names]
    stats = found.all_stats[: len(names)]  # those in ``stats`` were once twelve for any ranges
    assert logged_ones == pytest.approx(list(stats), abs=1e-12)


def test_faster_coco_eval_in_the_place_of_pycocotools_is_logged_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    import faster_coco_eval

    for name in ("pycocotools", "pycocotools.coco", "pycocotools.cocoeval", "pycocotools.mask"):
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name))  # put back afterwards
    faster_coco_eval.init_as_pycocotools()
    evaluation, run = logged("faster_coco_eval", boxes(1))
    assert twelve(run.data.metrics) == pytest.approx(list(evaluation.stats), abs=1e-12)


# What cannot be asked


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"recThrs": np.linspace(0, 1, 11)}, "11 recall levels"),
        ({"areaRngLbl": ["each", "small", "medium", "large"]}, "without one called 'all'"),
        ({"iouThrs": np.linspace(0.05, 0.95, 19)}, "lanes"),
    ],
)
def test_what_cannot_be_asked_exactly_is_a_warning(
    params: dict[str, Any], reason: str, warned: list[str]
) -> None:
    velour.autolog(log_artifacts=False)
    evaluated("pycocotools", *boxes(1), **params)
    assert all_runs() == []
    (warning,) = warned
    assert warning.startswith("COCOeval: not logged: ")
    assert reason in warning


def test_numbers_that_differ_are_a_warning_with_both(warned: list[str]) -> None:
    """Pycocotools takes a truth whose id is 0 for none, which is its own mistake."""
    box = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]}
    truth = {
        "images": [{"id": 1, "height": 10, "width": 10}],
        "categories": [{"id": 1, "name": "boat"}],
        "annotations": [{**box, "id": 0, "area": 81.0, "iscrowd": 0}],
    }
    found = [{**box, "score": 0.9}]
    velour.autolog(log_artifacts=False)
    evaluated("pycocotools", truth, found)
    assert all_runs() == []
    (warning,) = warned
    assert "not logged: it reports mAP = 0, and Velour 1 of the same" in warning
    assert "id is 0" in warning


def test_keypoints_are_no_task_of_velours(warned: list[str]) -> None:
    point = {"keypoints": [5, 5, 2] * 17, "num_keypoints": 17}
    truth = {
        "images": [{"id": 1, "height": 10, "width": 10}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 81.0,
             "iscrowd": 0, **point}
        ],
    }  # fmt: skip
    velour.autolog(log_artifacts=False)
    evaluated(
        "pycocotools",
        truth,
        [{"image_id": 1, "category_id": 1, "score": 0.9, **point}],
        "keypoints",
    )
    assert (all_runs(), warned) == ([], [])


# Trainers


class BatchEvaluator:
    """What torchvision's reference scripts and DETR do: judge each batch, then put all together."""

    def __init__(self, module: Any, evaluation: Any, truth: Any, kind: str = "bbox") -> None:
        self.truth, self.module = copy.deepcopy(truth), module
        self.evaluation = evaluation(self.truth, iouType=kind)
        self.images: list[int] = []
        self.parts: list[Any] = []

    def update(self, images: list[int], found: list[Json]) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            mine = [item for item in found if item["image_id"] in images]
            self.evaluation.cocoDt = self.truth.loadRes(mine) if mine else self.module.COCO()
            self.evaluation.params.imgIds = images
            self.evaluation.evaluate()
        shape = (-1, len(self.evaluation.params.areaRng), len(images))
        self.parts.append(np.asarray(self.evaluation.evalImgs).reshape(shape))
        self.images += images

    def summarize(self) -> Any:
        order = np.argsort(self.images)
        merged = np.concatenate(self.parts, 2)[..., order]
        self.evaluation.evalImgs = list(merged.flatten())
        self.evaluation.params.imgIds = [self.images[place] for place in order]
        self.evaluation._paramsEval = copy.deepcopy(self.evaluation.params)
        with contextlib.redirect_stdout(io.StringIO()):
            self.evaluation.accumulate()
            self.evaluation.summarize()
        return self.evaluation


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_detections_of_every_batch_are_evaluated(kind: str) -> None:
    rng = np.random.default_rng(5)
    truth, found = random_boxes(rng) if kind == "bbox" else random_masks(rng)
    velour.autolog(log_artifacts=False)
    module, evaluation = parts("pycocotools")
    batches = BatchEvaluator(module, evaluation, coco(module, truth, found)[0], kind)
    ids = [image["id"] for image in truth["images"]]
    assert len(ids) > 2
    for image in ids:
        batches.update([image], found)
    done = batches.summarize()
    (run,) = all_runs()
    assert twelve(run.data.metrics) == list(done.stats)
    with velour.open_store() as store:
        assert len(store.load_dataset(run.data.tags["velour.dataset"])) == len(ids)


def test_batches_that_other_processes_evaluated_are_a_warning(warned: list[str]) -> None:
    truth, found = boxes(5)
    velour.autolog(log_artifacts=False)
    module, evaluation = parts("pycocotools")
    batches = BatchEvaluator(module, evaluation, coco(module, truth, found)[0])
    ids = [image["id"] for image in truth["images"]]
    for image in ids[:-1]:
        batches.update([image], found)
    batches.images.append(ids[-1])
    batches.parts.append(batches.parts[-1])
    batches.summarize()
    assert all_runs() == []
    assert f"the detections of 1 images, such as {ids[-1]}, were not seen" in warned[0]


def test_a_subclass_is_captured_as_its_base_is() -> None:
    """Detectron2's and others'."""
    _, evaluation = parts("pycocotools")

    class Fast(evaluation):  # type: ignore[misc]
        def evaluate(self) -> None:
            super().evaluate()

    velour.autolog(log_artifacts=False)
    module, _ = parts("pycocotools")
    done = summarize(Fast(*coco(module, *boxes(1)), "bbox"))
    (run,) = all_runs()
    assert twelve(run.data.metrics) == list(done.stats)


# Several evaluations in a run


def test_epochs_are_steps_and_the_last_has_the_artifacts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    velour.autolog()
    truth, found = boxes(1)
    module, evaluation = parts("pycocotools")
    warning = []
    with mlflow.start_run() as run:
        for epoch in (1, 2, 3):
            some = found[: len(found) * epoch // 3]
            done = summarize(evaluation(*coco(module, truth, some), "bbox"))
            warning.append(done.stats[0])
    run_id = run.info.run_id
    assert [line for line in caplog.messages if "run" in line and "keeps" in line] == []
    assert history(run_id, "mAP") == list(enumerate(warning))
    assert runs.metrics(run_id)["mAP"] == warning[-1]
    assert runs.evaluation_json(run_id)["id"] == runs.tags(run_id)["velour.evaluation_id"]
    with velour.open_store() as store:
        name = runs.tags(run_id)["velour.dataset"]
        assert len(store.candidates(name)) == 3
        assert len(store.versions(name)) == 1
    (row,) = velour.rank("mAP", dataset=name, resamples=0)  # a run is ranked by its last
    assert row.value == warning[-1]
    assert len(mlflow.get_run(run_id).inputs.dataset_inputs) == 1


def test_masks_after_boxes_have_names_of_their_own() -> None:
    velour.autolog()
    truth, found = random_masks(np.random.default_rng(3))
    for item in [*truth["annotations"], *found]:
        item["bbox"] = [1.0, 1.0, 20.0, 30.0]
    with mlflow.start_run() as run:
        first = evaluated("pycocotools", truth, found, "bbox")
        tags = runs.tags(run.info.run_id)
        second = evaluated("pycocotools", truth, found, "segm")
    metrics, prefix = runs.metrics(run.info.run_id), "instance-segmentation/"
    assert twelve(metrics) == list(first.stats)
    bare = {name.removeprefix(prefix): v for name, v in metrics.items() if name.startswith(prefix)}
    assert twelve(bare) == list(second.stats)
    assert runs.tags(run.info.run_id) == tags
    with velour.open_store() as store:
        assert {one.task for one in store.candidates(tags["velour.dataset"])} == {
            "object-detection",
            "instance-segmentation",
        }


def test_a_dataset_is_called_as_people_say() -> None:
    velour.autolog(dataset="harbour", log_artifacts=False)
    evaluated("pycocotools", *boxes(1))
    (run,) = all_runs()
    assert run.data.tags["velour.dataset"] == "harbour"


@pytest.mark.parametrize("library", LIBRARIES)
def test_model_and_dataset_are_called_after_their_files(library: str, tmp_path: Path) -> None:
    truth, detections = boxes(1)
    files = tmp_path / "harbour.json", tmp_path / "sharp-eyes.json"
    for path, content in zip(files, (truth, detections), strict=True):
        path.write_text(json.dumps(content), "utf-8")
    velour.autolog(log_artifacts=False)
    module, evaluation = parts(library)
    with contextlib.redirect_stdout(io.StringIO()):
        known = module.COCO(str(files[0]))
        found = known.loadRes(str(files[1]))
    summarize(evaluation(known, found, "bbox"))
    tags = all_runs()[0].data.tags
    assert (tags["velour.dataset"], tags["velour.model"]) == ("harbour", "sharp-eyes")


def test_the_store_is_the_one_that_was_named(tmp_path: Path) -> None:
    velour.autolog(
        store=f"sqlite:///{tmp_path / 'mine.db'}", dataset="harbour", log_artifacts=False
    )
    evaluated("pycocotools", *boxes(1))
    with velour.open_store(f"sqlite:///{tmp_path / 'mine.db'}") as store:
        assert store.dataset_names() == ["harbour"]
    assert not os.path.exists(tmp_path / "velour.db")


def test_a_run_has_what_other_evaluations_leave_unless_it_is_to_go_without() -> None:
    velour.autolog()
    evaluated("pycocotools", *boxes(1))
    velour.autolog(log_artifacts=False)
    evaluated("pycocotools", *boxes(1))
    bare, whole = all_runs()
    assert runs.artifacts(bare.info.run_id) == []
    assert "velour/predictions.parquet" in runs.artifacts(whole.info.run_id)
    assert bare.data.metrics["mAP"] == whole.data.metrics["mAP"]
