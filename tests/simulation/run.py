"""Check every statistical promise against worlds whose truth is known.

::

    python -m tests.simulation.run coverage ranks --repetitions 200 --processes 2 --json FILE

prints a table in Markdown; families are those of :data:`FAMILIES`, all without a name.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.simulation import boards, coverage, operating, planned, pooled, tested
from tests.simulation.fast_values import fast
from tests.simulation.promises import Counts, Experiment, Result, Simulation

FAMILIES: dict[str, Callable[[], list[Experiment]]] = {
    "coverage": coverage.coverage,
    "groups": coverage.groups,
    "ranks": boards.ranks,
    "best-set": boards.best_set,
    "p-best": boards.p_best,
    "winner": boards.winner,
    "tests": tested.tests,
    "thresholds": operating.thresholds,
    "plan": planned.plans,
    "pools": pooled.pools,
}

_SHARES = 8
"""Into which an experiment's repetitions are divided, for processes to take."""


def results(experiment: Experiment, counts: Sequence[Counts]) -> list[Result]:
    """Check all promises of an experiment."""
    return [Result.of(experiment, promise, counts) for promise in experiment.promises]


def repeat(simulate: Simulation, seeds: Iterable[int]) -> list[Counts]:
    """Simulate once a seed."""
    with fast():
        return [simulate(seed) for seed in seeds]


def table(rows: Iterable[Result]) -> Iterator[str]:
    """Lines of a table in Markdown."""
    yield "| experiment | promise | must be | measured | 95 % bounds | cases | greyed | |"
    yield "|---|---|---|---|---|---|---|---|"
    yield from map(_line, rows)


def _line(row: Result) -> str:
    verdict = {"holds": "holds", "fails": "**fails**", "open": "open"}[row.verdict]
    return (
        f"| {row.experiment} | {row.promise.of} | {row.promise.must_be} | "
        f"{row.estimate:.3f} | {row.low:.3f} to {row.high:.3f} | {row.cases:,} | "
        f"{row.greyed:.1%} | {verdict} |"
    )


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--repetitions", type=int, help="of each experiment, instead of its own")
    parser.add_argument("--only", default="", help="experiments whose names contain this")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="where to write the results too")
    asked = parser.parse_args(arguments)
    for family in asked.families:
        if family not in FAMILIES:
            parser.error(f"family {family!r}: expected one of {', '.join(FAMILIES)}")
    return asked


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the families that are named, and print what was measured as soon as it is known."""
    asked = _arguments(arguments)
    chosen = [
        experiment
        for family in asked.families or FAMILIES
        for experiment in FAMILIES[family]()
        if asked.only in experiment.name
    ]
    found: list[Result] = []
    known: dict[Simulation, list[Counts]] = {}  # several families look at the same boards
    print(*table([]), sep="\n", flush=True)
    with ProcessPoolExecutor(asked.processes) as pool:
        for place, experiment in enumerate(chosen, 1):
            start = time.perf_counter()
            if experiment.repeat not in known:
                seeds = range(asked.repetitions or experiment.repetitions)
                shares = [seeds[first::_SHARES] for first in range(_SHARES)]
                drawn = pool.map(repeat, [experiment.repeat] * _SHARES, shares)
                known[experiment.repeat] = [count for share in drawn for count in share]
            checked = results(experiment, known[experiment.repeat])
            print(*map(_line, checked), sep="\n", flush=True)
            took = time.perf_counter() - start
            print(f"{place} of {len(chosen)}: {took:.0f} s", file=sys.stderr, flush=True)
            found += checked
            if asked.json:
                _write(asked.json, found)


def _write(path: str, found: Sequence[Result]) -> None:
    rows = [{**asdict(row), "verdict": row.verdict} for row in found]
    Path(path).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
