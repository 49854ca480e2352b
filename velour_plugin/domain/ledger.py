"""The ledger of an evaluation: what is left of a run when it has been matched.

It holds, in columns, the sufficient statistics of every datum. A metric over any
subset of datums is an aggregation of its rows, so no overlap is computed twice.
What its tables and columns mean is the evaluator's affair; the store keeps them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.table import LabelName

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Columns of sufficient statistics.

    Args:
        task: the evaluator that wrote it and can read it.
        datums: uids; a column named ``datum`` refers to them by position.
        labels: classes as (key, value); a column named ``label`` refers to them by position.
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
        """Say how often each datum counts; ``None`` when each counts once.

        Args:
            datums: ``(datums,)`` bool, those that count; ``None`` for all.
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

    def __repr__(self) -> str:
        sizes = ", ".join(
            f"{name} {len(next(iter(table.values()), ())):,}" for name, table in self.tables.items()
        )
        return f"<Ledger {self.task}: {len(self.datums):,} datums; {sizes}>"
