"""Deployment endpoints, ``model="endpoints:/name"``: MLflow sends a request for each row.

MLflow itself takes one column only, of texts for a chat or of whole requests. Here a row of
several columns is a request with a value for each, and an answer as MLflow's model servers give
it, ``{"predictions": [answer]}``, is unpacked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def endpoint_behind(model: Any) -> str | None:
    """Return the name of a model's endpoint, or ``None`` for models of other kinds.

    Reads what MLflow 3 keeps in its wrapper; without it, a model counts as one of another kind.
    """
    wrapped = getattr(model, "python_model", None)
    if type(wrapped).__name__ != "ModelFromDeploymentEndpoint":
        return None
    name = getattr(wrapped, "endpoint", None)
    return None if name is None else str(name)


class Endpoint:
    """A model behind an endpoint that takes frames."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, frame: Any) -> list[Any]:
        """Send every row and return the outputs; an empty cell is ``None`` in its request."""
        return [_unpacked(answer) for answer in self.model.predict(_requests(frame))]


def _requests(frame: Any) -> Any:
    """One column with the request of each row."""
    import pandas as pd

    columns = list(frame.columns)  # a uid is no prompt
    if (
        len(columns) == 1
        and columns != ["uid"]
        and all(isinstance(cell, (str, Mapping)) for cell in frame.iloc[:, 0])
    ):
        return frame
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return pd.DataFrame({"request": pd.Series(records, index=frame.index, dtype=object)})


def _unpacked(answer: Any) -> Any:
    if isinstance(answer, str):
        return _said_in_json(answer)
    if isinstance(answer, Mapping) and set(answer) == {"predictions"}:
        rows = answer["predictions"]
        return rows[0] if isinstance(rows, list) and len(rows) == 1 else rows
    return answer


def _said_in_json(text: str) -> Any:
    """Chat models say lists and mappings in JSON; any other text is a class."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (list, dict)) else text
