"""Columns as the C code reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def column(name: str, values: NDArray[Any], kind: Any) -> NDArray[Any]:
    """Bring a column into the type and layout that the C code reads.

    Raises:
        ValueError: a value does not fit the type.
    """
    given = np.asarray(values)
    if given.dtype != kind:
        with np.errstate(invalid="ignore"):
            exact = given.astype(kind)
        if not np.array_equal(exact, given, equal_nan=exact.dtype.kind == "f"):
            raise ValueError(
                f"{name} of type {given.dtype}: its values do not fit {kind.__name__}."
            )
        given = exact
    return np.ascontiguousarray(given)
