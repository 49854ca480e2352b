"""Values that a store returns: versions, candidates, differences, selections."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.evaluation import Certificate, EvaluatedRun

if TYPE_CHECKING:
    from velour_plugin.domain.dataset_changes import DatasetChanges


@dataclass(frozen=True, slots=True)
class Version:
    """One stored version of a dataset.

    Args:
        id: of its row.
        dataset: the dataset's name.
        number: counted from 1 for each name.
        digest: of the content.
        properties: names of its datums' metadata.
        datums: their number.
        groups: properties whose values tell which datums belong together, as declared last.
        is_new: whether the call that returned it stored it; ``False`` for content stored before.
    """

    id: int
    dataset: str
    number: int
    digest: str
    properties: Sequence[str]
    datums: int
    groups: Sequence[str] = field(default=(), compare=False)
    is_new: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class RunState:
    """What a tracker said of a run when it was asked last.

    Args:
        run_id: of the run.
        name: that it has now.
        is_deleted: whether it, or its experiment, is deleted.
        checked_at: when the tracker was asked.
    """

    run_id: str
    name: str | None
    is_deleted: bool
    checked_at: dt.datetime

    def agrees(self, item: Candidate) -> bool:
        """Whether the state of a candidate's run is stored as it is now."""
        known = item.run is not None and item.run.name == self.name
        return known and item.run_is_deleted == self.is_deleted


@dataclass(frozen=True, slots=True)
class Candidate:
    """An evaluation that may be ranked, with its model, certificate, run and time.

    Args:
        evaluation_id: its id in the store.
        version: of the dataset that it is on.
        task: of its evaluator.
        model: the model's name.
        certificate: of the evaluation.
        run: the MLflow run; ``None`` when it was made outside MLflow.
        created_at: when it was made, or linked to the run.
        model_metadata: of the model, as JSON.
        dataset_metadata: of the version, as JSON.
        run_is_deleted: whether the tracker had deleted the run when it was asked last.
        run_checked_at: when that was; ``None`` where it never was.
    """

    evaluation_id: str
    version: Version
    task: str
    model: str
    certificate: Certificate
    run: EvaluatedRun | None
    created_at: dt.datetime
    model_metadata: Mapping[str, Any] = field(default_factory=dict)
    dataset_metadata: Mapping[str, Any] = field(default_factory=dict)
    run_is_deleted: bool = False
    run_checked_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """Datums that differ between two versions of a dataset: uids in natural order.

    Args:
        dataset: its name.
        before: number of the first version.
        after: number of the second.
        added: datums of the second only.
        removed: datums of the first only.
        changed: datums of both, with other metadata, location or annotations.
        unchanged: number of datums that are the same in both.
        changes: what differs, where that was looked at.
    """

    dataset: str
    before: int
    after: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int
    changes: DatasetChanges | None = None

    @property
    def summary(self) -> str:
        """One line: how many datums differ, the first few by name, and in what."""
        parts = [
            f"{len(uids)} datum{'' if len(uids) == 1 else 's'} {verb} ({_first_few(uids)})"
            for verb, uids in (("added", self.added), ("removed", self.removed))
            if uids
        ]
        parts += self.changes.sentences if self.changes else [f"{len(self.changed)} changed"]
        return f"v{self.before} to v{self.after}: {'; '.join(parts)}"

    def __str__(self) -> str:
        lines = [
            f"{self.dataset} v{self.before} to v{self.after}: {len(self.added)} added, "
            f"{len(self.removed)} removed, {len(self.changed)} changed, {self.unchanged} unchanged",
            *(self.changes.sentences if self.changes else ()),
        ]
        for sign, uids in (("+", self.added), ("-", self.removed), ("~", self.changed)):
            lines += [f"{sign} {uid}" for uid in uids]
        return "\n".join(lines)


def _first_few(uids: Sequence[str]) -> str:
    return ", ".join(uids[:5]) + (", …" if len(uids) > 5 else "")


@dataclass(frozen=True, slots=True, eq=False)
class DatumSelection:
    """Datums of a version that a filter selects, in the version's order.

    Args:
        uids: their names.
        positions: ``(selected,)`` their indices in the version, increasing.
    """

    uids: Sequence[str]
    positions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.uids)

    def within(self, uids: Collection[str]) -> DatumSelection:
        """Return the selected datums that are also among some uids."""
        kept = np.fromiter((uid in uids for uid in self.uids), bool, len(self.uids))
        return DatumSelection([*compress(self.uids, kept)], self.positions[kept])

    def mask(self, datums: Sequence[str]) -> NDArray[np.bool_]:
        """Return which of a ledger's datums are selected: ``(datums,)`` bool.

        Args:
            datums: uids, in any order; fast for all uids of the version in its order.
        """
        mask = np.zeros(len(datums), bool)
        if self._stand_in(datums):
            mask[self.positions] = True
            return mask
        uids = frozenset(self.uids)
        return np.fromiter((uid in uids for uid in datums), bool, len(datums))

    def _stand_in(self, datums: Sequence[str]) -> bool:
        """Whether the selected uids are at their positions among these datums."""
        if not len(self.positions) or self.positions[-1] >= len(datums):
            return False
        there = itemgetter(*self.positions.tolist())(datums)
        return (list(there) if len(self.positions) > 1 else [there]) == list(self.uids)
