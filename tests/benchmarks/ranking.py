"""20 runs of 250,000 detections, ranked on a new tenth of 5,000 images.

Run ``python -m tests.benchmarks.ranking``. At rest are our store, an SQLite file that
``velour.evaluate`` wrote, and the peers' COCO files. Engines run in turn, each time in a process of
its own, and the time is that of the whole process: Python, imports, reading, ranking. Each
round asks for other images, so that no answer is known before. Peers are used as their
users would: the ground truth once, then each run's results are loaded and
evaluated on the images. All must give the same mAP, to the last bit.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import event

import velour_plugin as velour
from tests.benchmarks import workload
from tests.benchmarks.detection import quietly, timed
from tests.benchmarks.ranking_engines import (
    BARE,
    NAME,
    OURS,
    PEERS,
    RESAMPLED,
    RUNS,
    Numbers,
    file,
    images,
    model,
    ours,
    peer_numbers,
    peer_run,
    peer_truth,
    url,
)
from velour_plugin.evaluator import value_over
from velour_plugin.plugins import installed
from velour_plugin.ranking.statistics import resample_weights

Engine = Callable[[float], tuple[float, float, Numbers]]
"""Ranks on the tenth of the images that begins at a number: wall and CPU seconds, values."""


CITIES = 50
"""Slices that the images are cut into by a property."""


# ---- what is at rest ---------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Write the peers' files and our store; nothing where they are already."""
    if (folder / "ready").exists():
        return
    truth = workload.truths()
    rng = np.random.default_rng(10)
    draw = rng.random(truth.images).round(6)
    (folder / "truth.json").write_bytes(workload.truth_json(truth))
    with (folder / "images.csv").open("w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(["uid", "draw", "city"])
        city = [f"city {number:02}" for number in rng.integers(0, CITIES, truth.images)]
        rows.writerows(zip(truth.image_ids.tolist(), draw.tolist(), city, strict=True))
    dataset = velour.read_dataset(
        folder / "truth.json", format="coco", name=NAME, metadata=folder / "images.csv"
    )
    with velour.open_store(url(folder)) as store:
        for run in range(RUNS):
            said = workload.detections(truth, run, 50, (0.72, 0.82, 0.9)[run % 3])
            file(folder, run).write_bytes(workload.detection_json(truth, said))
            judged = dataset.with_predictions(file(folder, run), model=model(run))
            velour.evaluate(judged, "object-detection", store=store)
            print(f"stored {model(run)}", file=sys.stderr, flush=True)
    (folder / "ready").touch()


def _process(name: str, folder: Path) -> Engine:
    """An engine in a process of its own; compiled modules are kept, as of what pip installs."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(start: float) -> tuple[float, float, Numbers]:
        command = [sys.executable, "-m", "tests.benchmarks.ranking_engines", name, str(folder)]
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [*command, str(start)], check=True, capture_output=True, text=True, env=environment
        )
        wall = time.perf_counter() - wall
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return wall, cpu, json.loads(done.stdout)

    return run


# ---- what is measured --------------------------------------------------------------------------


def at_rest(folder: Path, rounds: int, slow: int) -> None:
    """A fresh process for each engine; those that take a minute run fewer times."""
    names = [OURS, RESAMPLED, BARE, *PEERS]
    turns = {name: slow if name in (RESAMPLED, "pycocotools") else rounds for name in names}
    engines = {name: _process(name, folder) for name in names}
    _race("a new tenth of the images, from what is at rest, in a fresh process", engines, turns)


def in_memory(folder: Path, rounds: int) -> None:
    """Ledgers and the peers' runs are there; what is left is the filter and the arithmetic."""
    evaluator = installed().evaluator("object-detection")
    engines: dict[str, Engine] = {}
    with velour.open_store(url(folder), create=False) as store:
        field = sorted(store.candidates(NAME), key=lambda item: item.model)
        ledgers = list(store.ledgers([item.evaluation_id for item in field]))
        uids = ledgers[0].datums

        def rank(start: float) -> Numbers:
            chosen = set(map(str, images(folder, start)))
            mask = np.array([uid in chosen for uid in uids], bool)
            return [value_over(evaluator, ledger, "mAP", None, mask) for ledger in ledgers]

        engines[OURS] = lambda start: timed(lambda: rank(start))
        for name in PEERS:
            if name != "pycocotools":
                engines[name] = _loaded(name, folder)
        _race("a new tenth of the images, from memory", engines, dict.fromkeys(engines, rounds))


def _loaded(name: str, folder: Path) -> Engine:
    truth = quietly(lambda: peer_truth(name, folder))()
    runs = quietly(lambda: [peer_run(name, folder, truth, run) for run in range(RUNS)])()

    def rank(start: float) -> Numbers:
        return peer_numbers(name, truth, runs, images(folder, start))

    return lambda start: timed(quietly(lambda: rank(start)))


def again(folder: Path) -> None:
    """The same question once more, and how often it asks the database."""
    asked: list[str] = []
    start = _anywhere()
    with velour.open_store(url(folder), create=False) as store:
        event.listen(store.engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
        first = timed(lambda: ours(store, start, 0))
        before = _trips(asked)
        asked.clear()
        second = timed(lambda: ours(store, start, 0))
        assert first[2] == second[2]
        print(
            f"\nthe same question again: {second[0] * 1e3:.1f} ms, {_trips(asked)} round trip, "
            f"after {first[0] * 1e3:.0f} ms, {before} round trips"
        )


def _trips(asked: list[str]) -> int:
    """Statements that ask something; that a transaction begins, SQLite tells itself."""
    return sum(not statement.startswith("BEGIN") for statement in asked)


def resampling(folder: Path) -> None:
    """1,000 resamples of the first run."""
    evaluator = installed().evaluator("object-detection")
    with velour.open_store(url(folder), create=False) as store:
        number = min(store.candidates(NAME), key=lambda item: item.model).evaluation_id
        ledger = next(store.ledgers([number]))
        tenth = set(map(str, images(folder, 0.2)))
    for about, mask in (
        ("all images", np.ones(len(ledger.datums), bool)),
        ("a tenth of them", np.array([uid in tenth for uid in ledger.datums], bool)),
    ):
        weights = np.zeros((1000, len(mask)), np.int64)
        weights[:, mask] = resample_weights(int(mask.sum()), 1000, 0)
        wall, cpu, _ = timed(lambda some=weights: evaluator.values(ledger, [("mAP", None)], some))
        print(f"\n1,000 resamples of one run, {about}: {wall:.2f} ms wall, {cpu:.2f} ms CPU each")


def commands(folder: Path, rounds: int) -> None:
    """What people type about replicates, each time a fresh process and a new question."""
    start = _anywhere()
    tenth = f"draw BETWEEN {start:.6f} AND {start + 0.1:.6f}"
    first, second = model(0), model(1)
    asked = {
        "rank 20 runs on a tenth, 1,000 resamples": ["rank", "--dataset", NAME, "--where", tenth],
        f"slices by {CITIES} cities, 1,000 resamples": ["slices", first, "--by", "city"],
        "compare, 200 permutations": ["compare", first, second],
        "compare, no permutations": ["compare", first, second, "--permutations", "0"],
        "worst": ["worst", first],
    }
    print("\n| command | wall s | CPU s |\n|---|---|---|")
    for about, words in asked.items():
        new = int(np.random.default_rng().integers(11, 10**6))
        times = [_command(folder, words, new + number) for number in range(rounds + 1)][1:]
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"| {about} | {wall:.2f} | {cpu:.2f} |", flush=True)


def _command(folder: Path, words: Sequence[str], number: int) -> tuple[float, float]:
    """Wall and CPU seconds of ``velour``; the number makes a question that nobody asked."""
    new = ["-n", str(number)] if words[0] == "worst" else ["--seed", str(number)]
    command = [str(Path(sys.executable).with_name("velour")), *words, *new, "--json"]
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*command, "--store", url(folder)], check=True, capture_output=True)
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _anywhere() -> float:
    """Where a tenth begins that nobody asked for: what the store was asked, it remembers."""
    return 0.8 * float(np.random.default_rng().random())


def _race(title: str, engines: Mapping[str, Engine], turns: Mapping[str, int]) -> None:
    """Run engines in turn, after one round that does not count, and print their medians."""
    walls: dict[str, list[float]] = {name: [] for name in engines}
    cpus: dict[str, list[float]] = {name: [] for name in engines}
    same = dict.fromkeys(engines, True)
    for number in range(max(turns.values()) + 1):
        right, start = None, _anywhere()
        for name, engine in engines.items():
            if number > turns[name] or (number == 0 and turns[name] < max(turns.values())):
                continue
            wall, cpu, numbers = engine(start)
            right = right or numbers
            same[name] &= numbers in (right, [])
            if number:
                walls[name].append(wall)
                cpus[name].append(cpu)
    print(f"\n{title}; {RUNS} runs; load {os.getloadavg()[0]:.1f}")
    print("| engine | wall ms | CPU ms | wall ÷ ours | CPU ÷ ours | same numbers |")
    print("|---|---|---|---|---|---|")
    for name in engines:
        ratios = [
            statistics.median(a / b for a, b in zip(times[name], times[OURS], strict=False))
            for times in (walls, cpus)
        ]
        print(
            f"| {name} | {statistics.median(walls[name]) * 1e3:,.0f} "
            f"[{min(walls[name]) * 1e3:,.0f}-{max(walls[name]) * 1e3:,.0f}] "
            f"| {statistics.median(cpus[name]) * 1e3:,.0f} | {ratios[0]:.1f} | {ratios[1]:.1f} "
            f"| {same[name]} |",
            flush=True,
        )


def main() -> None:
    """Measure it all."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--slow-rounds", type=int, default=2, help="of what takes a minute")
    options.add_argument("--folder", type=Path, help="keep the data here, or take them from here")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        prepare(folder)
        resampling(folder)
        commands(folder, chosen.slow_rounds)
        again(folder)
        in_memory(folder, chosen.rounds)
        at_rest(folder, chosen.rounds, chosen.slow_rounds)


if __name__ == "__main__":
    main()
