"""Many byte strings in one: what compiled code reads instead of a Python object each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Byte strings one after another.

    Args:
        data: all of them.
        bounds: ``(n + 1,)`` int64, where each begins, and where the last one ends.
    """

    data: bytes
    bounds: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Sequence[bytes]) -> Texts:
        """Put byte strings together."""
        return cls(b"".join(parts), _bounds(map(len, parts), len(parts)))

    @classmethod
    def of_strings(cls, strings: Sequence[str]) -> Texts:
        """Put strings together in UTF-8.

        >>> Texts.of_strings(["a", "é"]).bounds.tolist()
        [0, 1, 3]
        """
        whole = "".join(strings)
        if not whole.isascii():
            return cls.of([string.encode() for string in strings])
        return cls(whole.encode(), _bounds(map(len, strings), len(strings)))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, index: int) -> bytes:
        return self.data[self.bounds[index] : self.bounds[index + 1]]


def _bounds(lengths: Iterable[int], count: int) -> NDArray[np.int64]:
    bounds = np.zeros(count + 1, np.int64)
    np.cumsum(np.fromiter(lengths, np.int64, count), out=bounds[1:])
    return bounds
