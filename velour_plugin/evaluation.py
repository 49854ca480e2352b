"""The use case: resolve the evaluator, match, measure, certify, save, announce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from velour_plugin.domain.canonical import canonical_json
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Certificate, Evaluation, Run, evaluation_id
from velour_plugin.domain.labels import DEFAULT_KEY
from velour_plugin.domain.table import AnnotationTable, LabelName
from velour_plugin.errors import BadDataset, InvalidInput, NotFound, UnknownName
from velour_plugin.filters import Node, parse_filter
from velour_plugin.filters.interpret import matching
from velour_plugin.filters.tree import to_json
from velour_plugin.plugins import installed
from velour_plugin.store import Store

_COMMON = ("label_map", "label_keys")


def evaluate(
    dataset: Dataset,
    task: str,
    parameters: Mapping[str, Any] | None = None,
    where: str | Mapping[str, Any] | Node | None = None,
    store: Store | None = None,
    run: Run | None = None,
) -> Evaluation:
    """Judge a model's predictions on a dataset.

    Args:
        dataset: with predictions (see :meth:`velour_plugin.Dataset.with_predictions`).
        task: what is judged, such as ``object-detection``; ``velour plugins`` lists them.
        parameters: the task's own, and for every task ``label_map`` (``{value: value}`` or
            ``{(key, value): (key, value)}``: labels become others before matching) and
            ``label_keys`` (only these are evaluated).
        where: a filter (see :mod:`velour_plugin.filters`): only its datums are judged.
        store: where to keep the evaluation; the same evaluation is not computed twice.
        run: the MLflow run that it belongs to.

    Raises:
        UnknownName: there is no such task, parameter, property or label key.
        InvalidInput: predictions are missing, or something breaks a rule.
    """
    if dataset.predictions is None:
        raise BadDataset(
            f"dataset {dataset.name!r} has no predictions to judge: "
            "dataset.with_predictions(predictions, model='name')."
        )
    evaluator = installed().evaluator(task)
    given = dict(parameters or {})
    label_map = _label_pairs(given.pop("label_map", None), dataset)
    keys = given.pop("label_keys", None)
    own = evaluator.parameters(given)
    node = parse_filter(where)
    certificate = Certificate(
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        datums_digest=dataset.datums_digest,
        groundtruth_digest=dataset.groundtruth_digest,
        filter=None if node is None else canonical_json(to_json(node)),
        parameters={**own, **({} if keys is None else {"label_keys": sorted(keys)})},
        label_map=label_map and [[list(old), list(new)] for old, new in label_map],
        evaluator=evaluator.task,
        evaluator_version=evaluator.version,
    )
    known = store and _stored(store, certificate, dataset, run)
    if known:
        return known
    chosen = matching(node, dataset.datums, dataset.name)
    if not chosen.any():
        raise InvalidInput(
            f"the filter selects none of the {len(dataset)} datums of {dataset.name!r}: "
            "there is nothing to judge."
        )
    judged = dataset if chosen.all() else dataset.subset(chosen)
    ledger = evaluator.match(_relabelled(judged, label_map, keys), own)
    metrics = evaluator.measure(ledger) + evaluator.details(ledger)
    evaluation = Evaluation(
        task, str(dataset.model), certificate, dataset.predictions_digest, metrics, ledger, run
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


def _label_pairs(
    label_map: Mapping[Any, Any] | None, dataset: Dataset
) -> list[tuple[LabelName, LabelName]] | None:
    """Spell a label map as sorted pairs of (key, value)."""
    if label_map is None:
        return None
    assert dataset.predictions is not None
    known = [*dataset.truth.labels, *dataset.predictions.labels]
    pairs: dict[LabelName, LabelName] = {}
    for old, new in label_map.items():
        if isinstance(old, str) != isinstance(new, str):
            raise InvalidInput(
                f"label_map {old!r}: {new!r}: map a value to a value, or a (key, value) pair to "
                "a (key, value) pair."
            )
        olds = [name for name in known if name[1] == old] if isinstance(old, str) else [tuple(old)]
        for name in olds or [(DEFAULT_KEY, old)]:
            pairs[name] = (name[0], new) if isinstance(new, str) else (str(new[0]), str(new[1]))
    return sorted(pairs.items())


def _relabelled(
    dataset: Dataset,
    label_map: Sequence[tuple[LabelName, LabelName]] | None,
    keys: Sequence[str] | None,
) -> Dataset:
    """Map labels and keep the keys asked for, on both sides."""
    if label_map is None and keys is None:
        return dataset
    assert dataset.predictions is not None
    mapping = dict(label_map or ())
    tables = [_map_table(table, mapping, keys) for table in (dataset.truth, dataset.predictions)]
    known = {key for table in (dataset.truth, dataset.predictions) for key, _ in table.labels}
    for key in keys or ():
        if key not in known | {new[0] for new in mapping.values()}:
            raise UnknownName("label key", key, known)
    return Dataset(
        dataset.name, dataset.datums, tables[0], dataset.metadata, tables[1], dataset.model
    )


def _map_table(
    table: AnnotationTable, mapping: Mapping[LabelName, LabelName], keys: Sequence[str] | None
) -> AnnotationTable:
    mapped = [mapping.get(name, name) for name in table.labels]
    labels = list(dict.fromkeys(name for name in mapped if keys is None or name[0] in keys))
    place = [labels.index(name) if name in labels else -1 for name in mapped]
    return _merged(table.relabelled(labels, np.array(place, np.int32)))


def _merged(table: AnnotationTable) -> AnnotationTable:
    """Labels of one annotation that became the same label are one, with the highest score."""
    order = np.lexsort((-table.score, table.label, table.annotation, table.datum))
    columns = np.stack([table.datum, table.annotation, table.label])[:, order]
    first = np.ones(len(table), bool)
    first[1:] = (columns[:, 1:] != columns[:, :-1]).any(axis=0)
    return table if first.all() else table.take(np.sort(order[first]))
