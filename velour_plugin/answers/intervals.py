"""How intervals stand in answers: marked where they are rough, with the value of surer labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MARK = "~"
"""Before an interval that is rough."""

_SENTENCES = 3
"""Rough rows that a note names."""


@dataclass(frozen=True, slots=True)
class SupportedLabels:
    """A metric over the labels that enough datums show, where others make its interval rough.

    Args:
        value: their mean.
        interval: confidence interval of the value; ``None`` where there is none.
        labels: how many they are.
        of_labels: how many labels the metric is over.
    """

    value: float
    interval: tuple[float, float] | None
    labels: int
    of_labels: int

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SupportedLabels:
        """Read what a row in JSON has, where tuples are lists."""
        interval = content["interval"]
        return cls(**{**content, "interval": None if interval is None else tuple(interval)})

    @property
    def text(self) -> str:
        """The printed cell: value and interval."""
        if self.interval is None:
            return f"{self.value:.4f}"
        return f"{self.value:.4f} ({interval_text(self.interval)})"


def interval_text(
    interval: tuple[float, float] | None, rough: str | None = None, digits: int = 3
) -> str:
    """Return an interval as tables show it: with some decimals, and a mark where it is rough.

    >>> interval_text((0.25, 0.5)), interval_text((0.25, 0.5), "few datums"), interval_text(None)
    ('0.250–0.500', '~0.250–0.500', '–')
    """
    if interval is None:
        return "–"
    low, high = (format(end, f".{digits}f") for end in interval)
    return (MARK if rough else "") + (low if low == high else f"{low}–{high}")


def methods_text(methods: Iterable[str | None]) -> str:
    """Return the methods of intervals, each once, in the order of the rows.

    >>> methods_text(["BCa", None, "Wilson", "BCa"])
    'BCa and Wilson'
    """
    return " and ".join(dict.fromkeys(filter(None, methods))) or "resamples of the datums"


def rough_notes(rows: Iterable[tuple[str, str | None]]) -> list[str]:
    """Say why intervals are rough, by row: those that share a reason are named together.

    Args:
        rows: name of each row, and why its interval is rough, if it is.
    """
    names: dict[str, list[str]] = {}
    for name, rough in rows:
        if rough is not None:
            names.setdefault(rough, []).append(name)
    lines = [
        f"Rough interval{'s' * (len(named) > 1)} ({MARK}) of {', '.join(named)}: {rough}."
        for rough, named in names.items()
    ]
    more = sum(map(len, [*names.values()][_SENTENCES:]))
    left_out = [f"{more} more intervals are rough: to_dict() has the reasons."] if more else []
    return lines[:_SENTENCES] + left_out


def supported_lines(supported: Iterable[SupportedLabels | None]) -> list[str]:
    """Say what the values of supported labels are over; nothing where there are none."""
    known = [each for each in supported if each is not None]
    if not known:
        return []
    counts = " or ".join(sorted({f"{each.labels} of {each.of_labels}" for each in known}))
    return [f"supported labels: the same over the {counts} labels that at least 5 datums show."]
