"""Run edges of label images: :mod:`velour_plugin.domain.columns.label_images` in C.

Check ``library.available()`` first, see :class:`velour_plugin.native.library.Compiled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.native.library import library

_MOST_LABELS = 65_536


@dataclass(frozen=True, slots=True)
class LabelPixels:
    """A label image as the C code reads it: the bytes of each pixel, and the numbers they may be.

    Args:
        bytes: the image's shape and one axis more, uint8.
        lowest: the smallest number of a pixel.
        labels: number of possible values, from ``lowest`` on.
    """

    bytes: NDArray[np.uint8]
    lowest: int
    labels: int

    @classmethod
    def of(cls, image: NDArray[Any]) -> LabelPixels:
        """View an image of whole numbers, of any type and layout, as the C code reads it."""
        image = np.ascontiguousarray(image, image.dtype.newbyteorder("="))
        pixels = image[..., None].view(np.uint8)
        if image.dtype.itemsize == 1 and image.dtype.kind in "bu":
            return cls(pixels, 0, 256)
        lowest = int(image.min(initial=0)) if not image.size else int(image.min())
        return cls(pixels, lowest, int(image.max()) - lowest + 1)

    @property
    def is_counted(self) -> bool:
        """Whether the numbers are so close that the C code has a slot for each."""
        return self.labels <= _MOST_LABELS and abs(self.lowest) < 2**63


def label_edges(pixels: LabelPixels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the run edges of the mask of each number, see :mod:`velour_plugin.domain.columns.rle`.

    Args:
        pixels: ``(height, width)`` of them, counted.

    Returns:
        All edges, and where those of each number from ``lowest`` on begin: ``(labels + 1,)``.

    Raises:
        ValueError: another thread has changed the image meanwhile.

    >>> pixels = LabelPixels.of(np.array([[5, 5], [5, 7]]))
    >>> [column.tolist() for column in label_edges(pixels)]  # with a compiled kernel
    [[0, 3, 3], [0, 2, 2, 3]]
    """
    edges = library.functions.label_edges(
        image=pixels.bytes, lowest=pixels.lowest, labels=pixels.labels
    )
    return edges["edges"], edges["start"]
