"""The simulated data as files that people bring: COCO, a table of metadata, JPEG images."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from velour_integrations.demo.detectors import DETECTORS, LABELS, detections
from velour_integrations.demo.lookouts import HEIGHT, WIDTH, LookoutImage

TRUTH, METADATA, IMAGES = "instances.json", "images.csv", "images"
NOTE = "Simulated by velour demo: no fire of these burnt, no network ran on them."


def write_truth(folder: Path, scenes: list[LookoutImage], seed: int) -> None:
    """Write ``instances.json`` and ``images.csv``, with the place and time of each image."""
    categories = [{"id": number, "name": label} for number, label in enumerate(LABELS, 1)]
    images = [
        {"id": scene.number, "file_name": scene.file_name, "height": HEIGHT, "width": WIDTH}
        for scene in scenes
    ]
    things = [(scene, thing) for scene in scenes for thing in scene.fires]
    annotations = [
        {
            "id": number,
            "image_id": scene.number,
            "category_id": _category(thing.kind),
            "bbox": list(thing.box),
            "area": thing.box[2] * thing.box[3],
            "iscrowd": 0,
        }
        for number, (scene, thing) in enumerate(things, 1)
    ]
    content = {"info": {"description": f"{NOTE} Seed {seed}."}, "images": images}
    _dump(folder / TRUTH, {**content, "categories": categories, "annotations": annotations})
    with open(folder / METADATA, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file_name", "latitude", "longitude", "region", "site", "time_of_day"))
        for scene in scenes:
            where = (scene.latitude, scene.longitude, scene.site.region, scene.site.name)
            writer.writerow((scene.file_name, *where, scene.time_of_day))


def write_predictions(folder: Path, scenes: list[LookoutImage], seed: int) -> list[Path]:
    """Write the results file of each detector; return their paths."""
    paths = []
    for detector in DETECTORS:
        results = [
            {
                "image_id": scene.number,
                "category_id": _category(finding["label"]),
                "bbox": finding["bbox"],
                "score": finding["score"],
            }
            for scene, finding in detections(detector, scenes, seed)
        ]
        paths.append(folder / f"{detector.name}.json")
        _dump(paths[-1], results)
    return paths


def _category(label: str) -> int:
    return LABELS.index(label) + 1


def _dump(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
