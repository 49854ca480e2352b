"""The ledger of an evaluation: per-datum sufficient statistics, in columns.

A run is reduced to its ledger when it is matched. A metric over any
subset of datums is an aggregation of its rows, so no overlap is computed twice.
Only the evaluator knows what the tables and columns mean; the store keeps them as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.vocabulary import LabelName, Vocabulary
from velour_plugin.domain.order import natural_order

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Result of matching: sufficient statistics of each datum, in tables of columns.

    Args:
        task: the evaluator that wrote it and can read it.
        datums: uids; a column named ``datum`` refers to them by index.
        labels: classes as (key, value); a column named ``label`` refers to them by index.
        parameters: the complete parameters that it was matched with.
        tables: by name, columns by name, all of one table equally long.
    """

    task: str
    datums: tuple[str, ...]
    labels: tuple[LabelName, ...]
    parameters: Mapping[str, Any]
    tables: Mapping[str, Columns]

    def weights_of(
        self, datums: NDArray[np.bool_] | None, weights: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64] | None:
        """Return how often each datum counts, ``(datums,)``; ``None`` when each counts once.

        Args:
            datums: ``(datums,)`` bool, the datums that count; ``None`` for all.
            weights: ``(datums,)`` whole numbers >= 0, as in a bootstrap resample.
        """
        if datums is None and weights is None:
            return None
        counts = np.ones(len(self.datums), np.int64)
        if weights is not None:
            counts = np.asarray(weights).astype(np.int64, casting="same_kind")
        if datums is not None:
            counts = counts * np.asarray(datums, bool)
        if counts.shape != (len(self.datums),) or (counts < 0).any():
            raise ValueError(
                f"weights of shape {counts.shape}: expected {len(self.datums)} numbers >= 0."
            )
        return counts

    @property
    def waiting(self) -> tuple[str, ...]:
        """Names of the tables that are not computed yet."""
        return self.tables.waiting if isinstance(self.tables, LazyTables) else ()

    def load_details(self) -> None:
        """Compute the tables that are not computed yet, in place."""
        if isinstance(self.tables, LazyTables):
            self.tables.make()

    @classmethod
    def joined(cls, ledgers: Sequence[Ledger], labelled: Sequence[str] = ("label",)) -> Ledger:
        """Concatenate ledgers of different datums, rows one ledger after another.

        Args:
            ledgers: at least one, all of one task and matched with the same parameters.
            labelled: names of columns that refer to labels, in every table or, as
                ``table.column``, in one; negative values stay as they are.

        Raises:
            ValueError: parameters differ, or a datum is in two of them.
        """
        first = ledgers[0]
        uids = sorted((uid for ledger in ledgers for uid in ledger.datums), key=natural_order)
        if any((part.task, part.parameters) != (first.task, first.parameters) for part in ledgers):
            raise ValueError("ledgers of different tasks or parameters cannot be joined")
        if len(set(uids)) < len(uids):
            raise ValueError("a datum is in two of the ledgers")
        labels = joined_labels([ledger.labels for ledger in ledgers])
        index_of: dict[str, dict[Any, int]] = {
            "datum": {uid: index for index, uid in enumerate(uids)},
            "label": {name: index for index, name in enumerate(labels)},
        }
        parts = [ledger._renumbered(index_of, labelled) for ledger in ledgers]
        tables = {
            name: {
                column: np.concatenate([part[name][column] for part in parts]) for column in columns
            }
            for name, columns in parts[0].items()
        }
        return cls(first.task, tuple(uids), labels, first.parameters, tables)

    def _renumbered(
        self, index_of: Mapping[str, Mapping[Any, int]], labelled: Sequence[str]
    ) -> dict[str, dict[str, NDArray[Any]]]:
        """Tables whose datums and labels are numbered as in the joined ledger."""
        datum = np.array([index_of["datum"][uid] for uid in self.datums], np.int32)
        label = np.array([*(index_of["label"][name] for name in self.labels), -1], np.int32)

        def renumber(table: str, name: str, column: NDArray[Any]) -> NDArray[Any]:
            if name == "datum":
                return np.asarray(datum[column], column.dtype)
            if (
                name in labelled or f"{table}.{name}" in labelled
            ):  # -1 takes the last element, which is -1
                return np.where(column < 0, column, label[np.maximum(column, -1)])
            return column

        return {
            table: {name: renumber(table, name, column) for name, column in columns.items()}
            for table, columns in self.tables.items()
        }

    def __repr__(self) -> str:
        names = ", ".join(self.tables)
        return f"<Ledger {self.task}: {len(self.datums):,} datums; {names}>"


class LazyTables(Mapping[str, Columns]):
    """Tables of a ledger, some of which are computed when one of them is first read.

    Args:
        known: tables that are computed already.
        later: names of the others.
        make: computes the others; two threads that read at once may both call it.
    """

    def __init__(
        self,
        known: Mapping[str, Columns],
        later: Sequence[str],
        make: Callable[[], Mapping[str, Columns]],
    ) -> None:
        self._known, self._later = known, tuple(later)
        self._make: Callable[[], Mapping[str, Columns]] | None = make
        self._made: Mapping[str, Columns] = {}

    def __getitem__(self, name: str) -> Columns:
        return self.make()[name] if name in self._later else self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._later or name in self._known

    def __iter__(self) -> Iterator[str]:
        return chain(self._known, self._later)

    def __len__(self) -> int:
        return len(self._known) + len(self._later)

    def __reduce__(self) -> tuple[type, tuple[dict[str, dict[str, NDArray[Any]]]]]:
        """Pickle as a plain dict: the function that computes the rest may not be picklable."""
        return dict, ({name: dict(columns) for name, columns in self.items()},)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Names of the tables that are not computed yet."""
        return () if self._make is None else self._later

    def make(self) -> Mapping[str, Columns]:
        """Compute the lazy tables, and return them."""
        make = self._make
        if make is not None:
            self._made = make()
            self._make = None  # frees what the function refers to
        return self._made


def joined_labels(vocabularies: Sequence[Sequence[LabelName]]) -> tuple[LabelName, ...]:
    """Join vocabularies: the labels that all begin with, then the others, sorted.

    Evaluators number the labels of the ground truth first and those that only a
    model uses after them, sorted; so this is the vocabulary of the whole.
    """
    shared = []
    for names in zip(*vocabularies):  # noqa: B905  as far as the shortest goes
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return Vocabulary(shared, chain.from_iterable(vocabularies)).names
