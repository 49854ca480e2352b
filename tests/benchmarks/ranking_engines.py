"""One engine ranks the runs of :mod:`tests.benchmarks.ranking`, as a fresh process does.

``python -m tests.benchmarks.ranking_engines NAME FOLDER START`` prints the mAP of each run on the
tenth of the images that begins at ``START``. What an engine does not need is not imported.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from velour_plugin.store import Store

RUNS = 20
NAME = "images"
OURS, RESAMPLED, BARE = "ours", "ours with 1,000 resamples", "ours, nothing asked"
PEERS = [name for name in ("hotcoco", "ultrafast_pycocotools", "pycocotools") if find_spec(name)]

Numbers = list[float | None]


def url(folder: Path) -> str:
    """Our store."""
    return f"sqlite:///{folder / 'velour.db'}"


def model(run: int) -> str:
    """Name of a run's model."""
    return f"model-{run:02}"


def file(folder: Path, run: int) -> Path:
    """A run's results."""
    return folder / f"{model(run)}.json"


def images(folder: Path, start: float) -> list[int]:
    """What our filter selects, for peers, who have none."""
    low, high = float(f"{start:.6f}"), float(f"{start + 0.1:.6f}")
    with (folder / "images.csv").open(newline="") as rows:
        return [
            int(row["uid"]) for row in csv.DictReader(rows) if low <= float(row["draw"]) <= high
        ]


def ours(store: Store, start: float, resamples: int) -> Numbers:
    """MAP of each run from the store, in the order of the models."""
    import velour_plugin as velour

    where = f"draw BETWEEN {start:.6f} AND {start + 0.1:.6f}"
    board = velour.rank("mAP", NAME, where=where, resamples=resamples, store=store)
    return [row.value for row in sorted(board, key=lambda row: row.model)]


def peer_truth(name: str, folder: Path) -> Any:
    """Ground truth of a peer."""
    home = "pycocotools.coco" if name == "pycocotools" else name
    return import_module(home).COCO(str(folder / "truth.json"))


def peer_run(name: str, folder: Path, truth: Any, run: int) -> Any:
    """Detections of a peer."""
    load = truth.load_res if name == "hotcoco" else truth.loadRes
    return load(str(file(folder, run)))


def peer_numbers(name: str, truth: Any, runs: Iterable[Any], wanted: list[int]) -> Numbers:
    """MAP of each run on some images, by a peer."""
    home = "pycocotools.cocoeval" if name == "pycocotools" else name
    found: Numbers = []
    for said in runs:
        asked = import_module(home).COCOeval(truth, said, "bbox")
        params = asked.params
        setattr(params, "img_ids" if name == "hotcoco" else "imgIds", wanted)
        asked.params = params
        asked.evaluate()
        asked.accumulate()
        asked.summarize()
        found.append(float(asked.stats[0]))
    return found


def answer(name: str, folder: Path, start: float) -> Numbers:
    """Rank from what is at rest; a peer reads the truth once and then run after run."""
    if name in PEERS:
        with contextlib.redirect_stdout(io.StringIO()):
            truth = peer_truth(name, folder)
            runs = (peer_run(name, folder, truth, run) for run in range(RUNS))
            return peer_numbers(name, truth, runs, images(folder, start))
    import velour_plugin as velour

    with velour.open_store(url(folder), create=False) as store:
        return [] if name == BARE else ours(store, start, 1000 if name == RESAMPLED else 0)


if __name__ == "__main__":
    print(json.dumps(answer(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))))
