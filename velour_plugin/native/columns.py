"""Columns as the C code reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def column(
    name: str, values: NDArray[Any], kind: Any, shape: tuple[int, ...] | None = None
) -> NDArray[Any]:
    """Bring a column into the type, shape and layout that the C code reads.

    Raises:
        ValueError: the shape is another, or a value does not fit the type.
    """
    given = np.asarray(values)
    if shape is not None and given.shape != shape:
        raise ValueError(f"{name} of shape {given.shape}: expected {shape}.")
    if given.dtype != kind:
        with np.errstate(invalid="ignore"):
            exact = given.astype(kind)
        if not np.array_equal(exact, given, equal_nan=exact.dtype.kind == "f"):
            raise ValueError(
                f"{name} of type {given.dtype}: its values do not fit {kind.__name__}."
            )
        given = exact
    return np.ascontiguousarray(given)


def addresses(*columns: NDArray[Any]) -> list[int]:
    """Where the values of columns begin; the columns must outlive the call that uses them."""
    return [address(values) for values in columns]


def address(values: NDArray[Any]) -> int:
    """Where the values of a column begin."""
    return int(values.__array_interface__["data"][0])
