"""What holds for every dataset of label images: slices, weights, order, and runs against pixels."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from velour_evaluators.semantic.evaluator import SemanticSegmentation
from velour_evaluators.semantic.kernels import pixel_confusion
from velour_evaluators.semantic.label_image_counts import (
    annotations_of_label_image,
    label_image_of_annotations,
)

from tests.label_maps import annotations, dataset, dataset_of, ledger_of, scores
from velour_plugin.domain.columns.rle import edges_of_mask

LETTERS = [ord(letter) for letter in "abv."]
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))


@st.composite
def label_images(draw, count=2):
    """Images of one size."""
    shape = draw(SHAPES)
    images = arrays.arrays(np.uint8, shape, elements=st.sampled_from(LETTERS))
    return tuple(draw(images) for _ in range(count))


@st.composite
def datasets(draw):
    """One to four datums, each with a truth and a prediction, and parameters."""
    pairs = draw(st.lists(label_images(), min_size=1, max_size=4))
    parameters = {
        "ignore_label": draw(st.sampled_from([None, "v"])),
        "boundary_width": draw(st.sampled_from([None, 0.2, 1, 3])),
    }
    return {str(place): pair for place, pair in enumerate(pairs)}, parameters


def detailed(ledger, *which):
    """Every metric, as JSON that is equal when all numbers are."""
    evaluator = SemanticSegmentation()
    metrics = evaluator.measure(ledger, *which) + evaluator.details(ledger, *which)
    return [json.dumps(metric.to_dict(), allow_nan=False) for metric in metrics]


@given(datasets(), st.data())
def test_a_slice_of_the_ledger_is_the_ledger_of_the_slice(case, data):
    """To the last bit, and it is JSON without NaN."""
    images, parameters = case
    chosen = data.draw(arrays.arrays(bool, len(images)))
    whole = dataset(images)
    part = ledger_of(whole.subset(chosen), **parameters)
    assert detailed(ledger_of(whole, **parameters), chosen) == detailed(part)


@given(datasets(), st.data())
def test_ledgers_of_partitions_join_to_the_ledger_of_the_whole(case, data):
    """Row by row, so that partitions can be matched anywhere."""
    images, parameters = case
    first = np.arange(len(images)) < data.draw(st.integers(0, len(images)))
    whole = dataset(images)
    parts = [ledger_of(whole.subset(chosen), **parameters) for chosen in (first, ~first)]
    for name, table in ledger_of(whole, **parameters).tables.items():
        for column, values in table.items():
            halves = [part.tables[name][column] for part in parts]
            if column == "datum":
                halves[1] = halves[1] + first.sum()
            assert np.concatenate(halves).tolist() == values.tolist()


@given(datasets(), st.data())
def test_a_weight_is_a_repetition(case, data):
    """A datum of weight 3 counts as three datums would; one of weight 0 as none."""
    images, parameters = case
    weights = data.draw(arrays.arrays(np.int64, len(images), elements=st.integers(0, 3)))
    ledger = ledger_of(dataset(images), **parameters)
    repeated = {
        f"{uid} {turn}": pair
        for (uid, pair), weight in zip(images.items(), weights, strict=True)
        for turn in range(weight)
    }
    weighted = scores(ledger, None, weights)
    if repeated:
        again = scores(ledger_of(dataset(repeated), **parameters))
        assert again == {name: weighted[name] for name in again}
    assert all(weighted[name] is None for name in weighted if not repeated)


@given(datasets(), st.randoms(use_true_random=False))
def test_order_changes_nothing(case, random):
    """Neither that of datums nor that of annotations."""
    images, parameters = case
    shuffled = {}
    for uid in random.sample(list(images), len(images)):
        sides = [annotations(image) for image in images[uid]]
        shuffled[uid] = tuple(random.sample(side, len(side)) for side in sides)
    ledger = ledger_of(dataset(images), **parameters)
    assert detailed(ledger_of(dataset_of(shuffled), **parameters)) == detailed(ledger)


@given(datasets())
def test_scores_lie_between_nothing_and_everything(case):
    """Or are undefined."""
    images, parameters = case
    result = scores(ledger_of(dataset(images), **parameters))
    assert all(value is None or 0 <= value <= 1 for value in result.values())


@given(label_images())
def test_swapping_the_sides_transposes_the_confusion(pair):
    """And keeps the IoU."""
    there, back = (pixel_confusion.confusion_of_labels(*sides) for sides in (pair, pair[::-1]))
    cells = sorted(zip(back.predicted, back.truth, back.pixels, strict=True))
    assert list(zip(*there, strict=True)) == cells


@given(label_images())
def test_runs_and_pixels_are_counted_alike(pair):
    """Whether masks are merged or pixels compared."""
    runs = [
        pixel_confusion.runs_of_masks(
            [edges_of_mask(image == letter) for letter in LETTERS], LETTERS, image.size
        )
        for image in pair
    ]
    by_runs, by_pixels = (
        pixel_confusion.confusion_of_runs(*runs),
        pixel_confusion.confusion_of_labels(*pair),
    )
    assert all((a == b).all() for a, b in zip(by_runs, by_pixels, strict=True))
    assert by_runs.pixels.sum() == pair[0].size


@given(label_images(count=3))
def test_layers_are_painted_in_order(images):
    """The last mask that has a pixel owns it, or nobody does."""
    masks = [image == LETTERS[0] for image in images]
    size, shape = images[0].size, images[0].shape
    runs = pixel_confusion.runs_of_layers([edges_of_mask(mask) for mask in masks], [0, 1, 2], size)
    painted = pixel_confusion.image_of_runs(runs, shape[0], 3).T
    expected = np.full(shape, 3)
    for number, mask in enumerate(masks):
        expected[mask] = number
    assert (painted == expected).all()
    joined = pixel_confusion.runs_of_masks([edges_of_mask(mask) for mask in masks], [0, 1, 2], size)
    assert (joined is None) == (np.sum(masks, axis=0) > 1).any()


@given(label_images(count=1))
def test_a_label_image_survives_the_way_there_and_back(images):
    """As masks that share no pixel and fill the image."""
    (image,) = images
    names = {letter: chr(letter) for letter in LETTERS}
    items = annotations_of_label_image(image, names)
    numbers = {name: letter for letter, name in names.items()}
    assert (label_image_of_annotations(items, numbers, *image.shape) == image).all()
    assert sum(item.raster.area for item in items) == image.size
