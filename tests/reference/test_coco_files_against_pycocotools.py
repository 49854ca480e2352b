"""COCO files through ``read_dataset``: the twelve numbers of pycocotools, bit for bit."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import velour_plugin as velour

HEIGHT, WIDTH = 60, 80


@pytest.mark.parametrize("details", [True, False])
@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("seed", range(6))
def test_masks_polygons_and_crowds(
    seed: int, engine: str, details: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images in any order, and scores of few values: ties within and across images."""
    monkeypatch.setenv("VELOUR_ENGINE", engine)
    rng = np.random.default_rng(seed)
    ids = (rng.permutation(200)[:12] + 1).tolist()
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    truth.write_text(json.dumps(truth_of(rng, ids)))
    results.write_text(json.dumps(results_of(rng, ids)))
    with contextlib.redirect_stdout(io.StringIO()):
        expected = COCOeval(known := COCO(str(truth)), known.loadRes(str(results)), "segm")
        expected.evaluate()
        expected.accumulate()
        expected.summarize()
    data = velour.read_dataset(truth).with_predictions(results, "m")
    evaluation = velour.evaluate(
        data, "instance-segmentation", save=False, parameters={"details": details}
    )
    mine = [metric.value for metric in evaluation.metrics[:12]]
    assert mine == [None if number < 0 else number for number in expected.stats.tolist()]


def truth_of(rng: np.random.Generator, ids: list[int]) -> dict[str, Any]:
    annotations = []
    for number in range(1, 60):  # pycocotools takes a match with truth 0 for none
        crowd = bool(rng.random() < 0.15)
        region = counted(rng) if crowd else [outline(rng) for _ in range(rng.integers(1, 3))]
        annotations.append(
            {"id": number, "image_id": int(rng.choice(ids)), "category_id": int(rng.integers(1, 4)),
             "iscrowd": int(crowd), "segmentation": region, "area": float(rng.integers(10, 3000)),
             "bbox": [0, 0, 1, 1]}
        )  # fmt: skip
    images = [{"id": one, "height": HEIGHT, "width": WIDTH} for one in ids]
    categories = [{"id": one, "name": f"label {one}"} for one in (1, 2, 3)]
    return {"images": images, "annotations": annotations, "categories": categories}


def results_of(rng: np.random.Generator, ids: list[int]) -> list[dict[str, Any]]:
    return [
        {"image_id": int(rng.choice(ids)), "category_id": int(rng.integers(1, 4)),
         "score": float(rng.choice([0.25, 0.5, 0.75])), "segmentation": compressed(rng)}
        for _ in range(150)
    ]  # fmt: skip


def outline(rng: np.random.Generator) -> list[float]:
    x, y = rng.uniform(0, [WIDTH - 20, HEIGHT - 20])
    corners = np.array([[0, 0], [40, 3], [38, 35], [2, 30]]) + rng.uniform(-2, 2, (4, 2))
    points: list[float] = (corners + np.array([x - 10, y - 10])).round(1).ravel().tolist()
    return points


def compressed(rng: np.random.Generator) -> dict[str, Any]:
    rle = coco_masks.merge(coco_masks.frPyObjects([outline(rng)], HEIGHT, WIDTH))
    return {"size": [HEIGHT, WIDTH], "counts": rle["counts"].decode()}


def counted(rng: np.random.Generator) -> dict[str, Any]:
    edges = velour.Raster(compressed(rng)).edges.tolist()
    return {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *edges, HEIGHT * WIDTH]).tolist()}
