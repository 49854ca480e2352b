"""Put ledgers of disjoint datums together: the same ledger as of all the datums at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
"""What a column becomes, by its name: new numbers of what it refers to, or a number to add."""
_MANY_ROWS = 1_000_000
"""From here on threads pay."""


def concatenated(ledgers: Sequence[Ledger]) -> Ledger:
    """Put partitions together, in whatever order they come.

    Args:
        ledgers: at least one, matched with the same parameters, of different datums.

    Raises:
        InvalidInput: there is none, or they were matched with different parameters.
        BadDataset: two of them know the same datum.
    """
    parameters = _common_parameters(ledgers)
    uids = _all_datums(ledgers)
    for uid, after in pairwise(uids):
        if uid == after:
            raise BadDataset(f"datum {uid!r} is in two ledgers: partitions have no common datum.")
    labels = _common_labels(ledgers)
    tables = _tables(ledgers, _changes(ledgers, labels, uids))
    return Ledger(ledgers[0].task, tuple(uids), labels, parameters, tables)


def _common_parameters(ledgers: Sequence[Ledger]) -> Mapping[str, Any]:
    if not ledgers:
        raise InvalidInput("no ledger to concatenate: give at least one.")
    # without any region, "auto" had nothing to choose a form by
    telling = [ledger for ledger in ledgers if _has_rows(ledger)] or ledgers[:1]
    first = telling[0]
    for ledger in ledgers:
        if ledger.task != first.task:
            raise InvalidInput(f"ledgers of {first.task} and {ledger.task} do not go together.")
        chose_no_form = {} if ledger in telling else {"iou_type": first.parameters["iou_type"]}
        _check_equal(first.parameters, {**ledger.parameters, **chose_no_form})
    return first.parameters


def _check_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    for name, value in one.items():
        if canonical_json(other.get(name)) != canonical_json(value):
            raise InvalidInput(
                f"ledgers matched with {name} {value!r} and {other.get(name)!r}: match all "
                "partitions with the same parameters, iou_type other than 'auto'."
            )


def _has_rows(ledger: Ledger) -> bool:
    return any(len(ledger.tables[name]["datum"]) for name in ("detections", "truths"))


def _common_labels(ledgers: Sequence[Ledger]) -> tuple[LabelName, ...]:
    """The vocabulary of all, which they usually share; else every label, sorted."""
    first = ledgers[0].labels
    if all(ledger.labels == first for ledger in ledgers):
        return first
    return tuple(sorted({name for ledger in ledgers for name in ledger.labels}))


def _tables(ledgers: Sequence[Ledger], changes: Sequence[Changes]) -> Mapping[str, Columns]:
    """The tables of the whole; those of details when they are looked at."""
    names = ledgers[0].tables
    lean = _renumbered(ledgers, changes, [name for name in names if name not in DETAIL_TABLES])
    orders = _orders(lean)
    known = _sorted(lean, orders)
    later = [name for name in names if name in DETAIL_TABLES]
    return LazyTables(known, later, lambda: _sorted(_renumbered(ledgers, changes, later), orders))


def _changes(
    ledgers: Sequence[Ledger], labels: Sequence[LabelName], uids: Sequence[str]
) -> list[Changes]:
    """For each ledger, the common numbers of its labels and datums, and how far rows move on."""
    of_label = {name: place for place, name in enumerate(labels)}
    of_datum = {uid: place for place, uid in enumerate(uids)}
    changes: list[Changes] = []
    detections = truths = 0
    for ledger in ledgers:
        changes.append(
            {
                "label": np.array([of_label[name] for name in ledger.labels], np.int32),
                "datum": np.array([of_datum[uid] for uid in ledger.datums], np.int32),
                "detection": np.int32(detections),
                "truth": np.int32(truths),
            }
        )
        detections += len(ledger.tables["detections"]["label"])
        truths += len(ledger.tables["truths"]["label"])
    return changes


def _renumbered(
    ledgers: Sequence[Ledger], changes: Sequence[Changes], names: Sequence[str]
) -> dict[str, dict[str, Rows]]:
    """Tables one after the other, with common numbers of labels, datums and rows."""
    pairs = list(zip(ledgers, changes, strict=True))
    return {
        name: _stacked([_changed(ledger.tables[name], change) for ledger, change in pairs])
        for name in names
    }


def _stacked(tables: Sequence[Mapping[str, Rows]]) -> dict[str, Rows]:
    return {column: np.concatenate([table[column] for table in tables]) for column in tables[0]}


def _changed(table: Columns, changes: Mapping[str, Any]) -> dict[str, Rows]:
    """Columns that name a label or datum are looked up, those that name a row are moved on."""
    changed = dict(table)
    for name, change in changes.items():
        if name in table:
            column = table[name]
            changed[name] = change[column] if np.ndim(change) else column + change
    return changed


def _orders(tables: Mapping[str, Mapping[str, Rows]]) -> dict[str, NDArray[np.intp]]:
    """Order of the rows of a ledger, by table, where rows are in an order of their own."""
    said, truths = tables["detections"], tables["truths"]
    by_datum = np.argsort(truths["datum"], kind="stable")
    return {
        "detections": _ledger_order(said["label"], said["score"], said["datum"]),
        "truths": by_datum,
        "truth_boxes": by_datum,
    }


def _sorted(
    tables: Mapping[str, Mapping[str, Rows]], orders: Mapping[str, NDArray[np.intp]]
) -> dict[str, Columns]:
    """Rows in the order of a ledger, and the positions that name them."""
    places = {"detection": _inverse(orders["detections"]), "truth": _inverse(orders["truths"])}
    moved = {
        name: {
            column: places[column][rows].astype(np.int32) if column in places else rows
            for column, rows in table.items()
        }
        for name, table in tables.items()
    }
    return {name: _taken(table, orders.get(name)) for name, table in moved.items()}


def _all_datums(ledgers: Sequence[Ledger]) -> list[str]:
    """Datums of all, in order; of ledgers that follow one another, one after the other."""
    ends = [
        (natural_order(ledger.datums[0]), natural_order(ledger.datums[-1]), number)
        for number, ledger in enumerate(ledgers)
        if ledger.datums
    ]
    ends.sort()
    uids = [uid for *_, number in ends for uid in ledgers[number].datums]
    if all(last < first for (_, last, _), (first, _, _) in pairwise(ends)):
        return uids
    return sorted(uids, key=natural_order)


def _ledger_order(label: Rows, score: Rows, datum: Rows) -> NDArray[np.intp]:
    """By label, then falling score, then datum, equal ones as they came."""
    order = _order_of_ledgers(label, score)
    if _falls_within_ties(label[order], score[order], datum[order]):
        order = stable_order(datum, int(datum.max(initial=0)) + 1)
        order = order[descending_order(score[order])]
        order = order[stable_order(label[order], int(label.max(initial=0)) + 1)]
    return order


def _order_of_ledgers(label: Rows, score: Rows) -> NDArray[np.intp]:
    """By label, then falling score; of ledgers that come in the order of their datums, the order.

    The rows of a label are a sorted run of each ledger. Numpy's stable sort of floats merges runs,
    so that this is a k-way merge, a label at a time.
    """
    order = stable_order(label, int(label.max(initial=0)) + 1)

    def merge(bounds: tuple[int, int]) -> None:
        rows = order[slice(*bounds)]
        rows[:] = rows[np.argsort(-score[rows], kind="stable")]

    _each(merge, pairwise([0, *np.cumsum(np.bincount(label)).tolist()]), len(label))
    return order


def _falls_within_ties(label: Rows, score: Rows, datum: Rows) -> bool:
    """Whether equal scores of a label are not in the order of their datums."""
    falls = np.flatnonzero(datum[1:] < datum[:-1])
    tied = (label[falls] == label[falls + 1]) & (score[falls] == score[falls + 1])
    return bool(tied.any())


def _taken(table: dict[str, Rows], order: NDArray[np.intp] | None) -> Columns:
    if order is None:
        order = _by_position(*(table[name] for name in ("truth", "detection") if name in table))
    taken = _each(lambda column: column[order], table.values(), len(order))
    return dict(zip(table, taken, strict=True))


def _each(work: Callable[[Any], Any], items: Iterable[Any], rows: int) -> list[Any]:
    """Do the same with all items, on all cores where there are many rows.

    Numpy lets go of the interpreter's lock while it sorts and gathers; each has an array of its
    own to write, so the number of threads changes nothing.
    """
    if rows < _MANY_ROWS:
        return list(map(work, items))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, items))


def _by_position(*keys: Rows) -> NDArray[np.intp]:
    """Order by positions in other tables, the last of the keys first."""
    order = stable_order(keys[0], int(keys[0].max(initial=0)) + 1)
    for key in keys[1:]:
        order = order[stable_order(key[order], int(key.max(initial=0)) + 1)]
    return order


def _inverse(order: NDArray[np.intp]) -> NDArray[np.int32]:
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place
