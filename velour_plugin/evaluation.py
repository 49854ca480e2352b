"""The use case: resolve the evaluator, match, measure, certify, save, announce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Certificate, Evaluation, Run, evaluation_id
from velour_plugin.errors import BadDataset, NotFound
from velour_plugin.filters import Where
from velour_plugin.matching import Question, match_parts
from velour_plugin.partitions import PartitionedDataset
from velour_plugin.plugins import installed
from velour_plugin.store import Store


def evaluate(
    dataset: Dataset | PartitionedDataset,
    task: str,
    parameters: Mapping[str, Any] | None = None,
    where: Where = None,
    store: Store | None = None,
    run: Run | None = None,
    n_jobs: int | None = None,
) -> Evaluation:
    """Judge a model's predictions on a dataset.

    Args:
        dataset: with predictions (see :meth:`velour_plugin.Dataset.with_predictions`), in memory
            or in partitions.
        task: what is judged, such as ``object-detection``; ``velour plugins`` lists them.
        parameters: the task's own, and for every task ``label_map`` (``{value: value}`` or
            ``{(key, value): (key, value)}``: labels become others before matching) and
            ``label_keys`` (only these are evaluated).
        where: a filter (see :mod:`velour_plugin.filters`): only its datums are judged.
        store: where to keep the evaluation; the same evaluation is not computed twice.
        run: the MLflow run that it belongs to.
        n_jobs: workers to match on, as joblib counts them: ``-1`` for one a core. ``None``
            takes those of an active ``joblib.parallel_config`` – threads, processes, Dask, Ray –
            and otherwise matches here.

    Raises:
        UnknownName: there is no such task, parameter, property or label key.
        InvalidInput: predictions are missing, or something breaks a rule.
    """
    evaluator = installed().evaluator(task)
    if isinstance(dataset, Dataset) and dataset.predictions is None:
        raise BadDataset(
            f"dataset {dataset.name!r} has no predictions to judge: "
            "dataset.with_predictions(predictions, model='name')."
        )
    question = Question.of(evaluator, parameters or {}, where)
    if isinstance(dataset, Dataset):
        certificate = question.certificate(dataset.name, dataset.names)
        known = store and _stored(store, certificate, dataset, run)
        if known:
            return known
    ledger, names = match_parts(question, dataset, n_jobs)
    metrics = evaluator.measure(ledger) + evaluator.details(ledger)
    evaluation = Evaluation(
        task,
        str(dataset.model),
        question.certificate(dataset.name, names),
        names.predictions,
        metrics,
        ledger,
        run,
    )
    if store is not None:
        store.save(evaluation, dataset)
        installed().announce(evaluation)
    return evaluation


def _stored(
    store: Store, certificate: Certificate, dataset: Dataset, run: Run | None
) -> Evaluation | None:
    """The same evaluation from the store, linked to this run as well."""
    number = evaluation_id(certificate, str(dataset.model), dataset.predictions_digest)
    try:
        known = store.load(number)
    except NotFound:
        return None
    if run is not None:
        store.link_run(number, run)
        known = Evaluation(**{**vars(known), "run": run})
        installed().announce(known)
    return known
