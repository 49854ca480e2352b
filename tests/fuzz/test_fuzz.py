"""No file ends in a traceback, takes long or fills memory: see README.md."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.doors import DOORS, Door
from tests.fuzz.mutations import mutated
from tests.fuzz.run import CPU_SECONDS
from velour_plugin.errors import VelourError

SECONDS = float(os.environ.get("VELOUR_FUZZ_SECONDS", "15"))
COUNT = int(60 * SECONDS)
ROOT = Path(__file__).parents[2]
TEXTS = ("filters", "queries", "urls")
"""Doors whose files are only the test's way of keeping texts."""
FILES = [(door, name) for door in DOORS for name in door.spoiled if door.name not in TEXTS]
SPECIAL = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to(path.parent / "nothing"),
    "empty": Path.touch,
}


def test_spoiled_files_are_read_or_refused() -> None:
    """Some seconds of spoiled files; more with VELOUR_FUZZ_SECONDS."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", "--count", str(COUNT), "--seconds", str(SECONDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20 * SECONDS + 300,
    )
    assert result.stdout, f"ended at {result.stderr[-3000:]}"
    figures = json.loads(result.stdout)
    assert figures["failures"] == []
    assert figures["inputs"] > len(DOORS)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_a_seed_gives_the_same_files(door: Door, tmp_path: Path) -> None:
    door.make(tmp_path)
    for name in door.spoiled:
        content = (tmp_path / name).read_bytes()
        spoiled = [mutated(name, content, Random(seed)) for seed in [*range(30), *range(30)]]
        assert spoiled[:30] == spoiled[30:]
        assert len(set(spoiled)) > 10


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize(("door", "name"), FILES, ids=lambda part: getattr(part, "name", part))
def test_what_is_no_file_is_refused(
    door: Door, name: str, kind: str, tmp_path: Path, patience: None
) -> None:
    """Never waited for, never read without end."""
    door.make(tmp_path)
    (tmp_path / name).unlink()
    SPECIAL[kind](tmp_path / name)
    with suppress(VelourError):
        door.read(tmp_path, Random(1))


@pytest.fixture
def patience() -> Iterator[None]:
    """Fail what waits for a pipe."""

    def give_up(*_: object) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(3 * CPU_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
