"""Which evaluations take part in a ranking: of each run the newest of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.labels import DEFAULT_KEY, Label
from velour_plugin.errors import InvalidInput, NotFound, UnknownName
from velour_plugin.plugins.installed import installed
from velour_plugin.ranking.candidates.comparability import ABOUT_DATUMS, differences, refuse
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.candidates.metric_lookup import (
    has_metric,
    metric_labels,
    metric_names,
    metric_values,
)
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Candidate


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the evaluations on a dataset are looked at.

    Args:
        metric: that they must have.
        label: the class that the metric is about.
        runs: an MLflow filter string, or ids or names of runs or models, or ids of evaluations;
            ``None`` for all.
        experiments: ids of MLflow experiments; ``None`` for all.
        on_mismatch: ``refuse`` evaluations that answer different questions, or ``intersect``.
    """

    metric: str
    label: Label | None = None
    runs: str | Sequence[str] | None = None
    experiments: Sequence[str] | None = None
    on_mismatch: str = "refuse"


def choose_candidates(
    access: LedgerAccess, dataset: str, choice: Choice
) -> tuple[list[Candidate], dict[str, float | None]]:
    """Find the evaluations to rank, and their values of the metric over all that they are about.

    Args:
        access: the query that they answer.
        dataset: that they are on, in any version.
        choice: which of them.

    Raises:
        NotFound: there are no evaluations.
        UnknownName: a name is none of those that exist.
    """
    reader = access.reader
    chosen = _chosen(reader.candidates(dataset), dataset, choice)
    candidates = _newest([item for item in chosen if access.admits(item)], access)
    if access.parameters and candidates:  # other labels, other thresholds: the ledgers will tell
        if not has_metric(reader, candidates, choice.metric):
            raise no_metric(reader, choice.metric, None, candidates)
        return candidates, dict.fromkeys(item.evaluation_id for item in candidates)
    stored = metric_values(reader, candidates, choice.metric, choice.label)
    taking_part = [item for item in candidates if item.evaluation_id in stored]
    if not taking_part:
        raise no_metric(reader, choice.metric, choice.label, candidates)
    return taking_part, stored


def shared_datums(
    access: LedgerAccess, candidates: Sequence[Candidate], on_mismatch: str
) -> set[str] | None:
    """Datums on which all candidates answer one question; ``None`` when they agree in everything.

    Raises:
        NotComparable: they do not answer one question, and may not or cannot be intersected.
    """
    differing = differences(candidates, access)
    if not differing:
        return None
    only_datums = set(differing) <= ABOUT_DATUMS
    if on_mismatch == "refuse" or not only_datums:
        if on_mismatch == "intersect":
            differing = {key: by for key, by in differing.items() if key not in ABOUT_DATUMS}
        refuse(differing, may_intersect=only_datums)
    versions = {item.version.id: item.version for item in candidates}.values()
    contents = [set(access.reader.datum_digests(version).items()) for version in versions]
    uids = {uid for uid, _ in set.intersection(*contents)}
    for ledger in access.reader.ledgers([item.evaluation_id for item in candidates]):
        uids.intersection_update(ledger.datums)
    return uids


def _chosen(candidates: Sequence[Candidate], dataset: str, choice: Choice) -> list[Candidate]:
    """Keep the runs and experiments that a choice names."""
    if not candidates:
        raise NotFound(
            f"dataset {dataset!r} has no evaluations yet: velour evaluate, or "
            "mlflow.models.evaluate(..., evaluators='velour')."
        )
    runs, experiments = choice.runs, choice.experiments
    kept = list(candidates) if experiments is None else _of_experiments(candidates, experiments)
    if isinstance(runs, str):
        ids = installed().find_runs(runs, experiments)
        return [item for item in kept if item.run is not None and item.run.run_id in ids]
    return kept if runs is None else _of_runs(kept, runs)


def _of_experiments(candidates: Sequence[Candidate], experiments: Sequence[str]) -> list[Candidate]:
    known = {item.run.experiment_id for item in candidates if item.run is not None}
    for number in experiments:
        if number not in known:
            raise UnknownName("experiment", number, map(str, known))
    return [item for item in candidates if item.run and item.run.experiment_id in experiments]


def _of_runs(candidates: Sequence[Candidate], runs: Sequence[str]) -> list[Candidate]:
    known = {name for item in candidates for name in _names(item)}
    ids = {item.evaluation_id for item in candidates}
    for name in runs:
        if name not in known | ids:
            raise UnknownName("run", name, known)
    return [item for item in candidates if not {item.evaluation_id, *_names(item)}.isdisjoint(runs)]


def _names(item: Candidate) -> set[str]:
    run = item.run
    return {item.model} if run is None else {item.model, run.run_id, run.name or run.run_id}


def _newest(candidates: Sequence[Candidate], access: LedgerAccess) -> list[Candidate]:
    """Of each run and kind of evaluation the newest; candidates come newest first."""
    kinds: dict[str, Candidate] = {}
    for item in candidates:
        certificate = access.certificate(item)
        name = item.run.run_id if item.run else item.model
        of_question = [certificate.parameters, certificate.label_map, certificate.filter]
        kind = [name, item.task, *of_question]
        kinds.setdefault(canonical_json(kind), item)
    return list(kinds.values())


def no_metric(
    reader: Reader, metric: str, label: Label | None, candidates: Sequence[Candidate]
) -> NotFound | UnknownName | InvalidInput:
    """The error that says why no candidate has a metric of a label, or of all labels."""
    if not candidates:
        return NotFound("no evaluated run is among those asked for: see the runs of 'velour rank'.")
    names = metric_names(reader, candidates)
    if label is not None and metric in names:
        known = metric_labels(reader, candidates, metric)
        if not known:
            return InvalidInput(f"{metric} is about all labels: leave label= (--label) out.")
        labels = {value if key == DEFAULT_KEY else f"{key}={value}" for key, value in known}
        missing = label.value if label.key == DEFAULT_KEY else f"{label.key}={label.value}"
        return UnknownName(f"label of {metric}", missing, labels)
    if metric in names:
        return InvalidInput(f"{metric} is about one label: name it with label= (--label).")
    return UnknownName("metric", metric, names)
