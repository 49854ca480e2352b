"""20 runs whose ledgers are in memory, ranked on a new tenth of the images; and resamples.

Run ``python -m tests.benchmarks.ranking``. No user calls these alone: what is at rest has been
read, ours into ledgers, the peers' as they load their files. All must give the same mAP, to the
last bit. The way through the product is measured by ``python -m tests.benchmarks.run rank``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import velour_plugin as velour
from tests.benchmarks import data, programs
from tests.benchmarks.detection import quietly, timed
from velour_plugin.evaluator import value_over
from velour_plugin.plugins.installed import installed
from velour_plugin.ranking.uncertainty.units import Units

RUNS, OURS = 20, "ours"
Numbers = list[float | None]
Engine = Callable[[float], tuple[float, float, Numbers]]
"""Ranks on the tenth of the images that begins at a number: wall and CPU seconds, values."""


def prepare(folder: Path) -> None:
    """Write the peers' files and our store; nothing where they are already."""
    data.main("runs", folder / "runs", 5_000, 2017, RUNS)
    if not (folder / "velour.db").exists():
        programs.velour_ingest(str(folder / "runs"), str(RUNS), url(folder))


def url(folder: Path) -> str:
    """Our store."""
    return f"sqlite:///{folder / 'velour.db'}"


def in_memory(folder: Path, rounds: int) -> None:
    """What is left is the filter and the arithmetic."""
    evaluator = installed().evaluator("object-detection")
    engines: dict[str, Engine] = {}
    with velour.open_store(url(folder), create=False) as store:
        candidates = sorted(store.candidates(programs.DATASET), key=lambda item: item.model)
        ledgers = list(store.ledgers([item.evaluation_id for item in candidates]))
        uids = ledgers[0].datums

        def rank(start: float) -> Numbers:
            chosen = set(map(str, programs.selected(str(folder / "runs"), start)))
            mask = np.array([uid in chosen for uid in uids], bool)
            return [value_over(evaluator, ledger, "mAP", None, mask) for ledger in ledgers]

        engines[OURS] = lambda start: timed(lambda: rank(start))
        for name, load in (("hotcoco", "load_res"), ("ultrafast_pycocotools", "loadRes")):
            if find_spec(name):
                engines[name] = _loaded(__import__(name), load, folder / "runs")
        _race("a new tenth of the images, from memory", engines, dict.fromkeys(engines, rounds))


def _loaded(library: Any, load: str, folder: Path) -> Engine:
    truth = quietly(lambda: library.COCO(str(folder / "truth.json")))()
    files = [str(folder / f"{model}.json") for model in programs.models(RUNS)]
    runs = quietly(lambda: [getattr(truth, load)(file) for file in files])()

    def rank(start: float) -> Numbers:
        images = programs.selected(str(folder), start)
        evaluations = [library.COCOeval(truth, run, "bbox") for run in runs]
        return [programs.coco_numbers(one, images)["numbers"][0] for one in evaluations]

    return lambda start: timed(quietly(lambda: rank(start)))


def resampling(folder: Path) -> None:
    """1,000 resamples of the first run."""
    evaluator = installed().evaluator("object-detection")
    with velour.open_store(url(folder), create=False) as store:
        number = min(store.candidates(programs.DATASET), key=lambda item: item.model).evaluation_id
        ledger = next(store.ledgers([number]))
        tenth = set(map(str, programs.selected(str(folder / "runs"), 0.2)))
    for about, mask in (
        ("all images", np.ones(len(ledger.datums), bool)),
        ("a tenth of them", np.array([uid in tenth for uid in ledger.datums], bool)),
    ):
        weights = np.zeros((1000, len(mask)), np.int64)
        weights[:, mask] = Units.of_datums(int(mask.sum())).weights(1000, 0)
        wall, cpu, _ = timed(lambda some=weights: evaluator.values(ledger, [("mAP", None)], some))
        print(f"\n1,000 resamples of one run, {about}: {wall:.2f} ms wall, {cpu:.2f} ms CPU each")


def _anywhere() -> float:
    """Where a tenth begins that nobody asked for."""
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
    options.add_argument("--folder", type=Path, help="keep the data here, or take them from here")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        prepare(folder)
        resampling(folder)
        in_memory(folder, chosen.rounds)


if __name__ == "__main__":
    main()
