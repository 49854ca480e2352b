"""The outcome of an evaluation, and what makes two of them comparable."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from velour_plugin.domain.canonical import canonical_json, digest
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import UnknownName

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Metric:
    """One number, or the ``None`` that says it is undefined here: never -1, never 0.

    Args:
        name: as the field calls it, such as ``mAP_50``; labels of a second key carry its name
            in front: ``color/mAP``.
        value: a float, or JSON for curves and matrices.
        label: the class that it is about; ``None`` when it is about all.
        parameters: what a reader must know beside the evaluation's own parameters.
    """

    name: str
    value: Any
    label: Label | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON."""
        return {
            "name": self.name,
            "value": self.value,
            "label": self.label and [self.label.key, self.label.value],
            "parameters": dict(self.parameters),
        }


@dataclass(frozen=True, slots=True)
class Certificate:
    """What must agree before two evaluations may be compared.

    Digests name content (see :class:`velour_plugin.Dataset`); ``filter`` is canonical
    CQL2 JSON, ``None`` for all datums; ``label_map`` lists pairs of (key, value).
    """

    dataset: str
    dataset_digest: str
    datums_digest: str
    groundtruth_digest: str
    filter: str | None
    parameters: Mapping[str, Any]
    label_map: Sequence[Any] | None
    evaluator: str
    evaluator_version: str

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def differences(self, other: Certificate) -> dict[str, tuple[Any, Any]]:
        """Name the fields in which two certificates differ, with both values."""
        mine, others = self.to_dict(), other.to_dict()
        return {
            name: (mine[name], others[name])
            for name in mine
            if canonical_json(mine[name]) != canonical_json(others[name])
        }


@dataclass(frozen=True, slots=True)
class Run:
    """The MLflow run that an evaluation belongs to."""

    run_id: str
    name: str | None = None
    experiment_id: str | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well one model did on one dataset, and why that can be believed."""

    task: str
    model: str
    certificate: Certificate
    predictions_digest: str
    metrics: Sequence[Metric]
    ledger: Ledger
    run: Run | None = None
    created_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.timezone.utc))

    @property
    def id(self) -> str:
        """What names this evaluation: the same question about the same answers has the same id."""
        return evaluation_id(self.certificate, self.model, self.predictions_digest)

    @property
    def headline(self) -> dict[str, float | None]:
        """The metrics that are one number about all labels, by name: those that come first."""
        first = takewhile(lambda metric: metric.label is None, self.metrics)
        return {
            metric.name: metric.value
            for metric in first
            if metric.value is None or _is_number(metric.value)
        }

    def __getitem__(self, name: str) -> float | None:
        """Value of a metric about all labels; ``None`` where it is undefined.

        Raises:
            UnknownName: this evaluation has no such metric.
        """
        about_all = {one.name: one.value for one in self.metrics if one.label is None}
        if name not in about_all:
            raise UnknownName("metric", name, about_all)
        value: float | None = about_all[name]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.headline)

    def to_frame(self) -> pd.DataFrame:
        """One row a metric that is a number: name, key, label, value."""
        import pandas as pd

        rows = [
            (item.name, item.label and item.label.key, item.label and item.label.value, item.value)
            for item in self.metrics
            if item.value is None or _is_number(item.value)
        ]
        return pd.DataFrame(rows, columns=["metric", "key", "label", "value"])

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON, without the ledger."""
        return {
            "id": self.id,
            "task": self.task,
            "model": self.model,
            "created_at": self.created_at.isoformat(),
            "certificate": self.certificate.to_dict(),
            "predictions_digest": self.predictions_digest,
            "metrics": [metric.to_dict() for metric in self.metrics],
        }

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name} {'undefined' if value is None else format(value, '.4f')}"
            for name, value in list(self.headline.items())[:3]
        )
        return f"<Evaluation {self.id[:12]} of {self.model!r} by {self.task}: {shown}>"


def evaluation_id(certificate: Certificate, model: str, predictions_digest: str) -> str:
    """Name an evaluation by everything that its numbers follow from."""
    return digest(canonical_json(certificate.to_dict()), model, predictions_digest)[:32]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
