"""Tables of a report, a dictionary a row; MLflow's tables are made of the same rows."""

from __future__ import annotations

import json
from typing import Any

from velour_plugin.answers.intervals import interval_text
from velour_plugin.report.findings import Findings

DIGITS = 4
"""Decimals of values and the ends of their intervals."""

METADATA = 6
"""Properties of a datum's metadata in its row, at most."""


def label_rows(findings: Findings) -> list[dict[str, Any]]:
    """Make a row for each label: name, first metric, how many datums have it, other metrics."""
    rows = []
    for label in findings.labels:
        (first, value), *others = label.values.items()
        rows.append({"label": label.name, first: value, "datums": label.datums, **dict(others)})
    return rows


def slice_rows(findings: Findings) -> list[dict[str, Any]]:
    """Make a row for each slice: name, first headline metric, datums, difference to all datums."""
    return [
        {
            "slice": f"{part.by}: {part.name}",
            findings.metric: part.value,
            "interval": _interval(part.ends, part.rough),
            "datums": part.datums,
            "difference": part.difference,
        }
        for part in findings.slices
    ]


def worst_rows(findings: Findings) -> list[dict[str, Any]]:
    """Make a row for each of the worst datums: uid, cost, errors by kind, and some metadata."""
    rows = []
    for index in findings.worst:
        datum = findings.datums[index]
        columns = {
            name: None if column[index] != column[index] else column[index].item()
            for name, column in findings.by_datum.items()
        }
        errors = {"errors": columns.pop("errors")} if "errors" in columns else {}
        numbers = {"datum": datum.uid, "cost": float(findings.costs[index]), **errors, **columns}
        plain = {
            name: value
            for name, value in datum.metadata.items()
            if isinstance(value, (str, bool, int, float)) and name not in numbers
        }
        rows.append({**numbers, **dict(list(plain.items())[:METADATA])})
    return rows


def leaderboard_rows(findings: Findings) -> list[dict[str, Any]]:
    """Make a row for each model of the dataset, the best first; the evaluated one is marked."""
    if findings.leaderboard is None:
        return []
    evaluation = findings.evaluation
    run_id = None if evaluation.run is None else evaluation.run.run_id
    return [
        {
            "rank": row.rank,
            "model": row.name,
            findings.leaderboard.metric: row.value,
            "interval": _interval(row.interval, row.rough),
            "P(best)": row.p_best,
            "": "this run" if (row.evaluation_id, row.run_id) == (evaluation.id, run_id) else "",
        }
        for row in findings.leaderboard.rows
    ]


def certificate_rows(findings: Findings) -> list[dict[str, Any]]:
    """Make a row for each field of the certificate."""
    fields = {"evaluation": findings.evaluation.id, **findings.evaluation.certificate.to_dict()}
    return [
        {"field": name, "value": value if isinstance(value, str) else json.dumps(value)}
        for name, value in fields.items()
    ]


def _interval(ends: tuple[float, float] | None, rough: str | None) -> str | None:
    """The cell of an interval: as many decimals as of its value."""
    return None if ends is None else interval_text(ends, rough, DIGITS)
