"""Where the demonstration's MLflow runs go."""

from __future__ import annotations

import os


def tracking_uri() -> str:
    """``MLFLOW_TRACKING_URI``, or a database in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def use_tracking() -> None:
    """Log there; what MLflow says while it makes a database is left out."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    import mlflow

    mlflow.set_tracking_uri(tracking_uri())
