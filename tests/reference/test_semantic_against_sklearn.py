"""Semantic scores against scikit-learn on flattened pixels, boundaries against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    jaccard_score,
    precision_score,
    recall_score,
)
from velour_evaluators.semantic.evaluator import SemanticSegmentation
from velour_evaluators.semantic.kernels import boundaries, pixel_confusion

from tests.label_maps import BACKGROUND, dataset, ledger_of, scores

SQUARE = np.ones((3, 3), bool)
LETTERS = [ord(letter) for letter in "abc"]
Image = NDArray[np.uint8]


def drawn_pair(random: np.random.Generator, values: list[int]) -> tuple[Image, Image]:
    """A blocky truth of up to 60 x 60 pixels, and a prediction that is partly wrong."""
    height, width = random.integers(1, 60, 2)
    side = int(random.integers(1, 15))
    blocks = random.choice(values, (-(-height // side), -(-width // side)))
    truth = np.kron(blocks, np.ones((side, side), int))[:height, :width].astype(np.uint8)
    truth[0, 0] = values[0]  # a truth that is all background does not say how large it is
    predicted = np.roll(truth, random.integers(-3, 4, 2), (0, 1))
    wrong = random.random(truth.shape) < 0.1
    predicted[wrong] = random.choice(values, int(wrong.sum()))
    return truth, predicted


def drawn_pairs(seed: int, values: list[int]) -> dict[str, tuple[Image, Image]]:
    random = np.random.default_rng(seed)
    return {str(place): drawn_pair(random, values) for place in range(4)}


def flattened(pairs: dict[str, tuple[Image, Image]]) -> tuple[Image, Image]:
    truth, predicted = zip(*pairs.values(), strict=True)
    return tuple(np.concatenate([image.ravel() for image in side]) for side in (truth, predicted))


def sklearn_scores(
    truth: Image, predicted: Image, letters: list[int]
) -> dict[tuple[str, str], float]:
    judges = {
        "IoU": jaccard_score,
        "Dice": f1_score,
        "f1": f1_score,
        "precision": precision_score,
        "recall": recall_score,
    }
    return {
        (name, chr(letter)): score
        for name, judge in judges.items()
        for letter, score in zip(
            letters,
            judge(truth, predicted, labels=letters, average=None, zero_division=0.0),
            strict=True,
        )
    }


@pytest.mark.parametrize("seed", range(20))
def test_scores_equal_scikit_learn(seed):
    """Background is a value to scikit-learn; its label scores are of the letters alone."""
    pairs = drawn_pairs(seed, [*LETTERS, BACKGROUND])
    truth, predicted = flattened(pairs)
    ours = scores(ledger_of(dataset(pairs), boundary_width=None))
    theirs = sklearn_scores(truth, predicted, LETTERS)
    for name, score in theirs.items():
        assert ours[name] == pytest.approx(score, abs=1e-15)
    iou, dice, recall = (
        [theirs[name, chr(letter)] for letter in LETTERS] for name in ("IoU", "Dice", "recall")
    )
    assert ours["mIoU"] == pytest.approx(np.mean(iou))
    assert ours["mDice"] == pytest.approx(np.mean(dice))
    assert ours["mean_accuracy"] == pytest.approx(np.mean(recall))
    assert ours["pixel_accuracy"] == accuracy_score(truth, predicted)
    share = [np.mean(truth == letter) for letter in LETTERS]
    assert ours["fwIoU"] == pytest.approx(np.average(iou, weights=share))


@pytest.mark.parametrize("seed", range(20))
def test_ignored_pixels_are_taken_from_both_sides(seed):
    """What is left is judged, and 'void' said of it is background."""
    void = ord("v")
    pairs = drawn_pairs(seed, [*LETTERS, BACKGROUND, void])
    truth, predicted = flattened(pairs)
    left = truth != void
    truth, predicted = truth[left], np.where(predicted == void, BACKGROUND, predicted)[left]
    ours = scores(ledger_of(dataset(pairs), ignore_label="v", boundary_width=None))
    for name, score in sklearn_scores(truth, predicted, LETTERS).items():
        assert ours[name] == pytest.approx(score, abs=1e-15)
    assert ours["pixel_accuracy"] == accuracy_score(truth, predicted)


@pytest.mark.parametrize("seed", range(20))
def test_the_confusion_matrix_equals_scikit_learn(seed):
    """Cell by cell, the background last."""
    pairs = drawn_pairs(seed, [*LETTERS, BACKGROUND])
    (metric,) = SemanticSegmentation().details(ledger_of(dataset(pairs), boundary_width=None))
    assert metric.value["labels"] == ["a", "b", "c", None]
    theirs = confusion_matrix(*flattened(pairs), labels=[*LETTERS, BACKGROUND])
    assert metric.value["matrix"] == theirs.tolist()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_label_images_are_counted_as_scikit_learn_counts_them(kind):
    """With numbers up to the largest of the type."""
    random = np.random.default_rng(7)
    values = np.array([0, 1, 5, np.iinfo(kind).max], kind)
    truth, predicted = (random.choice(values, (40, 30)) for _ in range(2))
    counts = pixel_confusion.confusion_of_labels(truth, predicted)
    matrix = np.zeros((4, 4), int)
    at = [np.searchsorted(values, side) for side in (counts.truth, counts.predicted)]
    matrix[at[0], at[1]] = counts.pixels
    assert (matrix == confusion_matrix(truth.ravel(), predicted.ravel(), labels=values)).all()
    assert (counts.pixels > 0).all()


def eroded(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    return ndimage.binary_erosion(mask, SQUARE, iterations=width, border_value=0)


def brute_boundaries(truth: Image, predicted: Image, label: int, width: int) -> list[int]:
    """The seven counts of one label, by erosion and dilation of whole masks."""
    masks = truth == label, predicted == label
    bands = [mask & ~eroded(mask, width) for mask in masks]
    lines = [mask & ~eroded(mask, 1) for mask in masks]
    near = [ndimage.binary_dilation(line, SQUARE, iterations=width) for line in lines]
    counted = [bands[0], bands[1], bands[0] & bands[1], lines[0], lines[1]]
    return [int(x.sum()) for x in (*counted, lines[0] & near[1], lines[1] & near[0])]


@pytest.mark.parametrize("seed", range(40))
def test_boundary_counts_equal_erosion_and_dilation(seed):
    """Bands up to wider than the image, images down to one pixel."""
    random = np.random.default_rng(seed)
    truth, predicted = drawn_pair(random, [0, 1, 2, 3])
    for width in (1, 2, int(random.integers(3, 20)), 200):
        ours = boundaries.boundary_counts(truth, predicted, 3, width)
        theirs = [brute_boundaries(truth, predicted, label, width) for label in range(3)]
        assert ours.tolist() == theirs


@pytest.mark.parametrize("shape", [(1, 200), (200, 1), (3, 64), (5, 65), (130, 131)])
def test_widening_equals_dilation_across_words(shape):
    """A row is packed 64 pixels to a word; steps cross them."""
    mask = np.random.default_rng(1).random(shape) < 0.01
    for steps in (1, 2, 5, 63, 64, 65, 150):
        wide = boundaries.widened(boundaries.packed(mask), steps)
        theirs = ndimage.binary_dilation(mask, SQUARE, iterations=steps)
        assert (boundaries.packed(theirs) & wide == boundaries.packed(theirs)).all()
        own = boundaries.packed(np.ones(shape, bool))
        assert boundaries.count(wide & own) == theirs.sum()


def test_bits_are_counted_alike_with_and_without_numpy_2(monkeypatch):
    """Numpy 1.26 has no bitwise_count."""
    words = boundaries.packed(np.random.default_rng(2).random((50, 70)) < 0.5)
    expected = boundaries.count(words)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert boundaries.count(words) == expected


@pytest.mark.parametrize("seed", range(10))
def test_boundary_scores_equal_their_definition(seed):
    """Boundary IoU of Cheng et al. and boundary F1 of Csurka et al., counts summed over images."""
    pairs = drawn_pairs(seed, [*LETTERS, BACKGROUND])
    ours = scores(ledger_of(dataset(pairs), boundary_width=0.05))
    for letter in LETTERS:
        sums = np.zeros(7, int)
        for truth, predicted in pairs.values():
            width = max(1, round(0.05 * math.hypot(*truth.shape)))
            sums += brute_boundaries(truth, predicted, letter, width)
        band = sums[2] / (sums[0] + sums[1] - sums[2])
        recall, precision = sums[5] / sums[3], sums[6] / sums[4]
        assert ours["boundary_iou", chr(letter)] == pytest.approx(band)
        f1 = 2 * recall * precision / (recall + precision)
        assert ours["boundary_f1", chr(letter)] == pytest.approx(f1)
