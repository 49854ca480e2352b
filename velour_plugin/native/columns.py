"""Columns as the C code reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def column(name: str, values: NDArray[Any], kind: Any) -> NDArray[Any]:
    """Convert a column to the type and layout that the C code reads.

    Raises:
        ValueError: a value does not fit the type.
    """
    array = np.asarray(values)
    if array.dtype != kind:
        with np.errstate(invalid="ignore"):
            exact = array.astype(kind)
        if not np.array_equal(exact, array, equal_nan=exact.dtype.kind == "f"):
            raise ValueError(
                f"{name} of type {array.dtype}: its values do not fit {kind.__name__}."
            )
        array = exact
    return np.ascontiguousarray(array)
