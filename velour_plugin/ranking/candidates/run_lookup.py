"""Find one run and its newest evaluation, for slices, comparisons and worst datums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import NotFound, UnknownName
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import Where
from velour_plugin.filters.existing_values import nothing_selected
from velour_plugin.plugins.installed import installed
from velour_plugin.queries.query import is_uri
from velour_plugin.ranking.candidates.comparability import name_of
from velour_plugin.ranking.candidates.datum_predictions import select_by_predictions
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess, refuse_runs
from velour_plugin.ranking.candidates.metric_lookup import first_metric, metric_values, no_metric
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Candidate


@dataclass(frozen=True, slots=True)
class EvaluatedLedger:
    """The newest evaluation of a run, and the part of its ledger that a query is about.

    Args:
        candidate: the evaluation.
        evaluator: that made it.
        ledger: of it.
        selected: ``(datums,)`` bool: which of the ledger's datums a filter selects.
        notes: what a reader should know of how the ledger came about.
        uri: that the run was named by; ``None`` where that was a name.
    """

    candidate: Candidate
    evaluator: Evaluator
    ledger: Ledger
    selected: NDArray[np.bool_]
    notes: Sequence[str] = ()
    uri: str | None = None

    @property
    def name(self) -> str:
        """Display name of the run."""
        return self.uri or name_of(self.candidate)

    @property
    def dataset(self) -> str:
        """Name of the dataset that it is on."""
        return self.candidate.certificate.dataset


def find_run(
    reader: Reader,
    run: str,
    where: Where,
    dataset: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> EvaluatedLedger:
    """Find the newest evaluation of a run, and which of its datums a filter selects.

    Args:
        reader: where it is.
        run: the run's id or name, a model's name, or an evaluation's id; or what a tracker finds
            runs by, such as ``models:/fires@champion``.
        where: the filter; ``None`` selects all datums.
        dataset: on which it was evaluated; ``None`` for any.
        parameters: in place of those that it was evaluated with.

    Raises:
        UnknownName: no run has that name, or it was not evaluated on that dataset.
        NothingSelected: the filter selects no datum.
    """
    candidate, notes = _newest(reader, run, dataset)
    access = LedgerAccess(reader, where, parameters)
    refuse_runs(access.split)
    ledger = next(reader.ledgers([candidate.evaluation_id]))
    selection = reader.select_datums(candidate.version, access.split.datums)
    predicted = select_by_predictions(reader, [candidate], access.split)
    if predicted is not None:
        selection = selection.within(predicted)
    evaluated = frozenset(ledger.datums)
    selection = selection.within(evaluated)
    if not len(selection):
        names = f"{candidate.certificate.dataset!r} that run {run!r} was evaluated on"
        datums = [datum for datum in reader.datums(candidate.version) if datum.uid in evaluated]
        raise nothing_selected(access.split.datums, names, datums, "look at")
    ledger = access.ledger(candidate, ledger, selection)
    evaluator = installed().evaluator(candidate.task)
    uri = run if is_uri(run) else None
    mask = selection.mask(ledger.datums)
    return EvaluatedLedger(candidate, evaluator, ledger, mask, [*notes, *access.notes], uri)


def metric_of_run(
    reader: Reader, run: EvaluatedLedger, name: str | None, label: Label | None
) -> str:
    """Return the metric that a query names, else the first of the run's task, of all labels or one.

    Raises:
        UnknownName: the run has no such metric, or not of this label.
        InvalidInput: the metric is about all labels and one is named, or the reverse.
    """
    metric = name or first_metric(run.evaluator, label)
    if (name or label) and not metric_values(reader, [run.candidate], metric, label):
        raise no_metric(reader, metric, label, [run.candidate])
    return metric


def _newest(reader: Reader, run: str, dataset: str | None) -> tuple[Candidate, list[str]]:
    """The newest evaluation of a run, on one dataset or on any; and what it was chosen from."""
    known = _evaluations(reader, run)
    of_dataset = [item for item in known if dataset in (None, item.certificate.dataset)]
    if not of_dataset:
        names = {item.certificate.dataset for item in known}
        raise UnknownName(f"dataset of run {run!r}", dataset, names)
    newest = of_dataset[0]
    return newest, [*_on_datasets(run, dataset, of_dataset), *_on_evaluations(run, of_dataset)]


def _on_datasets(run: str, dataset: str | None, known: Sequence[Candidate]) -> Iterator[str]:
    """A note where the dataset was not named and there are several."""
    newest, *others = dict.fromkeys(item.certificate.dataset for item in known)
    if dataset is None and others:
        yield (
            f"{run} was evaluated on {newest}, {', '.join(others)}: this is about {newest}, the "
            "newest; dataset= (--dataset) names another."
        )


def _on_evaluations(run: str, known: Sequence[Candidate]) -> Iterator[str]:
    """A note where the name stands for several evaluations on the dataset."""
    newest = known[0]
    on_dataset = [item for item in known if item.certificate.dataset == newest.certificate.dataset]
    if len(on_dataset) > 1:
        yield (
            f"{run} has {len(on_dataset)} evaluations on {newest.certificate.dataset}: this is "
            f"about the newest, of {newest.created_at:%Y-%m-%d %H:%M} UTC; 'velour runs list' has "
            "the ids that name the others."
        )


def _evaluations(reader: Reader, run: str) -> list[Candidate]:
    """Evaluations of a name, or of all runs behind a tracker's URI; the newest first."""
    try:
        return reader.evaluations_of(run)
    except UnknownName:
        if not is_uri(run):
            raise
    known: list[Candidate] = []
    for number in installed().find_runs(run, None):
        with suppress(UnknownName):  # a run that was never evaluated
            known += reader.evaluations_of(number)
    if not known:
        raise NotFound(
            f"{run!r}: none of its runs was evaluated: velour evaluate {run} --dataset …"
        )
    return sorted(known, key=lambda item: item.created_at, reverse=True)
