"""Curves as metric histories, which MLflow's charts lay over one another for all runs.

The step is the recall (or the false positive rate) in percent. A history cannot be taken back:
those of a run are logged once, by its first evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mlflow
import numpy as np
from mlflow.entities import Metric, RunTag
from mlflow.utils.time import get_current_time_millis
from numpy.typing import NDArray

from velour_integrations.mlflow.runs.names import below
from velour_plugin.plugin import RECALLS, Findings, precision_curves, roc_curves

PRECISION, RATE = "precision_at_recall", "true_positive_rate_at"
MOST = 8
"""Curves of a run: MLflow takes 1,000 points at once, and each curve has 101."""

_AT_ONCE = 900

Points = Mapping[str, NDArray[np.float64]]


def curves(findings: Findings) -> dict[str, NDArray[np.float64]]:
    """Return ``(101,)`` values of each curve by its metric's name, of labels most datums show."""
    sections = [
        (section, curves)
        for section, curves in (
            (PRECISION, precision_curves(findings)),
            (RATE, roc_curves(findings)),
        )
        if curves
    ]
    share = MOST // max(len(sections), 1)
    return {
        name: values
        for section, curves in sections
        for name, values in zip(
            below(section, list(curves)[:share]), list(curves.values())[:share], strict=True
        )
    }


def log_histories(
    run_id: str, points: Points, tags: Mapping[str, str], more: Sequence[Metric] = ()
) -> None:
    """Log curves, tags and other metrics of the run alone, in one call.

    While a model is evaluated, ``MlflowClient`` puts every metric on the logged model as well;
    a hundred points of a curve are of no use there. The store below it logs to the run alone; where
    a version of MLflow hides it, the client has to do.
    """
    now = get_current_time_millis()
    metrics = [*more]
    metrics += [
        Metric(name, float(value), now, round(100 * recall))
        for name, values in points.items()
        for recall, value in zip(RECALLS.tolist(), values.tolist(), strict=True)
    ]
    run_tags = [RunTag(key, value) for key, value in tags.items()]
    client = mlflow.MlflowClient()
    store = getattr(getattr(client, "_tracking_client", None), "store", None)
    if store is None:
        client.log_batch(run_id, metrics=metrics, tags=run_tags)
    else:
        for first in range(0, max(len(metrics), 1), _AT_ONCE):
            batch, batch_tags = metrics[first : first + _AT_ONCE], [] if first else run_tags
            store.log_batch(run_id=run_id, metrics=batch, params=[], tags=batch_tags)
