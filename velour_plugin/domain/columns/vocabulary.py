"""Labels and the index of each, by which columns refer to them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

LabelName = tuple[str, str]
"""A label as (key, value)."""


class Vocabulary:
    """Known labels in their order, then all others, sorted.

    Args:
        first: such as the labels of the ground truth.
        others: such as those of predictions; what is in ``first`` is not repeated.

    >>> vocabulary = Vocabulary([("class", "fire")], [("class", "smoke"), ("class", "fire")])
    >>> vocabulary.indices([("class", "smoke"), ("class", "fire")])
    array([1, 0], dtype=int32)
    """

    def __init__(self, first: Iterable[LabelName], others: Iterable[LabelName] = ()) -> None:
        known = dict.fromkeys(first)
        self.names: tuple[LabelName, ...] = (*known, *sorted(set(others) - known.keys()))
        self.index_of = {name: index for index, name in enumerate(self.names)}

    def indices(self, names: Iterable[LabelName]) -> NDArray[np.int32]:
        """Index of each label, ``(n,)`` int32.

        Raises:
            KeyError: a label is not in this vocabulary.
        """
        return np.array([self.index_of[name] for name in names], np.int32)
