"""Small label images as datasets, for tests of semantic segmentation.

A character is a pixel: a letter is a label of that name, a dot is background::

    dataset({"a": ("rr.", "rc.")})   # one datum of 1 x 3 pixels: truth, then prediction
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from velour_evaluators.semantic.evaluator import SemanticSegmentation
from velour_evaluators.semantic.label_image_counts import annotations_of_label_image

from velour_plugin.domain.annotations import Annotation, Datum, GroundTruth, Prediction
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.geometry import Raster
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger

BACKGROUND = ord(".")


def drawn(text: str) -> NDArray[np.uint8]:
    """The label image of lines of equal length, a letter being its character code."""
    return np.array([[ord(pixel) for pixel in line] for line in text.split()], np.uint8)


def annotations(image: str | NDArray[Any], key: str = "class") -> list[Annotation]:
    """One mask a letter; a number stands for the letter of that code."""
    image = drawn(image) if isinstance(image, str) else image
    names = {number: chr(number) for number in np.unique(image).tolist()}
    return annotations_of_label_image(image, names, key, ignore=[BACKGROUND])


def mask(text: str, label: str, score: float | None = None, key: str = "class") -> Annotation:
    """One annotation: the pixels that are not dots."""
    return Annotation([Label(key, label, score)], raster=Raster(drawn(text) != BACKGROUND))


def dataset_of(
    sides: Mapping[str, tuple[list[Annotation], list[Annotation]]], **metadata: Any
) -> Dataset:
    """A dataset from true and predicted annotations by uid."""
    truths = [GroundTruth(Datum(uid, metadata), truth) for uid, (truth, _) in sides.items()]
    predictions = [Prediction(truth.datum, sides[truth.datum.uid][1]) for truth in truths]
    return Dataset.from_groundtruths(truths, "drawn").with_predictions(predictions, "model")


def dataset(images: Mapping[str, tuple[Any, Any]], **metadata: Any) -> Dataset:
    """A dataset from true and predicted label images by uid."""
    return dataset_of(
        {
            uid: (annotations(truth), annotations(predicted))
            for uid, (truth, predicted) in images.items()
        },
        **metadata,
    )


def ledger_of(dataset: Dataset, **parameters: Any) -> Ledger:
    """Match as an evaluation would."""
    evaluator = SemanticSegmentation()
    return evaluator.match(dataset, evaluator.parameters(parameters))


def scores(ledger: Ledger, *which: Any) -> dict[Any, float | None]:
    """Metrics by name, those of a label by (name, label)."""
    return {
        (metric.name, metric.label.value) if metric.label else metric.name: metric.value
        for metric in SemanticSegmentation().measure(ledger, *which)
    }
