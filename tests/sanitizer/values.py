"""Values that no honest caller hands over."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

HOSTILE = [-1, 0, 1, 2, 7, 255, 256, 65_535, 65_536, 2**31 - 1, -(2**31)]
HUGE = [*HOSTILE, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.0, 0.5, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e7, -1e7, 3e9]


def some(rng: np.random.Generator, most: int, many: int = 100) -> int:
    """How many rows: few, or now and then ``many`` times so many, for several threads."""
    return int(rng.integers(0, most)) * int(rng.choice([1] * 12 + [many]))


def whole(
    rng: np.random.Generator, values: NDArray[Any], dirt: float, hostile: list[int] = HOSTILE
) -> NDArray[Any]:
    """Replace a share of whole numbers by hostile ones: int32, or int64 with ``HUGE``."""
    kind = np.int32 if hostile is HOSTILE else np.int64
    wrong = rng.random(values.shape) < dirt
    return np.where(wrong, rng.choice(np.array(hostile, kind), values.shape), values).astype(kind)


def floats(rng: np.random.Generator, values: NDArray[Any], dirt: float) -> NDArray[np.float64]:
    """Replace a share of numbers by hostile ones."""
    return np.where(rng.random(values.shape) < dirt, rng.choice(FLOATS, values.shape), values)


def dirt_of(rng: np.random.Generator, most: float) -> float:
    """The share of an attack: none of two in three, so that some get through."""
    return float(rng.choice([0, 0, most]))
