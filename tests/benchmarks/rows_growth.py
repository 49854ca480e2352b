"""Rows of growth: the same question to stores that are ten times larger in one way each.

The factor is what ten times as much costs, and its logarithm the exponent: 10 is linear.
"""

from __future__ import annotations

from functools import partial

from tests.benchmarks.plan import Plan, Rows, ours
from tests.benchmarks.races import Goal, Row

GROUP = "Growth: ten times the images, the runs, the evaluations of other datasets"
BASE = "velour"
STORES = {
    BASE: (500, 4, 30),
    "velour, images x 10": (5_000, 4, 30),
    "velour, runs x 10": (500, 40, 30),
    "velour, history x 10": (500, 4, 300),
}
"""Images and runs of a dataset, and evaluations of others, by competitor."""
QUESTIONS = {
    "rank": ("a new ranking of all runs", (10.0, 10.0, 1.5)),
    "known": ("a ranking whose answer is known", (1.5, 1.5, 1.5)),
    "save": ("saving another evaluation", (10.0, 1.5, 1.5)),
}
"""What is asked, and the largest factors of the stores after the first."""


def growth_rows(plan: Plan) -> Rows:
    """All of them."""
    return {f"growth-{name}": partial(_growth_row, plan, name) for name in QUESTIONS}


def _growth_row(plan: Plan, question: str) -> Row:
    what, factors = QUESTIONS[question]
    competitors = []
    for name, (images, *others) in STORES.items():
        folder = str(plan.files("stores", images, *others))
        competitors += ours(plan, name, "velour_grown", folder, question)
    goals = [
        Goal(name, "cpu", most, BASE) for name, most in zip(list(STORES)[1:], factors, strict=True)
    ]
    sizes = f"{plan.size(500)} images, 4 runs, 30 evaluations of other datasets"
    return Row(f"{what}; at first {sizes}", GROUP, competitors, goals)
