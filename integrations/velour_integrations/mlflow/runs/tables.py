"""Tables at the root of a run's artifacts, which MLflow's artifact comparison shows side by side.

They are written as ``mlflow.log_table`` writes them. That function appends to a table that is
there already, and reads it back first; evaluating again is to replace it, so files are
written whole here, and the run's tag that lists tables is set once for all of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

TAG = "mlflow.loggedArtifacts"

Rows = Sequence[Mapping[str, Any]]


def write_table(path: Path, rows: Rows) -> dict[str, Any]:
    """Write rows as a table of MLflow; the first column names them, the second compares.

    Returns:
        What was written.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    data = [[_short(row.get(name)) for name in columns] for row in rows]
    content = {"columns": columns, "data": data}
    path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
    return content


def tag_of_tables(known: str | None, ours: Iterable[str], written: Iterable[str]) -> str:
    """Return the value of MLflow's tag of tables: what others logged, and ours as it is now.

    Args:
        known: the tag as it is.
        ours: names of tables that may be ours.
        written: those that are there now.
    """
    others = [item for item in json.loads(known or "[]") if item.get("path") not in set(ours)]
    return json.dumps([*others, *({"path": name, "type": "table"} for name in written)])


def _short(value: Any) -> Any:
    """Tables are looked at; every digit is in ``velour/evaluation.json``."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
