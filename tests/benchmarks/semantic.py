"""Time kernels of semantic segmentation against torchmetrics and hotcoco, on street scenes.

Run ``python -m tests.benchmarks.semantic``. Every peer counts the same confusion matrix,
which is checked; rounds are interleaved, and the median of each side is compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from velour_evaluators.semantic.kernels.pixel_confusion import (
    PixelPairCounts,
    confusion_of_labels,
    confusion_of_runs,
    runs_of_masks,
)
from velour_evaluators.semantic.label_image_counts import annotations_of_label_image

HEIGHT, WIDTH, LABELS, VOID = 1024, 2048, 19, 255
NAMES = {**{number: f"label {number}" for number in range(LABELS)}, VOID: "void"}
Image = NDArray[np.uint8]
Pair = tuple[Image, Image]


class Row(NamedTuple):
    """One line of the table: seconds of either side, and how many times faster ours is."""

    work: str
    ours: float
    peer: float
    ratio: float


def semantic_rows(rounds: int = 9) -> Iterator[Row]:
    """Compare every way of counting with every peer that is installed."""
    for kind, noise in (("smooth", 0.0), ("5 % noisy", 0.05)):
        pairs = [images(seed, noise) for seed in range(3)]
        for name, peer in peers():
            for source, count in OURS:
                title = f"{HEIGHT}x{WIDTH}x{LABELS} {kind}, {source} against {name}"
                yield _row(title, count, peer, pairs, rounds)


def images(seed: int, noise: float) -> Pair:
    """Draw a truth of wavy blocks with unlabelled top rows, and a prediction that is shifted."""
    random = np.random.default_rng(seed)
    truth = _wavy(_blocks(random, 64), random)
    predicted = np.roll(truth, (3, -2), (0, 1))
    wrong = np.kron(random.random((32, 64)) < 0.12, np.ones((32, 32), bool))
    predicted[wrong] = _blocks(random, 32)[wrong]
    speckled = random.random(truth.shape) < noise
    predicted[speckled] = random.integers(0, LABELS, int(speckled.sum()), np.uint8)
    truth[:40] = VOID
    return truth, predicted


def peers() -> Iterator[tuple[str, Callable[[Pair], Any]]]:
    """Peers that are installed, at their default number of threads."""
    try:
        import torch
        from torchmetrics.functional.classification import multiclass_confusion_matrix

        def torchmetrics(pair: Pair) -> Any:
            truth, predicted = (torch.from_numpy(image) for image in pair)
            return multiclass_confusion_matrix(
                predicted, truth.long(), LABELS, ignore_index=VOID
            ).numpy()

        yield "torchmetrics", torchmetrics
    except ImportError as error:
        print(f"torchmetrics is absent: {error}")
    try:
        from hotcoco.metrics import pixel_confusion

        yield "hotcoco", lambda pair: pixel_confusion(*pair, LABELS, ignore_index=VOID)
    except ImportError as error:
        print(f"hotcoco is absent: {error}")


def _from_label_images(pair: Pair) -> Any:
    return _dense(confusion_of_labels(*pair))


def _from_masks(pair: Pair) -> Any:
    masks = (_masks_of(image) for image in pair)
    truth, predicted = (runs_of_masks(*each, HEIGHT * WIDTH) for each in masks)
    assert truth is not None
    assert predicted is not None
    return _dense(confusion_of_runs(truth, predicted))


OURS: tuple[tuple[str, Callable[[Pair], Any]], ...] = (
    ("label images", _from_label_images),
    ("masks", _from_masks),
)


def _row(
    title: str, ours: Callable[[Pair], Any], peer: Callable[[Pair], Any], pairs: list[Pair], n: int
) -> Row:
    times: tuple[list[float], list[float]] = ([], [])
    for pair in pairs:  # warms both sides up as well
        assert np.array_equal(ours(pair), np.asarray(peer(pair)).astype(np.int64)), title
    for turn in range(n):
        for side, count in zip(times, (ours, peer), strict=True):
            start = time.perf_counter()
            count(pairs[turn % len(pairs)])
            side.append(time.perf_counter() - start)
    seconds = median(times[0]), median(times[1])
    return Row(title, *seconds, seconds[1] / seconds[0])


def _dense(counts: PixelPairCounts) -> NDArray[np.int64]:
    matrix = np.zeros((LABELS, LABELS), np.int64)
    own = (counts.truth >= 0) & (counts.truth < LABELS) & (counts.predicted >= 0)
    matrix[counts.truth[own], counts.predicted[own]] = counts.pixels[own]
    return matrix


_MASKS: dict[int, tuple[list[Any], list[int]]] = {}


def _masks_of(image: Image) -> tuple[list[Any], list[int]]:
    """Run edges and numbers of an image's labels, made once: they are what a dataset holds."""
    if id(image) not in _MASKS:
        items = annotations_of_label_image(image, NAMES)
        edges = [item.raster.edges for item in items if item.raster is not None]
        _MASKS[id(image)] = edges, np.unique(image).tolist()
    return _MASKS[id(image)]


def _blocks(random: np.random.Generator, side: int) -> Image:
    blocks = random.integers(0, LABELS, (HEIGHT // side, WIDTH // side), np.uint8)
    return np.kron(blocks, np.ones((side, side), np.uint8))


def _wavy(image: Image, random: np.random.Generator) -> Image:
    wave = (12 * np.sin(np.arange(WIDTH) / 37)).astype(int)
    rows = np.arange(HEIGHT)[:, None] + wave + random.integers(0, 2, image.shape)
    return np.asarray(image[np.clip(rows, 0, HEIGHT - 1), np.arange(WIDTH)])


if __name__ == "__main__":
    for row in semantic_rows():
        print(f"| {row.work} | {row.ours * 1e3:.2f} | {row.peer * 1e3:.2f} | {row.ratio:.1f} |")
