"""Where the demonstration's MLflow runs go."""

from __future__ import annotations

import os


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI``, or the URL of a database in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def use_tracking() -> None:
    """Let MLflow log to :func:`tracking_uri`, without a word about the database that it makes."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    import mlflow

    mlflow.set_tracking_uri(tracking_uri())
