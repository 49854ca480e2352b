"""Markdown of what was measured: tables of rows, of growth, and of kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log10
from typing import Any

from tests.benchmarks.races import BEFORE, medians

GROWTH = (("boxes-tenth", "boxes"), ("boxes", "boxes-tenfold"), ("masks-tenth", "masks"))
"""Rows of which the second has ten times the data."""
UNITS = {"peak": "MB", "megabytes": "MB"}


def page(results: Mapping[str, Any]) -> str:
    """All tables.

    Args:
        results: as ``--json`` keeps them.
    """
    rows: Mapping[str, Any] = results["rows"]
    parts = [_about(results)]
    for group in dict.fromkeys(row["group"] for row in rows.values()):
        some = {name: row for name, row in rows.items() if row["group"] == group}
        parts.append(f"## {group}\n\n{_table(some)}")
    growth = list(_growth(rows))
    if growth:
        head = "| ten times the data | competitor | wall | CPU | peak |\n|---|---|---|---|---|"
        parts.append("\n".join(["## Growth: exponents\n", head, *growth]))
    texts: Mapping[str, str] = results.get("kernels", {})
    if texts:
        parts.append("## Kernels and parts: what no user calls alone")
        parts += [f"### {title}\n\n{text.strip()}" for title, text in texts.items()]
    return "\n\n".join(parts)


def _about(results: Mapping[str, Any]) -> str:
    about = results["about"]
    return (
        f"{about['cores']} cores, Python {about['python']}, scale {about['scale']}, seed "
        f"{about['seed']}, at most {about['rounds']} rounds, {about['seconds']:.0f} s in all. "
        f"{', '.join(about['versions'])}."
    )


def _table(rows: Mapping[str, Any]) -> str:
    lines = [
        "| row | competitor | wall, s | CPU, s | peak, MB | rounds | same numbers | goal | met |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        for place, (competitor, result) in enumerate(row["competitors"].items()):
            title = f"`{name}`: {row['title']}; load {row['load']:.1f}" if place == 0 else ""
            goals = [goal for goal in row["goals"] if goal["competitor"] == competitor]
            lines.append(f"| {title} | {competitor} | {_cells(row, result)} | {_goals(goals)} |")
    return "\n".join(lines)


def _cells(row: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    runs = result["runs"]
    if result["failed"] is not None:
        return f"failed: {result['failed'][:80]} | | | |"
    middle = medians(runs)
    walls = [run["wall"] for run in runs]
    spread = f" ({min(walls):.2f}–{max(walls):.2f})" if len(walls) > 1 else ""
    equal = ("to the bit" if row["close"] == 0 else "yes") if result["same"] else "**no**"
    wall, cpu = f"{middle['wall']:.3f}{spread}", f"{middle['cpu']:.3f}"
    return f"{wall} | {cpu} | {middle['peak']:.0f} | {len(runs)} | {equal}"


def _goals(goals: Sequence[Mapping[str, Any]]) -> str:
    if not goals:
        return " | "
    words = "; ".join(map(_goal, goals))
    verdicts = {True: "yes", False: "**no**", None: "not measured"}
    return f"{words} | {', '.join(verdicts[goal['met']] for goal in goals)}"


def _goal(goal: Mapping[str, Any]) -> str:
    """Shares of a peer's time are told as how many times faster ours is."""
    value, most, quantity = goal["value"], goal["most"], goal["quantity"]
    if goal["peer"] is None:
        unit = UNITS.get(quantity, "s")
        reached = "?" if value is None else f"{value:.3g}"
        return f"{quantity} {reached}, at most {most:.3g} {unit}"
    peer = _before(goal["recorded"]) if goal["peer"] == BEFORE else goal["peer"]
    if quantity == "peak" or most >= 1:
        reached = "?" if value is None else f"{value:.2f}"
        return f"{quantity} {reached} of {peer}, at most {most:.3g}"
    reached = "?" if value is None else f"{1 / value:.2f}"
    return f"{quantity} {reached} times {peer}, at least {1 / most:.3g}"


def _before(recorded: float | None) -> str:
    """Measured beside this state, or once, when a comparison of seconds is rough."""
    return "the state before" if recorded is None else f"the {recorded:g} s recorded before"


def _growth(rows: Mapping[str, Any]) -> Iterator[str]:
    for small, large in GROWTH:
        if small not in rows or large not in rows:
            continue
        for competitor, result in rows[small]["competitors"].items():
            other = rows[large]["competitors"].get(competitor, {"runs": ()})
            if result["runs"] and other["runs"]:
                yield f"| {small} → {large} | {competitor} | {_exponents(result, other)} |"


def _exponents(small: Mapping[str, Any], large: Mapping[str, Any]) -> str:
    before, after = medians(small["runs"]), medians(large["runs"])
    return " | ".join(f"{log10(after[q] / before[q]):.2f}" for q in ("wall", "cpu", "peak"))
