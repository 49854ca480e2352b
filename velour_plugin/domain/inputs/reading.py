"""Reading reports: what a reader took as it was, repaired, skipped, and could not match.

Readers say what they do with :func:`note_read`, :func:`note_repaired`, :func:`note_skipped` and
:func:`note_unmatched`; whoever reads for somebody opens a :func:`reading` block around them. So
nothing is passed through the many functions of a reader, and nothing is repaired in silence.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from velour_plugin.errors import BadDataset

NAMES_SHOWN = 5
"""How many names a remark lists; the others are counted."""
_KINDS = ("repaired", "skipped", "unmatched")


class ReadingWarning(UserWarning):
    """Something was repaired, skipped or unmatched, and read all the same."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What one rule was applied to.

    Args:
        rule: what was done to what, in the plural: ``scores above 1 by rounding, set to 1``.
        count: how often.
        names: the first five of them, each a file and record or a name.
    """

    rule: str
    count: int
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.names) else ""
        return f"{self.count:,} {self.rule}" + (
            f" ({', '.join(self.names)}{more})" if self.names else ""
        )

    def __add__(self, other: Remark) -> Remark:
        return Remark(self.rule, self.count + other.count, (self.names + other.names)[:NAMES_SHOWN])


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """What a reader did with its input; ``str`` gives it as lines, without a final newline.

    Args:
        read: how many of what were read, such as ``{"images": 6}``.
        repaired: what was changed to what its author meant.
        skipped: what the task does not need and was left out.
        unmatched: what met no partner, such as metadata of no image.
    """

    read: Mapping[str, int] = field(default_factory=dict)
    repaired: tuple[Remark, ...] = ()
    skipped: tuple[Remark, ...] = ()
    unmatched: tuple[Remark, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether all was read as it was written."""
        return not (self.repaired or self.skipped or self.unmatched)

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {what}" for what, count in self.read.items())
        lines = [f"read: {counts}"] if counts else []
        for kind in _KINDS:
            lines += [f"{kind}: {remark}" for remark in getattr(self, kind)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON's own types; :meth:`from_dict` undoes it."""
        remarks = {
            kind: [
                {"rule": remark.rule, "count": remark.count, "names": list(remark.names)}
                for remark in getattr(self, kind)
            ]
            for kind in _KINDS
        }
        return {"read": dict(self.read), **remarks}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ReadingReport:
        """Make the report that :meth:`to_dict` wrote."""
        remarks = {
            kind: tuple(
                Remark(entry["rule"], entry["count"], tuple(entry["names"]))
                for entry in content[kind]
            )
            for kind in _KINDS
        }
        return cls(dict(content["read"]), **remarks)


class ReadingLog:
    """Gathers notes while something is read."""

    def __init__(self, is_strict: bool) -> None:
        self.is_strict = is_strict
        self._read: dict[str, int] = {}
        self._remarks: dict[tuple[str, str], Remark] = {}

    @property
    def report(self) -> ReadingReport:
        """What was noted until now."""
        remarks = {
            kind: tuple(remark for (of, _), remark in self._remarks.items() if of == kind)
            for kind in _KINDS
        }
        return ReadingReport(dict(self._read), **remarks)

    def add_read(self, what: str, count: int) -> None:
        """Count what was read."""
        self._read[what] = self._read.get(what, 0) + count

    def add(self, kind: str, remark: Remark) -> None:
        """Add a remark to those of its kind; counts of one rule are summed."""
        known = self._remarks.get((kind, remark.rule))
        self._remarks[kind, remark.rule] = remark if known is None else known + remark

    def add_all(self, report: ReadingReport) -> None:
        """Add what a block inside this one noted."""
        for what, count in report.read.items():
            self.add_read(what, count)
        for kind in _KINDS:
            for remark in getattr(report, kind):
                self.add(kind, remark)


_LOG: ContextVar[ReadingLog | None] = ContextVar("velour_reading", default=None)


def _warn(report: ReadingReport) -> None:
    warnings.warn(str(report), ReadingWarning, stacklevel=4)


@contextmanager
def reading(
    strict: bool = False, announce: Callable[[ReadingReport], object] = _warn
) -> Iterator[ReadingLog]:
    """Gather the notes of all readers that run inside this block.

    Args:
        strict: refuse what would be repaired, skipped or unmatched. A block inside a strict
            one is strict.
        announce: is given the report when the outermost block ends without an error and the
            report is not clean; by default it becomes a :class:`ReadingWarning`.

    Yields:
        The log, whose ``report`` holds the notes of this block and of those inside it.
    """
    outer = _LOG.get()
    log = ReadingLog(strict or (outer is not None and outer.is_strict))
    token = _LOG.set(log)
    try:
        yield log
    finally:
        _LOG.reset(token)
        if outer is not None:
            outer.add_all(log.report)
    if outer is None and not log.report.is_clean:
        announce(log.report)


def note_read(what: str, count: int) -> None:
    """Count what was read; nothing happens outside of a :func:`reading` block.

    Args:
        what: a plural noun, such as ``images``.
        count: how many.
    """
    log = _LOG.get()
    if log is not None:
        log.add_read(what, count)


def note_repaired(rule: str, where: str, count: int = 1) -> None:
    """Note what is read as its author meant it, though it is written otherwise.

    Args:
        rule: what is done to what, in the plural: ``scores above 1 by rounding, set to 1``.
        where: the file and record, or the name, of the first.
        count: of how many.

    Raises:
        BadDataset: the block is strict. Note a repair before the repaired value is used.
    """
    _note("repaired", rule, where, count)


def note_skipped(rule: str, where: str, count: int = 1) -> None:
    """Note what is left out, as the task does not need it; arguments as :func:`note_repaired`'s."""
    _note("skipped", rule, where, count)


def note_unmatched(rule: str, where: str, count: int = 1) -> None:
    """Note what meets no partner; arguments as :func:`note_repaired`'s."""
    _note("unmatched", rule, where, count)


def _note(kind: str, rule: str, where: str, count: int) -> None:
    log = _LOG.get()
    if log is None or count <= 0:
        return
    if log.is_strict:
        raise BadDataset(
            f"{where}: {count:,} {rule}: reading is strict, and refuses what would be {kind}. Mend "
            "the input, or read without strict."
        )
    log.add(kind, Remark(rule, count, (where,)))
