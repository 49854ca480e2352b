"""How predictions were judged: confusion, scores, kinds of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.evaluation import Metric
from velour_plugin.report.figures.style import (
    CELLS,
    COLOURS,
    QUIET,
    RIGHT,
    WRONG,
    Spec,
    diagonal,
    distinct,
    rounded,
    spec_of,
    table,
)
from velour_plugin.report.findings import Findings


def confusion(findings: Findings) -> Spec | None:
    """What was true and what was said, as shares of each row; of the labels most confused."""
    found = _about_all(findings, "confusion_matrix")
    matrix = found and found.value.get("counts", found.value.get("matrix"))
    counts = np.array(matrix or [], float)
    if found is None or not counts.any():
        return None
    labels = ["background" if name is None else str(name) for name in found.value["labels"]]
    rows = [str(name) for name in found.value.get("rows", labels)]
    columns = [str(name) for name in found.value.get("columns", labels)]
    kept = _most_confused(counts, len(labels))
    down = [*kept, *range(len(labels), len(rows))]
    across = [*kept, *range(len(labels), len(columns))]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    counts, shares = counts[np.ix_(down, across)], shares[np.ix_(down, across)]
    heat = {
        "type": "heatmap", "z": table(shares), "customdata": counts.astype(int).tolist(),
        "x": distinct([columns[place] for place in across]),
        "y": distinct([rows[place] for place in down]),
        "colorscale": [[0, "#ffffff"], [1, COLOURS[0]]], "zmin": 0, "zmax": 1,
        "colorbar": {"thickness": 12, "tickformat": ".0%"}, "xgap": 1, "ygap": 1,
        "hovertemplate": "true %{y}, said %{x}: %{customdata} (%{z:.1%})<extra></extra>",
    }  # fmt: skip
    if len(down) <= 12:
        heat |= {"text": counts.astype(int).tolist(), "texttemplate": "%{text}"}
    more = f", {len(kept)} of {len(labels)} labels" if len(kept) < len(labels) else ""
    spec = spec_of(f"Confusion, shares of what is true{more}", [heat], "predicted", "true")
    spec["layout"]["xaxis"] |= {"type": "category", "side": "bottom"}
    spec["layout"]["yaxis"] |= {"type": "category", "autorange": "reversed"}
    return spec


def reliability(findings: Findings) -> Spec | None:
    """How often predictions of a score are right."""
    found = _about_all(findings, "reliability")
    if found is None or not sum(found.value["count"]):
        return None
    bins = found.value
    share = np.array(bins["count"]) / sum(bins["count"])
    middle, width = _middles(bins)
    held = [place for place, value in enumerate(bins["accuracy"]) if value is not None]
    data = [
        {"type": "bar", "name": "share of predictions", "x": middle, "y": rounded(share),
         "width": width, "marker": {"color": QUIET}},
        diagonal(),
        {"type": "scatter", "mode": "lines+markers", "name": "right",
         "x": rounded([bins["confidence"][place] for place in held]),
         "y": rounded([bins["accuracy"][place] for place in held]),
         "line": {"color": COLOURS[0], "width": 2}},
    ]  # fmt: skip
    return spec_of(
        "Reliability: is a score of 0.8 right in 80 %?", data, "score", "share", unit=True
    )


def scores(findings: Findings) -> Spec | None:
    """How many predictions there are of each score, right ones and wrong ones."""
    found = _about_all(findings, "reliability")
    if found is None or not sum(found.value["count"]):
        return None
    bins = found.value
    accuracy = np.array([value or 0.0 for value in bins["accuracy"]])
    right = np.rint(np.array(bins["count"]) * accuracy)
    wrong = np.array(bins["count"]) - right
    middle, width = _middles(bins)
    data = [
        {"type": "bar", "name": name, "x": middle, "y": counts.astype(int).tolist(),
         "width": width, "marker": {"color": colour}}
        for name, counts, colour in (("right", right, RIGHT), ("wrong", wrong, WRONG))
    ]  # fmt: skip
    spec = spec_of("Scores of right and wrong predictions", data, "score", "predictions")
    spec["layout"] |= {"barmode": "stack"}
    spec["layout"]["xaxis"] |= {"range": [0, 1]}
    return spec


def error_kinds(findings: Findings) -> Spec | None:
    """What each kind of error costs."""
    found = _about_all(findings, "error_kinds")
    kinds = {} if found is None else found.value["kinds"]
    if not any(kind["count"] for kind in kinds.values()):
        return None
    bars = {
        "type": "bar", "orientation": "h", "marker": {"color": WRONG},
        "y": [name.replace("_", " ") for name in kinds],
        "x": rounded([kind["dAP"] for kind in kinds.values()]),
        "text": [f"{kind['count']:,}" for kind in kinds.values()], "textposition": "auto",
        "hovertemplate": "%{y}: %{text} errors cost %{x} of AP<extra></extra>",
    }  # fmt: skip
    spec = spec_of("What kinds of errors cost", [bars], "AP lost", "")
    spec["layout"]["yaxis"] |= {"autorange": "reversed"}
    return spec


def _about_all(findings: Findings, name: str) -> Metric | None:
    for metric in findings.evaluation.metrics:
        if metric.name == name and metric.label is None and metric.value is not None:
            return metric
    return None


def _most_confused(counts: NDArray[np.float64], size: int) -> list[int]:
    """The labels with most errors, in their own order."""
    square = counts[:size, :size]
    wrong = counts[:size].sum(axis=1) + counts[:, :size].sum(axis=0) - 2 * np.diag(square)
    return sorted(np.argsort(-wrong, kind="stable")[:CELLS].tolist())


def _middles(bins: Mapping[str, Sequence[float]]) -> tuple[list[float], list[float]]:
    low, high = np.array(bins["from"]), np.array(bins["to"])
    return rounded((low + high) / 2), rounded(high - low)  # type: ignore[return-value]
