"""Write the page of the documentation from the results that the runner wrote.

::

    python -m tests.simulation.page FILE.json … > docs/reference/simulations.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.simulation.promises import Promise, Result
from tests.simulation.run import table

ABOUT = {
    "coverage": "How often the interval of a value, nominal 95 %, holds the truth; datums are "
    "independent. An interval that the board greys claims nothing, and is counted apart.",
    "groups": "The same on videos of ten frames, which share how hard their scene is and how lucky "
    'each model is with it; the board is asked with `groups="video"`.',
    "ranks": "Whether the interval of a rank holds the true rank: of a row drawn by chance, and of "
    "all rows of a board at once.",
    "best-set": "How often a board of equal models says of any that it is not tied with the best.",
    "p-best": "What was so, less what was said, where a board gives a model such a probability of "
    "being the best; the models' true qualities are drawn from three distributions.",
    "winner": "The corrected value of a board's first row, less the truth of that model, and how "
    "often its interval holds that.",
    "tests": "How often `compare` and `promote` see a difference between equal models, at level "
    "0.05: of independent datums, of videos, and at any of ten looks at growing data.",
    "plan": "Whether the datums that `plan` asks for, from a pilot, reach what was wanted.",
    "pools": "What `recommend` says of models that were evaluated on some of the datasets.",
}

_HEAD = """\
# Simulations with known truth

What leaderboards and comparisons promise is measured, not assumed: worlds are simulated in which
the truth is known, and every promise is counted in many repetitions. Each goes through the public
functions, as a user's data do: datums and predictions are drawn, evaluated, and ranked or compared.

There are several worlds for each task, of different shape: scores by softmax, by beta
distributions, or rounded so that many are equal; difficulty with normal or heavy tails, shared by
all models so that their errors go together; few objects an image or many. *Common* labels are 3 or
4 of about equal share; *rare* ones are 6 or 8, each half as common as the one before, down to about
1.2 %. `tests/simulation/` has all of them with effect sizes and seeds.

A promise **holds** when the bound of the measurement (95 %, Clopper and Pearson; of means, Student)
reaches the target but for 0.01, it **fails** when both bounds miss the target, and otherwise it is
**open**: more repetitions would tell. What is greyed claims nothing, and is no case. Rows were
measured as the methods took their form, some shortly before the last, with the cases that they
name. To reproduce, or to check a family by itself:

```sh
make simulate
make simulate ARGS="coverage ranks --repetitions 200 --json results.json"
```
"""

_SUMMARY = """
| family | promise | experiments | hold | open | fail | worst measured |
|---|---|---|---|---|---|---|"""


def read(paths: Sequence[str]) -> list[Result]:
    """Read the results of several runs; a later one replaces an earlier of the same name."""
    rows: dict[tuple[str, str, str], Result] = {}
    for path in paths:
        content: list[dict[str, Any]] = json.loads(Path(path).read_text(encoding="utf-8"))
        for row in content:
            row.pop("verdict")
            result = Result(**{**row, "promise": Promise(**row["promise"])})
            rows[result.family, result.experiment, result.promise.of] = result
    return list(rows.values())


def page(results: Sequence[Result]) -> Iterator[str]:
    """Lines of the page: what holds in short, then every experiment."""
    yield _HEAD
    families = [family for family in ABOUT if any(row.family == family for row in results)]
    yield "## In short"
    yield _SUMMARY
    for family in families:
        yield from _summary([row for row in results if row.family == family])
    for family in families:
        yield f"\n## {family}\n\n{ABOUT[family]}\n"
        yield from table(row for row in results if row.family == family)


def _summary(rows: Sequence[Result]) -> Iterator[str]:
    """A line for each promise of a family, over all experiments that it is about."""
    for promise in dict.fromkeys(row.promise for row in rows):
        about = [row for row in rows if row.promise == promise and row.cases]
        counts = " | ".join(
            str(sum(row.verdict == verdict for row in about))
            for verdict in ("holds", "open", "fails")
        )
        if about:
            worst = max(about, key=lambda row: _distance(promise, row.estimate)).estimate
            yield f"| {about[0].family} | {promise} | {len(about)} | {counts} | {worst:.3f} |"


def _distance(promise: Promise, estimate: float) -> float:
    """How bad a measurement is."""
    return {"at least": -estimate, "at most": estimate, "within": abs(estimate)}[promise.kind]


if __name__ == "__main__":
    print("\n".join(page(read(sys.argv[1:]))))
