"""Concatenate ledgers of disjoint datums: the same ledger as of all the datums at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection import engine
from velour_evaluators.detection.kernels.sorted_runs import Runs, each
from velour_evaluators.detection.ledger import DETAIL_TABLES
from velour_evaluators.kernels.sorting import descending_order, stable_order
from velour_plugin import Ledger
from velour_plugin.errors import BadDataset, InvalidInput
from velour_plugin.plugin import (
    Columns,
    LabelName,
    LazyTables,
    canonical_json,
    natural_order,
)

Rows = NDArray[Any]
Changes = Mapping[str, Any]
"""By column: new indices of what it refers to, or a number to add to each."""


def concatenated(ledgers: Sequence[Ledger]) -> Ledger:
    """Concatenate the ledgers of partitions, in any order.

    Args:
        ledgers: at least one, matched with the same parameters, of different datums.

    Raises:
        InvalidInput: there is none, or they were matched with different parameters.
        BadDataset: two of them hold the same datum.
    """
    parameters = _common_parameters(ledgers)
    uids, datums = _all_datums(ledgers)
    labels = _common_labels(ledgers)
    whole = _Concatenation(ledgers, _changes(ledgers, labels, datums), len(labels))
    return Ledger(ledgers[0].task, tuple(uids), labels, parameters, whole.tables())


def _common_parameters(ledgers: Sequence[Ledger]) -> Mapping[str, Any]:
    if not ledgers:
        raise InvalidInput("no ledger to concatenate: give at least one.")
    first = ledgers[0]
    for ledger in ledgers:
        if ledger.task != first.task:
            raise InvalidInput(f"ledgers of {first.task} and {ledger.task} do not go together.")
        _check_equal(first.parameters, ledger.parameters)
    return first.parameters


def _check_equal(parameters: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        if canonical_json(other.get(name)) != canonical_json(value):
            raise InvalidInput(
                f"ledgers matched with {name} {value!r} and {other.get(name)!r}: match all "
                "partitions with the same parameters."
            )


def _common_labels(ledgers: Sequence[Ledger]) -> tuple[LabelName, ...]:
    """The vocabulary of all, which they usually share; else every label, sorted."""
    first = ledgers[0].labels
    if all(ledger.labels == first for ledger in ledgers):
        return first
    return tuple(sorted({name for ledger in ledgers for name in ledger.labels}))


def _all_datums(ledgers: Sequence[Ledger]) -> tuple[list[str], list[Any]]:
    """Datums of all ledgers, in order, and for each ledger their new indices, or an offset.

    Raises:
        BadDataset: two ledgers hold the same datum.
    """
    ends = [
        (natural_order(ledger.datums[0]), natural_order(ledger.datums[-1]), number)
        for number, ledger in enumerate(ledgers)
        if ledger.datums
    ]
    ends.sort()
    if all(last < first for (_, last, _), (first, _, _) in pairwise(ends)):
        return _datums_in_turn(ledgers, [number for *_, number in ends])
    uids = sorted((uid for ledger in ledgers for uid in ledger.datums), key=natural_order)
    for uid, after in pairwise(uids):
        if uid == after:
            raise BadDataset(f"datum {uid!r} is in two ledgers: partitions have no common datum.")
    of_uid = {uid: number for number, uid in enumerate(uids)}
    return uids, [np.array([of_uid[uid] for uid in ledger.datums], np.int32) for ledger in ledgers]


def _datums_in_turn(ledgers: Sequence[Ledger], turns: Sequence[int]) -> tuple[list[str], list[Any]]:
    """Datums and offsets of ledgers whose ranges of uids do not overlap."""
    uids: list[str] = []
    before: list[Any] = [0] * len(ledgers)
    for number in turns:
        before[number] = len(uids)
        uids += ledgers[number].datums
    return uids, before


def _changes(
    ledgers: Sequence[Ledger], labels: Sequence[LabelName], datums: Sequence[Any]
) -> list[Changes]:
    """For each ledger, new indices of its labels and datums, and offsets of its rows."""
    of_label = {name: number for number, name in enumerate(labels)}
    columns = (
        [np.array([of_label[name] for name in ledger.labels], np.int32) for ledger in ledgers],
        datums,
        *(accumulate([0, *_rows(ledgers, table)[:-1]]) for table in ("detections", "truths")),
    )
    names = ("label", "datum", "detection", "truth")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _rows(ledgers: Sequence[Ledger], table: str) -> list[int]:
    return [len(next(iter(ledger.tables[table].values()))) for ledger in ledgers]


class _Concatenation:
    """The tables of all ledgers, with new indices of labels, datums and rows."""

    def __init__(self, ledgers: Sequence[Ledger], changes: Sequence[Changes], labels: int) -> None:
        self.ledgers, self.changes, self.labels = ledgers, changes, labels

    def tables(self) -> Mapping[str, Columns]:
        """Return the concatenated tables; those of details are computed when first read."""
        known = {
            "detections": self._detections(),
            "matches": self._matches(),
            "truths": _reordered(self._stacked("truths"), self.truth_order),
        }
        later = [name for name in self.ledgers[0].tables if name in DETAIL_TABLES]
        if not later:  # and the ledgers need not stay in memory
            return known
        return LazyTables(known, later, lambda: {name: self._detail_table(name) for name in later})

    def _detections(self) -> Columns:
        columns = self._stacked("detections")
        self.order = self._order_of(columns)
        return _reordered(columns, self.order)

    def _order_of(self, columns: Columns) -> NDArray[np.int64]:
        """By label, then falling score, then datum, equal ones as they came."""
        label, score, datum = (columns[name] for name in ("label", "score", "datum"))
        if all((np.diff(np.atleast_1d(changes["datum"])) > 0).all() for changes in self.changes):
            return engine.merged_runs(self._runs(), score, datum)
        # datums changed their order, so the rows of a ledger are not sorted any more
        order = stable_order(datum, int(datum.max(initial=0)) + 1)
        order = order[descending_order(score[order])]
        return order[stable_order(label[order], self.labels)]

    @cached_property
    def truth_order(self) -> NDArray[np.intp] | None:
        """Order of the truths by datum; ``None`` where one ledger after another is that already."""
        datum = self._column("truths", "datum")
        return None if (datum[1:] >= datum[:-1]).all() else np.argsort(datum, kind="stable")

    @cached_property
    def new_detection(self) -> NDArray[np.int32]:
        """New index of each detection, ``(n,)``, of one ledger after another."""
        return _inverse(self.order)

    @cached_property
    def new_truth(self) -> NDArray[np.int32]:
        """New index of each ground truth, ``(n,)``, of one ledger after another."""
        rows = sum(_rows(self.ledgers, "truths"))
        return _inverse(np.arange(rows) if self.truth_order is None else self.truth_order)

    def _runs(self) -> Runs:
        """The rows of each ledger and label, which are sorted, as runs to merge."""
        begins, ends, labels = [], [], []
        for ledger, changes in zip(self.ledgers, self.changes, strict=True):
            numbers = np.arange(len(ledger.labels) + 1)
            bounds = np.searchsorted(ledger.tables["detections"]["label"], numbers)
            bounds += changes["detection"]
            begins.append(bounds[:-1])
            ends.append(bounds[1:])
            labels.append(changes["label"])
        label, begin, end = (np.concatenate(column) for column in (labels, begins, ends))
        return Runs.of(label, begin, end, self.labels)

    def _matches(self) -> Columns:
        """Sorted by their detections, each of which has one at most."""
        columns = self._stacked("matches")
        detection = columns.pop("detection")
        match = np.full(len(self.order), -1, np.int32)
        match[detection] = np.arange(len(detection), dtype=np.int32)
        match = match[self.order]
        matched = np.flatnonzero(match >= 0)
        return {"detection": matched.astype(np.int32), **_reordered(columns, match[matched])}

    def _detail_table(self, name: str) -> Columns:
        """A table of details: rows that name others are sorted by these."""
        columns = self._stacked(name)
        if name == "truth_boxes":
            return _reordered(columns, self.truth_order)
        new_index = {"detection": self.new_detection, "truth": self.new_truth}
        named = [column for column in new_index if column in columns]
        columns |= {column: new_index[column][columns[column]] for column in named}
        return _reordered(columns, _by_position(*(columns[column] for column in reversed(named))))

    def _stacked(self, table: str) -> dict[str, Rows]:
        """The columns of a table, one ledger after another."""
        names, rows = list(self.ledgers[0].tables[table]), sum(_rows(self.ledgers, table))
        columns = each(lambda name: self._column(table, name), names, rows)
        return dict(zip(names, columns, strict=True))

    def _column(self, table: str, name: str) -> Rows:
        pieces = zip(self.ledgers, self.changes, strict=True)
        return np.concatenate(
            [_changed(ledger.tables[table][name], changes.get(name)) for ledger, changes in pieces]
        )


def _reordered(columns: dict[str, Rows], order: NDArray[np.integer] | None) -> dict[str, Rows]:
    """Columns in a new order, removed from ``columns`` to save memory; unchanged without one."""
    if order is None:
        return columns
    names = list(columns)
    moved = each(lambda name: columns.pop(name)[order], names, len(order))
    return dict(zip(names, moved, strict=True))


def _changed(column: Rows, change: Any) -> Rows:
    """A column with new indices: looked up in an array, or moved by an offset."""
    if change is None:
        return column
    return change[column] if np.ndim(change) else column + np.int32(change)


def _by_position(*keys: Rows) -> NDArray[np.intp]:
    """Order by positions in other tables, the last of the keys first."""
    order = stable_order(keys[0], int(keys[0].max(initial=0)) + 1)
    for key in keys[1:]:
        order = order[stable_order(key[order], int(key.max(initial=0)) + 1)]
    return order


def _inverse(order: NDArray[np.intp]) -> NDArray[np.int32]:
    inverse = np.empty(len(order), np.int32)
    inverse[order] = np.arange(len(order), dtype=np.int32)
    return inverse
