"""Walk all doors with spoiled files: ``python -m tests.fuzz.run --count 10000 --seconds 900``.

Each input is a door and a number: the same seed gives the same file. It gives a result or a
VelourError, within a limit of CPU time and of memory; anything else is a failure, and its
files are kept in ``test-output/fuzz``. ``--only coco:17`` tries one input again.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.doors import DOORS, Door
from tests.fuzz.mutations import mutated
from velour_plugin.errors import VelourError

CPU_SECONDS = 10
"""For one input; on a busy machine wall time says nothing."""
MEGABYTES = 200
"""That one input may add to the process, whatever its size."""
WALL_SECONDS = 300
"""After so long the process ends with a traceback, even inside a library."""
ADDRESS_SPACE = 4 << 30
KEPT = Path("test-output/fuzz")


class TooSlowError(BaseException):
    """An input took too long; no reader catches it."""


class TooLargeError(Exception):
    """An input took too much memory."""


def _too_slow(*_: Any) -> None:
    raise TooSlowError(f"more than {CPU_SECONDS} s of CPU")


def attempt(door: Door, number: int, seed: int, folder: Path) -> tuple[str, int]:
    """Spoil a file in a folder and read it: ``read`` or ``refused``, and megabytes that took."""
    rng = Random(f"{seed}:{door.name}:{number}")
    name = rng.choice(door.spoiled)
    (folder / name).write_bytes(mutated(name, (folder / name).read_bytes(), rng))
    before = _peak(reset=True)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            door.read(folder, rng)
        outcome = "read"
    except VelourError as error:
        str(error).encode()  # a message can be printed
        outcome = "refused"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
    grown = _peak() - before
    if grown > MEGABYTES:
        raise TooLargeError(f"{grown} MB more")
    return outcome, grown


_SOUND: dict[str, Path] = {}


def _sound(door: Door) -> Path:
    """A folder of the door's sound files, made once."""
    if door.name not in _SOUND:
        folder = Path(tempfile.mkdtemp()) / door.name
        folder.mkdir()
        door.make(folder)
        door.read(folder, Random(0))  # sound files are read; and what loads later is loaded
        shutil.rmtree(folder)
        folder.mkdir()
        door.make(folder)
        _SOUND[door.name] = folder
    return _SOUND[door.name]


def _peak(reset: bool = False) -> int:
    """Peak memory in MB since it was last reset, as Linux counts it."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def walk(count: int, seconds: float, seed: int, only: str | None) -> dict[str, Any]:
    """Try inputs until there are enough or time is up; returns figures and failures."""
    began, outcomes, failures = time.monotonic(), Counter[str](), []
    largest = (0, "")
    inputs = [(DOORS[at % len(DOORS)], at // len(DOORS)) for at in range(count)]
    if only is not None:
        name, _, number = only.partition(":")
        inputs = [(door, int(number)) for door in DOORS if door.name == name]
    with tempfile.TemporaryDirectory() as root:
        os.chdir(root)
        for door, number in inputs:
            if time.monotonic() - began > seconds:
                break
            sound = _sound(door)
            label, folder = f"{door.name}:{number}", Path(root) / f"{door.name}-{number}"
            print(label, file=sys.stderr, flush=True)  # the last line before a crash
            shutil.copytree(sound, folder)
            try:
                outcome, grown = attempt(door, number, seed, folder)
                largest = max(largest, (grown, label))
            except (Exception, TooSlowError) as error:
                outcome = "failed"
                failures.append({"input": label, "error": _summary(error)})
                shutil.copytree(folder, _kept() / folder.name, dirs_exist_ok=True)
            outcomes[f"{door.name} {outcome}"] += 1
            shutil.rmtree(folder, ignore_errors=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "inputs": outcomes.total(),
        "outcomes": dict(sorted(outcomes.items())),
        "failures": failures,
        "largest": largest,
        "peak": peak,
    }


_HOME = Path.cwd()


def _kept() -> Path:
    folder = _HOME / KEPT
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _summary(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/velour_" in frame.filename] or frames
    at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return f"{type(error).__name__} at {at}: {str(error)[:160]!r}"


def main() -> None:
    """Walk, print the figures as JSON, and fail where an input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=3_600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only")
    chosen = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    signal.signal(signal.SIGPROF, _too_slow)
    figures = walk(chosen.count, chosen.seconds, chosen.seed, chosen.only)
    print(json.dumps(figures, indent=1))
    sys.exit(bool(figures["failures"]))


if __name__ == "__main__":
    main()
