"""Evaluations with their metrics, and the certificate that makes two of them comparable."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any, overload

from velour_plugin.domain.encoding.canonical import canonical_json, digest
from velour_plugin.domain.labels import DEFAULT_KEY, Label, label_name
from velour_plugin.domain.later_fields import may_wait
from velour_plugin.domain.ledger import Ledger
from velour_plugin.domain.storable_text import is_storable
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.helpers.html import html_block, html_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of an evaluation; its value is ``None`` where it is undefined, never -1 or 0.

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
        """Convert to a dictionary that JSON can hold."""
        return {
            "name": self.name,
            "value": self.value,
            "label": self.label and [self.label.key, self.label.value],
            "parameters": dict(self.parameters),
        }


class Metrics(Sequence[Metric]):
    """A sequence of an evaluation's metrics; curves and other details are computed when looked at.

    Args:
        measured: headline metrics first, then those of labels.
        details: computes all others.
    """

    def __init__(self, measured: Sequence[Metric], details: Callable[[], Sequence[Metric]]) -> None:
        self.measured = tuple(measured)
        self._details = details

    @cached_property
    def details(self) -> tuple[Metric, ...]:
        """The metrics that cannot be ranked by: curves, matrices, examples, kinds of error."""
        return tuple(self._details())

    def named(self, name: str) -> list[Metric]:
        """Return the metrics of a name, maybe none; computes details if no measured one has it."""
        named = [metric for metric in self.measured if metric.name == name]
        return named or [metric for metric in self.details if metric.name == name]

    def __iter__(self) -> Iterator[Metric]:
        yield from self.measured
        yield from self.details

    def __len__(self) -> int:
        return len(self.measured) + len(self.details)

    @overload
    def __getitem__(self, index: int) -> Metric: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Metric]: ...
    def __getitem__(self, index: int | slice) -> Metric | Sequence[Metric]:
        if isinstance(index, int) and 0 <= index < len(self.measured):
            return self.measured[index]
        return (*self.measured, *self.details)[index]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __add__(self, other: Sequence[Metric]) -> list[Metric]:
        return [*self, *other]

    def __repr__(self) -> str:
        return repr(list(self))


@dataclass(frozen=True, slots=True)
class Certificate:
    """Everything that must agree before two evaluations may be compared.

    Digests name content (see :class:`velour_plugin.Dataset`); ``filter`` is canonical
    CQL2 JSON, ``None`` for all datums; ``label_map`` lists pairs of (key, value). ``groups`` are
    those that the dataset declared: they change no value, so evaluations may differ in them.
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
    groups: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary that JSON can hold; groups are left out where none are."""
        return {**self.compared, **({"groups": list(self.groups)} if self.groups else {})}

    @property
    def compared(self) -> dict[str, Any]:
        """The fields that must agree, by name."""
        names = (item.name for item in fields(self) if item.name != "groups")
        return {name: getattr(self, name) for name in names}

    def differences(self, other: Certificate) -> dict[str, tuple[Any, Any]]:
        """Return the fields in which two certificates differ, with this one's and the other's."""
        mine, others = self.compared, other.compared
        return {
            name: (mine[name], others[name])
            for name in mine
            if canonical_json(mine[name]) != canonical_json(others[name])
        }


@dataclass(frozen=True, slots=True)
class EvaluatedRun:
    """The MLflow run that an evaluation belongs to: its id, name and experiment's id.

    Raises:
        InvalidInput: one of them is no text that every store holds.
    """

    run_id: str
    name: str | None = None
    experiment_id: str | None = None

    def __post_init__(self) -> None:
        for text in (self.run_id, self.name or "", self.experiment_id or ""):
            if not is_storable(text):
                raise InvalidInput(f"run {text!r}: expected text without U+0000; write str(...).")


_WAITING = ("certificate", "predictions_digest")
"""Digests of the evaluated content: computing them takes longer than matching."""


@may_wait(*_WAITING)
@dataclass(frozen=True, eq=False)
class Evaluation(Mapping[str, "float | None"]):
    """Metrics of one model on one dataset, with the ledger and the certificate behind them.

    It is a mapping of the headline metrics, name to value: ``evaluation["mAP"]``,
    ``dict(evaluation)``. By name it also answers the other metrics about all labels, such as
    ``evaluation["oLRP"]``; :meth:`value` reads every metric, those of single labels too.
    Two evaluations are equal only if they are the same object; compare their ids.

    Digests of the evaluated content are computed when they are first read.
    """

    task: str
    model: str
    certificate: Certificate
    predictions_digest: str
    metrics: Sequence[Metric]
    ledger: Ledger
    run: EvaluatedRun | None = None
    created_at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def id(self) -> str:
        """Digest of certificate, model and predictions: equal evaluations have equal ids."""
        return evaluation_id(self.certificate, self.model, self.predictions_digest)

    @property
    def measured(self) -> Sequence[Metric]:
        """The metrics that a store keeps; details are computed from the ledger."""
        return self.metrics.measured if isinstance(self.metrics, Metrics) else self.metrics

    @property
    def headline(self) -> dict[str, float | None]:
        """Metrics that are one number over all labels, by name; ``None`` where undefined."""
        first = takewhile(lambda metric: metric.label is None, self.metrics)
        return {
            metric.name: metric.value
            for metric in first
            if metric.value is None or _is_number(metric.value)
        }

    def __getitem__(self, name: str) -> float | None:
        """Value of a metric about all labels; ``None`` where it is undefined.

        Raises:
            UnknownName: this evaluation has no such metric, or only one of each label.
        """
        value: float | None = self.value(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.headline)

    def __len__(self) -> int:
        return len(self.headline)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle with all values computed: functions that compute them may not be picklable."""
        return {**vars(self), **{name: getattr(self, name) for name in _WAITING}}

    __eq__ = object.__eq__  # not as a mapping: equal numbers make no equal evaluations
    __hash__ = object.__hash__

    def value(self, name: str, *, label: Label | tuple[str, str] | str | None = None) -> Any:
        """Return a metric's value: a number, JSON for curves and matrices, ``None`` if undefined.

        Args:
            name: as in :attr:`metrics`, such as ``AP``.
            label: the class that the metric is about: its value under the key ``class``,
                or (key, value). ``None`` for a metric about all labels.

        Raises:
            UnknownName: there is no such metric, or not of this label; the nearest is named.
        """
        key = None if label is None else label_name(label)
        values: dict[tuple[str, str] | None, Any] = {
            (None if item.label is None else item.label.name): item.value
            for item in self._named(name)
        }
        if key in values:
            return values[key]
        if key is None or not values.keys() - {None}:
            names = {item.name for item in self.metrics if (item.label is None) == (key is None)}
            raise UnknownName("metric", name, names, self._hint(name))
        labels = (str(_shortest(other)) for other in values if other is not None)
        raise UnknownName("label", _shortest(key), labels)

    def _named(self, name: str) -> list[Metric]:
        if isinstance(self.metrics, Metrics):
            return self.metrics.named(name)
        return [metric for metric in self.metrics if metric.name == name]

    def _hint(self, name: str) -> str | None:
        """How to read a metric that exists, but for other labels."""
        metrics = self._named(name)
        if not metrics:
            return None
        label = metrics[0].label
        about = "" if label is None else f", label={_shortest(label.name)!r}"
        return f"read it with evaluation.value({name!r}{about});"

    def to_frame(self) -> pd.DataFrame:
        """Convert to a pandas frame, a row a metric that is a number: name, key, label, value."""
        import pandas as pd

        rows = [
            (item.name, item.label and item.label.key, item.label and item.label.value, item.value)
            for item in self.metrics
            if item.value is None or _is_number(item.value)
        ]
        return pd.DataFrame(rows, columns=["metric", "key", "label", "value"])

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary that JSON can hold, with all metrics but without the ledger."""
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
            f"{name} {_text(value, 'undefined')}" for name, value in list(self.items())[:3]
        )
        return f"<Evaluation {self.id[:12]} of {self.model!r} by {self.task}: {shown}>"

    def _repr_html_(self) -> str:
        title = f"{self.model} on {self.certificate.dataset}, {self.task}"
        rows = [[name, _text(value, "–")] for name, value in self.items()]
        styles = ["undefined" if value is None else "" for value in self.values()]
        return html_block([html_table(title, [("metric", False), ("value", True)], rows, styles)])


def evaluation_id(certificate: Certificate, model: str, predictions_digest: str) -> str:
    """Return the id of an evaluation: the digest of everything that determines its numbers."""
    return digest(canonical_json(certificate.to_dict()), model, predictions_digest)[:32]


def _text(value: float | None, undefined: str) -> str:
    return undefined if value is None else format(value, ".4f")


def _shortest(label: tuple[str, str]) -> str | tuple[str, str]:
    """A label as ``label=`` takes it: the value alone, where the key is the default."""
    return label[1] if label[0] == DEFAULT_KEY else label


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
