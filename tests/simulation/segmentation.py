"""Worlds of semantic segmentation: which pixels of an image are of which label.

No score looks at where pixels lie, so an image is one row of them: as many as are of each
true label and are predicted as each label, one kind after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import velour_plugin as velour
from tests.simulation.worlds import POPULATION_SEED, Difficulty, Labels, World, logistic

PIXELS = 400


@dataclass(frozen=True)
class Segmentation(World):
    """Each image shows some labels, and a model is right on a share of the pixels of each.

    Args:
        mixed: how even the labels of an image are; small numbers are images of few labels.
        patchy: standard deviation, on the logit, of how well a model does on one label of an image.
    """

    task = "semantic-segmentation"
    metrics = ("mIoU", "mDice")
    parameters = {"boundary_width": None, "examples": 0}  # noqa: RUF012

    mixed: float = 3.0
    patchy: float = 0.6

    def datasets(
        self, random: Generator, datums: int, qualities: Sequence[float]
    ) -> list[velour.Dataset]:
        """Draw the labels of images, then how many pixels of each a model confuses."""
        counted = self.confusions(random, datums, qualities)
        known = self.datums(datums)
        names = [value for _, value in self.labels.names]
        truth = velour.Dataset.from_label_images(
            "world",
            _images(next(iter(counted)), of_truth=True),
            labels=names,
            uids=[datum.uid for datum in known],
            metadata=[datum.metadata for datum in known],
        )
        return [
            truth.with_label_images(_images(cells), f"m{number:02}", labels=names)
            for number, cells in enumerate(counted)
        ]

    def confusions(
        self, random: Generator, datums: int, qualities: Sequence[float]
    ) -> list[NDArray[np.int64]]:
        """Draw pixels by true and predicted label, ``(datums, labels, labels)``, of each model."""
        shares = random.dirichlet(np.array(self.labels.shares) * self.mixed, datums)
        areas = random.multinomial(PIXELS, shares)
        shifts = self.difficulty.shifts(random, len(qualities), datums)
        return [
            self._confused(random, areas, quality + shift)
            for quality, shift in zip(qualities, shifts, strict=True)
        ]

    def measured(self, quality: float) -> dict[str, float]:
        """Compute the scores by their definitions, from the pixels of one large sample."""
        random = np.random.default_rng(POPULATION_SEED)
        (cells,) = self.confusions(random, self.population, [self.quality + quality])
        pixels = cells.sum(axis=0)
        right, both = pixels.diagonal(), pixels.sum(axis=0) + pixels.sum(axis=1)
        return {
            "mIoU": float(np.mean(right / (both - right))),
            "mDice": float(np.mean(2 * right / both)),
        }

    def _confused(
        self, random: Generator, areas: NDArray[np.int64], logit: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Of each label some pixels are taken for others, most for the next."""
        count = len(self.labels)
        patches = self.patchy * random.normal(size=areas.shape)
        right = random.binomial(areas, logistic(logit[:, None] + self.labels.offsets + patches))
        shares = 0.5 ** np.arange(1, count)
        wrong = random.multinomial(areas - right, shares / shares.sum())
        cells = np.zeros((len(areas), count, count), np.int64)
        rows = np.arange(count)
        cells[:, rows, rows] = right
        for step in range(1, count):
            cells[:, rows, (rows + step) % count] = wrong[:, :, step - 1]
        return cells


def _images(cells: NDArray[np.int64], of_truth: bool = False) -> NDArray[np.uint8]:
    """Images of one row, ``(datums, 1, pixels)``: cell after cell by true and predicted label."""
    datums, count, _ = cells.shape
    true, predicted = np.divmod(np.arange(count * count), count)
    numbers = true if of_truth else predicted
    pixels = np.repeat(np.tile(numbers, datums), cells.ravel())
    return pixels.astype(np.uint8).reshape(datums, 1, PIXELS)


COMMON, RARE = Labels.equal(4), Labels.halving(8)

SEGMENTATION = {
    "common": [
        Segmentation("pixels", COMMON, quality=1.2),
        Segmentation("few labels", Labels.equal(3, harder=1.0), Difficulty(0.6, tails=3), 1.0, 0.8),
    ],
    "rare": [
        Segmentation("pixels", RARE, quality=1.2),
        Segmentation(
            "few labels", Labels.halving(6, harder=1.0), Difficulty(0.6, tails=3), 1.0, 1.0
        ),
    ],
    "videos": [
        Segmentation("pixels", COMMON, Difficulty(frames=10), quality=1.2),
    ],
}
