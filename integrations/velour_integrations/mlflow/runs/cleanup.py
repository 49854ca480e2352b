"""A second evaluation in a run replaces the first: what it does not write again goes.

Files are deleted. Metrics cannot be: those that have no value any more become NaN.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from mlflow.entities import Metric, Run
from mlflow.utils.time import get_current_time_millis

from velour_integrations.mlflow.runs.artifact_files import FILES, IMAGE_KEY, IMAGES


def outdated_metrics(run: Run, ours: Collection[str], now: Collection[str]) -> list[Metric]:
    """Return NaN for every metric of ours that the run has and the new evaluation has not.

    Args:
        run: as it is.
        ours: metrics of the run that an evaluation logged.
        now: those that are defined.
    """
    moment = get_current_time_millis()
    return [
        Metric(name, math.nan, moment, 0)
        for name, value in run.data.metrics.items()
        if name in ours and name not in now and not math.isnan(value)
    ]


def delete_outdated_files(run: Run, written: Collection[str]) -> None:
    """Delete our files of an earlier evaluation that were not written again.

    Args:
        run: of the artifacts.
        written: paths of what was written now.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(run.info.artifact_uri)
    there = [item.path for item in repository.list_artifacts() if not item.is_dir]
    images = [item.path for item in repository.list_artifacts(IMAGES) or ()]
    ours = [path for path in there if path in FILES]
    ours += [path for path in images if path.startswith(f"{IMAGES}/{IMAGE_KEY}+")]
    for path in ours:
        if path not in written:
            repository.delete_artifacts(path)
