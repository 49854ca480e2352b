"""The use case: resolve the evaluator, match, measure, certify; publish: save, announce."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any

from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import (
    Certificate,
    EvaluatedRun,
    Evaluation,
    Metrics,
    evaluation_id,
)
from velour_plugin.domain.inputs.reading import reading
from velour_plugin.domain.later_fields import later
from velour_plugin.errors import BadDataset, DamagedContent, InvalidInput, NotFound
from velour_plugin.filters import parse_filter
from velour_plugin.helpers.representation import shortened
from velour_plugin.matching.parallel_match import match_parts
from velour_plugin.matching.question import Question
from velour_plugin.partitions import PartitionedDataset
from velour_plugin.plugins.installed import installed
from velour_plugin.store import Store, opened
from velour_plugin.store.opening import is_missing, save_first

if TYPE_CHECKING:
    from velour_plugin.filters import Node, Where


def evaluate(
    dataset: Dataset | PartitionedDataset,
    task: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    where: Where = None,
    run: EvaluatedRun | None = None,
    n_jobs: int | None = None,
    save: bool = True,
    store: Store | str | None = None,
) -> Evaluation:
    """Evaluate a model's predictions on a dataset, store the evaluation and return it.

    Args:
        dataset: with predictions (see :meth:`velour_plugin.Dataset.with_predictions`), in memory
            or in partitions.
        task: what is evaluated, such as ``object-detection``; ``velour plugins`` lists them.
        parameters: the task's own, and for every task ``label_map`` (``{value: value}`` or
            ``{(key, value): (key, value)}``: labels become others before matching) and
            ``label_keys`` (only these are evaluated).
        where: a filter (see :mod:`velour_plugin.filters`): only its datums are evaluated.
        run: the MLflow run that it belongs to.
        n_jobs: workers to match on, as joblib counts them: ``-1`` for one a core. ``None``
            takes those of an active ``joblib.parallel_config`` – threads, processes, Dask, Ray –
            and otherwise matches here.
        save: keep the evaluation; the same evaluation is not computed twice. ``False`` computes
            it and touches no store.
        store: an open store or its URL; ``None`` for the default store. One that is not there is
            made when there is an evaluation to keep.

    Raises:
        UnknownName: there is no such task, parameter, property or label key.
        InvalidInput: predictions are missing, or something breaks a rule.
        BadDataset: no prediction is of a class of the ground truth. Where only some are not, a
            :class:`ReadingWarning` counts them.
    """
    _check_predicted(dataset)
    if run is not None and not isinstance(run, EvaluatedRun):
        raise InvalidInput(
            f"run {run!r}: expected velour.EvaluatedRun(run_id, name), or leave it out."
        )
    if n_jobs is not None and (not isinstance(n_jobs, Integral) or n_jobs == 0):
        raise InvalidInput(f"n_jobs {n_jobs!r}: expected a number of workers, or -1 for all cores.")
    evaluator = installed().evaluator(task)

    def question(known: Store | None) -> Question:
        return Question.of(evaluator, parameters or {}, fixed_filter(where, dataset, known))

    with reading(), ExitStack() as closing:
        if not save:
            return compute(dataset, question(None), run, n_jobs)
        known = _there(store, closing)
        if known is not None:
            return evaluate_question(dataset, question(known), known, run, n_jobs)
        evaluation = compute(dataset, question(None), run, n_jobs)
        publish_first(evaluation, dataset, store)
        return evaluation


def _there(store: Store | str | None, closing: ExitStack) -> Store | None:
    """An open store; ``None`` for one that is made once there is something to keep."""
    if (store is None or isinstance(store, str)) and is_missing(store):
        return None
    try:
        return closing.enter_context(opened(store))
    except NotFound:
        return None


def evaluate_question(
    dataset: Dataset | PartitionedDataset,
    question: Question,
    store: Store,
    run: EvaluatedRun | None = None,
    n_jobs: int | None = None,
) -> Evaluation:
    """Evaluate with checked task, parameters and filter; store and return the evaluation.

    Args:
        dataset: with predictions.
        question: as :meth:`Question.of` checks it.
        store: where to keep the evaluation; the same evaluation is not computed twice.
        run: the MLflow run that the evaluation belongs to.
        n_jobs: workers to match on.

    Raises:
        InvalidInput: predictions are missing, or something breaks a rule.
    """
    _check_predicted(dataset)
    question = question.on(dataset)
    if isinstance(dataset, Dataset):
        certificate = question.certificate(dataset, dataset.content_digests)
        known = _stored(store, certificate, dataset, run)
        if known is not None:
            if question.evaluator.compares_classes:  # as when it was matched
                question.classes_of(dataset).check()
            return known
    evaluation = compute(dataset, question, run, n_jobs)
    publish(evaluation, dataset, store)
    return evaluation


def compute(
    dataset: Dataset | PartitionedDataset,
    question: Question,
    run: EvaluatedRun | None = None,
    n_jobs: int | None = None,
) -> Evaluation:
    """Match, measure and certify, and return the evaluation; nothing is stored.

    Args:
        dataset: with predictions.
        question: as :meth:`Question.of` checks it.
        run: the MLflow run that the evaluation belongs to.
        n_jobs: workers to match on.

    Raises:
        InvalidInput: predictions are missing, or something breaks a rule.
    """
    _check_predicted(dataset)
    question = question.on(dataset)
    ledger, digests = match_parts(question, dataset, n_jobs)
    return Evaluation(
        question.evaluator.task,
        str(dataset.model),
        later(lambda: question.certificate(dataset, digests())),
        later(lambda: digests().predictions),
        Metrics(question.evaluator.measure(ledger), partial(question.evaluator.details, ledger)),
        ledger,
        run,
    )


def publish(evaluation: Evaluation, dataset: Dataset | PartitionedDataset, store: Store) -> None:
    """Save an evaluation with its dataset in one transaction, then announce both to plugins.

    Args:
        evaluation: the outcome.
        dataset: the whole dataset, even if a filter narrowed the evaluation.
        store: announces the dataset itself, if this is a new version of it.
    """
    store.save(evaluation, dataset)
    installed().announce_evaluation(evaluation, store)


def publish_first(
    evaluation: Evaluation, dataset: Dataset | PartitionedDataset, store: Store | str | None
) -> None:
    """Save an evaluation in a store that is not there yet, then announce it.

    The store is opened only for plugins that take it, or where making it takes an open one.

    Args:
        evaluation: the outcome.
        dataset: the whole dataset, even if a filter narrowed the evaluation.
        store: its URL; ``None`` for the default one.
    """
    if _is_saved_first(evaluation, dataset, store):
        installed().announce_evaluation(evaluation, None)
        return
    with opened(store, create=True) as made:
        publish(evaluation, dataset, made)


def _is_saved_first(
    evaluation: Evaluation, dataset: Dataset | PartitionedDataset, store: Store | str | None
) -> bool:
    """Save an evaluation by the quick way, where that is one."""
    return (
        isinstance(dataset, Dataset)
        and evaluation.run is None
        and (store is None or isinstance(store, str))
        and not installed().takes_stores()
        and save_first(store, dataset, evaluation) is not None
    )


def fixed_filter(
    where: Where, dataset: Dataset | PartitionedDataset, store: Store | None
) -> Node | None:
    """Parse a filter, and replace conditions on facts by the uids that they select now.

    Facts may change, and a certificate must select the same datums forever.

    Raises:
        BadFilter: it asks for facts, and there is no store or no dataset in memory.
        UnknownName: no datum has such a fact.
        InvalidInput: a condition on facts selects no datum.
    """
    node = parse_filter(where)
    if node is None:
        return None
    from velour_plugin.filters.fixing import asks_for_facts, without_facts
    from velour_plugin.filters.interpret import refuse_facts

    if not asks_for_facts(node):
        return node
    if store is None or not isinstance(dataset, Dataset):
        refuse_facts(node)
        return node
    return without_facts(node, dataset, store.facts(dataset))


def _check_predicted(dataset: object) -> None:
    """Refuse anything but a dataset with predictions."""
    add = "with_predictions(predictions, model='name')"
    if isinstance(dataset, str):
        raise BadDataset(
            f"dataset {dataset!r}: a name has no predictions to evaluate. Read the stored dataset "
            f"and add them: velour.open_store().load_dataset({dataset!r}).{add}."
        )
    if not isinstance(dataset, (Dataset, PartitionedDataset)):
        raise BadDataset(
            f"dataset {shortened(dataset)}: expected a velour.Dataset with predictions: "
            f"velour.Dataset.from_groundtruths(groundtruths, name='name').{add}."
        )
    if isinstance(dataset, Dataset) and dataset.predictions is None:
        raise BadDataset(f"dataset {dataset.name!r} has no predictions to evaluate: dataset.{add}.")


def _stored(
    store: Store, certificate: Certificate, dataset: Dataset, run: EvaluatedRun | None
) -> Evaluation | None:
    """The same evaluation from the store, linked to this run as well."""
    number = evaluation_id(certificate, str(dataset.model), dataset.predictions_digest)
    try:
        known = store.load(number)
    except (NotFound, DamagedContent):  # what is damaged is replaced
        return None
    if run is not None:
        store.link_run(number, run)
        known = replace(known, run=run)
        installed().announce_evaluation(known, store)
    return known
