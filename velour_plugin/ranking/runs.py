"""One run and its evaluation, as slices, comparisons and the worst datums ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import Node
from velour_plugin.plugins import installed
from velour_plugin.ranking.asked import Asked, refuse_runs
from velour_plugin.ranking.comparable import name_of
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
    """

    candidate: Candidate
    evaluator: Evaluator
    ledger: Ledger
    selected: NDArray[np.bool_]
    notes: Sequence[str] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return name_of(self.candidate)

    @property
    def dataset(self) -> str:
        """Name of the dataset that it was judged on."""
        return self.candidate.certificate.dataset


def judged(store: Store, run: str, where: Node | None, dataset: str | None = None) -> Judged:
    """Find the newest evaluation of a run, and which of its datums a filter selects.

    Args:
        store: where it is.
        run: the run's id or name, a model's name, or an evaluation's id.
        where: the filter; ``None`` selects all datums.
        dataset: on which it was judged; ``None`` for any.

    Raises:
        UnknownName: no run has that name, or it was not judged on that dataset.
        InvalidInput: the filter selects no datum.
    """
    found = store.evaluations_of(run)
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
    if not uids:
        raise InvalidInput(
            f"the filter selects none of the {len(ledger.datums)} datums that run {run!r} was "
            f"judged on in {name!r}."
        )
    if asked.changes_ledgers:
        ledger = asked.ledger(store, candidate, uids)
    selected = np.array([uid in uids for uid in ledger.datums], bool)
    evaluator = installed().evaluator(candidate.task)
    return Judged(candidate, evaluator, ledger, selected, asked.notes)
