"""Measure whole processes: what a user waits for, imports and interpreter included.

The measuring process imports nothing large, because Linux counts the memory of whoever starts a
process towards the peak of the process that it starts.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one process took.

    Args:
        wall: seconds from its start to its end.
        cpu: user and system seconds of it and of the processes that it waited for.
        peak: largest resident memory of any of them, in MB of 10^6 bytes.
        output: what it printed.
    """

    wall: float
    cpu: float
    peak: float
    output: str


class ProcessFailed(Exception):
    """A process ended with an error; the message is the last line that it printed about it."""


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measurement:
    """Run a command to its end.

    Args:
        command: program and arguments.
        environment: variables to set besides those of this process.

    Raises:
        ProcessFailed: its exit code is not 0.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=_all(environment)
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        if process.returncode:
            lines = err.read().decode(errors="replace").strip().splitlines()
            raise ProcessFailed(lines[-1] if lines else f"exit code {process.returncode}")
        printed = out.read().decode()
    return Measurement(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 976.5625, printed)


def _all(environment: Mapping[str, str] | None) -> dict[str, str]:
    """Bytecode is kept, as of what pip installs; no store or tracker but those of the command."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VELOUR_STORE_URI", "MLFLOW_TRACKING_URI")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, **(environment or {})}
