"""Velour at home in MLflow: evaluator, datasets, what a run gets, registry, run context.

MLflow loads modules of this folder by entry points while it is itself being imported. Were one of
them imported before MLflow, MLflow would meet it half made and go on without it: hence this import.
"""

import mlflow  # noqa: F401
