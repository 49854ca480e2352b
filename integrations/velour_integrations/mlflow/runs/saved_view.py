"""A saved view of an experiment: charts laid out, metric columns shown.

MLflow keeps views as tags of the experiment, in a format that it does not document (read off
3.5 and 3.17). So this is written once for each task, never over a view that is there, only under
versions of MLflow that are known to have views, and whoever calls it goes on when it fails. ::

    tag mlflow.sharedViewState.<key> = {name, createdAt, updatedAt, state}, before 3.15 the state
    state = "deflate;" + base64(zlib(json))
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import mlflow
from mlflow.entities import Experiment
from packaging.version import Version

from velour_integrations.mlflow.runs import note
from velour_integrations.mlflow.runs.artifact_files import IMAGE_KEY
from velour_integrations.mlflow.runs.histories import PRECISION, RATE
from velour_integrations.mlflow.runs.names import mlflow_name
from velour_plugin.plugin import Findings, installed

KNOWN = (Version("3.5"), Version("4"))
"""From which version of MLflow on, and up to which one, views are written."""
NAMED = Version("3.15")
"""From which version on views have names; pages of earlier ones break on a view that has one."""
LONG = Version("3.16")
"""From which version on tags of experiments hold 20,000 characters; before, 5,000."""

_KIND = "mlflow.experimentKind"
_HEADLINE, _LABELS, _SLICES, _CURVES = 4, 8, 8, 6


@dataclass(frozen=True, slots=True)
class Logged:
    """What a run was given, to choose charts from.

    Args:
        headline: names of metrics, the first one first.
        labels: of metrics about labels.
        slices: of metrics about slices.
        curves: of metric histories.
        images: whether any were logged.
    """

    headline: Sequence[str]
    labels: Sequence[str]
    slices: Sequence[str]
    curves: Sequence[str]
    images: bool = False


def link_to_view(experiment: Experiment, task: str) -> str | None:
    """Return the end of a view's URL on any MLflow server; ``None`` when there is no view."""
    key = _key(task)
    if _tag(key) not in experiment.tags:
        return None
    return (
        f"#/experiments/{experiment.experiment_id}/runs?viewStateShareKey={key}"
        "&compareRunsMode=CHART&workflowType=machine_learning"
    )


def ensure_view(experiment: Experiment, findings: Findings, logged: Logged) -> Experiment:
    """Write the task's view, and links to all views first in the experiment's note, once a task.

    Returns:
        The experiment as it is now.
    """
    task, client = findings.evaluation.task, mlflow.MlflowClient()
    key, number = _key(task), experiment.experiment_id
    version = Version(mlflow.__version__)
    if _tag(key) in experiment.tags or not KNOWN[0] <= version < KNOWN[1]:
        return experiment
    view = view_of(task, logged, version)
    if len(view) > (20_000 if version >= LONG else 5_000):
        return experiment
    client.set_experiment_tag(number, _tag(key), view)
    if version < NAMED and _KIND not in experiment.tags:
        # a page that has to guess what an experiment is about forgets which view was asked for
        client.set_experiment_tag(number, _KIND, "custom_model_development")
    experiment = client.get_experiment(number)
    text = note.with_ours(experiment.tags.get(note.TAG), _links(experiment), first=True)
    if text is not None:
        client.set_experiment_tag(number, note.TAG, text)
    return experiment


def _links(experiment: Experiment) -> str:
    """Links to the views of all tasks that were evaluated in an experiment, for its note."""
    tasks = sorted(installed().evaluators)
    views = [(task, link_to_view(experiment, task)) for task in tasks]
    return "  \n".join(
        f"**[Compare all runs: {task}]({link})**" for task, link in views if link is not None
    )


def view_of(task: str, logged: Logged, version: Version) -> str:
    """Return the saved view of a task as the value of the tag of a version of MLflow."""
    now, state = int(time.time() * 1000), json.dumps(state_of(task, logged))
    packed = "deflate;" + base64.b64encode(zlib.compress(state.encode(), 9)).decode()
    if version < NAMED:
        return packed
    view = {"name": f"Velour: {task}", "createdAt": now, "updatedAt": now}
    return json.dumps({**view, "state": packed})


def state_of(task: str, logged: Logged) -> dict[str, Any]:
    """Return what the experiment page shows: filter, order, columns, charts in sections."""
    first = logged.headline[0] if logged.headline else ""
    shown = list(logged.headline[:_HEADLINE])
    sections: dict[str, list[dict[str, Any]]] = {
        "Headline": [*map(_bar, shown), *_together(shown)],
        "Labels": [_bar(name) for name in logged.labels[:_LABELS]],
        "Slices": [_bar(name) for name in logged.slices[:_SLICES]],
        "Curves": [_line(name) for name in logged.curves[:_CURVES]],
        "Worst images": [_images()] if logged.images else [],
        "Differences": [_differences()],
    }
    columns = ["attributes.`Dataset`", *(f"metrics.`{name}`" for name in shown)]
    evaluator = installed().evaluators.get(task)
    falls = evaluator is not None and evaluator.prefers_lower(first)
    return {
        "searchFilter": f"tags.`velour.task` = '{task}'",
        "orderByKey": f"metrics.`{first}`",
        "orderByAsc": falls,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": [],
        "columnWidths": {},
        "runsHiddenMode": "FIRST_10_RUNS",
        "compareRunCharts": [
            {**chart, "uuid": _number(f"{name} {index}"), "metricSectionId": _number(name)}
            for name, charts in sections.items()
            for index, chart in enumerate(charts)
        ],
        "compareRunSections": [_section(name) for name, charts in sections.items() if charts],
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,  # sections in our order, not by name
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "globalLineChartConfig": _STEPS,
        **_UNTOUCHED,
    }


def _chart(kind: str, name: str, **more: Any) -> dict[str, Any]:
    common = {"type": kind, "displayName": name, "runsCountToCompare": 10}
    return {**common, "deleted": False, "isGenerated": False, **more}


def _bar(metric: str) -> dict[str, Any]:
    return _chart("BAR", metric, metricKey=metric)


def _together(metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Two numbers against each other, and all of them side by side."""
    if len(metrics) < 2:
        return []
    x, y = ({"key": name, "type": "METRIC"} for name in metrics[:2])
    lines = {"selectedParams": [], "selectedMetrics": list(metrics), "showAllRuns": False}
    return [
        _chart("PARALLEL", "Trade-offs", **lines),
        _chart("SCATTER", f"{metrics[0]} and {metrics[1]}", xaxis=x, yaxis=y),
    ]


def _line(metric: str) -> dict[str, Any]:
    label = metric.partition("/")[2]
    what = {PRECISION: "Precision at recall %", RATE: "True positives at false positives %"}
    name = f"{what.get(metric.partition('/')[0], metric)}: {label}"
    return _chart(
        "LINE",
        name,
        metricKey=metric,
        selectedMetricKeys=[metric],
        **_STEPS,
        xAxisScaleType="linear",
        scaleType="linear",
        range={},
        yAxisKey="metric",
        yAxisExpressions=[],
        ignoreOutliers=False,
        useGlobalXaxisKey=True,
        useGlobalLineSmoothing=False,
    )


def _images() -> dict[str, Any]:
    return _chart("IMAGE", "Worst images", imageKeys=[IMAGE_KEY], step=0)


def _differences() -> dict[str, Any]:
    return _chart(
        "DIFFERENCE",
        "Differences",
        compareGroups=["MODEL_METRIC", "PARAMETER"],
        chartName="Runs difference view",
        showChangeFromBaseline=True,
        showDifferencesOnly=True,
        baselineColumnUuid="",
    )


def _section(name: str) -> Mapping[str, Any]:
    flags = {"display": True, "isReordered": False, "deleted": False, "isGenerated": False}
    return {"uuid": _number(name), "name": name, **flags}


def _number(name: str) -> str:
    """What charts and sections are known by: always the same for one name."""
    return sha256(name.encode()).hexdigest()[:20]


def _key(task: str) -> str:
    return "velour" + "".join(filter(str.isalnum, mlflow_name(task)))


def _tag(key: str) -> str:
    return f"mlflow.sharedViewState.{key}"


_UNTOUCHED: Mapping[str, Any] = {
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
    "runsVisibilityMap": {},
    "autoRefreshEnabled": True,
}
"""As on a page that nobody touched; before MLflow 3.15 what a view leaves out is missing there."""

_STEPS = {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""}
