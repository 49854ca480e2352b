"""Competitors run in turn, A B C A B C, as fresh processes; goals are read from medians."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.process import ProcessFailed, measure

SLOW = 30.0
"""Seconds from which on one run is enough, the first one."""
FASTEST = "the fastest peer"
OURS = "velour"
"""What the names of our own competitors begin with."""
BEFORE = "before: "
"""What the names of our competitors in an earlier checkout begin with."""

Numbers = list[float | None]
Reader = Callable[[str], dict[str, Any]]


def last_line(output: str) -> dict[str, Any]:
    """What a program of :mod:`tests.benchmarks.programs` prints."""
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer


@dataclass(frozen=True, slots=True)
class Competitor:
    """One side of a race.

    Args:
        name: beginning with ``velour`` if it is ours.
        command: of a round, by its number.
        read: takes ``numbers`` from what it prints; ``wall``, ``cpu`` or ``peak`` among them, in
            seconds and MB, take the place of those of the process.
        fresh: files that are deleted before each round.
        once: too slow to be worth more than one round.
        environment: variables that are set.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    read: Reader = last_line
    fresh: Sequence[Path] = ()
    once: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a competitor of ours must reach.

    Args:
        competitor: its name.
        quantity: ``wall`` or ``cpu`` in seconds, ``peak`` in MB, or another that it prints.
        most: the largest allowed, in the quantity's unit; or, with a peer, as a share of it.
        peer: whose median the limit is a share of; ``None`` for an absolute limit.
        before: what the earlier state took where it does not run in the same race.
    """

    competitor: str
    quantity: str
    most: float
    peer: str | None = None
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: who competes in what, and for what.

    Args:
        title: what is measured.
        group: table that it stands in.
        competitors: of which the first one's numbers are right.
        goals: none for a row that is only for comparison.
        close: how far numbers may be apart; 0.0 for equal to the last bit.
        rounds: at most.
        needs: names of rows whose competitors make what this one asks, in files of ``fresh``.
    """

    title: str
    group: str
    competitors: Sequence[Competitor]
    goals: Sequence[Goal] = ()
    close: float = 0.0
    rounds: int = 99
    needs: Sequence[str] = ()


def race(row: Row, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Run a row; JSON of every round and of the goals.

    Args:
        row: what to run.
        rounds: interleaved, after one of each that warms caches; fewer where the row says so.
        say: told about each round.
    """
    runs: dict[str, list[dict[str, Any]]] = {one.name: [] for one in row.competitors}
    failed: dict[str, str] = {}
    right: dict[int, Numbers] = {}
    same = dict.fromkeys(runs, True)
    for number in range(min(rounds, row.rounds) + 1):
        for one in row.competitors:
            if one.name in failed or _has_enough(one, runs[one.name], number):
                continue
            try:
                run = _run(one, number)
            except ProcessFailed as error:
                failed[one.name] = str(error)
                say(f"  {number} {one.name} failed: {error}")
                continue
            numbers = run.pop("numbers", [])
            same[one.name] &= _equal(right.setdefault(number, numbers), numbers, row.close)
            if number == 1 and not one.once and runs[one.name][0]["wall"] < SLOW:
                runs[one.name].clear()  # the first run was to warm up
            runs[one.name].append(run)
            say(f"  {number} {one.name}: {run['wall']:.3f} s")
    return {
        "title": row.title,
        "group": row.group,
        "close": row.close,
        "load": os.getloadavg()[0],
        "competitors": {
            name: {"runs": several, "same": same[name], "failed": failed.get(name)}
            for name, several in runs.items()
        },
        "goals": [_judged(goal, runs) for goal in row.goals],
    }


def is_made(row: Row) -> bool:
    """Whether all that the competitors of a row make is there."""
    return all(one.fresh[0].exists() for one in row.competitors if one.fresh)


def medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Of each quantity over rounds."""
    return {name: median(run[name] for run in runs) for name in runs[0]} if runs else {}


def _has_enough(one: Competitor, runs: Sequence[Mapping[str, Any]], number: int) -> bool:
    return number > 0 and (one.once or bool(runs and runs[0]["wall"] >= SLOW))


def _run(one: Competitor, number: int) -> dict[str, Any]:
    for path in one.fresh:
        path.unlink(missing_ok=True)
    done = measure(one.command(number), one.environment)
    process = {"wall": done.wall, "cpu": done.cpu, "peak": done.peak}
    return {**process, **one.read(done.output)}


def _equal(right: Numbers, numbers: Numbers, close: float) -> bool:
    """Equal as far as both have numbers to compare; undefined is ``None`` on all sides."""
    if not right or not numbers:
        return True
    return len(right) == len(numbers) and all(
        a == b or (a is not None and b is not None and abs(a - b) <= close)
        for a, b in zip(right, numbers, strict=True)
    )


def _judged(goal: Goal, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """A goal with what was reached; ``met`` is ``None`` where it could not be measured."""
    reached = medians(runs.get(goal.competitor, ())).get(goal.quantity)
    base = 1.0 if goal.peer is None else _of_peer(goal, runs)
    value = None if reached is None or base is None else reached / base
    return {
        "competitor": goal.competitor,
        "quantity": goal.quantity,
        "most": goal.most,
        "peer": goal.peer,
        "recorded": goal.before if goal.peer == BEFORE and base == goal.before else None,
        "value": value,
        "met": None if value is None else value <= goal.most,
    }


def _of_peer(goal: Goal, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> float | None:
    if goal.peer == FASTEST:
        peers = [
            medians(several)
            for name, several in runs.items()
            if several and not name.startswith((OURS, BEFORE))
        ]
        fastest = min(peers, key=lambda one: one["wall"], default={})
        return fastest.get(goal.quantity)
    if goal.peer == BEFORE:
        earlier = medians(runs.get(BEFORE + goal.competitor, ()))
        return earlier.get(goal.quantity, goal.before)
    return medians(runs.get(goal.peer or "", ())).get(goal.quantity)
