"""Rows from COCO files to twelve numbers: in Python without a store, and by the commands."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.benchmarks.plan import Plan, Rows, command_line, installed, ours, program, store_files
from tests.benchmarks.races import FASTEST, Competitor, Goal, Row

GROUP = "COCO files to twelve numbers"
COCO_PROGRAM = str(Path(sys.executable).parent / "coco")


def file_rows(plan: Plan) -> Rows:
    """All of them."""
    return {
        "boxes": lambda: _files_row(plan, "boxes", "bbox", 5_000, 1.4),
        "boxes-tenth": lambda: _files_row(plan, "boxes", "bbox", 500, 1.4, reference=True),
        "boxes-tenfold": lambda: _files_row(plan, "boxes", "bbox", 50_000, 1.4),
        "boxes-unordered": lambda: _files_row(plan, "unordered", "bbox", 500, 1.4, reference=True),
        "masks": lambda: _files_row(plan, "masks", "segm", 5_000, 1.5),
        "masks-tenth": lambda: _files_row(plan, "masks", "segm", 500, 1.5, reference=True),
        "commands": lambda: _command_row(plan),
    }


def _files_row(
    plan: Plan, kind: str, iou_type: str, images: int, times: float, reference: bool = False
) -> Row:
    folder = plan.files(kind, images)
    paths = [str(folder / "truth.json"), str(folder / "results.json")]
    peers = ["hotcoco", "ultrafast", *(["faster", "pycocotools"] if reference else [])]
    title = f"{50 * plan.size(images):,} detections, {kind}: Python, no store"
    competitors = [
        *ours(plan, "velour", "velour_files", iou_type, *paths),
        *(program(f"{name}_files", iou_type, *paths, name=name) for name in installed(peers)),
    ]
    goals = (
        Goal("velour", "wall", 1 / times, FASTEST),
        Goal("velour", "peak", 0.9, FASTEST),
    )
    return Row(title, GROUP, competitors, goals, rounds=3 if images > 5_000 else 9)


def _command_row(plan: Plan) -> Row:
    """Numbers are compared as they are printed: with three decimals."""
    folder = plan.files("boxes", 5_000)
    truth, results = str(folder / "truth.json"), str(folder / "results.json")
    store = plan.folder / "command.db"
    evaluate = ["evaluate", "--truth", truth, "--predictions", results]
    kept = [*evaluate, "--store", f"sqlite:///{store}"]
    competitors = [
        *command_line(plan, "velour evaluate --no-store", [*evaluate, "--no-store"], _printed),
        *command_line(plan, "velour evaluate", kept, _printed, fresh=store_files(store)),
    ]
    if find_spec("hotcoco"):
        command = [COCO_PROGRAM, "eval", "--gt", truth, "--dt", results]
        competitors.append(Competitor("coco eval", lambda _: command, _printed))
    goals = (
        Goal("velour evaluate --no-store", "wall", 1 / 4, "coco eval"),
        Goal("velour evaluate", "wall", 1 / 2.5, "coco eval"),
    )
    title = f"{50 * plan.size(5_000):,} detections: the commands, without and with a new store"
    return Row(title, GROUP, competitors, goals, close=0.00056)


def _printed(output: str) -> dict[str, Any]:
    """The numbers at the ends of lines; -1 and ``undefined`` are none."""
    found = re.findall(r"(?:^\w+\s+|=\s*)(-?\d+\.\d+|undefined)\s*$", output, re.MULTILINE)
    return {"numbers": [None if text in ("undefined", "-1.000") else float(text) for text in found]}
