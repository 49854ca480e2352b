"""A synthetic detection workload of the size and shape of COCO val2017, the same on every run.

5,000 images, 80 labels of which one makes up a third, about 37,000 truths (41 % small,
36 % medium, 23 % large; 1.2 % crowds; areas of the object, not of its box) and 50 detections
an image: near hits, duplicates, confused labels and background. Scores have five decimals, so
there are ties; detections come image by image, best first, as detectors write them.
It is synthetic: a ratio of speeds measured on it is one workload's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LABELS = 80
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Truths:
    """Ground truth of ``images`` images: columns in any order of images."""

    image_ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    datum: NDArray[np.int32]
    label: NDArray[np.int32]
    box: Floats
    area: Floats
    crowd: NDArray[np.bool_]
    common: Floats

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.image_ids)


@dataclass(frozen=True, slots=True)
class Detections:
    """What one model says; ``source`` is the truth that a detection was drawn from, or -1."""

    datum: NDArray[np.int32]
    label: NDArray[np.int32]
    box: Floats
    score: Floats
    source: NDArray[np.int64]


def truths(images: int = 5_000, seed: int = 2017) -> Truths:
    """Draw ground truth.

    Args:
        images: how many; 50,000 is ten times COCO val2017.
        seed: of everything that is drawn.
    """
    rng = np.random.default_rng(seed)
    common = 1.0 / (np.arange(LABELS) + 2.5) ** 0.95
    common[0] *= 4.2
    common /= common.sum()
    shapes = np.array([[480, 640], [427, 640], [640, 480], [640, 640], [375, 500], [612, 612]])
    sizes = shapes[rng.choice(len(shapes), images, p=[0.33, 0.27, 0.17, 0.1, 0.08, 0.05])]
    count = rng.negative_binomial(0.95, 0.13, images) + (rng.random(images) > 0.01)
    datum = np.repeat(np.arange(images, dtype=np.int32), count)
    total = len(datum)
    palette = rng.choice(LABELS, (images, 8), p=common)
    label = palette[datum, (rng.random(total) ** 1.25 * 4.4).astype(int) % 8].astype(np.int32)

    small = rng.random(total) < 0.56
    area = np.exp(np.where(small, rng.normal(6.33, 1.2, total), rng.normal(9.1, 1.4, total)))
    filled = np.clip(rng.normal(0.62, 0.13, total), 0.2, 0.98)
    height, width = sizes[datum].T.astype(float)
    around = np.clip(area / filled, 9, 0.9 * height * width)
    stretch = np.exp(rng.normal(0, 0.45, total))
    wide = np.clip(np.sqrt(around * stretch), 2.5, 0.98 * width)
    tall = np.clip(around / wide, 2.5, 0.98 * height)
    crowd = rng.random(total) < 0.012
    wide[crowd] = np.minimum(wide * 4, 0.95 * width)[crowd]
    tall[crowd] = np.minimum(tall * 2, 0.9 * height)[crowd]
    left, top = rng.random(total) * (width - wide), rng.random(total) * (height - tall)
    beside = np.flatnonzero((rng.random(total) < 0.33) & (np.diff(datum, prepend=-1) == 0))
    left[beside] = (left[beside - 1] + rng.normal(0, 0.6, len(beside)) * wide[beside - 1]).clip(
        0, (width - wide)[beside]
    )
    top[beside] = (top[beside - 1] + rng.normal(0, 0.35, len(beside)) * tall[beside - 1]).clip(
        0, (height - tall)[beside]
    )
    box = np.column_stack([left, top, wide, tall]).round(2)
    ids = np.sort(rng.choice(images * 116, images, replace=False)) + 1
    return Truths(
        ids, sizes, datum, label, box, (box[:, 2] * box[:, 3] * filled).round(4), crowd, common
    )


def detections(given: Truths, seed: int = 1, each: int = 50, recall: float = 0.82) -> Detections:
    """Draw what a model says of every image.

    Args:
        given: the ground truth.
        seed: of the model.
        each: detections an image.
        recall: share of middle-sized objects that the model finds; better models also aim better.
    """
    rng = np.random.default_rng([seed, each, int(recall * 1000)])
    jitter, contrast = 0.3 * (1 - recall) ** 1.1, 10 * recall - 5.3
    ease = (np.log(np.maximum(given.area, 1)) - np.log(1500)) / 2.2
    likely = 1 / (1 + np.exp(-(np.log(recall / (1 - recall)) + 0.75 * ease)))
    found = np.flatnonzero(rng.random(len(ease)) < likely)
    wanted = each * given.images
    doubled = rng.integers(0, len(ease), int((wanted - len(found)) * 0.42))

    spread = jitter * (1 + 0.7 * np.exp(-ease[found])) * np.exp(rng.normal(0, 0.6, len(found)))
    near = _moved(rng, given.box[found], spread)
    near_logit = 0.85 * contrast + 0.75 * ease[found] - 3 * spread
    far = _moved(rng, given.box[doubled], np.full(len(doubled), 0.3))
    far_logit = -2.4 - 0.55 * contrast + 0.25 * ease[doubled]
    here = np.bincount(given.datum[np.concatenate([found, doubled])], minlength=given.images)
    behind = np.repeat(np.arange(given.images), np.maximum(each - here, 0))
    background = _anywhere(rng, given.sizes[behind])

    source = np.concatenate([found, doubled, np.full(len(behind), -1)])
    datum = np.concatenate([given.datum[source[source >= 0]], behind]).astype(np.int32)
    label = np.where(source >= 0, given.label[source], rng.choice(LABELS, len(source)))
    confused = rng.random(len(source)) < np.where(source < 0, 0.6, 0.07)
    confused[len(found) : len(found) + len(doubled)] = rng.random(len(doubled)) < 0.45
    label = np.where(confused, rng.choice(LABELS, len(source), p=given.common), label)
    box = np.concatenate([near, far, background])
    logit = np.concatenate([near_logit, far_logit, np.full(len(behind), -3 - 0.5 * contrast)])
    logit += rng.normal(0, 1.15, len(source)) - confused * 0.8
    score = (1 / (1 + np.exp(-logit))).round(5).clip(1e-5, 0.99999)
    order = np.lexsort((-score, datum))
    place = np.arange(len(order)) - np.searchsorted(datum[order], datum[order])
    rows = order[place < each]
    return Detections(
        datum[rows],
        label[rows].astype(np.int32),
        _inside(box[rows], given.sizes[datum[rows]]),
        score[rows],
        source[rows],
    )


def truth_json(given: Truths, segmentation: list[Any] | None = None) -> bytes:
    """The ground truth as a COCO file, annotations in shuffled order."""
    rows = np.random.default_rng(5).permutation(len(given.datum))
    images = [
        {"id": one, "width": width, "height": height, "file_name": f"{one:012d}.jpg"}
        for one, (height, width) in zip(given.image_ids.tolist(), given.sizes.tolist(), strict=True)
    ]
    annotations = [
        {
            "id": int(row) + 1,
            "image_id": int(given.image_ids[given.datum[row]]),
            "category_id": int(given.label[row]) + 1,
            "bbox": given.box[row].tolist(),
            "area": float(given.area[row]),
            "iscrowd": int(given.crowd[row]),
            **({} if segmentation is None else {"segmentation": segmentation[row]}),
        }
        for row in rows
    ]
    categories = [{"id": label + 1, "name": f"label {label}"} for label in range(LABELS)]
    return _json({"images": images, "annotations": annotations, "categories": categories})


def detection_json(given: Truths, detections: Detections, counts: list[Any] | None = None) -> bytes:
    """A model's answers as a COCO results file; with masks instead of boxes if ``counts``."""
    columns = (
        given.image_ids[detections.datum].tolist(),
        (detections.label + 1).tolist(),
        detections.box.tolist() if counts is None else counts,
        detections.score.tolist(),
    )
    region = "bbox" if counts is None else "segmentation"
    return _json(
        [
            {"image_id": image, "category_id": label, region: box, "score": score}
            for image, label, box, score in zip(*columns, strict=True)
        ]
    )


def outlines(given: Truths, rows: NDArray[np.int64], box: Floats, points: int = 24) -> Floats:
    """Star-shaped outlines in boxes, ``(n, points, 2)``; rows of one truth have one shape.

    Args:
        given: the ground truth.
        rows: ``(n,)`` which truth's shape each has; -1 for that of another.
        box: ``(n, 4)``.
        points: of each outline.
    """
    rng = np.random.default_rng(24)
    turn = np.sort(rng.random((len(given.datum), points)), axis=1) * 2 * np.pi
    radius = 0.62 + 0.38 * rng.random(turn.shape)
    shape = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=-1)
    shape -= shape.min(axis=1, keepdims=True)
    shape /= shape.max(axis=1, keepdims=True)
    mine = shape[np.where(rows >= 0, rows, np.arange(len(rows)) % len(shape))]
    return (box[:, None, :2] + mine * box[:, None, 2:]).round(2)


def _moved(rng: np.random.Generator, box: Floats, spread: Floats) -> Floats:
    by = rng.normal(0, 1, (len(box), 4)) * spread[:, None]
    return np.column_stack([box[:, :2] + by[:, :2] * box[:, 2:], box[:, 2:] * np.exp(by[:, 2:])])


def _anywhere(rng: np.random.Generator, sizes: NDArray[np.int64]) -> Floats:
    height, width = sizes.T.astype(float)
    area, stretch = np.exp(rng.normal(8.16, 1.6, len(sizes))), rng.normal(0, 0.55, len(sizes))
    wide = np.clip(np.sqrt(area * np.exp(stretch)), 3, 0.98 * width)
    tall = np.clip(area / wide, 3, 0.98 * height)
    left, top = rng.random((2, len(sizes)))
    return np.column_stack([left * (width - wide), top * (height - tall), wide, tall])


def _inside(box: Floats, sizes: NDArray[np.int64]) -> Floats:
    limit = sizes[:, ::-1].astype(float)
    low = np.clip(box[:, :2], 0, limit - 1)
    high = np.clip(box[:, :2] + box[:, 2:], low + 1, limit)
    return np.column_stack([low, high - low]).round(3)


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
