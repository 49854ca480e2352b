"""One stored evaluation of 250,000 detections: ``python -m tests.benchmarks.stored``.

Where its time goes, phase by phase, and what saving it and matching it again take. With
``--against FOLDER``, another checkout of Velour does the same in turn, each round in fresh
processes; ratios are medians of each round's.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
WORK = (
    "evaluating and saving",
    "saving",
    "saving, truth known",
    "matching again, imports included",
    "matching again",
    "ranking a new selection, ledger in memory",
)
Spent = dict[str, tuple[float, float]]


def files(folder: Path) -> None:
    """The workload as COCO files."""
    from tests.benchmarks import workload

    truth = workload.truths()
    (folder / "truth.json").write_bytes(workload.truth_json(truth))
    for number in (1, 2):
        detections = workload.detections(truth, seed=number)
        (folder / f"model-{number}.json").write_bytes(workload.detection_json(truth, detections))


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measured(folder: Path) -> Spent:
    """What one process takes for each kind of work, whichever Velour it imports."""
    import velour_plugin as velour

    data = velour.read_dataset(folder / "truth.json", format="coco", name="coco")
    first, second = (
        data.with_predictions(str(folder / f"model-{number}.json"), f"model {number}")
        for number in (1, 2)
    )
    before = "save" not in inspect.signature(velour.evaluate).parameters  # of an older checkout
    keep: dict[str, Any] = {} if before else {"save": False}
    evaluations = [velour.evaluate(item, "object-detection", **keep) for item in (first, second)]
    with tempfile.TemporaryDirectory() as place:
        fresh = velour.read_dataset(folder / "truth.json", format="coco", name="coco")
        fresh = fresh.with_predictions(str(folder / "model-1.json"), "model 1")
        with velour.open_store(f"sqlite:///{place}/whole.db") as store:
            whole = seconds(lambda: velour.evaluate(fresh, "object-detection", store=store))
        with velour.open_store(f"sqlite:///{place}/velour.db") as store:
            spent = [
                seconds(lambda: store.save(evaluations[0], first)),
                seconds(lambda: store.save(evaluations[1], second)),
            ]
        with velour.open_store(f"sqlite:///{place}/whole.db") as store:
            options = {"resamples": 0, "store": store}
            again = [
                seconds(lambda where=where: velour.rank("mAP", "coco", where=where, **options))
                for where in ("annotation.area > 999", "annotation.area > 1000", "score > 0.3")
            ]
    return dict(zip(WORK, (whole, *spent, *again), strict=True))


def bytes_at_rest(folder: Path) -> dict[str, float]:
    """What one more evaluation adds to an SQLite file, by table, the largest first."""
    import velour_plugin as velour

    data = velour.read_dataset(folder / "truth.json", format="coco", name="coco")
    sizes: list[dict[str, int]] = []
    with tempfile.TemporaryDirectory() as place:
        for number in (1, 2):
            detections = data.with_predictions(
                str(folder / f"model-{number}.json"), f"model {number}"
            )
            velour.evaluate(detections, "object-detection", store=f"sqlite:///{place}/velour.db")
            with contextlib.closing(sqlite3.connect(f"{place}/velour.db")) as connection:
                query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
                sizes.append(dict(connection.execute(query).fetchall()))
    more = {name: size - sizes[0].get(name, 0) for name, size in sizes[1].items()}
    grown = {name: size for name, size in more.items() if size >= 50_000}
    return {"all": sum(more.values()), **dict(sorted(grown.items(), key=lambda item: -item[1]))}


def of_checkout(checkout: Path, folder: Path) -> Spent:
    """The same in a process that imports the Velour of a checkout."""
    roots = (checkout, checkout / "evaluators", checkout / "integrations")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, roots)),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }
    command = [sys.executable, __file__, "--files", str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    spent: Spent = json.loads(done.stdout.splitlines()[-1])
    return spent


def race(folder: Path, checkouts: dict[str, Path], rounds: int) -> None:
    """Print medians of checkouts that run in turn, and the ratio of the last to the first."""
    spent: dict[str, list[Spent]] = {name: [] for name in checkouts}
    for _ in range(rounds):
        for name, checkout in checkouts.items():
            spent[name].append(of_checkout(checkout, folder))
    sizes = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in bytes_at_rest(folder).items())
    print(f"\nMB of one more evaluation at rest: {sizes}")
    print(f"\n250,000 detections on SQLite, {rounds} rounds; load {os.getloadavg()[0]:.1f}")
    print("| work | " + " | ".join(f"{name}, s wall (CPU)" for name in checkouts) + " | ratio |")
    print("|---|" + "---|" * (len(checkouts) + 1))
    for work in WORK:
        cells = [_cell([one[work] for one in several]) for several in spent.values()]
        print(f"| {work} | {' | '.join(cells)} | {_ratio(work, *spent.values())} |")


def _cell(times: list[tuple[float, float]]) -> str:
    wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
    return f"{wall:.2f} ({cpu:.2f})"


def _ratio(work: str, ours: list[Spent], theirs: list[Spent] | None = None) -> str:
    if theirs is None:
        return ""
    ratios = [
        [before[work][kind] / now[work][kind] for now, before in zip(ours, theirs, strict=True)]
        for kind in (0, 1)
    ]
    wall, cpu = map(statistics.median, ratios)
    return f"{wall:.2f} ({cpu:.2f})"


def phases(folder: Path, rounds: int) -> None:
    """Print where the CPU time of one stored evaluation goes."""
    from velour_evaluators.detection.evaluator import ObjectDetection

    import velour_plugin as velour
    from tests.benchmarks.mlflow import split
    from velour_plugin.domain.datasets import Dataset
    from velour_plugin.store.sql.records import datasets, evaluations
    from velour_plugin.store.sql.store import SqlStore
    from velour_plugin.use_cases import evaluate

    parts: dict[str, tuple[Any, str]] = {
        "reading truth": (velour, "read_dataset"),
        "reading predictions": (Dataset, "with_predictions"),
        "matching": (evaluate, "match_parts"),
        "measuring": (ObjectDetection, "measure"),
        "details": (ObjectDetection, "details"),
        "storing": (SqlStore, "save"),
        "- writing truth": (datasets, "save_version"),
        "- writing predictions": (evaluations, "_save_predictions"),
        "- - encoding predictions": (evaluations, "table_to_bytes"),
        "- writing the ledger": (evaluations, "_save_ledger"),
        "- writing metrics": (evaluations, "_save_metrics"),
    }

    def stored(place: str) -> None:
        data = velour.read_dataset(folder / "truth.json", format="coco", name="coco")
        data = data.with_predictions(str(folder / "model-1.json"), "model")
        with velour.open_store(f"sqlite:///{place}/velour.db") as store:
            velour.evaluate(data, "object-detection", store=store)

    seen: list[dict[str, float]] = []
    for _ in range(rounds + 1):
        with tempfile.TemporaryDirectory() as place, split(parts) as spent:
            whole = seconds(lambda place=place: stored(place))[1]
        within = sum(part for name, part in spent.items() if not name.startswith("-"))
        seen.append({"whole": whole, **spent, "digests": whole - within})
    print(f"\nphases of one stored evaluation, CPU ms, medians of {rounds}")
    for name in seen[0]:
        print(f"  {name}: {1e3 * statistics.median(one[name] for one in seen[1:]):,.0f}")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, help="another checkout to race")
    parser.add_argument("--files", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.files:
        print(json.dumps(measured(options.files)))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files(folder)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{place}/mlflow.db"
        phases(folder, options.rounds)
        checkouts = {"this Velour": PROJECT}
        if options.against:
            checkouts["the other"] = options.against.resolve()
        race(folder, checkouts, options.rounds)


if __name__ == "__main__":
    main()
