"""The benchmarks run, at sizes that take seconds, and their peers agree with us to the last bit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.version import Version

from tests.benchmarks import run
from tests.benchmarks.page import page
from tests.benchmarks.process import ProcessFailed, measure
from tests.benchmarks.races import BEFORE, FASTEST, Competitor, Goal, Row, race

ROWS = (
    *("boxes", "boxes-unordered", "masks", "commands", "save-postgis", "rank"),
    *("small-rank", "known", "partitions", "growth-rank", "growth-known", "growth-save"),
)
"""Some of each kind; ``rank`` needs the store of ``ingest``, ``small-rank`` that of ``fires``."""

INEXACT = run.INEXACT
if Version(np.__version__) < Version("2.3"):  # sums 8,192 numbers at a time, and those sums
    INEXACT += ("pycocotools",)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Some rows at a five-hundredth of their size, once."""
    folder = tmp_path_factory.mktemp("benchmarks")
    kept = folder / "results.json"
    options = ["--scale", "0.002", "--runs", "2", "--rounds", "0", "--folder", str(folder / "d")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["run", *ROWS, *options, "--json", str(kept)])
        run.main()
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def test_every_row_gives_the_same_numbers_as_its_peers(results: dict[str, Any]) -> None:
    assert list(results["rows"]) == list(ROWS)
    for name, row in results["rows"].items():
        for competitor, result in row["competitors"].items():
            assert result["same"] or competitor in INEXACT, (name, competitor)
            if competitor != "velour evaluate --no-store":
                assert result["failed"] is None, (name, competitor, result["failed"])


def test_what_a_row_needs_is_made_once_and_is_no_row(results: dict[str, Any]) -> None:
    """A ranking alone works; the stores that it asks are made before, and not shown."""
    assert results["rows"]["rank"]["competitors"]["velour rank"]["runs"]
    assert {"ingest", "fires"}.isdisjoint(results["rows"])


def test_rows_are_whole_processes(results: dict[str, Any]) -> None:
    """Python and imports take time and memory, and are counted."""
    for row in results["rows"].values():
        for result in row["competitors"].values():
            for one in result["runs"]:
                assert one["wall"] > 0
                assert one["peak"] > 5


def test_the_page_has_a_table_for_every_group(results: dict[str, Any]) -> None:
    text = page(results)

    for row in results["rows"].values():
        assert f"## {row['group']}" in text
        assert row["title"] in text


def _printing(name: str, answer: dict[str, Any]) -> Competitor:
    command = [sys.executable, "-c", f"print('''{json.dumps(answer)}''')"]
    return Competitor(name, lambda _: command)


def _raced(competitors: list[Competitor], *goals: Goal, close: float = 0.0) -> dict[str, Any]:
    row = Row("a row", "a group", competitors, goals, close)
    return race(row, 2, lambda line: None)


def test_goals_are_read_from_medians_of_the_fastest_peer() -> None:
    """Ours takes 1 s, the fastest peer 3 s: a third is not a quarter."""
    competitors = [
        _printing("velour", {"wall": 1.0}),
        _printing("slow", {"wall": 9.0}),
        _printing("fast", {"wall": 3.0}),
    ]
    third, quarter = (Goal("velour", "wall", share, FASTEST) for share in (1 / 3, 1 / 4))

    raced = _raced(competitors, third, quarter)

    assert [goal["met"] for goal in raced["goals"]] == [True, False]
    assert raced["goals"][0]["value"] == pytest.approx(1 / 3)


def test_a_recorded_figure_stands_in_for_the_state_before() -> None:
    goals = _raced([_printing("velour", {"wall": 1.0})], Goal("velour", "wall", 0.1, BEFORE, 20.0))

    assert goals["goals"][0]["met"]
    assert goals["goals"][0]["recorded"] == 20.0


def test_other_numbers_are_seen() -> None:
    """To the last bit where nothing is said, and as far apart as a row allows."""
    competitors = [_printing("velour", {"numbers": [0.5, None]})]
    competitors.append(_printing("peer", {"numbers": [0.5 + 1e-12, None]}))

    assert not _raced(competitors)["competitors"]["peer"]["same"]
    assert _raced(competitors, close=1e-9)["competitors"]["peer"]["same"]


def test_what_fails_is_said_and_misses_its_goal() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such option')"]

    raced = _raced([Competitor("velour", lambda _: command)], Goal("velour", "wall", 1.0))

    assert raced["competitors"]["velour"]["failed"] == "no such option"
    assert raced["goals"][0]["met"] is None


def test_a_process_is_measured_with_its_children() -> None:
    """A child that was waited for counts: here, half a second of computing."""
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True)"

    assert measure([sys.executable, "-c", parent]).cpu > 0.5
    with pytest.raises(ProcessFailed, match="exit code 3"):
        measure([sys.executable, "-c", "raise SystemExit(3)"])


def test_results_can_be_printed_again(
    results: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "results.json"
    kept.write_text(json.dumps(results))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["run", "--markdown", str(kept)])
        assert run.main() == 0

    assert capsys.readouterr().out.strip() == page(results).strip()
