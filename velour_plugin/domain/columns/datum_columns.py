"""Datums in columns: uids, metadata and locations; a datum becomes an object when it is read.

A million rows of a table are a million names, without metadata or location: as objects they
would take longer to make than to evaluate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress, pairwise
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.metadata import is_all_plain
from velour_plugin.domain.storable_text import LONGEST_UID, is_storable
from velour_plugin.errors import BadDataset

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True, eq=False, repr=False)
class DatumColumns(Sequence[Datum]):
    """A sequence of datums, kept in columns.

    Args:
        uids: names of the datums.
        metadata: of each, checked as :class:`Datum` does; ``None`` when no datum has any.
        locations: of each, in WGS84; ``None`` when no datum has one.
        is_numbered: the uids are numbers in their order, so that none occurs twice.

    >>> DatumColumns.of_uids(["1", "2"])[1]
    Datum(uid='2')
    """

    uids: tuple[str, ...]
    metadata: tuple[Mapping[str, Any], ...] | None = None
    locations: tuple[BaseGeometry | None, ...] | None = None
    is_numbered: bool = False

    @classmethod
    def numbered(
        cls, rows: int, metadata: Sequence[Mapping[str, Any]] | None = None
    ) -> DatumColumns:
        """Make columns of datums whose uids are ``"0"``, ``"1"``, …; see :meth:`of_uids`."""
        uids = tuple(map(str, range(rows)))
        columns = cls(uids) if metadata is None else cls.of_uids(uids, metadata)
        return replace(columns, is_numbered=True)

    @classmethod
    def of(cls, datums: Iterable[Datum]) -> DatumColumns:
        """Convert datum objects to columns; columns are returned as they are."""
        if isinstance(datums, DatumColumns):
            return datums
        datums = tuple(datums)
        metadata = tuple(datum.metadata for datum in datums)
        locations = tuple(datum.location for datum in datums)
        return cls(
            tuple(datum.uid for datum in datums),
            metadata if any(metadata) else None,
            locations if any(location is not None for location in locations) else None,
        )

    @classmethod
    def of_uids(
        cls,
        uids: Iterable[str],
        metadata: Sequence[Mapping[str, Any]] | None = None,
        locations: Sequence[Any] | None = None,
    ) -> DatumColumns:
        """Make columns, with the checks that :class:`Datum` makes of each object.

        Args:
            uids: names of the datums.
            metadata: of each; ``None`` for none.
            locations: of each, as :class:`Datum` takes them; ``None`` for none.

        Raises:
            BadDataset: a uid is not a non-empty string.
            BadMetadata, BadGeometry: metadata or a location break their rules.
        """
        uids = tuple(uids)
        if locations is None and _are_names(uids):
            if metadata is None:
                return cls(uids)
            if len(metadata) == len(uids) and is_all_plain(metadata):
                return cls(uids, tuple(metadata) if any(metadata) else None)
        nothing: Sequence[Any] = (None,) * len(uids)
        columns = zip(uids, metadata or nothing, locations or nothing, strict=True)
        return cls.of(Datum(uid, known or {}, location) for uid, known, location in columns)

    def __len__(self) -> int:
        return len(self.uids)

    @overload
    def __getitem__(self, index: int) -> Datum: ...
    @overload
    def __getitem__(self, index: slice) -> DatumColumns: ...
    def __getitem__(self, index: int | slice) -> Datum | DatumColumns:
        if isinstance(index, slice):
            return self._each(lambda column: column[index])
        datum = object.__new__(Datum)  # without its checks, which these columns have passed
        values = (
            self.uids[index],
            {} if self.metadata is None else self.metadata[index],
            None if self.locations is None else self.locations[index],
        )
        for name, value in zip(("uid", "metadata", "location"), values, strict=True):
            object.__setattr__(datum, name, value)
        return datum

    def __iter__(self) -> Iterator[Datum]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (DatumColumns, tuple, list)):
            return NotImplemented
        return len(self) == len(other) and all(map(Datum.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<DatumColumns of {len(self):,} datums>"

    def where(self, chosen: NDArray[np.bool_]) -> DatumColumns:
        """Return the datums that a boolean mask of shape ``(n,)`` selects."""
        return self._each(lambda column: tuple(compress(column, chosen)))

    def take(self, order: Sequence[int]) -> DatumColumns:
        """Return the datums at some indices, in that order."""
        return self._each(lambda column: tuple(column[index] for index in order))

    @property
    def properties(self) -> set[str]:
        """Names of metadata that any of the datums has."""
        return {name for known in self.metadata or () for name in known}

    def check_unique(self, dataset: str) -> None:
        """Refuse a uid that occurs twice.

        Raises:
            BadDataset: one does, naming it and the dataset.
        """
        if not self.is_numbered and len(set(self.uids)) < len(self):
            twice = next(uid for uid, after in pairwise(sorted(self.uids)) if uid == after)
            raise BadDataset(f"datum uid {twice!r} occurs twice in dataset {dataset!r}.")

    def _each(self, change: Any) -> DatumColumns:
        columns = (self.metadata, self.locations)
        metadata, locations = (None if column is None else change(column) for column in columns)
        return DatumColumns(change(self.uids), metadata, locations)


def _are_names(uids: Sequence[str]) -> bool:
    """Whether all are surely uids that every store can hold."""
    if set(map(type, uids)) != {str} or "" in uids:
        return False
    return 4 * max(map(len, uids)) <= LONGEST_UID and is_storable("".join(uids))
