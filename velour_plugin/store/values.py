"""What a store returns beside datasets and evaluations: versions, candidates, differences."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from velour_plugin.domain.evaluation import Certificate, Run


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a dataset, as the store knows it.

    Args:
        id: of its row.
        dataset: the dataset's name.
        number: counted from 1 for each name.
        digest: what names the content.
        properties: names of its datums' metadata.
        datums: how many there are.
    """

    id: int
    dataset: str
    number: int
    digest: str
    properties: Sequence[str]
    datums: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """An evaluation as a ranking sees it: who, what was asked, and when.

    Args:
        run: ``None`` when it was made outside MLflow.
        model_metadata: what is known of the model, as JSON.
        dataset_metadata: of the version that it was made on, as JSON.
    """

    evaluation_id: str
    version_id: int
    task: str
    model: str
    certificate: Certificate
    run: Run | None
    created_at: dt.datetime
    model_metadata: Mapping[str, Any] = field(default_factory=dict)
    dataset_metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What changed from one version of a dataset to another, by uid, in natural order.

    Args:
        dataset: its name.
        before: number of the first version.
        after: number of the second.
        added: datums of the second only.
        removed: datums of the first only.
        changed: datums of both, with other metadata, place or annotations.
        unchanged: how many are the same in both.
    """

    dataset: str
    before: int
    after: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int

    def __str__(self) -> str:
        lines = [
            f"{self.dataset} v{self.before} to v{self.after}: {len(self.added)} added, "
            f"{len(self.removed)} removed, {len(self.changed)} changed, {self.unchanged} unchanged"
        ]
        for sign, uids in (("+", self.added), ("-", self.removed), ("~", self.changed)):
            lines += [f"{sign} {uid}" for uid in uids]
        return "\n".join(lines)
