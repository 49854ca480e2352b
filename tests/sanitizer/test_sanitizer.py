"""No memory error behind any door of the compiled modules: see README.md."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.sanitizer import contents, detections, labellings
from tests.sanitizer.run import CORE, DETECTION, MODULES, Impossible, attack, build

SECONDS = float(os.environ.get("VELOUR_ATTACK_SECONDS", "10"))
PATIENCE = 120.0
ATTACKED = sorted(
    one.__name__ for one in (*contents.ATTACKS, *detections.ATTACKS, *labellings.ATTACKS)
)
PLANTS = {
    # a label that was checked is read again: another thread may have changed it
    "shared index": (
        *("address", "counts_at", DETECTION / "counts.c"),
        *("job->out_found[label] +=", "job->out_found[job->label[row]] +="),
    ),
    "bound that is one too far": (
        *("address", "label_edges", CORE / "label_edges.c"),
        *("number >= (uint64_t)job->labels", "number > (uint64_t)job->labels"),
    ),
    "answer that several tasks write": (
        *("thread", "measure_rasters", CORE / "masks.c"),
        *("note_row(&job->bad, mask);", "job->bad = mask;"),
    ),
}


def functions() -> list[str]:
    """What both modules offer to Python."""
    tables = [(folder / "module.c").read_text("utf-8") for folder in (CORE, DETECTION)]
    return sorted(name for table in tables for name in re.findall(r"_\((\w+)\)", table))


def test_every_function_has_an_attack() -> None:
    assert functions() == ATTACKED


@pytest.mark.parametrize("kind", ["address", "thread"])
def test_hostile_arguments_are_refused_within_bounds(tmp_path: Path, kind: str) -> None:
    """Some seconds of attacks; more with VELOUR_ATTACK_SECONDS."""
    built(tmp_path, kind)
    result = attack(tmp_path, SECONDS, kind=kind)
    assert result.returncode == 0, result.stderr[-6000:]
    met = json.loads(result.stdout)
    assert sorted(met) == functions()
    idle = [name for name, times in met.items() if not times["returned"] or not times["refused"]]
    assert not idle, f"attacks of {idle} never got through, or were never refused"


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_defect_is_found(tmp_path: Path, plant: str) -> None:
    """The attack finds what must never be in the product."""
    kind, function, path, sound, defect = PLANTS[plant]
    text = path.read_text("utf-8")
    assert text.count(sound) == 1
    planted = tmp_path / path.name
    planted.write_text(text.replace(sound, defect), "utf-8")
    module = next(name for name, sources in MODULES.items() if path in sources)
    built(tmp_path, kind, planted, [module])
    result = attack(tmp_path, PATIENCE, kind=kind, names=[function])
    assert result.returncode != 0, f"not found: {result.stdout}"
    assert re.search(rf"Sanitizer.*\n(.*\n)*.*{planted.name}:\d+", result.stderr), result.stderr


def built(
    folder: Path, kind: str, planted: Path | None = None, modules: Sequence[str] = ()
) -> None:
    try:
        build(folder, kind, planted, modules)
    except Impossible as reason:
        pytest.skip(f"the sanitizers cannot run: {reason}")
