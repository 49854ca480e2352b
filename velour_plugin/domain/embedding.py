"""Embeddings: the vector that a model computes for a datum or a region."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from velour_plugin.errors import BadAnnotation


class Embedding:
    """A vector of finite numbers; equal vectors are equal embeddings.

    Args:
        vector: ``(dimensions,)``, at least one.

    Raises:
        BadAnnotation: it is not one-dimensional, is empty, or has a number that is not finite.
    """

    __slots__ = ("vector",)

    vector: NDArray[np.float64]

    def __init__(self, vector: ArrayLike) -> None:
        try:
            array = np.array(vector, dtype=np.float64)
        except (OverflowError, TypeError, ValueError) as error:
            raise BadAnnotation(f"embedding {vector!r}: expected a list of numbers.") from error
        if array.ndim != 1 or not array.size or not np.isfinite(array).all():
            raise BadAnnotation(
                f"embedding of shape {array.shape}: expected one dimension, at least one number, "
                "all of them finite."
            )
        array.flags.writeable = False
        self.vector = array

    def __len__(self) -> int:
        return len(self.vector)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Embedding) and np.array_equal(self.vector, other.vector)

    def __hash__(self) -> int:
        return hash(self.vector.tobytes())

    def __repr__(self) -> str:
        return f"Embedding({len(self)} dimensions)"
