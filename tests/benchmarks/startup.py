"""Start time: ``import mlflow`` with our plugins and without, ``import velour_plugin``, the help.

Every measurement is a process of its own, and they take turns, so that a busy moment hits all.
``import mlflow`` takes seconds, and a machine's other work moves them by more than our plugins
add: what we add is measured by itself, as the time to load our entry points into a process that has
imported MLflow without them. A test holds that to be all that we add (tests/unit/test_run_context).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SHARE, HELP = "our entry points in it", "velour --help"
LIMITS = {SHARE: 0.020, HELP: 0.4}
"""Seconds."""

HIDE = """
import importlib.metadata as metadata, sys
everything, hidden = metadata.entry_points, sys.argv[1]

def entry_points(**asked):
    found = everything(**asked)
    return metadata.EntryPoints(one for one in found if one.dist.name != hidden)

metadata.entry_points = entry_points
"""
"""Makes an environment that lacks one distribution's entry points."""

TIME = """
import time
began = time.perf_counter()
{statement}
print(time.perf_counter() - began)
"""
LOAD = """
for entry in metadata.distribution(hidden).entry_points:
    if entry.group.startswith("mlflow.") and entry.group != "mlflow.model_evaluator":
        entry.load()
"""
"""What ``import mlflow`` does with what was hidden; evaluators wait for the first evaluation."""

CALL = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)"
PROGRAM = str(Path(sys.executable).parent / "velour")

PARTS = {
    "import mlflow without us": (HIDE + TIME.format(statement="import mlflow"), "velour-plugin"),
    "import mlflow with us": (HIDE + TIME.format(statement="import mlflow"), "nobody"),
    "import velour_plugin": (TIME.format(statement="import velour_plugin"),),
    SHARE: (f"{HIDE}\nimport mlflow\n{TIME.format(statement=LOAD)}", "velour-plugin"),
    HELP: (TIME.format(statement=CALL), PROGRAM, "--help"),
}
"""Programs with their arguments."""


def seconds(code: str, *arguments: str, folder: str) -> float:
    """What a program in a fresh process says that it took."""
    kept = {name: value for name, value in os.environ.items() if name != "VELOUR_STORE_URI"}
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    result = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, check=True
    )
    return float(result.stdout.split()[-1])


def main() -> int:
    """Measure, print the medians, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    timed: dict[str, list[float]] = {name: [] for name in PARTS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(-1, rounds):  # the first round fills the caches of the disk
            for name in PARTS if number % 2 else reversed(PARTS):
                taken = seconds(*PARTS[name], folder=folder)
                if number >= 0:
                    timed[name].append(taken)
    missed = False
    for name, values in timed.items():
        median, limit = statistics.median(values), LIMITS.get(name)
        over = limit is not None and median > limit
        missed |= over
        kept = "" if limit is None else f"  at most {limit:.3f}: {'NO' if over else 'yes'}"
        print(f"{name:<28} {median:7.3f} s  ({min(values):.3f} to {max(values):.3f}){kept}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
