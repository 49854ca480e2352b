"""``make bench``: measure speed and memory against peers, as whole fresh processes.

``python -m tests.benchmarks.run all --json out.json`` measures everything, and
``--markdown out.json`` prints its tables again. A row or a part is measured by its name. Peers
that are not installed are left out: ``pip install 'velour-plugin[bench]'``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.benchmarks.page import page
from tests.benchmarks.plan import Plan, Rows
from tests.benchmarks.races import is_made, race
from tests.benchmarks.rows_files import file_rows
from tests.benchmarks.rows_growth import growth_rows
from tests.benchmarks.rows_others import (
    classification_rows,
    partition_rows,
    reading_rows,
    semantic_rows,
)
from tests.benchmarks.rows_stores import store_rows

PROJECT = Path(__file__).resolve().parents[2]
GROUPS = (
    *(file_rows, store_rows, classification_rows, semantic_rows),
    *(reading_rows, partition_rows, growth_rows),
)
KERNELS = {
    "kernels-detection": ["detection", "--big"],
    "kernels-ranking": ["ranking"],
    "kernels-classification": ["classification"],
    "kernels-semantic": ["semantic"],
}
"""What no user calls alone."""
PARTS = {
    "filters": ["filters"],
    "ingest-postgis": ["ingest"],
    "stored": ["stored"],
    "mlflow": ["mlflow"],
    "startup": ["startup"],
}
"""Parts of the product that print tables of their own."""
INEXACT = ("faster",)
"""Peers that sum in an order of their own, and differ from the reference in the last bits."""
PACKAGES = (
    *("velour-plugin", "numpy", "pyarrow", "hotcoco", "ultrafast-pycocotools"),
    *("faster-coco-eval", "pycocotools", "scikit-learn", "torchmetrics"),
)


def main() -> int:
    """Measure what is named, print it, and keep it; 1 when numbers differ or a goal is missed."""
    options = _options().parse_args()
    if options.markdown:
        print(page(json.loads(options.markdown.read_text(encoding="utf-8"))))
        return 0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        plan = Plan(
            folder, options.scale, options.seed, random.random(), options.runs, options.against
        )
        results = {"about": _about(options), "rows": _rows(plan, options)}
        results["kernels"] = _texts(options)
    results["about"]["seconds"] = time.perf_counter() - start
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print("\n" + page(results))
    return int(any(_missed(row) for row in results["rows"].values()))


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", help="rows and parts; all when left out")
    options.add_argument(
        "--rounds", type=int, default=5, help="besides one to warm up; 0: that one"
    )
    options.add_argument("--scale", type=float, default=1.0, help="of all sizes")
    options.add_argument("--runs", type=int, default=20, help="that are ranked")
    options.add_argument("--seed", type=int, default=2017, help="of all data")
    options.add_argument("--folder", type=Path, help="keep the data here, or take them from here")
    options.add_argument("--against", type=_folder, help="another checkout of Velour to race")
    options.add_argument("--json", type=Path, help="keep every round in this file")
    options.add_argument("--markdown", type=Path, help="only print the tables of such a file")
    options.add_argument("--quick", action=_Quick, nargs=0, help="a tenth of the data, one round")
    return options


def _folder(text: str) -> Path:
    return Path(text).resolve()


class _Quick(argparse.Action):
    """Small sizes; what stands after it on the command line may change them again."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        vars(namespace).update(scale=0.1, rounds=1, runs=4)


def _rows(plan: Plan, options: argparse.Namespace) -> dict[str, Any]:
    made: Rows = {}
    for group in GROUPS:
        made.update(group(plan))
    names = [name for name in made if _is_wanted(name, options.names)]
    unknown = set(options.names) - {"all", *made, *KERNELS, *PARTS}
    if unknown:
        raise SystemExit(f"no row or part {sorted(unknown)}: known are {', '.join(made)}")
    found = {}
    for name in names:
        row = made[name]()
        needed = {need: made[need]() for need in row.needs if need not in found}
        _write(plan)
        for need, maker in needed.items():
            if not is_made(maker):
                _say(f"{name} needs {need}")
                race(maker, 0, _say)
        _say(f"{name}: {row.title}")
        found[name] = race(row, options.rounds, _say)
    return found


def _is_wanted(name: str, names: Sequence[str]) -> bool:
    return not names or "all" in names or name in names


def _write(plan: Plan) -> None:
    """Write the data that a row asked for, in a process that ends before the race."""
    for name, arguments in plan.data.items():
        if not (plan.folder / name).exists():
            command = [sys.executable, "-m", "tests.benchmarks.data", *arguments]
            subprocess.run(command, cwd=PROJECT, check=True)


def _texts(options: argparse.Namespace) -> dict[str, str]:
    """What parts print that have tables of their own."""
    wanted = {**KERNELS, **PARTS}
    return {
        name: _printed(wanted[name])
        for name in wanted
        if name in options.names or (name in KERNELS and "all" in options.names)
    }


def _printed(command: Sequence[str]) -> str:
    roots = (PROJECT, PROJECT / "evaluators", PROJECT / "integrations")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots))}
    module, *arguments = command
    print(module, file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
    )
    return done.stdout + (f"\nfailed: {done.stderr[-300:]}" if done.returncode else "")


def _about(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "scale": options.scale,
        "seed": options.seed,
        "rounds": options.rounds,
        "versions": [f"{name} {found}" for name in PACKAGES if (found := _version(name))],
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _missed(row: Mapping[str, Any]) -> bool:
    different = any(
        not one["same"] for name, one in row["competitors"].items() if name not in INEXACT
    )
    return different or any(goal["met"] is False for goal in row["goals"])


if __name__ == "__main__":
    raise SystemExit(main())
