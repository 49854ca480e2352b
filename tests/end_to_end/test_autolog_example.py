"""The example of autologging runs as people run it, and ranks detectors as people rank them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "autologging.py"
CLASSIFIERS = ["LogisticRegression", "DecisionTreeClassifier"]


@pytest.mark.usefixtures("tracking")
def test_the_example_runs_and_ranks_what_others_measured() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLE)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split() for line in done.stdout.splitlines()]
    ranked = [row[2:4] for row in rows if len(row) > 5 and row[0] in ("1", "2")]
    assert ranked[:2] == [["night-model", "0.4364"], ["day-model", "0.4312"]]
    assert [name for name, _ in ranked[2:]] == [*CLASSIFIERS, *CLASSIFIERS]
