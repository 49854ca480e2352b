"""Import MLflow, which takes seconds: on a terminal, commands show that they wait for it."""

from __future__ import annotations

import sys

from velour_plugin.plugin import waiting


def load_mlflow() -> None:
    """Import MLflow, unless that is done already."""
    if "mlflow" not in sys.modules:
        with waiting("loading MLflow"):
            import mlflow  # noqa: F401
