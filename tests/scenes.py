"""Small scenes for tests of detection: what is in an image, what was detected, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from velour_evaluators.detection.evaluator import ObjectDetection

import velour_plugin as velour
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.ledger import Ledger

Region = velour.BoundingBox | velour.Polygon | velour.Raster

TEN_BY_TEN = velour.BoundingBox(0, 0, 10, 10)
ITS_LEFT_HALF = velour.BoundingBox(0, 0, 5, 10)
ELSEWHERE = velour.BoundingBox(50, 50, 60, 60)

_COLUMNS = {"BoundingBox": "bounding_box", "Polygon": "polygon", "Raster": "raster"}


def annotation(
    region: Region, label: str = "fire", score: float | None = None, **more: Any
) -> velour.Annotation:
    """A labelled region; ``color:blue`` is the label blue of the key color."""
    key, _, value = label.rpartition(":")
    labels = [velour.Label(key or "class", value, score)]
    more[_COLUMNS[type(region).__name__]] = region
    return velour.Annotation(labels, **more)


TRUE = annotation(TEN_BY_TEN)
FOUND = annotation(TEN_BY_TEN, score=0.9)


def scene(
    *images: tuple[Sequence[velour.Annotation], Sequence[velour.Annotation]], **metadata: Any
) -> velour.Dataset:
    """Images in turn: what is there, and what was detected."""
    datums = [velour.Datum(str(number), metadata) for number in range(len(images))]
    truths = [velour.GroundTruth(d, image[0]) for d, image in zip(datums, images, strict=True)]
    predictions = [velour.Prediction(d, image[1]) for d, image in zip(datums, images, strict=True)]
    return velour.Dataset.from_groundtruths(truths, "fires").with_predictions(predictions, "model")


def match(
    data: velour.Dataset, task: type[ObjectDetection] = ObjectDetection, **given: Any
) -> Ledger:
    """The ledger of a scene."""
    evaluator = task()
    return evaluator.match(data, evaluator.parameters(given))


def measured(data: velour.Dataset, **given: Any) -> dict[str, Any]:
    """The metrics of a scene by name; those of a label by ``name/label``."""
    return values(ObjectDetection().measure(match(data, **given)))


def values(metrics: Sequence[Metric]) -> dict[str, Any]:
    """Values by name; those of a label by ``name/label``."""
    return {
        item.name if item.label is None else f"{item.name}/{item.label.value}": item.value
        for item in metrics
    }
