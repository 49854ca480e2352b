"""What filters may ask of MLflow runs: ``mlflow.params.backbone = 'swin'``.

Parameters and tags are strings, as MLflow keeps them; metrics are numbers, the last of each. A run
may change in MLflow at any moment, so leaderboards of such filters are not cached.

It stands outside the package ``mlflow``, which imports MLflow: names of properties need none.
"""

from __future__ import annotations

from typing import Any

from velour_plugin.plugin import PropertyFamily


def run_value(name: str, model: str, run_id: str | None) -> Any:
    """Look up a parameter, metric or tag of a run; ``None`` where it, or the run, is missing.

    Args:
        name: of the property, such as ``mlflow.params.backbone``.
        model: of the evaluation; its run is looked up in MLflow.
        run_id: of the evaluation; ``None`` when it was made outside MLflow.
    """
    from velour_integrations.loading import load_mlflow

    load_mlflow()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return None
    _, group, key = name.split(".", 2)
    try:
        return getattr(MlflowClient().get_run(run_id).data, group).get(key)
    except MlflowException:  # deleted, or of another tracking server
        return None


FAMILY = PropertyFamily(
    "mlflow",
    "candidates",
    open={"mlflow.params.": "string", "mlflow.metrics.": "number", "mlflow.tags.": "string"},
    revision=None,
    value=run_value,
)
