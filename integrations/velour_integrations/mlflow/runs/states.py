"""What MLflow knows of runs: their names, and whether they or their experiments are deleted."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mlflow
from mlflow.entities import ViewType

from velour_plugin.errors import StoreUnavailable
from velour_plugin.plugin import RunState

_AT_ONCE = 200
"""Runs that one request names."""

trackers: set[str] = set()
"""Tracking URIs that this process has evaluated with: they are there, and answer."""


def is_in_use() -> bool:
    """Whether this process has evaluated in runs of the tracking server that is set now."""
    return mlflow.get_tracking_uri() in trackers


def states_of(run_ids: Sequence[str], patient: bool) -> list[RunState]:
    """States of the runs that the tracking server knows, in any order.

    Args:
        run_ids: of the runs; those of other servers are passed over.
        patient: whether to try as often as MLflow does, where the server does not answer.

    Raises:
        StoreUnavailable: the tracking server does not answer.
    """
    client = mlflow.MlflowClient()
    now = dt.datetime.now(dt.UTC)
    try:
        with _patience(patient):
            stages = _experiments(client) if run_ids else {}
            return [
                RunState(
                    info.run_id,
                    info.run_name,
                    "deleted" in (info.lifecycle_stage, stages.get(info.experiment_id)),
                    now,
                )
                for info in _infos(client, run_ids, list(stages))
            ]
    except mlflow.MlflowException as error:
        raise StoreUnavailable(
            f"MLflow at {mlflow.get_tracking_uri()} does not tell the state of runs: "
            f"{error.message}"
        ) from error


def _experiments(client: mlflow.MlflowClient) -> dict[str, str]:
    """Lifecycle stage of every experiment, by its id."""
    stages: dict[str, str] = {}
    token = None
    while True:
        page = client.search_experiments(view_type=ViewType.ALL, page_token=token)
        stages |= {each.experiment_id: each.lifecycle_stage for each in page}
        token = page.token
        if not token:
            return stages


def _infos(
    client: mlflow.MlflowClient, run_ids: Sequence[str], experiments: list[str]
) -> Iterator[mlflow.entities.RunInfo]:
    for start in range(0, len(run_ids), _AT_ONCE):
        names = ", ".join(f"'{run_id}'" for run_id in run_ids[start : start + _AT_ONCE])
        query = f"attributes.run_id IN ({names})"
        for run in client.search_runs(experiments, query, ViewType.ALL, max_results=_AT_ONCE):
            yield run.info


@contextmanager
def _patience(patient: bool) -> Iterator[None]:
    """Ask once and for seconds where nobody waits for the answer."""
    brief = {} if patient else {"MAX_RETRIES": "0", "TIMEOUT": "5"}
    changed = {f"MLFLOW_HTTP_REQUEST_{name}": value for name, value in brief.items()}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
