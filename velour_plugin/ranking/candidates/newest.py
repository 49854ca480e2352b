"""Which evaluations take part in a ranking: of each model the newest run, unless all are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.labels import Label
from velour_plugin.errors import NotFound, UnknownName
from velour_plugin.plugins.installed import installed
from velour_plugin.ranking.candidates.comparability import ABOUT_DATUMS, differences, name_of
from velour_plugin.ranking.candidates.deleted import deletion_notes, without_deleted
from velour_plugin.ranking.candidates.folding import fold, model_key, run_key
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.candidates.metric_lookup import (
    has_metric,
    metric_values,
    no_metric,
)
from velour_plugin.ranking.candidates.refusal import refuse
from velour_plugin.store.values import Candidate


@dataclass(frozen=True, slots=True)
class Choice:
    """Which evaluations of a dataset are ranked.

    Args:
        metric: that they must have.
        label: the class that the metric is about.
        runs: an MLflow filter string, or ids or names of runs or models, or ids of evaluations;
            ``None`` for all.
        experiments: ids of MLflow experiments; ``None`` for all.
        on_mismatch: ``refuse`` evaluations that answer different questions, or ``intersect``.
        all_runs: keep every run of a model, not only its newest; runs that are named are kept all.
    """

    metric: str
    label: Label | None = None
    runs: str | Sequence[str] | None = None
    experiments: Sequence[str] | None = None
    on_mismatch: str = "refuse"
    all_runs: bool = False

    @property
    def folds(self) -> bool:
        """Whether only the newest run of each model is kept."""
        return self.runs is None and not self.all_runs

    @property
    def named(self) -> frozenset[str]:
        """Names and ids of runs, models and evaluations; none for a filter string."""
        return frozenset(() if isinstance(self.runs, str) else self.runs or ())


@dataclass(frozen=True, slots=True)
class Chosen:
    """The evaluations of one dataset that are ranked.

    Args:
        candidates: the evaluations, the newest first.
        values: of the metric over all that each is about, by evaluation.
        folded: evaluations in older runs of the same models, which are not ranked.
        notes: on runs that are deleted, and on names that stand for several evaluations.
    """

    candidates: Sequence[Candidate]
    values: Mapping[str, float | None]
    folded: Sequence[Candidate] = ()
    notes: Sequence[str] = ()


def choose_candidates(access: LedgerAccess, dataset: str, choice: Choice) -> Chosen:
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
    chosen, notes = _present(chosen, dataset, choice)
    candidates = [item for item in chosen if access.admits(item)]
    candidates, folded = fold(candidates) if choice.folds else (candidates, [])
    every, candidates = candidates, _newest(candidates, access, choice.named)
    notes += _superseded(every, candidates) if choice.named else ()
    if access.parameters and candidates:  # other labels, other thresholds: the ledgers will tell
        if not has_metric(reader, candidates, choice.metric):
            raise no_metric(reader, choice.metric, None, candidates)
        values = dict.fromkeys(item.evaluation_id for item in candidates)
        return Chosen(candidates, values, folded, notes)
    values = metric_values(reader, candidates, choice.metric, choice.label)
    taking_part = [item for item in candidates if item.evaluation_id in values]
    if not taking_part:
        raise no_metric(reader, choice.metric, choice.label, candidates)
    ranked = {(model_key(item), item.task) for item in taking_part}
    folded = [item for item in folded if (model_key(item), item.task) in ranked]
    return Chosen(taking_part, values, folded, notes)


def shared_datums(
    access: LedgerAccess, candidates: Sequence[Candidate], on_mismatch: str
) -> set[str] | None:
    """Return the datums with equal content in all candidates; ``None`` if certificates are equal.

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
        refuse(access.reader, candidates, differing, may_intersect=only_datums)
    versions = {item.version.id: item.version for item in candidates}.values()
    contents = [set(access.reader.datum_digests(version).items()) for version in versions]
    uids = {uid for uid, _ in set.intersection(*contents)}
    for ledger in access.reader.ledgers([item.evaluation_id for item in candidates]):
        uids.intersection_update(ledger.datums)
    return uids


def _chosen(candidates: Sequence[Candidate], dataset: str, choice: Choice) -> list[Candidate]:
    """Keep the evaluations of the runs and experiments that a choice names."""
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


def _present(
    candidates: list[Candidate], dataset: str, choice: Choice
) -> tuple[list[Candidate], list[str]]:
    """Evaluations without those of deleted runs, unless these are named; and notes on them."""
    if isinstance(choice.runs, str):  # the tracker has just answered
        return candidates, []
    if choice.runs is not None:
        deleted = [item for item in candidates if item.run_is_deleted]
        return candidates, deletion_notes(deleted, shown=True)
    present, deleted = without_deleted(candidates, dataset)
    return present, deletion_notes(deleted)


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


def _newest(
    candidates: Sequence[Candidate], access: LedgerAccess, named: Collection[str]
) -> list[Candidate]:
    """The newest evaluation of each run with the same task, parameters and filter.

    Evaluations that are named by their id stay.
    """
    kinds: dict[str, Candidate] = {}
    for item in candidates:
        certificate = access.certificate(item)
        number = item.evaluation_id
        name = number if number in named else run_key(item)
        of_question = [certificate.parameters, certificate.label_map, certificate.filter]
        kind = [name, item.task, *of_question]
        kinds.setdefault(canonical_json(kind), item)
    return list(kinds.values())


def _superseded(every: Sequence[Candidate], kept: Sequence[Candidate]) -> Iterator[str]:
    """Notes on the names of which older evaluations are not ranked."""
    counts = Counter(name_of(item) for item in every)
    for name, ranked in Counter(name_of(item) for item in kept).items():
        if ranked < counts[name]:
            yield (
                f"{name} has {counts[name]} evaluations, of which the newest is ranked; 'velour "
                "runs list' has the ids that name the others."
            )
