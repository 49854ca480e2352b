"""How large a benchmark is, on which data, and how its competitors are started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.benchmarks.races import BEFORE, Competitor, Goal, Row

HERE = Path(__file__).resolve().parent
VELOUR = str(Path(sys.executable).parent / "velour")
PEERS = {
    "hotcoco": "hotcoco",
    "ultrafast": "ultrafast_pycocotools",
    "faster": "faster_coco_eval",
    "pycocotools": "pycocotools",
}
"""Prefixes of their programs, and what must be installed."""
Rows = dict[str, Callable[[], Row]]
"""Makers of rows by their names; making one notes the data that it takes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large, on which data, and against what.

    Args:
        folder: where data are, and are left.
        scale: 1 for 5,000 images and a million classified rows.
        seed: of all data.
        salt: where a tenth of the images begins, so that no answer is known before.
        runs: how many models are ranked.
        checkout: another checkout of Velour that runs beside this one.
        data: written when a row asks for it, by its name.
    """

    folder: Path
    scale: float = 1.0
    seed: int = 2017
    salt: float = 0.0
    runs: int = 20
    checkout: Path | None = None
    data: dict[str, list[str]] = field(default_factory=dict)

    def size(self, full: int) -> int:
        """So many datums, scaled; at least ten."""
        return max(10, round(full * self.scale))

    def before(self, competitor: str, times: float, seconds: float) -> Goal:
        """How many times faster than the state before, which once took so long at full size."""
        recorded = seconds if self.scale == 1 else None
        return Goal(competitor, "wall", 1 / times, BEFORE, recorded)

    def files(self, kind: str, full: int, *more: int) -> Path:
        """A folder of data, which is noted to be written by :mod:`tests.benchmarks.data`."""
        numbers = list(map(str, (self.size(full), self.seed, *more)))
        name = "-".join([kind, *numbers])
        self.data[name] = [kind, str(self.folder / name), *numbers]
        return self.folder / name

    def start(self, number: int) -> float:
        """Where the tenth of a round begins."""
        return float((self.salt + 0.137 * number) % 0.9)


def program_command(name: str, *arguments: str) -> list[str]:
    """A program of ours; the folder of this file is not searched for modules."""
    return [sys.executable, "-P", str(HERE / "programs.py"), name, *arguments]


def program(called: str, *arguments: str, name: str) -> Competitor:
    """A competitor under a name; slow peers run once."""
    command = program_command(called, *arguments)
    return Competitor(name, lambda _: command, once=name in ("faster", "pycocotools"))


def ours(plan: Plan, name: str, called: str, *arguments: str) -> list[Competitor]:
    """A program of this checkout, and of the other one if there is one."""
    return with_before(plan, program(called, *arguments, name=name))


def command_line(
    plan: Plan,
    name: str,
    arguments: Sequence[str],
    read: Callable[[str], dict[str, Any]],
    fresh: Sequence[Path] = (),
) -> list[Competitor]:
    """The command ``velour``."""
    command = [VELOUR, *arguments]
    return with_before(plan, Competitor(name, lambda _: command, read, fresh))


def with_before(plan: Plan, competitor: Competitor) -> list[Competitor]:
    """Ours of this checkout, and of the other one if there is one."""
    if plan.checkout is None:
        return [competitor]
    roots = [plan.checkout / name for name in ("", "evaluators", "integrations")]
    environment: Mapping[str, str] = {"PYTHONPATH": ":".join(map(str, roots))}
    return [competitor, replace(competitor, name=BEFORE + competitor.name, environment=environment)]


def installed(names: Sequence[str]) -> list[str]:
    """Those peers that can run here."""
    return [name for name in names if find_spec(PEERS[name])]


def store_files(store: Path) -> tuple[Path, ...]:
    """What SQLite writes beside a store, and the store."""
    return tuple(store.with_name(store.name + end) for end in ("", "-wal", "-shm", "-journal"))
