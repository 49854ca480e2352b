"""Label images in the compiled kernel: the numbers of numpy, to the last pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from velour_evaluators.kernels.native import library
from velour_evaluators.semantic import engine
from velour_evaluators.semantic.kernels.pixel_confusion import NOBODY, LabelRuns
from velour_evaluators.semantic.label_image_counts import confusion_of_label_images

import velour_plugin as velour
from velour_plugin.errors import BadAnnotation

Answer = TypeVar("Answer")
SIZES = [(1, 1), (1, 37), (41, 1), (16, 16), (33, 65)]
TYPES = [np.uint8, np.uint16, np.int32, np.int64]

needs_kernel = pytest.mark.skipif(not library.available(), reason="no compiled kernel is here")


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], list[Any]]:
    """What both engines answer: the compiled one, then numpy."""

    def ask(question: Callable[[], Any]) -> list[Any]:
        answers = []
        for name in ("native", "numpy"):
            monkeypatch.setenv("VELOUR_ENGINE", name)
            answers.append(question())
        return answers

    return ask


def image_of(seed: int, size: tuple[int, int], labels: int = 5) -> NDArray[Any]:
    """Smooth or noisy: blocks of labels, some of their pixels exchanged."""
    rng = np.random.default_rng(seed)
    height, width = size
    coarse = rng.integers(0, labels, (height // 4 + 1, width // 4 + 1))
    image = np.kron(coarse, np.ones((4, 4), int))[:height, :width]
    noisy = rng.random(size) < (0.0, 0.05, 0.9)[seed % 3]
    return np.where(noisy, rng.integers(0, labels, size), image)


@needs_kernel
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(6))
def test_confusion_is_that_of_numpy(
    both: Any, seed: int, size: tuple[int, int], kind: type
) -> None:
    truth, predicted = (image_of(seed + more, size).astype(kind) for more in (0, 100))
    compiled, numpy = both(lambda: engine.confusion_of_labels(truth, predicted))
    assert [column.tolist() for column in compiled] == [column.tolist() for column in numpy]
    assert compiled.pixels.sum() == truth.size


@needs_kernel
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(12))
def test_runs_and_boundaries_are_those_of_numpy(
    both: Any, seed: int, size: tuple[int, int]
) -> None:
    """From masks, of which some pixels have none, and of which some are ignored in the truth."""
    labels = 4

    def question() -> Any:
        sides = []
        for more, top in ((0, labels), (100, labels - 1)):  # the number of labels is ignored
            image = image_of(seed + more, size, labels + 2)
            masks = [velour.Raster(image == number).edges for number in range(top + 1)]
            runs = engine.runs_of_masks(masks, list(range(top + 1)), image.size)
            assert runs is not None
            sides.append(runs)
        cells = engine.confusion_of_runs(*sides, labels)
        bounds = [
            engine.boundary_counts(*sides, size[0], labels, width).tolist() for width in (1, 3)
        ]
        return [[column.tolist() for column in cells], bounds, sides[0].starts.tolist()]

    compiled, numpy = both(question)
    assert compiled == numpy
    assert NOBODY in compiled[0][0] + compiled[0][1] or min(size) == 1


@needs_kernel
@pytest.mark.parametrize("owners", [[0, 253], [299, 7, 254, 64], range(300), range(0, 3000, 5)])
@pytest.mark.parametrize("seed", range(3))
def test_boundaries_of_many_labels_are_those_of_numpy(
    both: Any, seed: int, owners: Sequence[int]
) -> None:
    """Pictures of one and of two bytes a pixel, of labels that follow each other or do not."""
    labels = max(owners) + 1

    def runs_of(more: int, others: list[int]) -> LabelRuns:
        image = image_of(seed + more, (37, 70), len(owners) + len(others))
        label = np.array([*owners, *others])[image].T.ravel()
        return LabelRuns(np.arange(label.size), label, label.size)

    sides = runs_of(0, [NOBODY, labels]), runs_of(100, [NOBODY])  # `labels` is ignored in the truth
    compiled, numpy = both(lambda: engine.boundary_counts(*sides, 37, labels, 2).tolist())
    assert compiled == numpy
    assert np.sum(compiled) > 0


@needs_kernel
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("seed", range(6))
def test_annotations_of_a_label_image_are_those_of_numpy(both: Any, seed: int, kind: type) -> None:
    image = image_of(seed, (21, 34)).astype(kind)[::-1, ::2]  # rows and columns with gaps
    names = {0: "road", 1: "car", 2: "car", 3: "tree", 4: "sky"}
    compiled, numpy = both(lambda: velour.annotations_of_label_image(image, names, ignore=[4]))
    assert [(item.labels, item.raster) for item in compiled] == [
        (item.labels, item.raster) for item in numpy
    ]
    masks = {item.labels[0].value: item.raster.mask for item in compiled}
    assert (masks["car"] == np.isin(image, [1, 2])).all()


def test_confusion_of_label_images_is_counted_by_hand() -> None:
    truth, predicted = np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 7]])
    counts = confusion_of_label_images(truth, predicted, 2, ignore=255)
    assert counts.tolist() == [[1, 1], [0, 1]]
    with pytest.raises(BadAnnotation, match="holds 255 in 1 pixels"):
        confusion_of_label_images(truth, predicted, 2)
    with pytest.raises(BadAnnotation, match="resize it"):
        confusion_of_label_images(truth, predicted.T, 2)
