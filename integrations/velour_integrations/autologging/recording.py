"""Stores and logs what a library evaluated: in Velour's store and in an MLflow run.

A run holds several evaluations: an epoch after the other, masks after boxes.

- Evaluations of one task and dataset replace one another: artifacts and tags are those of the
  last, metrics keep a history with a step for each (the trainer's own step, where it has one).
- The task and dataset that came first in a run own its plain names (``mAP``). Any other gets its
  task, its dataset or both in front (``instance-segmentation/mAP``), and no artifacts: the store
  keeps it under the same run.

Nothing wrong is logged: where Velour's number contradicts one of the library's own, the
evaluation is dropped with a warning that has both. Evaluations are computed before a run is
made, so that a run is made only for what there is to log.
"""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import velour_plugin as velour
from velour_integrations.mlflow.datasets.frame_names import experiment_name
from velour_plugin.errors import VelourError
from velour_plugin.plugin import masked_url, publish, refresh_runs

logger = logging.getLogger("mlflow.velour")  # below MLflow's own, which silent=True turns off

_ROUNDING = 1e-9  # libraries add in different orders
_unnamed: dict[tuple[str, str], list[str]] = {}
"""Digests of datasets without a name in this process, by tracking URI and experiment."""

_quiet: ContextVar[bool] = ContextVar("velour_quiet", default=False)


@dataclass(frozen=True)
class Captured:
    """What a library evaluated.

    Args:
        source: the library's function or class, for messages, such as ``COCOeval``.
        dataset: with predictions.
        task: of the evaluation.
        parameters: of the task.
        reported: the library's own numbers, by the names that Velour has for them, where both are
            to be the same.
        step: the trainer's; ``None`` when it has none.
        model: its name, by its weights or class; the run's name when the library knows no model.
    """

    source: str
    dataset: velour.Dataset
    task: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reported: Mapping[str, float] = field(default_factory=dict)
    step: int | None = None
    model: str | None = None


def is_listening() -> bool:
    """Whether an evaluation that is seen now is to be recorded.

    Not what happens inside another evaluation, and in training on many processes, the first only.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank() == 0 and not _quiet.get()
    return not _quiet.get()


@contextmanager
def quiet() -> Iterator[None]:
    """Context manager in which nothing is recorded, being part of a larger evaluation."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def option(name: str, default: Any = None) -> Any:
    """Return an option of the last ``velour.autolog``."""
    from mlflow.utils.autologging_utils import get_autologging_config

    return get_autologging_config("velour", name, default)


def active_run_id() -> str | None:
    """Return the id of the run that is open now; ``None`` without one."""
    import mlflow

    run = mlflow.active_run()
    return None if run is None else str(run.info.run_id)


def dataset_name(known: str | None, dataset: velour.Dataset) -> str:
    """Return a name for a dataset: the caller's, that of its file, or of the MLflow experiment.

    Where an experiment sees several datasets without a name, such as the rows for training and
    those for testing, the second is ``NAME-2``: they are no versions of one another.
    """
    chosen = option("dataset") or known
    if chosen:
        return str(chosen)
    import mlflow

    experiment = experiment_name()
    digests = _unnamed.setdefault((mlflow.get_tracking_uri(), experiment), [])
    if dataset.digest not in digests:
        digests.append(dataset.digest)
    number = digests.index(dataset.digest) + 1
    return experiment if number == 1 else f"{experiment}-{number}"


def record(captured: Sequence[Captured]) -> None:
    """Evaluate; store what agrees with the library, and log it in the active run or a new one."""
    from mlflow.utils.autologging_utils.safety import with_managed_run
    from mlflow.utils.mlflow_tags import MLFLOW_AUTOLOGGING

    with quiet():
        evaluated = [(item, evaluation) for item in captured if (evaluation := _evaluated(item))]
        if evaluated:
            tags = {**(option("extra_tags") or {}), MLFLOW_AUTOLOGGING: "velour"}
            with_managed_run("velour", lambda _: _log(evaluated), tags)(None)


def _evaluated(captured: Captured) -> velour.Evaluation | None:
    try:
        evaluation = velour.evaluate(
            captured.dataset, captured.task, parameters=captured.parameters, save=False
        )
    except VelourError as error:
        logger.warning("%s: not logged: %s", captured.source, error)
        return None
    for name, theirs in captured.reported.items():
        ours = evaluation.headline.get(name)
        if ours is None or abs(ours - theirs) > _ROUNDING:
            logger.warning(
                "%s: not logged: it reports %s = %.6g, and Velour %s of the same ground truth and "
                "predictions. A cause may be an annotation whose id is 0, which COCO's code takes "
                "for none.",
                captured.source,
                name,
                theirs,
                "none" if ours is None else f"{ours:.6g}",
            )
            return None
    return evaluation


def _log(evaluated: Sequence[tuple[Captured, velour.Evaluation]]) -> None:
    from velour_integrations.mlflow.runs.run import run_of

    run_id = active_run_id()
    if run_id is None:  # in a worker thread of a training that MLflow watches
        return
    run = run_of(run_id)
    for captured, evaluation in evaluated:
        model = captured.model or run.name or run.run_id
        logged = replace(evaluation, run=run, model=model)  # names the content, once for all
        _log_one(captured, logged, captured.dataset.with_model(model), run)


def _log_one(
    captured: Captured,
    evaluation: velour.Evaluation,
    dataset: velour.Dataset,
    run: velour.EvaluatedRun,
) -> None:
    import mlflow
    from mlflow.entities import RunTag

    from velour_integrations.mlflow.datasets.constructors import from_velour
    from velour_integrations.mlflow.runs.display_options import DisplayOptions
    from velour_integrations.mlflow.runs.run import (
        log_artifacts,
        log_metrics,
        log_parameters,
        look,
        mlflow_metrics,
        with_leaderboard,
    )

    client = mlflow.MlflowClient()
    before = client.get_run(run.run_id)
    owner = {tag: value for tag, value in before.data.tags.items() if tag.startswith("velour.")}
    with velour.open_store(option("store")) as store:
        publish(evaluation, dataset, store)  # by which the run is tagged
        refresh_runs(store, [evaluation.certificate.dataset], None)
    described = from_velour(dataset)
    mlflow.log_input(described, context="evaluation")
    prefix = _prefix(owner, evaluation)
    seen = look(evaluation, dataset, DisplayOptions(prefix=prefix))
    numbers = mlflow_metrics(evaluation, seen)
    metrics = {prefix + name: value for name, value in numbers.items()}
    headline = (prefix + name for name in mlflow_metrics(evaluation))
    step = _next_step(before, headline) if captured.step is None else captured.step
    log_metrics(run.run_id, metrics, described.name, described.digest, step=step)
    log_parameters(run.run_id, evaluation, prefix)
    if prefix:
        client.log_batch(run.run_id, tags=[RunTag(*tag) for tag in owner.items()])
    elif option("log_artifacts", True):
        with _hushed(bool(owner) or option("silent", False)):
            with velour.open_store(option("store")) as store:
                seen = with_leaderboard(seen, evaluation, store)
            log_artifacts(run.run_id, evaluation, dataset, seen)
    announce(captured.source, evaluation)


def announce(source: str, evaluation: velour.Evaluation) -> None:
    """Log what was evaluated in which run, and the command that ranks it."""
    assert evaluation.run is not None
    logger.info(
        "%s: evaluated %s on %s in run %s. Next: %s",
        source,
        evaluation.model,
        evaluation.certificate.dataset,
        evaluation.run.name or evaluation.run.run_id,
        _rank_command(evaluation),
    )


def _rank_command(evaluation: velour.Evaluation) -> str:
    """The line that ranks what was just evaluated, by the first metric that has a value."""
    headline = evaluation.headline
    metric = next((name for name, value in headline.items() if value is not None), "")
    words = ["velour", "rank", *([metric] if metric else [])]
    words += ["--dataset", evaluation.certificate.dataset]
    words += ["--store", masked_url(option("store"))] if option("store") else []
    return shlex.join(words)


@contextmanager
def _hushed(now: bool) -> Iterator[None]:
    """Without warnings about reports, which the first evaluation of a run has given."""
    core_logger = logging.getLogger("velour")
    level = core_logger.level
    core_logger.setLevel(logging.ERROR if now else level)
    try:
        yield
    finally:
        core_logger.setLevel(level)


def _prefix(owner: Mapping[str, str], evaluation: velour.Evaluation) -> str:
    """What stands before the names of an evaluation that does not own its run."""
    from velour_integrations.mlflow.runs.names import mlflow_name

    mine = {"velour.dataset": evaluation.certificate.dataset, "velour.task": evaluation.task}
    other = [name for tag, name in mine.items() if owner.get(tag, name) != name]
    return "".join(f"{mlflow_name(name)}/" for name in other)


def _next_step(run: Any, names: Iterable[str]) -> int:
    """One more than that of the last evaluation of its kind in an MLflow run; 0 for the first."""
    import mlflow

    known = next((name for name in names if name in run.data.metrics), None)
    if known is None:
        return 0
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, known)
    return 1 + max(int(item.step) for item in history)
