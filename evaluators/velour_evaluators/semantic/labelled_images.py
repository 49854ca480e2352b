"""Read the datums of a dataset as pairs of labellings: true and predicted label of each pixel.

Masks and polygons of one label are joined. On the truth a pixel has one label of a key
at most; on predictions the highest score wins it, or the later annotation where
scores are equal or absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.semantic.engine import runs_of_masks
from velour_evaluators.semantic.kernels.pixel_confusion import (
    LabelRuns,
    confusion_of_runs,
    runs_of_layers,
)
from velour_plugin import AnnotationTable, Dataset, Raster
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import Edges, LabelName, union_of_edges

MOST_PIXELS = 2**31
"""Larger images are refused: most likely a wrong size in the metadata."""

IGNORED = -1
"""Index of a label that is not in the ledger."""


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image under one label key: true and predicted label of each pixel.

    Args:
        datum: index in the dataset.
        key: index among the label keys.
        labels: ``(n,)`` indices in the ledger of the labels that runs number 0 to n - 1;
            a true label n is ignored.
        truth: true label of each pixel.
        predicted: predicted label of each pixel.
        height: of the image, in pixels.
        width: of the image, in pixels.
        known: whether the size is the dataset's, not that of a predicted mask.
    """

    datum: int
    key: int
    labels: NDArray[np.int64]
    truth: LabelRuns
    predicted: LabelRuns
    height: int
    width: int
    known: bool


def labelled_images(
    dataset: Dataset, labels: Sequence[LabelName], ignored: Collection[LabelName]
) -> Iterator[LabelledImage]:
    """Yield every datum, once for each label key, as labels of pixels.

    A datum without annotations and without a size in its metadata has no pixels.

    Args:
        dataset: with predictions.
        labels: those of the ledger, in its order.
        ignored: labels whose true pixels do not count, none of them in ``labels``.

    Raises:
        BadDataset: an annotation has no mask or polygon, a mask is not of its image's size,
            the size is unknown, or a pixel has two true labels of one key.
    """
    assert dataset.predictions is not None
    keys = list(dict.fromkeys(key for key, _ in labels))
    truth = _Side.of("ground truth", dataset, dataset.truth, labels)
    predicted = _Side.of("prediction", dataset, dataset.predictions, labels)
    for datum in range(len(dataset)):
        size = _size_of(dataset, datum, truth, predicted)
        for key, name in enumerate(keys if size else ()):
            assert size is not None
            yield _labelled_image(
                datum, (key, name), truth=truth, predicted=predicted, size=size, ignored=ignored
            )


@dataclass(frozen=True, slots=True)
class _Size:
    height: int
    width: int
    source: str
    known: bool

    @property
    def pixels(self) -> int:
        return self.height * self.width


@dataclass(frozen=True, slots=True)
class _Side:
    """The annotations of one side, their labels numbered as in the ledger."""

    name: str
    uids: Sequence[str]
    table: AnnotationTable
    indices: NDArray[np.int64]
    bounds: NDArray[np.int64]

    @classmethod
    def of(
        cls, name: str, dataset: Dataset, table: AnnotationTable, labels: Sequence[LabelName]
    ) -> _Side:
        index_of_label = {label: index for index, label in enumerate(labels)}
        indices = np.array([index_of_label.get(label, IGNORED) for label in table.labels], np.int64)
        bounds = np.searchsorted(table.datum, np.arange(len(dataset) + 1))
        return cls(name, dataset.uids, table, indices, bounds)

    def rows(self, datum: int) -> range:
        return range(int(self.bounds[datum]), int(self.bounds[datum + 1]))

    def rows_of(self, datum: int, key: str, without: Collection[LabelName] = ()) -> list[int]:
        """Return the rows of a datum whose labels have a key, those with some labels left out."""
        labels = [(row, self.label_of(row)) for row in self.rows(datum)]
        return [row for row, label in labels if label[0] == key and label not in without]

    def rasters(self, datum: int) -> Iterator[tuple[int, Raster]]:
        if self.table.shape is not None:
            for row in self.rows(datum):
                shape = self.table.shape[row]
                if isinstance(shape, Raster):
                    yield row, shape

    def label_of(self, row: int) -> LabelName:
        return self.table.labels[self.table.label[row]]

    def index_of(self, row: int) -> int:
        return int(self.indices[self.table.label[row]])

    def name_of(self, row: int) -> str:
        """Return the name of an annotation, for messages."""
        key, value = self.label_of(row)
        return f"{key}={value!r} in the {self.name} of datum {self.uids[self.table.datum[row]]!r}"

    def mask(self, row: int, size: _Size) -> Edges:
        shape = None if self.table.shape is None else self.table.shape[row]
        if isinstance(shape, Raster):
            return shape.edges
        if shape is None:
            raise BadDataset(
                f"{self.name_of(row)} has no mask or polygon: give it a raster or polygon, leave "
                "its key out with label_keys, or use another task for boxes and whole images."
            )
        return Raster.from_geometry(shape, size.height, size.width).edges


def _labelled_image(
    datum: int,
    key: tuple[int, str],
    *,
    truth: _Side,
    predicted: _Side,
    size: _Size,
    ignored: Collection[LabelName],
) -> LabelledImage:
    truth_rows = truth.rows_of(datum, key[1])
    predicted_rows = predicted.rows_of(datum, key[1], ignored)
    indices = {truth.index_of(row) for row in truth_rows}
    indices |= {predicted.index_of(row) for row in predicted_rows}
    labels = np.array(sorted(indices - {IGNORED}), np.int64)
    number = {index: number for number, index in enumerate(labels.tolist())}
    number[IGNORED] = labels.size
    return LabelledImage(
        datum=datum,
        key=key[0],
        labels=labels,
        truth=_truth_runs(truth, truth_rows, number, size),
        predicted=_predicted_runs(predicted, predicted_rows, number, size),
        height=size.height,
        width=size.width,
        known=size.known,
    )


def _truth_runs(
    side: _Side, rows: Sequence[int], number: Mapping[int, int], size: _Size
) -> LabelRuns:
    """One labelling of all masks; masks of one label may overlap, others may not."""
    masks = [side.mask(row, size) for row in rows]
    numbers = [number[side.index_of(row)] for row in rows]
    runs = runs_of_masks(masks, numbers, size.pixels)
    return runs if runs is not None else _joined_runs(side, rows, masks, numbers, size)


def _joined_runs(
    side: _Side, rows: Sequence[int], masks: Sequence[Edges], numbers: Sequence[int], size: _Size
) -> LabelRuns:
    """Join the masks of each label first; refuse what still overlaps."""
    parts: dict[int, list[Edges]] = {}
    for number, mask in zip(numbers, masks, strict=True):
        parts.setdefault(number, []).append(mask)
    joined = [union_of_edges(part, size.height, size.width) for part in parts.values()]
    runs = runs_of_masks(joined, list(parts), size.pixels)
    if runs is None:
        raise _claimed_twice(side, [rows[numbers.index(number)] for number in parts], joined, size)
    return runs


def _predicted_runs(
    side: _Side, rows: Sequence[int], number: Mapping[int, int], size: _Size
) -> LabelRuns:
    """One labelling of all masks; a pixel of several masks gets that of the highest score."""
    masks = [side.mask(row, size) for row in rows]
    numbers = [number[side.index_of(row)] for row in rows]
    runs = runs_of_masks(masks, numbers, size.pixels)
    if runs is not None:
        return runs
    scores = np.nan_to_num(side.table.score[list(rows)], nan=-1.0)
    order = np.argsort(scores, kind="stable").tolist()
    return runs_of_layers(
        [masks[row] for row in order], [numbers[row] for row in order], size.pixels
    )


def _claimed_twice(
    side: _Side, rows: Sequence[int], masks: Sequence[Edges], size: _Size
) -> BadDataset:
    """The error for two true labels that share pixels: the first one that another covers."""
    layers = runs_of_layers(masks, range(len(masks)), size.pixels)
    alone = [runs_of_layers([mask], [index], size.pixels) for index, mask in enumerate(masks)]
    lower, upper = next(
        (lower, upper)
        for lower, runs in enumerate(alone)
        for label, upper, _ in zip(*confusion_of_runs(runs, layers), strict=True)
        if label == lower < upper
    )
    shared = confusion_of_runs(alone[lower], alone[upper])
    count = shared.pixels[(shared.truth == lower) & (shared.predicted == upper)].sum()
    return BadDataset(
        f"{side.name_of(rows[lower])} shares {count} pixels with {side.name_of(rows[upper])}: "
        "a pixel has one true label of a key; cut one of the masks, or give the labels different "
        "keys."
    )


def _size_of(dataset: Dataset, datum: int, truth: _Side, predicted: _Side) -> _Size | None:
    """Size of an image by its metadata or else its masks; all must agree."""
    size = _size_in_metadata(dataset, datum)
    for side in (truth, predicted):
        for row, raster in side.rasters(datum):
            size = size or _Size(raster.height, raster.width, side.name_of(row), side is truth)
            if (raster.height, raster.width) != (size.height, size.width):
                raise BadDataset(
                    f"the mask of {side.name_of(row)} has {raster.height}x{raster.width} pixels, "
                    f"but its image has {size.height}x{size.width} by {size.source}: resize the "
                    "mask to its image."
                )
    if size is None and (truth.rows(datum) or predicted.rows(datum)):
        raise BadDataset(
            f"datum {dataset.uids[datum]!r} of dataset {dataset.name!r} has annotations but no "
            "known size: give it the metadata height and width (velour.ImageMetadata)."
        )
    return size


def _size_in_metadata(dataset: Dataset, datum: int) -> _Size | None:
    metadata = dataset.datums[datum].metadata
    numbers = [metadata.get(name) for name in ("height", "width")]
    if numbers == [None, None]:
        return None
    if not all(_is_size(number) for number in numbers):
        raise BadDataset(
            f"datum {dataset.uids[datum]!r} has height {numbers[0]!r} and width {numbers[1]!r} in "
            "its metadata: expected two whole numbers of pixels > 0 (velour.ImageMetadata)."
        )
    height, width = (int(number) for number in numbers)  # type: ignore[arg-type]
    if height * width > MOST_PIXELS:
        raise BadDataset(
            f"datum {dataset.uids[datum]!r} has {height}x{width} pixels by its metadata: at most "
            f"{MOST_PIXELS:,} are evaluated; cut it into tiles."
        )
    return _Size(height, width, "its metadata", True)


def _is_size(number: object) -> bool:
    if isinstance(number, bool) or not isinstance(number, (int, float, np.integer, np.floating)):
        return False
    return bool(number > 0) and float(number).is_integer()
