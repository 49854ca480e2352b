"""Quality of the predictions: reliability, scores, kinds of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from velour_plugin.report.figures.style import (
    COLOURS,
    QUIET,
    RIGHT,
    WRONG,
    Spec,
    diagonal,
    rounded,
    spec_of,
)
from velour_plugin.report.findings import Findings


def reliability(findings: Findings) -> Spec | None:
    """Draw how often predictions of a score are right; ``None`` where nothing was counted."""
    metric = findings.overall("reliability")
    if metric is None or not sum(metric.value["count"]):
        return None
    bins = metric.value
    share = np.array(bins["count"]) / sum(bins["count"])
    middle, width = _middles(bins)
    filled = [index for index, value in enumerate(bins["accuracy"]) if value is not None]
    data = [
        {"type": "bar", "name": "share of predictions", "x": middle, "y": rounded(share),
         "width": width, "marker": {"color": QUIET}},
        diagonal(),
        {"type": "scatter", "mode": "lines+markers", "name": "accuracy",
         "x": rounded([bins["confidence"][index] for index in filled]),
         "y": rounded([bins["accuracy"][index] for index in filled]),
         "line": {"color": COLOURS[0], "width": 2}, **_bands(findings, bins, filled)},
    ]  # fmt: skip
    return spec_of("Reliability diagram: accuracy by score", data, "score", "share", unit=True)


def _bands(findings: Findings, bins: Mapping[str, Any], filled: Sequence[int]) -> Spec:
    """Error bars of the accuracies, which hold all together; none in older evaluations."""
    metric = findings.overall("reliability_bands")
    if metric is None:
        return {}
    accuracy = np.array([bins["accuracy"][index] for index in filled])
    low, high = (
        np.array([metric.value[side][index] for index in filled]) for side in ("low", "high")
    )
    arms = {"array": rounded(high - accuracy), "arrayminus": rounded(accuracy - low)}
    name = f"accuracy; its bars hold together with {metric.value['confidence']:.0%}"
    return {"name": name, "error_y": {"type": "data", "symmetric": False, **arms}}


def scores(findings: Findings) -> Spec | None:
    """Draw how many correct and wrong predictions each score has; ``None`` without any."""
    metric = findings.overall("reliability")
    if metric is None or not sum(metric.value["count"]):
        return None
    bins = metric.value
    accuracy = np.array([value or 0.0 for value in bins["accuracy"]])
    right = np.rint(np.array(bins["count"]) * accuracy)
    wrong = np.array(bins["count"]) - right
    middle, width = _middles(bins)
    data = [
        {"type": "bar", "name": name, "x": middle, "y": counts.astype(int).tolist(),
         "width": width, "marker": {"color": colour}}
        for name, counts, colour in (("correct", right, RIGHT), ("wrong", wrong, WRONG))
    ]  # fmt: skip
    spec = spec_of("Scores of correct and wrong predictions", data, "score", "predictions")
    spec["layout"] |= {"barmode": "stack"}
    spec["layout"]["xaxis"] |= {"range": [0, 1]}
    return spec


def error_kinds(findings: Findings) -> Spec | None:
    """Draw the AP lost by each kind of error; ``None`` where there are no errors."""
    metric = findings.overall("error_kinds")
    kinds = {} if metric is None else metric.value["kinds"]
    if not any(kind["count"] for kind in kinds.values()):
        return None
    bars = {
        "type": "bar", "orientation": "h", "marker": {"color": WRONG},
        "y": [name.replace("_", " ") for name in kinds],
        "x": rounded([kind["dAP"] for kind in kinds.values()]),
        "text": [f"{kind['count']:,}" for kind in kinds.values()], "textposition": "auto",
        "hovertemplate": "%{y}: %{text} errors, %{x} of AP lost<extra></extra>",
    }  # fmt: skip
    spec = spec_of("AP lost by kind of error", [bars], "AP lost", "")
    spec["layout"]["yaxis"] |= {"autorange": "reversed"}
    return spec


def _middles(bins: Mapping[str, Sequence[float]]) -> tuple[list[float], list[float]]:
    low, high = np.array(bins["from"]), np.array(bins["to"])
    return rounded((low + high) / 2), rounded(high - low)  # type: ignore[return-value]
