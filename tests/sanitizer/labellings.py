"""Attacks on label images, runs, boundaries and scores."""

from __future__ import annotations

import numpy as np
from velour_evaluators.classification.kernels.class_scores import ClassScores
from velour_evaluators.kernels.native import labels as kernel
from velour_evaluators.kernels.native import scores
from velour_evaluators.semantic.kernels.pixel_confusion import LabelRuns

from tests.sanitizer.values import HUGE, dirt_of, floats, some, whole
from velour_plugin.native.label_edges import LabelPixels


def confusion_of_labels(rng: np.random.Generator) -> None:
    """Pixels of any type, now and then beyond the table, and images that are not of one size."""
    sizes = rng.choice([1, 3, 63, 64, 65, 300], (2, 2))
    images = []
    for size in sizes if rng.random() < 0.1 else sizes[[0, 0]]:
        image = rng.integers(0, int(rng.choice([2, 5, 100])), size)
        images.append(LabelPixels.of(image.astype(rng.choice(["u1", "i2", "i4", "i8", "?"]))))
    if rng.random() < 0.1:
        images[1] = LabelPixels(images[1].bytes, int(rng.choice(HUGE)), images[1].labels)
    kernel.confusion_of_labels(images[0], images[1])


def runs_of(rng: np.random.Generator, size: int, most: int) -> LabelRuns:
    """Runs that fall, with labels that are not there."""
    dirt = dirt_of(rng, 0.05)
    starts = np.unique(np.append(0, rng.integers(0, size, some(rng, 9))))
    labels = rng.integers(-1, most + 1, len(starts))
    return LabelRuns(whole(rng, starts, dirt, HUGE), whole(rng, labels, dirt, HUGE), size)


def confusion_of_runs(rng: np.random.Generator) -> None:
    size, labels = int(rng.choice([1, 100, 10_000])), int(rng.choice([0, 1, 3, 200]))
    kernel.confusion_of_runs(runs_of(rng, size, labels), runs_of(rng, size, labels), labels)


def boundary_counts(rng: np.random.Generator) -> None:
    """Pictures of one, two and four bytes a pixel."""
    height, width = (int(one) for one in rng.choice([1, 2, 63, 64, 65, 130], 2))
    labels = int(rng.choice([0, 1, 3, 254, 255, 300, 65_535] if height < 9 else [1, 20, 255]))
    truth = runs_of(rng, height * width, labels)
    predicted = runs_of(rng, height * width, labels - 1)
    kernel.boundary_counts(truth, predicted, height, labels, int(rng.choice([1, 2, 5, 64, *HUGE])))


def runs_of_masks(rng: np.random.Generator) -> None:
    """Masks that overlap, whose edges fall or lie outside."""
    size, masks, dirt = int(rng.choice([10, 10_000])), some(rng, 9), dirt_of(rng, 0.02)
    cuts = np.sort(rng.integers(0, size, 2 * masks)).reshape(-1, 2)
    edges = [whole(rng, one, dirt, HUGE) for one in rng.permutation(cuts)]
    kernel.runs_of_masks(edges, rng.integers(0, 9, masks).tolist(), size)


def class_scores(rng: np.random.Generator) -> ClassScores:
    """Scores of some labels, and about all; now and then not in order, or out of bounds."""
    rows, labels = some(rng, 9, 3000) + 1, int(rng.choice([1, 3, 9]))
    labels = 300 if rows < 20 and rng.random() < 0.3 else labels
    code = np.flatnonzero(rng.random(rows * labels) < rng.choice([0.5, 1]))
    row, label = np.divmod(code, labels)
    dirt = dirt_of(rng, 0.02)
    score = floats(rng, rng.random(len(code)).round(int(rng.choice([1, 9]))), dirt)
    return ClassScores(whole(rng, row, dirt), whole(rng, label, dirt), score, rows, labels)


def decide_by_scores(rng: np.random.Generator) -> None:
    given = class_scores(rng)
    truth = rng.integers(0, given.labels, given.rows)
    scores.decisions(given, whole(rng, truth, dirt_of(rng, 0.02)))


def rank_scores(rng: np.random.Generator) -> None:
    given, dirt = class_scores(rng), dirt_of(rng, 0.02)
    every = np.arange(given.rows, dtype=np.int32)
    label = rng.integers(0, given.labels, given.rows)
    scores.rank(given, every, whole(rng, every, dirt), whole(rng, label, dirt))


ATTACKS = [
    boundary_counts,
    confusion_of_labels,
    confusion_of_runs,
    decide_by_scores,
    rank_scores,
    runs_of_masks,
]
