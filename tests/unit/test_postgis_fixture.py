"""The stores that other tests stand on are real, empty and apart, and vanish afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError

from tests.postgis import IMAGE, VARIABLE, NoPostgisError, Server, postgis_server

PROJECT = Path(__file__).resolve().parents[2]

KILLED = """
import os, sys
from tests.postgis import at_the_end
with at_the_end('rm "$1"', sys.argv[1]):
    os.kill(os.getpid(), 9)
"""


def ask(url: str, query: str) -> Any:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        result = connection.execute(text(query))
        return result.scalar() if result.returns_rows else None


def tables(url: str) -> list[str]:
    return inspect(create_engine(url, poolclass=NullPool)).get_table_names()


def test_postgis_is_real(postgis_url: str) -> None:
    assert ask(postgis_url, "SELECT postgis_version()").startswith("3.")


@pytest.mark.parametrize(("metres", "within"), [(111_319, False), (111_320, True)])
def test_geography_measures_in_metres_on_wgs84(postgis_url: str, metres: int, within: bool) -> None:
    """A degree of the equator is 6 378 137 m * pi / 180 = 111 319.49 m long."""
    query = f"SELECT ST_DWithin('POINT(0 0)'::geography, 'POINT(1 0)'::geography, {metres})"
    assert ask(postgis_url, query) is within


@pytest.mark.parametrize("turn", ["first", "second"])
def test_every_test_gets_a_store_of_its_own(store_url: str, turn: str) -> None:
    """What the first turn leaves behind, the second does not find."""
    assert "left_behind" not in tables(store_url)
    ask(store_url, "CREATE TABLE left_behind (turn INTEGER)")
    assert "left_behind" in tables(store_url)


def test_two_databases_at_a_time_are_separate(postgis: Server) -> None:
    with postgis.database() as one, postgis.database() as other:
        ask(one, "CREATE TABLE mine (x INTEGER)")
        assert "mine" in tables(one)
        assert "mine" not in tables(other)


def test_a_database_is_dropped_even_while_somebody_is_connected(postgis: Server) -> None:
    with postgis.database() as url:
        forgotten = create_engine(url).connect()
    with pytest.raises(OperationalError, match="does not exist"):
        ask(url, "SELECT 1")
    forgotten.invalidate()


def test_a_stray_store_does_not_land_in_the_project(tmp_path: Path) -> None:
    assert Path.cwd() == tmp_path
    for variable in ("VELOUR_STORE_URI", "MLFLOW_TRACKING_URI"):
        assert Path(make_url(os.environ[variable]).database or "").parent == tmp_path


def test_a_server_that_was_named_and_is_absent_fails_the_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong address is a mistake to hear of, not a reason to use another server."""
    monkeypatch.setenv(VARIABLE, "postgresql://me:secret@127.0.0.1:1/postgres")
    with (
        pytest.raises(NoPostgisError, match=r"me:\*\*\*@127\.0\.0\.1:1") as refusal,
        postgis_server(),
    ):
        pytest.fail("there is no such server")
    assert "secret" not in str(refusal.value)


def test_a_machine_without_any_server_is_told_three_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # neither docker, postgres nor apt-get
    monkeypatch.setattr("tests.postgis.DEBIAN", tmp_path)
    with pytest.raises(NoPostgisError) as refusal, postgis_server():
        pytest.fail("there is no server")
    for way_out in (f"{VARIABLE}=postgresql", IMAGE, "apt-get install"):
        assert way_out in str(refusal.value)


def test_what_a_killed_process_leaves_is_cleaned_up(tmp_path: Path) -> None:
    """No cleaning code of its own runs in a process that gets SIGKILL."""
    litter = tmp_path / "litter"
    litter.touch()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(litter)], cwd=PROJECT, check=False)
    assert killed.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while litter.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not litter.exists()
