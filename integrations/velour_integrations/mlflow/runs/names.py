"""Names of Velour's metrics in MLflow.

MLflow puts metrics into one section of charts by what stands before the last slash, so the numbers
about labels are ``AP_50_by_class/fire`` and those about slices ``mAP_by_time_of_day/night``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from velour_plugin.plugin import Findings

_FORBIDDEN = re.compile(r"[^\w.\- :/]")
_LONGEST = 250
SIDES = ("low", "high")
"""Of a confidence interval, as they end the names of metrics."""


def mlflow_name(name: str) -> str:
    """Replace characters in a metric's name that MLflow does not allow.

    >>> mlflow_name("mAP@[.5:.95]")
    'mAP__.5:.95_'
    """
    return _FORBIDDEN.sub("_", name)


def part(name: str) -> str:
    """Return a name as a part of a path: without slashes, and no dots alone, which lead elsewhere.

    >>> part("car/truck"), part("..")
    ('car_truck', '_')
    """
    plain = mlflow_name(name).replace("/", "_").strip()
    return plain if plain.strip(".") else "_"


def below(section: str, names: Iterable[str]) -> list[str]:
    """Return names in a section, ``SECTION/NAME``, all different, none too long.

    >>> below("AP_by_class", ["a/b", "a_b"])
    ['AP_by_class/a_b', 'AP_by_class/a_b 2']
    """
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        whole = f"{section}/{part(name)}"[: _LONGEST - 5]
        seen[whole] = seen.get(whole, 0) + 1
        unique.append(whole if seen[whole] == 1 else f"{whole} {seen[whole]}")
    return unique


def interval_metrics(findings: Findings) -> dict[str, float | None]:
    """Return the ends of headline metrics' intervals, ``mAP_low`` and ``mAP_high``.

    A rough interval is left out: a number alone cannot say that it is rough.
    """
    return {
        f"{mlflow_name(name)}_{side}": end
        for name, interval in findings.intervals.items()
        if interval.rough is None
        for side, end in zip(SIDES, interval.ends, strict=True)
    }


def class_metrics(findings: Findings, most: int) -> dict[str, float | None]:
    """Return the first metric of the labels that most datums show, by name for MLflow."""
    metric, shown = findings.label_metric, findings.labels[:most]
    if metric is None:
        return {}
    names = below(f"{part(metric)}_by_class", [label.name for label in shown])
    return {name: label.values.get(metric) for name, label in zip(names, shown, strict=True)}


def slice_metrics(findings: Findings) -> dict[str, float | None]:
    """Return the task's first metric over each slice, by name for MLflow."""
    metrics: dict[str, float | None] = {}
    for by in dict.fromkeys(item.by for item in findings.slices):
        shown = [item for item in findings.slices if item.by == by]
        section = f"{part(findings.metric)}_by_{part(by)}"
        names = below(section, [item.name for item in shown])
        metrics |= {name: item.value for name, item in zip(names, shown, strict=True)}
    return metrics


def is_ours(name: str, findings: Findings) -> bool:
    """Whether a metric of a run is one that an evaluation of this task logs."""
    headline = {mlflow_name(metric) for metric in findings.evaluation.headline}
    headline |= {f"{metric}_{side}" for metric in headline for side in SIDES}
    about = {f"{part(findings.metric)}_by_", f"{part(findings.label_metric or '')}_by_class/"}
    return name in headline or ("_by_" in name and name.startswith(tuple(about)))


def defined(values: dict[str, float | None]) -> dict[str, float]:
    """Return values that MLflow can store: numbers; what is ``None`` is left out."""
    return {
        name: float(value)
        for name, value in values.items()
        if value is not None and math.isfinite(value)
    }
