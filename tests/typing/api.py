"""How people use the public API: ``mypy --strict`` passes it, and nothing runs it.

``make lint`` checks this file. A name, a keyword or a return type that changes shows here first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, assert_type

import click
import numpy as np
import pandas as pd

import velour_plugin as velour


def make_objects() -> tuple[velour.GroundTruth, velour.Prediction]:
    """One image: what is there, and what a model says of it."""
    image = velour.ImageMetadata(height=480, width=640)
    datum = velour.Datum("1", image.to_metadata(), location=(42.36, -71.03))
    box = velour.BoundingBox(0, 0, 10, 10)
    mask = velour.Raster(np.zeros((480, 640), dtype=bool))
    fire = velour.Annotation([velour.Label("class", "fire")], bounding_box=box)
    detected = velour.Annotation([velour.Label("class", "fire", 0.9)], raster=mask)
    return velour.GroundTruth(datum, [fire]), velour.Prediction(datum, [detected])


def make_datasets(folder: Path) -> velour.Dataset:
    """Datasets from objects, step by step, and from files."""
    truth, prediction = make_objects()
    whole = velour.Dataset.from_groundtruths([truth], "fires", {"sensor": "AVIRIS"})
    builder = assert_type(
        velour.build_dataset("fires", {"sensor": "AVIRIS"}), velour.DatasetBuilder
    )
    assert_type(builder, velour.DatasetBuilder)
    builder.add_groundtruth(truth)
    builder.add_prediction(prediction)
    assert_type(builder.finalize(model="yolo-s"), velour.Dataset)
    velour.read_dataset(folder / "instances.json")
    velour.read_dataset("fires.geojson", "geojson", name="fires", metadata="images.csv")
    assert_type(whole.digest, str)
    assert_type(whole.truth, velour.AnnotationTable)
    return whole.with_predictions([prediction], model="yolo-s")


def evaluate(dataset: velour.Dataset, store: velour.Store) -> velour.Evaluation:
    """An evaluation is a mapping of its headline metrics."""
    night = velour.field("time_of_day") == "night"
    evaluation = velour.evaluate(
        dataset,
        "object-detection",
        parameters={"iou_threshold": 0.5},
        where=night & velour.field("location").within(50, "mi", of=(42.36, -71.03)),
        store=store,
        n_jobs=-1,
    )
    assert_type(evaluation["mAP"], float | None)
    assert_type(dict(evaluation), dict[str, float | None])
    headline: Mapping[str, float | None] = evaluation
    evaluation.value("AP", label="fire")
    evaluation.value("AP", label=("class", "fire"))
    assert_type(evaluation.certificate, velour.Certificate)
    assert_type(evaluation.ledger, velour.Ledger)
    metrics: list[velour.Metric] = list(evaluation.metrics)
    return velour.evaluate(dataset, task=f"{len(headline)} {metrics}", save=False)


def keep(dataset: velour.Dataset) -> list[velour.Version]:
    """A store is opened and closed like a file."""
    with velour.open_store("sqlite:///velour.db") as store:
        assert_type(store.save_dataset(dataset), velour.Version)
        assert_type(store.load_dataset("fires", version=1), velour.Dataset)
        return store.versions("fires")


def ask(store: velour.Store) -> list[pd.DataFrame]:
    """Every answer becomes a frame."""
    board = velour.rank("mAP", dataset="fires", where="time_of_day = 'night'", store=store)
    labelled = velour.rank("AP", dataset=["fires", "floods"], label="fire", on_mismatch="intersect")
    comparison = velour.compare("yolo-s", "yolo-m", metric="mAP", where=None, store=store)
    slices = velour.slices("yolo-s", by=["time_of_day"], metric="mAP", store=store)
    thresholds = velour.threshold("yolo-s", precision=0.9, store=store)
    plan = velour.plan("yolo-s", detect=0.02, against="yolo-m", metric="mAP", store=store)
    worst = velour.worst("yolo-s", metric="mAP", store=store)
    recommendation = velour.recommend("mAP", where="time_of_day = 'night'", store=store)
    assert_type(comparison, velour.Comparison)
    assert_type(slices, velour.Slices)
    assert_type(thresholds, velour.Thresholds)
    assert_type(plan, velour.Plan)
    assert_type(worst, velour.Worst)
    assert_type(recommendation, velour.Recommendation)
    answers = (board, labelled, comparison, slices, thresholds, plan, worst, recommendation)
    return [answer.to_frame() for answer in answers]


def refuse(dataset: velour.Dataset) -> int:
    """Errors are caught by the classes of one tree."""
    try:
        velour.evaluate(dataset, "object-detektion", save=False)
    except velour.errors.UnknownName as error:
        return error.exit_code
    except velour.errors.VelourError:
        return 1
    return 0


class LineFormat:
    """A plugin's own format: a class of the right shape is enough."""

    name = "lines"

    def read(
        self,
        path: str | Any,
        name: str | None,
        metadata: str | Any | None,
    ) -> velour.Dataset:
        """Read ground truth."""
        truth, _ = make_objects()
        return velour.Dataset.from_groundtruths([truth], name or "lines")


@velour.hookimpl
def velour_formats() -> Iterable[velour.Format]:
    return [LineFormat()]


@velour.hookimpl
def velour_commands() -> Iterable[click.Command]:
    return [click.Command("report")]


@velour.hookimpl
def velour_autologgers() -> Iterable[velour.Autologger]:
    return [velour.Autologger("mmdet", {"mmdet.evaluation": lambda module, watch: None})]


@velour.hookimpl(trylast=True)
def velour_after_evaluation(evaluation: velour.Evaluation) -> None:
    print(f"{evaluation.model}: {evaluation.headline}")
