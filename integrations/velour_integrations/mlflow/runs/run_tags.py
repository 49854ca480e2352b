"""Describes an evaluation on its run and experiment: tags, note, curves, saved view."""

from __future__ import annotations

import json
import logging
from functools import cache

import mlflow
from mlflow.entities import Experiment, Run

from velour_integrations.mlflow.runs import note
from velour_integrations.mlflow.runs.artifact_files import TABLES, Shown, decorating
from velour_integrations.mlflow.runs.cleanup import outdated_metrics
from velour_integrations.mlflow.runs.display_options import DisplayOptions
from velour_integrations.mlflow.runs.histories import curves, log_histories
from velour_integrations.mlflow.runs.names import (
    class_metrics,
    defined,
    interval_metrics,
    is_ours,
    mlflow_name,
    slice_metrics,
)
from velour_integrations.mlflow.runs.saved_view import Logged, ensure_view, link_to_view
from velour_integrations.mlflow.runs.tables import TAG as TABLES_TAG
from velour_integrations.mlflow.runs.tables import tag_of_tables
from velour_plugin import EvaluatedRun
from velour_plugin.plugin import COLOURS, Findings

SHOWN = "velour.shown"
"""Tag of a run: the evaluation that its report shows; a run without it has none of ours."""

RESAMPLES = "velour.resamples"
"""Tag of a run: from how many resamples the intervals in its report are."""

MODEL_COLOURS = "velour.colours"
"""Tag of an experiment: which model has which colour."""

_RUN_COLOUR, _MOST = "mlflow.runColor", 200
_logger = logging.getLogger("velour")


def describe(run: Run, findings: Findings, shown: Shown, options: DisplayOptions) -> None:
    """Log tags and curves on a run, and set metrics of an earlier evaluation to NaN.

    Curves are logged with the first report only. Without ``options.report``, a run that has no
    report is told from how many resamples the intervals are, and nothing else.

    Args:
        run: as fetched before this evaluation was logged.
        findings: of the evaluation.
        shown: the files that were logged.
        options: what the caller wants to see.
    """
    before, evaluation = run.data.tags.get(SHOWN), findings.evaluation
    new_tags = {RESAMPLES: str(findings.resamples)} if findings.resamples else {}
    if not options.report and before is None:
        log_histories(run.info.run_id, {}, new_tags, [])
        return
    logged = _logged(findings, options, shown.images > 0)
    ends = {options.prefix + name for name in interval_metrics(findings)}
    now = {*logged.headline, *logged.labels, *logged.slices, *ends}
    gone = outdated_metrics(run, _ours(run, findings, options), now) if before else []
    new_tags |= {SHOWN: evaluation.id, TABLES_TAG: _tables_tag(run, shown)}
    if options.report:
        new_tags |= _tags(run, findings, shown, logged)
    if before not in (None, evaluation.id):
        _say_that_curves_stay(run.info.run_id)
    first = options.report and before is None
    log_histories(run.info.run_id, curves(findings) if first else {}, new_tags, gone)


def _logged(findings: Findings, options: DisplayOptions, images: bool) -> Logged:
    """Names of the metrics of an evaluation, as they are in the run; and whether it has images."""
    headline, labels, slices = (
        [options.prefix + mlflow_name(name) for name in defined(dict(section))]
        for section in (
            findings.evaluation.headline,
            class_metrics(findings, options.classes),
            slice_metrics(findings),
        )
    )
    return Logged(headline, labels, slices, list(curves(findings)), images)


def _ours(run: Run, findings: Findings, options: DisplayOptions) -> set[str]:
    """Metrics of the run that an evaluation of this task may have logged."""
    return {
        name
        for name in run.data.metrics
        if name.startswith(options.prefix) and is_ours(name.removeprefix(options.prefix), findings)
    }


def _tables_tag(run: Run, shown: Shown) -> str:
    return tag_of_tables(run.data.tags.get(TABLES_TAG), TABLES, shown.tables)


def _tags(run: Run, findings: Findings, shown: Shown, logged: Logged) -> dict[str, str]:
    """The note, the colour, and that there are images; and the view, which the note leads to."""
    new_tags, view, info, tags = {}, None, run.info, run.data.tags
    task, model = findings.evaluation.task, findings.evaluation.model
    with decorating("the run's colour and the saved view"):
        experiment = mlflow.MlflowClient().get_experiment(info.experiment_id)
        if _RUN_COLOUR not in tags:
            new_tags[_RUN_COLOUR] = colour_of(model, experiment)
        view = link_to_view(ensure_view(experiment, findings, logged), task)
    known = EvaluatedRun(info.run_id, info.run_name, info.experiment_id)
    text = note.with_ours(tags.get(note.TAG), note.run_note(findings, known, shown.files, view))
    new_tags |= {} if text is None else {note.TAG: text}
    return new_tags | ({"mlflow.loggedImages": "True"} if shown.images else {})


def colour_of(model: str, experiment: Experiment) -> str:
    """Return a model's colour in the charts of an experiment, the same in all of its runs.

    Left to itself, MLflow gives runs colours by their ids, and many the same.
    """
    known: dict[str, str] = json.loads(experiment.tags.get(MODEL_COLOURS, "{}"))
    if model not in known:
        free = [colour for colour in COLOURS if colour not in known.values()]
        known[model] = (free or [COLOURS[len(known) % len(COLOURS)]])[0]
        if len(known) <= _MOST:
            client, number = mlflow.MlflowClient(), experiment.experiment_id
            client.set_experiment_tag(number, MODEL_COLOURS, json.dumps(known))
    return known[model]


@cache
def _say_that_curves_stay(run_id: str) -> None:
    """Once for a run: some are evaluated after every epoch."""
    _logger.warning(
        "MLflow keeps the history of a metric: the curves in run %s stay those of its first "
        "evaluation; its report shows the last one. A run for each evaluation has its own.",
        run_id,
    )
