"""Invented pictures of a harbour, on disk, with three models that are good at different things.

Every picture is drawn of its own ground truth, so that what a report draws on it can be seen to
lie right.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import velour_plugin as velour

LABELS = ("boat", "buoy", "crane", "truck")
COLOURS = {"boat": "#c8553d", "buoy": "#f2b134", "crane": "#8d99ae", "truck": "#9d4edd"}
SKY = {"day": ("#bde0fe", "#5c8da8"), "night": ("#1d2d44", "#14213d")}
SIZE = (320, 240)
PORTS = {"Boston": (42.36, -71.03), "Halifax": (44.65, -63.57)}
MODELS: Mapping[str, Mapping[str, float]] = {
    "small": {"day": 0.75, "night": 0.35},
    "night-tuned": {"day": 0.6, "night": 0.85},
    "large": {"day": 0.92, "night": 0.7},
}
"""The share of objects that each model finds, by the time of day."""


def harbour(folder: Path | None = None, images: int = 40, seed: int = 7) -> velour.Dataset:
    """Make the dataset, and draw its pictures into a folder."""
    rng = np.random.default_rng(seed)
    truths = []
    for number in range(images):
        time = ("day", "night")[number % 2]
        port = list(PORTS)[number // 2 % 2]
        north, east = PORTS[port]
        place = (north + rng.normal(0, 0.05), east + rng.normal(0, 0.05))
        name = f"{number:03d}.jpg"
        datum = velour.Datum(
            f"{number:03d}", {"file_name": name, "time_of_day": time, "port": port}, place
        )
        count = int(rng.integers(2, 6))
        annotations = []
        for _ in range(count):
            label = LABELS[int(rng.integers(len(LABELS)))]
            x, y = rng.uniform(5, 240), rng.uniform(60, 170)
            box = velour.BoundingBox.from_xywh(x, y, rng.uniform(22, 70), rng.uniform(18, 60))
            annotations.append(velour.Annotation([velour.Label("class", label)], box))
        truths.append(velour.GroundTruth(datum, annotations))
        if folder is not None:
            _draw(annotations, time).save(folder / name)
    return velour.Dataset.from_groundtruths(truths, "harbour")


def predicted(dataset: velour.Dataset, model: str) -> velour.Dataset:
    """What one of :data:`MODELS` says: some objects, near their place, and some that are not."""
    rng = np.random.default_rng(list(MODELS).index(model))
    predictions = []
    for truth in dataset.groundtruths:
        recall = MODELS[model][str(truth.datum.metadata["time_of_day"])]
        found = []
        for one in truth.annotations:
            assert one.bounding_box is not None
            x, y, w, h = one.bounding_box.xywh
            if rng.random() < recall:
                dx, dy = rng.normal(0, 0.06, 2)
                label = one.labels[0].value if rng.random() < 0.9 else "buoy"
                score = float(np.clip(rng.normal(0.45 + 0.4 * recall, 0.12), 0.05, 0.99))
                box = velour.BoundingBox.from_xywh(x + dx * w, y + dy * h, w, h)
                found.append(velour.Annotation([velour.Label("class", label, score)], box))
        if rng.random() > recall:
            box = velour.BoundingBox.from_xywh(*rng.uniform(10, 180, 2), 40, 30)
            score = float(rng.uniform(0.2, 0.7))
            found.append(velour.Annotation([velour.Label("class", "boat", score)], box))
        predictions.append(velour.Prediction(truth.datum, found))
    return dataset.with_predictions(predictions, model=model)


def _draw(annotations: list[velour.Annotation], time: str) -> Image.Image:
    sky, sea = SKY[time]
    image = Image.new("RGB", SIZE, sky)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 110, *SIZE), fill=sea)
    for one in annotations:
        box = one.bounding_box
        assert box is not None
        label = one.labels[0].value
        corners = (box.xmin, box.ymin, box.xmax, box.ymax)
        shape = {"buoy": pen.ellipse, "truck": pen.rectangle}.get(label)
        if shape is not None:
            shape(corners, fill=COLOURS[label])
        elif label == "boat":
            deck = (box.ymin + box.ymax) / 2
            hull = [(box.xmin, deck), (box.xmax, deck), (box.xmax - 8, box.ymax)]
            pen.polygon([*hull, (box.xmin + 8, box.ymax)], fill=COLOURS[label])
            pen.polygon(
                [((box.xmin + box.xmax) / 2, box.ymin), (box.xmax - 4, deck), (box.xmin + 4, deck)],
                fill="#f8f9fa",
            )
        else:
            middle = (box.xmin + box.xmax) / 2
            pen.line((middle, box.ymin, middle, box.ymax), fill=COLOURS[label], width=6)
            pen.line((box.xmin, box.ymin + 2, box.xmax, box.ymin + 2), COLOURS[label], 5)
    return image
