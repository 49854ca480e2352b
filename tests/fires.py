"""Four images with one fire each, and models that find some of them: recall is a count."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import velour_plugin as velour
from tests.scenes import FOUND, TRUE

BOSTON, LAS_VEGAS = (42.36, -71.03), (36.17, -115.14)

IMAGES: Mapping[str, tuple[dict[str, Any], tuple[float, float] | None]] = {
    "2": ({"hour": 23, "sensor": "infrared"}, BOSTON),
    "10": ({"hour": 12, "sensor": "infrared"}, BOSTON),
    "20": ({"hour": 22, "sensor": "visible"}, LAS_VEGAS),
    "roof": ({"hour": 9, "sensor": "visible"}, None),
}
"""Metadata and place of each image, in the order of a dataset."""

NIGHT = "hour >= 20"
NEAR_BOSTON = "DWITHIN(location, POINT(-71.03 42.36), 50, 'mi')"


def fires(
    found: Collection[str] | None = None,
    model: str = "model",
    images: Collection[str] = tuple(IMAGES),
    name: str = "fires",
) -> velour.Dataset:
    """Some of the images; with predictions when it is said which fires were found."""
    truths = [velour.GroundTruth(velour.Datum(uid, *IMAGES[uid]), [TRUE]) for uid in images]
    dataset = velour.Dataset.from_groundtruths(truths, name)
    if found is None:
        return dataset
    predictions = [velour.Prediction(velour.Datum(uid), [FOUND]) for uid in found]
    return dataset.with_predictions(predictions, model)
