"""MLflow for tests: imported quietly, and a store for each test that is copied, not made.

MLflow's own warnings while it is imported are no errors of ours; making a store takes a second.
"""

from __future__ import annotations

import logging
import logging.config
import shutil
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow
    import mlflow.models.evaluation.evaluator_registry
    import mlflow.pyfunc
    import mlflow.store.tracking.sqlalchemy_store


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty tracking database; artifacts of its first experiment go beside it."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        mlflow.MlflowClient(f"sqlite:///{folder / 'template.db'}").search_experiments()
    return folder / "template.db"


@pytest.fixture
def tracking(mlflow_template: Path, tmp_path: Path) -> None:
    """A tracking database for this test, where MLFLOW_TRACKING_URI says."""
    shutil.copyfile(mlflow_template, tmp_path / "mlflow.db")


@pytest.fixture(autouse=True)
def _mlflow_logs_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """By ``caplog``, which looks at the root: MLflow's older releases pass nothing on to it.

    And MLflow 3.5 takes the handlers of the root away as it makes a database.
    """
    monkeypatch.setattr(logging.getLogger("mlflow"), "propagate", True)
    monkeypatch.setattr(logging.config, "fileConfig", lambda *_, **__: None)
