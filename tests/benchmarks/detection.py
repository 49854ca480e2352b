"""Detection against its peers: ``python -m tests.benchmarks.detection --big --files``.

Engines run in turn, A B C A B C, at their default threads, and must give the same twelve numbers.
Shown are medians of wall and CPU time, and the median of the ratios of each round to ours.
Peers that are not installed are left out: ``pip install ultrafast-pycocotools hotcoco``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from velour_evaluators.detection.metrics import coco_averages
from velour_evaluators.detection.parameters import DEFAULTS, Settings
from velour_evaluators.kernels.accumulate import Average
from velour_evaluators.kernels.native import averages as native_averages
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import match as native_match
from velour_evaluators.kernels.native.match import BoxColumns

from tests.benchmarks import workload
from velour_plugin.native import coco as native_coco
from velour_plugin.native import masks as native_masks

SETTINGS = Settings.of(DEFAULTS)
LIMITS = SETTINGS.max_detections
PEERS = [name for name in ("ultrafast_pycocotools", "hotcoco") if find_spec(name)]
RUNS = 20
Engine = Callable[[], Any]


# ---- ours --------------------------------------------------------------------------------------


def ledger(truth: workload.Truths, said: workload.Detections) -> native_averages.Stored:
    """Match columns."""
    given = BoxColumns(truth.datum, truth.label, truth.box, truth.area)
    claimed = BoxColumns(said.datum, said.label, said.box, np.full(len(said.datum), np.nan))
    return stored(truth.images, match_boxes(given, truth.crowd, claimed, said.score, truth.images))


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


def stored(images: int, tables: Any) -> native_averages.Stored:
    """Say how the lanes of tables lie."""
    areas, thresholds = len(SETTINGS.areas), len(SETTINGS.thresholds)
    return native_averages.Stored(tables, images, workload.LABELS, areas, thresholds)


def twelve(one: native_averages.Stored, weights: NDArray[np.int64] | None = None) -> list[float]:
    """COCO's numbers, in the order of its summary."""
    return _means(one, [average for _, average in coco_averages(SETTINGS)], weights)


def headline(one: native_averages.Stored, weights: NDArray[np.int64] | None) -> float:
    """The number that runs are ranked by needs one area range of four."""
    return _means(one, [coco_averages(SETTINGS)[0][1]], weights)[0]


def _means(
    one: native_averages.Stored, asked: list[Average], weights: NDArray[np.int64] | None
) -> list[float]:
    group, often = np.zeros(one.labels, np.int32), None if weights is None else weights[None]
    found = native_averages.averages(one, LIMITS, asked, group, 1, often)
    return np.nan_to_num(found.groups[0, :, 0], nan=-1.0).tolist()


def from_boxes(truth_path: str, said_path: str) -> list[float]:
    """COCO files to numbers."""
    truth = native_coco.read_truth(Path(truth_path).read_bytes())
    said = native_coco.read_results(Path(said_path).read_bytes())
    marked, given = truth.annotations, _columns(truth, truth.annotations)
    claimed = _columns(truth, said)
    assert marked.crowd is not None
    assert said.score is not None
    images = len(truth.images.id)
    tables = match_boxes(given, marked.crowd, claimed, said.score, images)
    return twelve(stored(images, tables))


def from_masks(truth_path: str, said_path: str) -> list[float]:
    """COCO files with polygons and RLE to numbers."""
    text, results = Path(truth_path).read_bytes(), Path(said_path).read_bytes()
    truth, said = native_coco.read_truth(text), native_coco.read_results(results)
    marked, images = truth.annotations, len(truth.images.id)
    given, claimed = _columns(truth, marked), _columns(truth, said)
    sizes = truth.images.size[np.argsort(truth.images.id)][given.datum]
    where = (said.region_start, said.region_stop)
    claims = native_masks.Texts(results, *where, *np.ascontiguousarray(said.size.T))
    masks = _truth_masks(text, marked, sizes)
    assert marked.crowd is not None
    assert said.score is not None
    size: Any = {"most": LIMITS[-1], "datums": images, "labels": workload.LABELS}
    tables = native_match.match_masks(
        given, masks, marked.crowd, claimed, claims, said.score, grid=SETTINGS.grid, **size
    )
    return twelve(stored(images, tables))


def _truth_masks(
    text: bytes, marked: native_coco.Records, sizes: NDArray[np.int64]
) -> native_masks.Masks:
    """Rasterise polygons; the few crowds have lists of run lengths. Then back into file order."""
    outlined = np.flatnonzero(marked.region == native_coco.POLYGONS)
    counted = np.flatnonzero(marked.region == native_coco.COUNTS)
    points, rings, records = native_coco.read_polygons(
        text, marked.region_start[outlined], marked.region_stop[outlined]
    )
    parts = np.arange(len(rings))
    drawn = native_masks.rasterise(points, rings, parts, records, sizes[outlined])
    edges = [
        np.cumsum(json.loads(text[marked.region_start[row] : marked.region_stop[row]]))[:-1]
        for row in counted
    ]
    stop = np.concatenate((drawn.stop, len(drawn.edges) + np.cumsum([len(e) for e in edges])))
    start = np.concatenate((drawn.start, stop[len(drawn) :] - [len(e) for e in edges]))
    place = np.argsort(np.concatenate((outlined, counted)))
    joined = np.concatenate([drawn.edges, *edges])
    return native_masks.Masks(joined, start[place], stop[place], *np.ascontiguousarray(sizes.T))


def _columns(truth: native_coco.Truth, records: native_coco.Records) -> BoxColumns:
    areas = records.area if records.score is None else np.full(len(records), np.nan)
    return BoxColumns(
        _places(truth.images.id, records.image),
        _places(truth.categories.id, records.label),
        np.nan_to_num(records.box) if records.region.any() else records.box,
        areas,
    )


def _places(known: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int32]:
    """Positions of ids among the known ones, sorted: by a table where ids are small."""
    ids = np.sort(known)
    if ids[-1] < 1 << 24 and ids[0] >= 0:
        table = np.full(ids[-1] + 1, -1, np.int32)
        table[ids] = np.arange(len(ids), dtype=np.int32)
        return np.asarray(table[asked])
    return np.searchsorted(ids, asked).astype(np.int32)


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


def peer_load(name: str, truth: Any, said: Any) -> Any:
    """Detections of a peer."""
    return getattr(truth, "load_res" if name == "hotcoco" else "loadRes")(said)


def peer_numbers(
    name: str, truth: Any, said: Any, images: list[int] | None = None, kind: str = "bbox"
) -> list[float]:
    """Twelve numbers of a peer, of all images or some."""
    run = __import__(name).COCOeval(truth, said, kind)
    if images is not None:
        params = run.params
        setattr(params, "img_ids" if name == "hotcoco" else "imgIds", images)
        run.params = params
    run.evaluate()
    run.accumulate()
    run.summarize()
    return [float(value) for value in run.stats[:12]]


def matrix(truth: workload.Truths, said: workload.Detections) -> NDArray[np.float64]:
    """Detections as peers take them from memory: image, x, y, width, height, score, category."""
    image = truth.image_ids[said.datum]
    return np.column_stack([image, said.box, said.score, said.label + 1]).astype(float)


# ---- what is measured --------------------------------------------------------------------------


def columns_to_numbers(images: int, folder: Path, rounds: int) -> None:
    """Detections in memory to the ledger and twelve numbers."""
    truth = workload.truths(images)
    said = workload.detections(truth)
    path = folder / f"truth{images}.json"
    path.write_bytes(workload.truth_json(truth))
    columns = matrix(truth, said)
    engines: dict[str, Engine] = {"ours": lambda: twelve(ledger(truth, said))}
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
    ledgers = [ledger(truth, said) for said in runs]
    some = (np.random.default_rng(5).random(truth.images) < 0.1).astype(np.int64)
    ids, every = truth.image_ids[some > 0].tolist(), truth.image_ids.tolist()
    known = {name: quietly(lambda name=name: peer_file(name, str(path)))() for name in PEERS}
    said = {
        name: [
            quietly(lambda n=name, r=run: peer_load(n, known[n], matrix(truth, r)))()
            for run in runs
        ]
        for name in PEERS
    }
    one: dict[str, Engine] = {"ours": lambda: twelve(ledgers[0], some)}
    for name in PEERS:
        one[name] = quietly(lambda name=name: peer_numbers(name, known[name], said[name][0], ids))
    if "hotcoco" in PEERS:
        whole = sys.modules["hotcoco"].COCOeval(known["hotcoco"], said["hotcoco"][0], "bbox")
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
                    peer_numbers(name, known[name], run, images)[0] for run in said[name]
                ]
            )
        race(f"{RUNS} runs ranked on {title}", many, rounds)


def _sliced(answer: Any) -> list[float]:
    found = answer["some"] if "some" in answer else answer["slices"]["some"]
    names = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
    return [found[name] for name in names]


def files_to_numbers(folder: Path, rounds: int, masks: bool) -> None:
    """COCO files to twelve numbers, each time in a fresh process, imports excluded."""
    truth = workload.truths()
    said = workload.detections(truth)
    paths = [str(folder / f"{side}{masks}.json") for side in ("truth", "said")]
    spelled = [None, None] if not masks else list(_segmentations(truth, said))
    Path(paths[0]).write_bytes(workload.truth_json(truth, spelled[0]))
    Path(paths[1]).write_bytes(workload.detection_json(truth, said, spelled[1]))
    engines = {
        name: lambda name=name: _child(name, "segm" if masks else "bbox", *paths)
        for name in ("ours", *PEERS)
    }
    kind = "masks" if masks else "boxes"
    race(f"COCO files to numbers, fresh process, {kind}", engines, rounds, inside=True)


def _segmentations(truth: workload.Truths, said: workload.Detections) -> Any:
    from velour_plugin.domain import runs

    for rows, box, datum, crowd in (
        (np.arange(len(truth.datum)), truth.box, truth.datum, truth.crowd),
        (said.source, said.box, said.datum, None),
    ):
        outline = workload.outlines(truth, rows, box)
        number, corners = outline.shape[:2]
        ones = np.arange(number + 1)
        drawn = native_masks.rasterise(
            outline.reshape(-1, 2), ones * corners, ones, ones, truth.sizes[datum]
        )
        spelled: list[Any] = []
        for row in range(number):
            if crowd is not None and not crowd[row]:
                spelled.append([outline[row].ravel().tolist()])
                continue
            size = (int(drawn.height[row]), int(drawn.width[row]))
            counts = runs.counts_of_edges(drawn.edges_of(row), *size)
            listed = counts.tolist() if crowd is not None else runs.text_of_counts(counts)
            spelled.append({"size": list(size), "counts": listed})
        yield spelled


def _child(name: str, kind: str, truth: str, said: str) -> tuple[float, float, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.detection", "--child", name, kind]
    done = subprocess.run([*command, truth, said], check=True, capture_output=True, text=True)
    wall, cpu, numbers, _ = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu, numbers


def child(name: str, kind: str, truth: str, said: str) -> None:
    """Measure one engine in this process and print wall, CPU, numbers and peak memory in MB."""
    if name != "ours":
        __import__(name)

    def engine() -> Any:
        if name == "ours":
            return (from_boxes if kind == "bbox" else from_masks)(truth, said)
        known = peer_file(name, truth)
        return peer_numbers(name, known, peer_load(name, known, said), None, kind)

    wall, cpu, numbers = timed(quietly(engine))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([wall, cpu, numbers, peak]))


# ---- measuring ---------------------------------------------------------------------------------


def timed(engine: Engine) -> tuple[float, float, Any]:
    """Seconds of wall and CPU time, and the answer."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = engine()
    return time.perf_counter() - wall, time.process_time() - cpu, answer


def race(title: str, engines: dict[str, Engine], rounds: int, inside: bool = False) -> None:
    """Run engines in turn and print their medians; ``inside``: an engine measures itself."""
    walls: dict[str, list[float]] = {name: [] for name in engines}
    cpus: dict[str, list[float]] = {name: [] for name in engines}
    answers = {}
    for number in range(rounds + 1):
        for name, engine in engines.items():
            wall, cpu, answers[name] = engine() if inside else timed(engine)
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
    options.add_argument("--files", action="store_true", help="also COCO files, boxes and masks")
    options.add_argument("--only-files", action="store_true", help="only COCO files")
    options.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.child:
        child(*chosen.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        if not chosen.only_files:
            columns_to_numbers(5_000, Path(folder), chosen.rounds)
            slices(Path(folder), chosen.rounds)
        if chosen.big:
            columns_to_numbers(50_000, Path(folder), chosen.rounds)
        if chosen.files or chosen.only_files:
            files_to_numbers(Path(folder), chosen.rounds, masks=False)
            files_to_numbers(Path(folder), chosen.rounds, masks=True)


if __name__ == "__main__":
    main()
