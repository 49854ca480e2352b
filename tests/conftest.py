"""Fixtures for every test: stores that are empty, and no way to write into the project.

A test that takes ``store_url`` runs twice, on SQLite and on PostGIS. The server starts when the
first test asks for it; where none can be had the test fails, it is not skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.postgis import Server, postgis_server
from velour_plugin.helpers.usage import in_use

PROJECT = Path(__file__).resolve().parents[1]

# No test fails because the machine is slow; hypothesis measures time unless it is told not to.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the stores that a test does not name out of the project and of the user's own.

    MLflow puts the artifacts of a SQLite tracking store into ``./mlruns``: hence the directory.
    """
    monkeypatch.setenv("VELOUR_STORE_URI", f"sqlite:///{tmp_path / 'velour.db'}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setattr(in_use, "store", None)  # what the test before it used
    monkeypatch.setattr(in_use, "dataset", None)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgis() -> Iterator[Server]:
    """The PostgreSQL server with PostGIS, one a session."""
    with postgis_server() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An SQLite store that does not exist yet."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def postgis_url(postgis: Server) -> Iterator[str]:
    """An empty database with PostGIS, dropped after the test."""
    with postgis.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgis"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty store of each kind, one after the other."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory ``coco100`` of the reference data, which the project may not contain."""
    home = os.environ.get("VELOUR_SHARED_DATA") or PROJECT.parent / "shared" / "data"
    data = Path(home).resolve() / "coco100"
    if not data.is_dir():
        pytest.skip(f"reference data is absent: {data} is no directory; set VELOUR_SHARED_DATA")
    return data
