"""pycocotools as an oracle: random COCO data with everything nasty in it, and its numbers."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from velour_evaluators.detection.evaluator import InstanceSegmentation, ObjectDetection

import velour_plugin as velour
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.ledger import Ledger

Json = dict[str, Any]

SIZE = 200
"""Height and width of every random image, in pixels."""


def random_boxes(
    rng: np.random.Generator, most: tuple[int, int] = (40, 250)
) -> tuple[Json, list[Json]]:
    """COCO ground truth and detections with everything nasty in them.

    Score ties, crowds, areas on the borders of the ranges, images and classes without anything.
    """
    images, classes = int(rng.integers(1, 9)), int(rng.integers(1, 5))
    truths, found = int(rng.integers(0, most[0])), int(rng.integers(0, most[1]))
    image_ids = rng.permutation(1000)[:images] + 1
    class_ids = np.sort(rng.permutation(90)[:classes] + 1)
    grid = float(rng.choice([1, 4, 8, 16]))
    image, label = rng.integers(0, images, truths), rng.integers(0, classes, truths)
    boxes = _boxes(rng, truths, grid)
    area = boxes[:, 2] * boxes[:, 3]
    odd = rng.random(truths) < 0.4
    area[odd] = rng.choice([1023, 1024, 1024.0001, 9215.999, 9216, 5000, 0, 1e10], odd.sum())
    crowd = rng.random(truths) < rng.choice([0, 0.1, 0.4])
    annotations = [
        {
            "id": int(row) + 1,
            "image_id": int(image_ids[image[row]]),
            "category_id": int(class_ids[label[row]]),
            "bbox": boxes[row].tolist(),
            "area": float(area[row]),
            "iscrowd": int(crowd[row]),
        }
        for row in range(truths)
    ]
    detections = _detections(rng, found, grid, (image, label, boxes), image_ids, class_ids)
    return _file(image_ids, class_ids, annotations), detections


def _detections(
    rng: np.random.Generator,
    found: int,
    grid: float,
    truth: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    image_ids: NDArray[Any],
    class_ids: NDArray[Any],
) -> list[Json]:
    image, label, boxes = truth
    mine = _boxes(rng, found, grid)
    in_image = rng.integers(0, len(image_ids), found)
    of_label = rng.integers(0, len(class_ids), found)
    if len(image):
        near = np.flatnonzero(rng.random(found) < 0.8)
        source = rng.integers(0, len(image), len(near))
        shift = np.where(rng.random((len(near), 4)) < 0.6, 0, rng.integers(-2, 3, (len(near), 4)))
        mine[near] = boxes[source] + shift * grid / 2
        mine[:, 2:] = np.maximum(mine[:, 2:], 0.5)
        in_image[near], of_label[near] = image[source], label[source]
    scores = rng.random(found)
    scores = [scores, scores.round(1), scores.round(5), np.full(found, 0.5), scores * 1e-12][
        int(rng.integers(0, 5))
    ]
    return [
        {
            "image_id": int(image_ids[in_image[row]]),
            "category_id": int(class_ids[of_label[row]]),
            "bbox": mine[row].tolist(),
            "score": float(scores[row]),
        }
        for row in range(found)
    ]


def random_masks(rng: np.random.Generator) -> tuple[Json, list[Json]]:
    """COCO instances: truths as polygons of one or two parts or as RLE, detections as RLE."""
    truth, detections = random_boxes(rng, (25, 60))
    for item in [*truth["annotations"], *detections]:
        parts = [_star(rng, item["bbox"]) for _ in range(int(rng.integers(1, 3)))]
        rle = coco_masks.merge(coco_masks.frPyObjects(parts, SIZE, SIZE))
        text = {"size": [SIZE, SIZE], "counts": rle["counts"].decode()}
        drawn = "score" not in item and not item["iscrowd"] and rng.random() < 0.7
        item["segmentation"] = parts if drawn else text
        del item["bbox"]  # given both, pycocotools takes a detection's area from its box
        if "area" in item:
            item["area"] = float(coco_masks.area(rle))
    return truth, detections


def distinct_scores(
    rng: np.random.Generator, data: tuple[Json, list[Json]]
) -> tuple[Json, list[Json]]:
    """The same data without equal scores, with at least four images."""
    truth, detections = data
    scores = np.linspace(0.01, 0.99, len(detections))[rng.permutation(len(detections))]
    for item, score in zip(detections, scores.tolist(), strict=True):
        item["score"] = score
    while len(truth["images"]) < 4:
        number = 2000 + len(truth["images"])
        truth["images"].append({"id": number, "height": SIZE, "width": SIZE})
    return truth, detections


def _boxes(rng: np.random.Generator, rows: int, grid: float) -> NDArray[np.float64]:
    side = int(rng.choice([40, 120]))
    corner = rng.integers(0, side, (rows, 2)) // grid * grid
    size = np.maximum(rng.integers(1, side, (rows, 2)) // grid * grid, grid)
    return np.concatenate([corner, size], axis=1).astype(float)


def _star(rng: np.random.Generator, box: Sequence[float]) -> list[float]:
    angle = np.sort(rng.random(8)) * 2 * np.pi
    reach = 0.5 * (0.6 + 0.4 * rng.random(8))
    x = box[0] + box[2] * (0.5 + reach * np.cos(angle))
    y = box[1] + box[3] * (0.5 + reach * np.sin(angle))
    return np.stack([x, y], axis=1).round(2).ravel().tolist()


def _file(image_ids: NDArray[Any], class_ids: NDArray[Any], annotations: list[Json]) -> Json:
    return {
        "images": [{"id": int(i), "height": SIZE, "width": SIZE} for i in image_ids],
        "categories": [{"id": int(c), "name": f"class {c}"} for c in class_ids],
        "annotations": annotations,
    }


def dataset_of(truth: Json, detections: Sequence[Json], masks: bool = False) -> velour.Dataset:
    """The same data as Velour's columns; classes keep the order of their ids, as COCO has them."""
    images = sorted(truth["images"], key=lambda image: int(image["id"]))
    place = {image["id"]: row for row, image in enumerate(images)}
    classes = sorted(item["id"] for item in truth["categories"])
    labels = [("class", str(number)) for number in classes]
    sizes = {image["id"]: (image.get("height"), image.get("width")) for image in images}

    def table(items: Sequence[Json], **columns: Any) -> AnnotationTable:
        return AnnotationTable.from_columns(
            labels,
            np.array([place[item["image_id"]] for item in items], int),
            np.array([classes.index(item["category_id"]) for item in items], int),
            box=None if masks else np.array([item["bbox"] for item in items]).reshape(-1, 4),
            shape=[_shape(item["segmentation"]) for item in items] if masks else None,
            **columns,
        )

    annotations = truth["annotations"]
    datums = [
        velour.Datum(
            str(image["id"]),
            {"height": sizes[image["id"]][0], "width": sizes[image["id"]][1]}
            if sizes[image["id"]][0]
            else {},
        )
        for image in images
    ]
    dataset = velour.Dataset.from_table(
        "coco",
        datums,
        table(
            annotations,
            area=np.array([item["area"] for item in annotations], float),
            crowd=np.array([item["iscrowd"] for item in annotations], bool),
        ),
    )
    scores = np.array([item["score"] for item in detections], float)
    return dataset.with_predictions(table(detections, score=scores), "model")


def _shape(segmentation: Any) -> Any:
    if isinstance(segmentation, dict):
        return velour.Raster(segmentation)
    rings = [np.array(part).reshape(-1, 2) for part in segmentation]
    polygons = [velour.Polygon(ring) for ring in rings]
    return polygons[0] if len(polygons) == 1 else velour.MultiPolygon(polygons)


def coco_eval(
    truth: Json,
    detections: Sequence[Json],
    kind: str = "bbox",
    images: Sequence[int] | None = None,
    **params: Any,
) -> COCOeval:
    """Run COCO's own evaluation; ``params`` are set on its ``Params``."""
    with contextlib.redirect_stdout(io.StringIO()):
        left = COCO()
        left.dataset = copy.deepcopy(truth)
        left.createIndex()
        if detections:
            right = left.loadRes(copy.deepcopy(list(detections)))
        else:
            right = COCO()
            right.dataset = {**left.dataset, "annotations": []}
            right.createIndex()
        evaluation = COCOeval(left, right, kind)
        if images is not None:
            evaluation.params.imgIds = list(images)
        for name, value in params.items():
            setattr(evaluation.params, name, value)
        evaluation.evaluate()
        evaluation.accumulate()
        if evaluation.params.iouType != "keypoints" and len(evaluation.params.maxDets) == 3:
            evaluation.summarize()
    return evaluation


def matched(dataset: velour.Dataset, masks: bool = False, **given: Any) -> tuple[Any, Ledger]:
    """The evaluator of a dataset, and what it matched."""
    evaluator = InstanceSegmentation() if masks else ObjectDetection()
    return evaluator, evaluator.match(dataset, evaluator.parameters(given))


def headline(metrics: Sequence[Metric]) -> NDArray[np.float64]:
    """The twelve numbers in COCO's order, -1 where they are undefined, as COCO writes them."""
    return np.array(
        [-1.0 if item.value is None else item.value for item in metrics if item.label is None]
    )


def of_label(metrics: Sequence[Metric], name: str) -> dict[str, Any]:
    """A metric's value by the label that it is about."""
    return {
        item.label.value: item.value
        for item in metrics
        if item.name == name and item.label is not None
    }
