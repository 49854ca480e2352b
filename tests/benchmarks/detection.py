"""Kernels of detection against its peers: ``python -m tests.benchmarks.detection --big``.

No user calls these alone: columns are in memory, and imports are not counted. Engines run in turn,
A B C A B C, at their default threads, and must give the same twelve numbers. Shown are medians of
wall and CPU time, and the median of the ratios of each round to ours. Peers that are not installed
are left out: ``pip install ultrafast-pycocotools hotcoco``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from velour_evaluators.detection.kernels.accumulate import Average, AverageQuery
from velour_evaluators.detection.metrics import coco_averages
from velour_evaluators.detection.parameters import DEFAULTS, Settings
from velour_evaluators.kernels.native import averages as native_averages
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import match as native_match
from velour_evaluators.kernels.native.match import BoxColumns

from tests.benchmarks import workload

SETTINGS = Settings.of(DEFAULTS)
LIMITS = SETTINGS.max_detections
PEERS = [name for name in ("ultrafast_pycocotools", "hotcoco") if find_spec(name)]
RUNS = 20
Engine = Callable[[], Any]


# ---- ours --------------------------------------------------------------------------------------


def ledger(truth: workload.Truths, detections: workload.Detections) -> native_averages.StoredLedger:
    """Match columns."""
    given = BoxColumns(truth.datum, truth.label, truth.box, truth.area)
    claimed = BoxColumns(
        detections.datum, detections.label, detections.box, np.full(len(detections.datum), np.nan)
    )
    return stored(
        truth.images, match_boxes(given, truth.crowd, claimed, detections.score, truth.images)
    )


def match_boxes(
    given: BoxColumns,
    crowd: NDArray[np.bool_],
    claimed: BoxColumns,
    score: NDArray[np.float64],
    images: int,
) -> Any:
    """Match with COCO's parameters."""
    size: Any = {"most": LIMITS[-1], "datums": images, "labels": workload.LABELS}
    return native_match.match_boxes(given, crowd, claimed, score, grid=SETTINGS.grid, **size)


def stored(images: int, tables: Any) -> native_averages.StoredLedger:
    """Say how the lanes of tables lie."""
    areas, thresholds = len(SETTINGS.areas), len(SETTINGS.thresholds)
    return native_averages.StoredLedger(tables, images, workload.LABELS, areas, thresholds)


def twelve(
    one: native_averages.StoredLedger, weights: NDArray[np.int64] | None = None
) -> list[float]:
    """COCO's numbers, in the order of its summary."""
    return _means(one, [average for _, average in coco_averages(SETTINGS)], weights)


def headline(one: native_averages.StoredLedger, weights: NDArray[np.int64] | None) -> float:
    """The number that runs are ranked by needs one area range of four."""
    return _means(one, [coco_averages(SETTINGS)[0][1]], weights)[0]


def _means(
    one: native_averages.StoredLedger, asked: list[Average], weights: NDArray[np.int64] | None
) -> list[float]:
    group, often = np.zeros(one.labels, np.int32), None if weights is None else weights[None]
    query = AverageQuery(LIMITS, asked, group, 1, detailed=0)
    found = native_averages.averages(one, query, often)
    return np.nan_to_num(found.groups[0, :, 0], nan=-1.0).tolist()


# ---- peers -------------------------------------------------------------------------------------


def quietly(engine: Engine) -> Engine:
    """Keep what an engine prints off the screen."""

    def run() -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            return engine()

    return run


def peer_file(name: str, path: str) -> Any:
    """Ground truth of a peer."""
    return __import__(name).COCO(path)


def peer_load(name: str, truth: Any, detections: Any) -> Any:
    """Detections of a peer."""
    return getattr(truth, "load_res" if name == "hotcoco" else "loadRes")(detections)


def peer_numbers(
    name: str, truth: Any, detections: Any, images: list[int] | None = None, kind: str = "bbox"
) -> list[float]:
    """Twelve numbers of a peer, of all images or some."""
    run = __import__(name).COCOeval(truth, detections, kind)
    if images is not None:
        params = run.params
        setattr(params, "img_ids" if name == "hotcoco" else "imgIds", images)
        run.params = params
    run.evaluate()
    run.accumulate()
    run.summarize()
    return [float(value) for value in run.stats[:12]]


def matrix(truth: workload.Truths, detections: workload.Detections) -> NDArray[np.float64]:
    """Detections as peers take them from memory: image, x, y, width, height, score, category."""
    image = truth.image_ids[detections.datum]
    return np.column_stack([image, detections.box, detections.score, detections.label + 1]).astype(
        float
    )


# ---- what is measured --------------------------------------------------------------------------


def columns_to_numbers(images: int, folder: Path, rounds: int) -> None:
    """Detections in memory to the ledger and twelve numbers."""
    truth = workload.truths(images)
    run = workload.detections(truth)
    path = folder / f"truth{images}.json"
    path.write_bytes(workload.truth_json(truth))
    columns = matrix(truth, run)
    engines: dict[str, Engine] = {"ours": lambda: twelve(ledger(truth, run))}
    for name in PEERS:
        known = peer_file(name, str(path))
        engines[name] = quietly(
            lambda name=name, known=known: peer_numbers(
                name, known, peer_load(name, known, columns)
            )
        )
    race(f"columns to ledger and numbers, {len(columns):,} detections", engines, rounds)


def slices(folder: Path, rounds: int) -> None:
    """A tenth of the images, of one run and of twenty; and twenty runs on all images."""
    truth = workload.truths()
    path = folder / "truth.json"
    path.write_bytes(workload.truth_json(truth))
    runs = [workload.detections(truth, run, 50, (0.72, 0.82, 0.9)[run % 3]) for run in range(RUNS)]
    ledgers = [ledger(truth, results) for results in runs]
    some = (np.random.default_rng(5).random(truth.images) < 0.1).astype(np.int64)
    ids, every = truth.image_ids[some > 0].tolist(), truth.image_ids.tolist()
    known = {name: quietly(lambda name=name: peer_file(name, str(path)))() for name in PEERS}
    results = {
        name: [
            quietly(lambda n=name, r=run: peer_load(n, known[n], matrix(truth, r)))()
            for run in runs
        ]
        for name in PEERS
    }
    one: dict[str, Engine] = {"ours": lambda: twelve(ledgers[0], some)}
    for name in PEERS:
        one[name] = quietly(
            lambda name=name: peer_numbers(name, known[name], results[name][0], ids)
        )
    if "hotcoco" in PEERS:
        whole = sys.modules["hotcoco"].COCOeval(known["hotcoco"], results["hotcoco"][0], "bbox")
        quietly(lambda: (whole.evaluate(), whole.accumulate(), whole.summarize()))()
        one["hotcoco slice_by"] = quietly(lambda: _sliced(whole.slice_by({"some": ids})))
    race("10 % slice of one run, twelve numbers", one, rounds)
    for title, weights, images in (("10 % slice", some, ids), ("all images", None, every)):
        many: dict[str, Engine] = {
            "ours": lambda weights=weights: [headline(one, weights) for one in ledgers]
        }
        for name in PEERS:
            many[name] = quietly(
                lambda name=name, images=images: [
                    peer_numbers(name, known[name], run, images)[0] for run in results[name]
                ]
            )
        race(f"{RUNS} runs ranked on {title}", many, rounds)


def _sliced(answer: Any) -> list[float]:
    found = answer["some"] if "some" in answer else answer["slices"]["some"]
    names = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
    return [found[name] for name in names]


def timed(engine: Engine) -> tuple[float, float, Any]:
    """Seconds of wall and CPU time, and the answer."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = engine()
    return time.perf_counter() - wall, time.process_time() - cpu, answer


def race(title: str, engines: dict[str, Engine], rounds: int) -> None:
    """Run engines in turn and print their medians."""
    walls: dict[str, list[float]] = {name: [] for name in engines}
    cpus: dict[str, list[float]] = {name: [] for name in engines}
    answers = {}
    for number in range(rounds + 1):
        for name, engine in engines.items():
            wall, cpu, answers[name] = timed(engine)
            if number:
                walls[name].append(wall)
                cpus[name].append(cpu)
    print(f"\n{title}; load {os.getloadavg()[0]:.1f}; {library.describe()}")
    print("| engine | wall ms | CPU ms | wall ÷ ours | CPU ÷ ours | same numbers |")
    print("|---|---|---|---|---|---|")
    for name in engines:
        ratios = [
            statistics.median(a / b for a, b in zip(times[name], times["ours"], strict=True))
            for times in (walls, cpus)
        ]
        print(
            f"| {name} | {statistics.median(walls[name]) * 1e3:.1f} "
            f"[{min(walls[name]) * 1e3:.1f}-{max(walls[name]) * 1e3:.1f}] "
            f"| {statistics.median(cpus[name]) * 1e3:.1f} | {ratios[0]:.1f} | {ratios[1]:.1f} "
            f"| {answers[name] == answers['ours']} |",
            flush=True,
        )


def main() -> None:
    """Measure what is asked for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--big", action="store_true", help="also ten times the data")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        columns_to_numbers(5_000, Path(folder), chosen.rounds)
        slices(Path(folder), chosen.rounds)
        if chosen.big:
            columns_to_numbers(50_000, Path(folder), chosen.rounds)


if __name__ == "__main__":
    main()
