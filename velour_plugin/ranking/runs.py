"""One run and its evaluation, as slices, comparisons and the worst datums ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import InvalidInput, NotFound, UnknownName
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import Node
from velour_plugin.plugins import installed
from velour_plugin.ranking.asked import Asked, refuse_runs
from velour_plugin.ranking.comparable import name_of
from velour_plugin.ranking.datum_predictions import select_by_predictions
from velour_plugin.store import Candidate, Store


@dataclass(frozen=True, slots=True)
class Judged:
    """The newest evaluation of a run.

    Args:
        candidate: what the store says of it.
        evaluator: that made it.
        ledger: of it.
        selected: ``(datums,)`` bool: which of the ledger's datums a filter selects.
        notes: what a reader should know of how the ledger came about.
        uri: that it was asked for by; ``None`` where that was a name.
    """

    candidate: Candidate
    evaluator: Evaluator
    ledger: Ledger
    selected: NDArray[np.bool_]
    notes: Sequence[str] = ()
    uri: str | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.uri or name_of(self.candidate)

    @property
    def dataset(self) -> str:
        """Name of the dataset that it was judged on."""
        return self.candidate.certificate.dataset


def judged(store: Store, run: str, where: Node | None, dataset: str | None = None) -> Judged:
    """Find the newest evaluation of a run, and which of its datums a filter selects.

    Args:
        store: where it is.
        run: the run's id or name, a model's name, or an evaluation's id; or what a tracker finds
            runs by, such as ``models:/fires@champion``.
        where: the filter; ``None`` selects all datums.
        dataset: on which it was judged; ``None`` for any.

    Raises:
        UnknownName: no run has that name, or it was not judged on that dataset.
        InvalidInput: the filter selects no datum.
    """
    found = _evaluations(store, run)
    names = {item.certificate.dataset for item in found}
    if dataset is not None:
        found = [item for item in found if item.certificate.dataset == dataset]
        if not found:
            raise UnknownName(f"dataset of run {run!r}", dataset, names)
    candidate = found[0]
    asked = Asked(where)
    refuse_runs(asked.split)
    name, version = candidate.certificate.dataset, candidate.version_id
    ledger = next(store.ledgers([candidate.evaluation_id]))
    uids = set(store.matching(name, version, asked.split.datums)) & set(ledger.datums)
    predicted = select_by_predictions(store, [candidate], asked.split)
    uids = uids if predicted is None else uids & predicted
    if not uids:
        raise InvalidInput(
            f"the filter selects none of the {len(ledger.datums)} datums that run {run!r} was "
            f"judged on in {name!r}."
        )
    if asked.changes_ledgers:
        ledger = asked.ledger(store, candidate, uids)
    selected = np.array([uid in uids for uid in ledger.datums], bool)
    evaluator = installed().evaluator(candidate.task)
    uri = run if _is_uri(run) else None
    return Judged(candidate, evaluator, ledger, selected, asked.notes, uri)


def _evaluations(store: Store, run: str) -> list[Candidate]:
    """Of what has that name, or of all the runs behind a tracker's URI; the newest first."""
    try:
        return store.evaluations_of(run)
    except UnknownName:
        if not _is_uri(run):
            raise
    found: list[Candidate] = []
    for number in installed().find_runs(run, None):
        with suppress(UnknownName):  # a run that was never judged
            found += store.evaluations_of(number)
    if not found:
        raise NotFound(f"{run!r}: none of its runs was judged: velour evaluate {run} --dataset …")
    return sorted(found, key=lambda item: item.created_at, reverse=True)


def _is_uri(run: str) -> bool:
    return ":/" in run
