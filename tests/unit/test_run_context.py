"""The run context: what runs say of the store in use, and that it costs nothing elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys

import mlflow
import pytest
from mlflow.tracking.context import registry
from velour_integrations.mlflow.context import VelourRunContext

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.benchmarks.startup import HIDE
from tests.fires import fires
from velour_plugin.helpers import usage

pytestmark = runs.QUIET

HEAVY = {
    "mlflow",
    "pandas",
    "shapely",
    "numpy",
    "pyarrow",
    "sqlalchemy",
    "plotly",
    "rich",
    "joblib",
}
VERSION = f"fires@{fires().digest[:12]}"


@pytest.fixture(autouse=True)
def _nothing_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """No store is named by the environment; nothing is in use at the start of any test."""
    monkeypatch.delenv("VELOUR_STORE_URI")


def tags() -> dict[str, str]:
    """Velour's tags of a run that would start now, through MLflow's own registry."""
    return {k: v for k, v in registry.resolve_tags().items() if k.startswith("velour.")}


def test_mlflow_finds_it_by_its_entry_point() -> None:
    providers = registry._run_context_provider_registry
    assert [type(one) for one in providers].count(VelourRunContext) == 1


def test_where_velour_is_not_in_use_runs_say_nothing() -> None:
    assert not VelourRunContext().in_context()
    assert tags() == {}


def test_a_store_in_the_environment_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VELOUR_STORE_URI", "postgresql://ann:secret@db.example.org:5432/velour")
    assert tags() == {"velour.store": "postgresql://ann:***@db.example.org:5432/velour"}


def test_a_store_that_was_opened_is_in_use(sqlite_url: str) -> None:
    with velour.open_store(sqlite_url):
        assert tags() == {"velour.store": sqlite_url}


def test_the_version_that_was_stored_or_read_last_is_in_use(sqlite_url: str) -> None:
    other = fires(images=["2"], name="embers")
    with velour.open_store(sqlite_url) as store:
        store.save_dataset(fires())
        assert tags()["velour.dataset_version"] == VERSION
        store.save_dataset(other)
        assert tags()["velour.dataset_version"] == f"embers@{other.digest[:12]}"
        store.load_dataset("fires")
        assert tags()["velour.dataset_version"] == VERSION


def test_a_run_that_starts_has_the_tags(sqlite_url: str) -> None:
    with velour.open_store(sqlite_url) as store:
        store.save_dataset(fires())
    with mlflow.start_run() as run:
        pass
    assert runs.tags(run.info.run_id) == {
        "velour.store": sqlite_url,
        "velour.dataset_version": VERSION,
    }


def test_a_password_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a process that never imported Velour; other forms: test_store_urls_fuzz.py."""
    monkeypatch.setenv("VELOUR_STORE_URI", "postgresql://ann:Top5ecret?x@db:5432/velour")
    assert tags() == {"velour.store": "postgresql://ann:***@db:5432/velour"}


def test_a_usage_that_is_broken_fails_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow itself logs what a provider raises; a run starts all the same."""
    monkeypatch.setattr(usage, "in_use", object())
    assert tags() == {}
    assert "mlflow.user" in registry.resolve_tags()


# What is not loaded, each in a process of its own


def imported(code: str, *arguments: str) -> set[str]:
    """The libraries and modules that a program has imported at its end."""
    report = "import atexit, sys; atexit.register(lambda: print('loaded:', *sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", f"{report}\n{code}", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    names = result.stdout.rpartition("loaded: ")[2].split()
    assert "sys" in names
    return {name.partition(".")[0] for name in names}


def test_importing_velour_loads_no_library() -> None:
    assert imported("import velour_plugin") & HEAVY == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_help_loads_no_library(option: str) -> None:
    assert imported("from velour_plugin.cli import main; main()", option) & HEAVY == set()


def test_importing_mlflow_loads_little_because_of_us() -> None:
    """Our entry points are loaded by every ``import mlflow``: seconds are at stake there."""
    with_us = imported(f"{HIDE}\nimport mlflow", "nobody")
    without = imported(f"{HIDE}\nimport mlflow", "velour-plugin")
    assert with_us - without == {"pluggy", "velour_integrations", "velour_plugin"}
