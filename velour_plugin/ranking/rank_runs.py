"""Rank runs by a metric over any selection of datums, from what was matched once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from velour_plugin.domain.canonical import canonical_json
from velour_plugin.domain.labels import DEFAULT_KEY, Label
from velour_plugin.errors import InvalidInput, NotFound, UnknownName
from velour_plugin.filters import Node, parse_filter
from velour_plugin.filters.tree import to_json
from velour_plugin.plugins import installed
from velour_plugin.ranking.board import Board, Row
from velour_plugin.ranking.comparable import ABOUT_DATUMS, differences, name_of, refuse
from velour_plugin.store import Candidate, Store, open_store

OnMismatch = Literal["refuse", "intersect"]
Value = tuple[float | None, str | None]
"""A metric's value, and where it is ``None`` the reason."""


def rank(
    metric: str,
    dataset: str,
    where: str | Mapping[str, Any] | Node | None = None,
    label: str | tuple[str, str] | None = None,
    runs: Iterable[str] | None = None,
    experiments: Iterable[str] | None = None,
    on_mismatch: OnMismatch = "refuse",
    store: Store | None = None,
) -> Board:
    """Rank the runs that were evaluated on a dataset.

    Of each run, the newest evaluation of a kind counts. A filter is answered from the
    ledgers: nothing is matched again.

    Args:
        metric: a headline metric such as ``mAP``, or with ``label`` one of a label such as ``AP``.
        dataset: name of the dataset.
        where: only these datums count (see :mod:`velour_plugin.filters`).
        label: a class, by its value or as (key, value).
        runs: ids or names of MLflow runs, or names of models; ``None`` for all.
        experiments: ids of MLflow experiments; ``None`` for all.
        on_mismatch: when evaluations differ in what they were asked: ``refuse``, or
            ``intersect`` to compare them over the datums that they share.
        store: an open store; ``None`` opens the default one.

    Raises:
        UnknownName: there is no such dataset, metric, label, run or property.
        NotComparable: the evaluations do not answer one question; the fields are named.
        BadFilter: the filter has no meaning.
    """
    if on_mismatch not in ("refuse", "intersect"):
        raise UnknownName("on_mismatch", on_mismatch, ("refuse", "intersect"))
    node = parse_filter(where)
    if store is None:
        with open_store() as opened:
            return _rank(opened, metric, dataset, node, label, runs, experiments, on_mismatch)
    return _rank(store, metric, dataset, node, label, runs, experiments, on_mismatch)


def _rank(
    store: Store,
    metric: str,
    dataset: str,
    node: Node | None,
    label: str | tuple[str, str] | None,
    runs: Iterable[str] | None,
    experiments: Iterable[str] | None,
    on_mismatch: OnMismatch,
) -> Board:
    about = (
        None
        if label is None
        else Label(*((DEFAULT_KEY, label) if isinstance(label, str) else label))
    )
    field = _newest(_chosen(store.candidates(dataset), dataset, runs, experiments))
    stored = store.metric_values([item.evaluation_id for item in field], metric, about)
    entrants = [item for item in field if item.evaluation_id in stored]
    if not entrants:
        raise _no_metric(store, metric, about, field)
    shared = _shared_datums(store, dataset, entrants, on_mismatch)
    versions = {item.version_id for item in entrants}
    selected = {number: set(store.matching(dataset, number, node)) for number in versions}
    if shared is not None:
        selected = {number: uids & shared for number, uids in selected.items()}
    if node is None and shared is None:
        values: dict[str, Value] = {number: (value, None) for number, value in stored.items()}
        counts = {item.evaluation_id: len(selected[item.version_id]) for item in entrants}
    else:
        values, counts = _measured(store, entrants, selected, metric, about)
    lower = metric in installed().evaluator(entrants[0].task).lower_is_better
    total = max(len(store.matching(dataset, number, None)) for number in versions)
    chosen = max(len(uids) for uids in selected.values())
    return Board(
        metric=metric,
        label=None if about is None else f"{about.key}={about.value}",
        dataset=dataset,
        where=None if node is None else canonical_json(to_json(node)),
        datums=chosen,
        of_datums=total,
        lower_is_better=lower,
        rows=_ranked(entrants, values, counts, lower),
        notes=_notes(chosen, total, dataset, shared, [*values.values()]),
    )


def _chosen(
    candidates: Sequence[Candidate],
    dataset: str,
    runs: Iterable[str] | None,
    experiments: Iterable[str] | None,
) -> list[Candidate]:
    """Keep the runs and experiments that were asked for."""
    if not candidates:
        raise NotFound(
            f"dataset {dataset!r} has no evaluations yet: velour evaluate, or "
            "mlflow.models.evaluate(..., evaluators='velour')."
        )
    kept = list(candidates)
    if runs is not None:
        asked = [runs] if isinstance(runs, str) else list(runs)
        known = {name for item in kept for name in _names(item)}
        for name in asked:
            if name not in known:
                raise UnknownName("run", name, known)
        kept = [item for item in kept if not _names(item).isdisjoint(asked)]
    if experiments is not None:
        wanted = {experiments} if isinstance(experiments, str) else set(map(str, experiments))
        known = {item.run.experiment_id or "" for item in kept if item.run is not None}
        for number in wanted - known:
            raise UnknownName("experiment", number, known)
        kept = [item for item in kept if item.run and item.run.experiment_id in wanted]
    return kept


def _names(item: Candidate) -> set[str]:
    run = item.run
    return {item.model} if run is None else {item.model, run.run_id, run.name or run.run_id}


def _newest(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of each run and kind of evaluation the newest; candidates come newest first."""
    kinds: dict[str, Candidate] = {}
    for item in candidates:
        asked = item.certificate
        who = item.run.run_id if item.run else item.model
        kind = [who, item.task, asked.parameters, asked.label_map, asked.filter]
        kinds.setdefault(canonical_json(kind), item)
    return list(kinds.values())


def _no_metric(
    store: Store, metric: str, about: Label | None, field: Sequence[Candidate]
) -> UnknownName | InvalidInput:
    names = store.metric_names([item.evaluation_id for item in field])
    if about is not None and metric in names:
        return InvalidInput(
            f"no evaluation has {metric} of label {about.key}={about.value!r}: "
            "name a class of the dataset, as its value or as key=value."
        )
    if metric in names:
        return InvalidInput(f"{metric} is about one label: name it with label= (--label).")
    return UnknownName("metric", metric, names)


def _shared_datums(
    store: Store, dataset: str, entrants: Sequence[Candidate], on_mismatch: OnMismatch
) -> set[str] | None:
    """Datums that all entrants were asked about alike; ``None`` when they agree in everything."""
    differing = differences(entrants)
    if not differing:
        return None
    only_datums = set(differing) <= ABOUT_DATUMS
    if on_mismatch == "refuse" or not only_datums:
        if on_mismatch == "intersect":
            differing = {key: by for key, by in differing.items() if key not in ABOUT_DATUMS}
        refuse(differing, may_intersect=only_datums)
    versions = {item.version_id for item in entrants}
    told = [set(store.datum_digests(dataset, number).items()) for number in versions]
    uids = {uid for uid, _ in set.intersection(*told)}
    for ledger in store.ledgers([item.evaluation_id for item in entrants]):
        uids.intersection_update(ledger.datums)
    return uids


def _measured(
    store: Store,
    entrants: Sequence[Candidate],
    selected: Mapping[int, set[str]],
    metric: str,
    about: Label | None,
) -> tuple[dict[str, Value], dict[str, int]]:
    """Values over the selected datums, from the ledgers; and how many datums each is over."""
    values: dict[str, Value] = {}
    counts: dict[str, int] = {}
    ledgers = store.ledgers([item.evaluation_id for item in entrants])
    for item, ledger in zip(entrants, ledgers, strict=True):
        uids = selected[item.version_id]
        mask = np.array([uid in uids for uid in ledger.datums], bool)
        measured = installed().evaluator(item.task).measure(ledger, mask)
        value = next((m.value for m in measured if m.name == metric and (m.label == about)), None)
        counts[item.evaluation_id] = int(mask.sum())
        values[item.evaluation_id] = (value, None if value is not None else _reason(mask))
    return values, counts


def _reason(mask: np.ndarray[Any, Any]) -> str:
    if not mask.any():
        return "no datum is selected"
    return "undefined here: the selected datums have no ground truth that it needs"


def _ranked(
    entrants: Sequence[Candidate],
    values: Mapping[str, Value],
    counts: Mapping[str, int],
    lower_is_better: bool,
) -> list[Row]:
    """Rows in order: the best first, those without a value last."""
    rows = [
        Row(
            None,
            item.model,
            None if item.run is None else name_of(item),
            None if item.run is None else item.run.run_id,
            values[item.evaluation_id][0],
            counts[item.evaluation_id],
            item.evaluation_id,
            values[item.evaluation_id][1],
        )
        for item in entrants
    ]
    sign = 1 if lower_is_better else -1
    rows.sort(
        key=lambda row: (row.value is None, sign * (row.value or 0.0), row.model, row.run or "")
    )
    known = [row.value for row in rows if row.value is not None]
    return [
        row if row.value is None else replace(row, rank=1 + known.index(row.value)) for row in rows
    ]


def _notes(
    chosen: int,
    total: int,
    dataset: str,
    shared: set[str] | None,
    values: Sequence[Value],
) -> list[str]:
    notes = []
    if chosen == 0:
        notes.append(f"The filter selects none of the {total} datums of {dataset!r}.")
    elif any(reason for _, reason in values):
        notes.extend(dict.fromkeys(reason for _, reason in values if reason))
    if shared is not None:
        notes.append(f"Compared over the {len(shared)} datums that all evaluations share.")
    return notes
