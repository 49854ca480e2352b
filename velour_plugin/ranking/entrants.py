"""Who takes part in a ranking: of each run the newest evaluation of a kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from velour_plugin.domain.canonical import canonical_json
from velour_plugin.domain.labels import DEFAULT_KEY, Label
from velour_plugin.errors import InvalidInput, NotFound, UnknownName
from velour_plugin.plugins import installed
from velour_plugin.ranking.asked import Asked
from velour_plugin.ranking.comparable import ABOUT_DATUMS, differences, refuse
from velour_plugin.store import Candidate, Store


def entrants(
    store: Store,
    dataset: str,
    metric: str,
    label: Label | None,
    runs: str | Iterable[str] | None,
    experiments: Iterable[str] | None,
    asked: Asked,
) -> tuple[list[Candidate], dict[str, float | None]]:
    """Find the evaluations to rank, and their stored values of the metric.

    Args:
        store: where they are.
        dataset: what they are on, in any version.
        metric: what they must have.
        label: the class that the metric is about.
        runs: an MLflow filter string, or ids or names of runs or models, or ids of evaluations;
            ``None`` for all.
        experiments: ids of MLflow experiments; ``None`` for all.
        asked: what they are asked beyond what they were evaluated with.

    Raises:
        NotFound: there are no evaluations.
        UnknownName: a name is none of those that exist.
    """
    chosen = _chosen(store.candidates(dataset), dataset, runs, experiments)
    field = _newest([item for item in chosen if asked.admits(item)], asked)
    ids = [item.evaluation_id for item in field]
    if asked.parameters:  # other labels, other thresholds: the ledgers will tell
        if field and metric not in store.metric_names(ids):
            raise _no_metric(store, metric, None, field)
        if field:
            return field, dict.fromkeys(ids)
    stored = store.metric_values(ids, metric, label)
    taking_part = [item for item in field if item.evaluation_id in stored]
    if not taking_part:
        raise _no_metric(store, metric, label, field)
    return taking_part, stored


def shared_datums(
    store: Store, dataset: str, field: Sequence[Candidate], on_mismatch: str, asked: Asked
) -> set[str] | None:
    """Datums that all entrants were asked about alike; ``None`` when they agree in everything.

    Raises:
        NotComparable: they do not answer one question, and may not or cannot be intersected.
    """
    differing = differences(field, asked)
    if not differing:
        return None
    only_datums = set(differing) <= ABOUT_DATUMS
    if on_mismatch == "refuse" or not only_datums:
        if on_mismatch == "intersect":
            differing = {key: by for key, by in differing.items() if key not in ABOUT_DATUMS}
        refuse(differing, may_intersect=only_datums)
    versions = {item.version_id for item in field}
    told = [set(store.datum_digests(dataset, number).items()) for number in versions]
    uids = {uid for uid, _ in set.intersection(*told)}
    for ledger in store.ledgers([item.evaluation_id for item in field]):
        uids.intersection_update(ledger.datums)
    return uids


def _chosen(
    candidates: Sequence[Candidate],
    dataset: str,
    runs: str | Iterable[str] | None,
    experiments: Iterable[str] | None,
) -> list[Candidate]:
    """Keep the runs and experiments that were asked for."""
    if not candidates:
        raise NotFound(
            f"dataset {dataset!r} has no evaluations yet: velour evaluate, or "
            "mlflow.models.evaluate(..., evaluators='velour')."
        )
    wanted = None if experiments is None else _listed(experiments)
    kept = list(candidates) if wanted is None else _of_experiments(candidates, wanted)
    if isinstance(runs, str):
        ids = installed().find_runs(runs, wanted)
        return [item for item in kept if item.run is not None and item.run.run_id in ids]
    return kept if runs is None else _of_runs(kept, list(runs))


def _listed(names: Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else [str(name) for name in names]


def _of_experiments(candidates: Sequence[Candidate], wanted: Sequence[str]) -> list[Candidate]:
    known = {item.run.experiment_id for item in candidates if item.run is not None}
    for number in wanted:
        if number not in known:
            raise UnknownName("experiment", number, map(str, known))
    return [item for item in candidates if item.run and item.run.experiment_id in wanted]


def _of_runs(candidates: Sequence[Candidate], asked: Sequence[str]) -> list[Candidate]:
    known = {name for item in candidates for name in _names(item)}
    ids = {item.evaluation_id for item in candidates}
    for name in asked:
        if name not in known | ids:
            raise UnknownName("run", name, known)
    return [
        item for item in candidates if not {item.evaluation_id, *_names(item)}.isdisjoint(asked)
    ]


def _names(item: Candidate) -> set[str]:
    run = item.run
    return {item.model} if run is None else {item.model, run.run_id, run.name or run.run_id}


def _newest(candidates: Sequence[Candidate], over: Asked) -> list[Candidate]:
    """Of each run and kind of evaluation the newest; candidates come newest first."""
    kinds: dict[str, Candidate] = {}
    for item in candidates:
        asked = over.certificate(item)
        who = item.run.run_id if item.run else item.model
        kind = [who, item.task, asked.parameters, asked.label_map, asked.filter]
        kinds.setdefault(canonical_json(kind), item)
    return list(kinds.values())


def _no_metric(
    store: Store, metric: str, label: Label | None, field: Sequence[Candidate]
) -> NotFound | UnknownName | InvalidInput:
    if not field:
        return NotFound("no evaluated run is among those asked for: see the runs of 'velour rank'.")
    ids = [item.evaluation_id for item in field]
    names = store.metric_names(ids)
    if label is not None and metric in names:
        known = store.metric_labels(ids, metric)
        if not known:
            return InvalidInput(f"{metric} is about all labels: leave label= (--label) out.")
        spelled = {value if key == DEFAULT_KEY else f"{key}={value}" for key, value in known}
        asked = label.value if label.key == DEFAULT_KEY else f"{label.key}={label.value}"
        return UnknownName(f"label of {metric}", asked, spelled)
    if metric in names:
        return InvalidInput(f"{metric} is about one label: name it with label= (--label).")
    return UnknownName("metric", metric, names)
