"""Which columns of a plain frame are metadata of datums, to filter and slice by.

All of them, but for tables: there fractions are features, as many as there are measurements, and
nobody slices by them; texts, whole numbers, booleans and moments are kept. What a filter
or a slice names is kept too, and ``metadata`` in the configuration names what else is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from velour_plugin.errors import UnknownName

_ROLES = ("uid", "latitude", "longitude")


def with_metadata(frame: Any, task: str, config: Mapping[str, Any]) -> Any:
    """Return the frame with the columns that are uid, place or metadata of its datums.

    Args:
        frame: what a model is given.
        task: of the evaluation.
        config: ``metadata`` names columns; so do ``where``, ``slices`` and the roles of columns.

    Raises:
        UnknownName: ``metadata`` names a column that is not there.
    """
    named = config.get("metadata")
    if named is None and task != "tabular-classification":
        return frame
    listed = [named] if isinstance(named, str) else list(named or ())
    for name in listed:
        if name not in frame.columns:
            raise UnknownName("column of metadata", name, map(str, frame.columns))
    kept = {*listed, *(config.get(role) for role in _ROLES)}
    mentioned = f"{config.get('where')} {config.get('slices')}"
    places = [
        position
        for position, name in enumerate(frame.columns)
        if name in kept
        or str(name) in mentioned
        or (named is None and not _has_fractions(frame.iloc[:, position]))
    ]
    return frame.iloc[:, places]


def _has_fractions(column: Any) -> bool:
    if getattr(column.dtype, "kind", "O") != "f":
        return False
    values = np.asarray(column, float)
    return bool((np.mod(values[np.isfinite(values)], 1) != 0).any())
