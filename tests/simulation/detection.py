"""Worlds of object detection: boxes that are found or missed, inexact, confused and invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import velour_plugin as velour
from tests.simulation.worlds import Difficulty, Floats, Labels, World, logistic
from velour_plugin.domain.columns.annotation_table import AnnotationTable

CANVAS = 640.0
Columns = tuple[NDArray[np.intp], NDArray[np.intp], Floats, Floats]
"""Datum, label, box as x, y, width, height and score of some predictions."""


@dataclass(frozen=True)
class Detection(World):
    """Images with objects; each is found by chance, near its place, among false positives.

    Args:
        objects: an image's mean number of them, at least 1.
        clumped: whether that number varies as a geometric one does, instead of Poisson's.
        inexact: standard deviation of a corner, as a share of the object's size.
        invented: mean number of false positives an image, at quality 0.
        sure: how much higher true positives score than false ones, on the logit.
        decimals: to which scores are rounded, so that many are equal; ``None`` leaves them.
    """

    task = "object-detection"
    metrics = ("mAP", "mAP_50")
    parameters = {"details": False, "area_ranges": {"all": [0, 1e10]}}  # noqa: RUF012

    objects: float = 4.0
    clumped: bool = False
    inexact: float = 0.05
    invented: float = 1.5
    sure: float = 1.5
    decimals: int | None = None

    def datasets(
        self, random: Generator, datums: int, qualities: Sequence[float]
    ) -> list[velour.Dataset]:
        """Draw objects, then the detections of each model."""
        more = self.objects - 1
        counts = 1 + (
            random.geometric(1 / (1 + more), datums) - 1
            if self.clumped
            else random.poisson(more, datums)
        )
        datum = np.repeat(np.arange(datums), counts)
        label = self.labels.draw(random, len(datum))
        box = _boxes(random, len(datum))
        hardness = self.difficulty.spread * random.normal(size=len(datum))
        truth = AnnotationTable.from_columns(self.labels.names, datum, label, box=box)
        known = velour.Dataset.from_table("world", self.datums(datums), truth)
        shifts = self.difficulty.shifts(random, len(qualities), datums)
        logits = shifts[:, datum] + self.labels.offsets[label] + hardness
        return [
            known.with_predictions(
                self._table(*self._detections(random, (datum, label, box, logit + q), datums, q)),
                f"m{number:02}",
            )
            for number, (q, logit) in enumerate(zip(qualities, logits, strict=True))
        ]

    def _detections(
        self, random: Generator, objects: Columns, datums: int, quality: float
    ) -> Columns:
        """What a model finds of the objects, whose last column is how easily, and invents."""
        datum, label, box, logit = objects
        found = random.random(len(datum)) < logistic(logit)
        width = self.inexact * np.exp(-0.15 * logit[found])[:, None]
        size = np.tile(box[found, 2:], 2)
        near = box[found] + random.normal(size=size.shape) * width * size
        near[:, 2:] = np.maximum(near[:, 2:], 1.0)
        true_score = logistic(self.sure / 2 + 0.5 * logit[found] + random.normal(size=found.sum()))
        count = random.poisson(self.invented * np.exp(-0.5 * quality) * datums)
        confused = random.random(count) < 0.4  # near an object, by another label or badly
        source = random.integers(0, len(datum), count)
        moved = box[source] + random.normal(size=(count, 4)) * 0.3 * np.tile(box[source, 2:], 2)
        moved[:, 2:] = np.maximum(moved[:, 2:], 1.0)
        return (
            np.concatenate(
                [datum[found], np.where(confused, datum[source], random.integers(0, datums, count))]
            ),
            np.concatenate([label[found], self.labels.draw(random, count)]),
            np.concatenate([near, np.where(confused[:, None], moved, _boxes(random, count))]),
            np.concatenate([true_score, logistic(random.normal(-self.sure / 2, 1.0, count))]),
        )

    def _table(
        self, datum: NDArray[np.intp], label: NDArray[np.intp], box: Floats, score: Floats
    ) -> AnnotationTable:
        rounded = score if self.decimals is None else score.round(self.decimals)
        order = np.argsort(datum, kind="stable")
        return AnnotationTable.from_columns(
            self.labels.names, datum[order], label[order], box=box[order],
            score=rounded[order],
        )  # fmt: skip


def _boxes(random: Generator, count: int) -> Floats:
    """Places and sizes, ``(count, 4)`` as x, y, width, height."""
    size = np.exp(random.normal(4.2, 0.5, (count, 2)))
    return np.concatenate([random.uniform(0, CANVAS, (count, 2)), size], axis=1)


COMMON, RARE = Labels.equal(3), Labels.halving(8)

DETECTION = {
    "common": [
        Detection("boxes", COMMON, quality=0.8),
        Detection("crowded", Labels.equal(4, harder=1.0), objects=12, clumped=True, quality=0.3),
        Detection("ties", COMMON, Difficulty(0.5, tails=3), inexact=0.03, decimals=1, quality=1.2),
    ],
    "rare": [
        Detection("boxes", RARE, quality=0.8),
        Detection("crowded", Labels.halving(6, harder=1.0), objects=12, clumped=True, quality=0.3),
    ],
    "videos": [
        Detection("boxes", COMMON, Difficulty(frames=10), quality=0.8),
    ],
}
