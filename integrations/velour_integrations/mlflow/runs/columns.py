"""What MLflow knows of runs, as further columns of a leaderboard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import mlflow
from mlflow.entities import Run

from velour_plugin.errors import UnknownName

PREFIX = "mlflow."
_KINDS = ("metrics", "params", "tags")
Value = float | int | str | None


def run_columns(run_ids: Sequence[str], columns: Sequence[str]) -> dict[str, dict[str, Value]]:
    """Values of columns, by run id and column; those that a run does not have are left out.

    Args:
        run_ids: of MLflow runs.
        columns: ``mlflow.metrics.NAME``, ``mlflow.params.NAME`` or ``mlflow.tags.NAME``. Text
            that is a number, as MLflow keeps parameters, becomes one.

    Raises:
        UnknownName: a column is none of these, or no run has it.
    """
    client = mlflow.MlflowClient()
    known = {run_id: _values(client.get_run(run_id)) for run_id in run_ids}
    names = {name for values in known.values() for name in values}
    for column in columns:
        if column not in names:
            raise UnknownName("column", column, names or [f"{PREFIX}{kind}.…" for kind in _KINDS])
    return {
        run_id: {name: values[name] for name in columns if name in values}
        for run_id, values in known.items()
    }


def _values(run: Run) -> Mapping[str, Value]:
    return {
        f"{PREFIX}{kind}.{name}": _number(value)
        for kind in _KINDS
        for name, value in getattr(run.data, kind).items()
    }


def _number(value: Value) -> Value:
    """A number where text spells a finite one."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return value
    if not math.isfinite(number):
        return str(value)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
