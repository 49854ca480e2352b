"""Which datums belong together, as the frames of a video do: groups by the values of a property.

Datums of one group share scene, patient or site, so that what a model does on them is not
independent: whole groups are resampled and exchanged (Field and Welsh 2007, Bootstrapping
clustered data). A property is named as filters and cuts name it:

===============================  =====================================================
``video``, ``metadata.site.id``  each value
``location:0.5``                 cells of that many degrees of latitude and longitude
``captured_at:month``            what :mod:`velour_plugin.ranking.slicing` cuts, such as months
===============================  =====================================================

Of several properties, each combination of values is a group. A datum without a value is a group
of its own, as nothing is known that it shares. There are never more groups than datums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.inputs.group_names import INDEPENDENT, LOCATION
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.ranking.grouping_hints import hint
from velour_plugin.ranking.slicing import Mask, cell_names, masks, property_values
from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.units import Units
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Version

GroupNames = Sequence[str] | None
"""Names of properties, :data:`INDEPENDENT` alone, or ``None`` for what a dataset declares."""
Part = tuple[Version, Sequence[str]]
"""A dataset version, and uids of its datums that count, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """The groups of all datums of a dataset version.

    Args:
        dataset: its name.
        names: properties whose values make the groups.
        of_uid: number of each datum's group, counted from 0.
        values: of the properties, of each group; ``None`` of a datum that lacks one.
    """

    dataset: str
    names: Sequence[str]
    of_uid: Mapping[str, int]
    values: Sequence[tuple[Any, ...] | None]

    @classmethod
    def of(cls, datums: Sequence[Datum], names: Sequence[str], dataset: str) -> Grouping:
        """Group datums by the values of properties.

        Raises:
            UnknownName: no datum has one of the properties; the nearest is named.
            InvalidInput: a property makes no groups of that kind.
        """
        columns = [_values(datums, name, dataset) for name in names]
        numbers: dict[Any, int] = {}
        of_uid: dict[str, int] = {}
        values: list[tuple[Any, ...] | None] = []
        for datum, known in zip(datums, zip(*columns, strict=True), strict=True):
            is_known = all(value is not None for value in known)
            key = tuple(map(_key, known)) if is_known else datum.uid
            if key not in numbers:
                numbers[key] = len(values)
                values.append(known if is_known else None)
            of_uid[datum.uid] = numbers[key]
        return cls(dataset, tuple(names), of_uid, values)

    def numbers(self, uids: Sequence[str]) -> NDArray[np.intp]:
        """Return the number of the group of each of some datums: ``(datums,)``."""
        return np.fromiter((self.of_uid[uid] for uid in uids), np.intp, len(uids))

    def values_of(self, uid: str) -> dict[str, Any] | None:
        """Return the values of a datum's group, by property; ``None`` where it lacks one."""
        values = self.values[self.of_uid[uid]]
        return None if values is None else dict(zip(self.names, values, strict=True))

    def alone(self, uids: Sequence[str]) -> int:
        """Count the datums without a value, each a group of its own."""
        return sum(self.values[self.of_uid[uid]] is None for uid in uids)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """What an answer's resamples draw and its permutations exchange.

    Args:
        names: properties whose values make groups; empty where datums are independent.
        count: how many groups the datums that count are of.
        units: these datums, a stratum a dataset; ``None`` without groups.
        uids: of these datums, in order.
        notes: which groups they are, and what is wrong with them.
    """

    names: Sequence[str] = ()
    count: int = 0
    units: Units | None = None
    uids: Sequence[str] = ()
    notes: Sequence[str] = ()

    def among(self, datums: Sequence[str], mask: Mask) -> Units | None:
        """Return the units of some datums of one dataset; ``None`` without groups.

        Args:
            datums: of a ledger.
            mask: ``(datums,)``, those that are among the ones that count.
        """
        if self.units is None:
            return None
        chosen = frozenset(compress(datums, mask))
        return self.units.among(np.fromiter((uid in chosen for uid in self.uids), bool))

    @property
    def of_answer(self) -> dict[str, Any]:
        """The fields of an answer that name its groups and say how many there are."""
        return {"groups": self.names, "group_count": self.count if self.names else None}


def read_groups(reader: Reader, groups: GroupNames, parts: Sequence[Part], draws: int) -> Groups:
    """Read which groups the datums of an answer are of.

    Metadata of datums is read only where groups are named, or declared and something is drawn.

    Args:
        reader: of the store.
        groups: that a query names.
        parts: the datums that count, by dataset.
        draws: how many resamples or permutations there will be.

    Raises:
        UnknownName: no datum of a dataset has a property that the query names.
        InvalidInput: a property that it names makes no groups, or one of all datums.
    """
    if groups is None and not draws:
        return Groups()
    if groups is not None:
        return groups_of([(read_grouping(reader, each, groups), uids) for each, uids in parts])
    declared = [_declared(reader, version) for version, _ in parts]
    known = groups_of(
        [(each, uids) for (each, _), (_, uids) in zip(declared, parts, strict=True)],
        may_be_one=True,
    )
    notes = dict.fromkeys(note for _, note in declared if note)
    return replace(known, notes=(*known.notes, *notes))


def _declared(reader: Reader, version: Version) -> tuple[Grouping | None, str | None]:
    """The groups that a dataset declares, or a note where it should have, or cannot have them."""
    try:
        return read_grouping(reader, version, None), hint(reader, version)
    except InvalidInput as error:  # datums have changed since; nobody is to blame who asks
        by = " and ".join(version.groups)
        return None, f"Datums are taken for independent, not in groups by {by} as declared: {error}"


def joined(of_datasets: Mapping[str, Groups]) -> Groups:
    """Groups of several datasets that are not drawn together; notes say whose they are."""
    datasets: dict[str, list[str]] = {}
    for dataset, groups in of_datasets.items():
        for note in groups.notes:
            datasets.setdefault(note, []).append(dataset)
    notes = [f"{', '.join(names)}: {note}" for note, names in datasets.items()]
    return Groups(
        tuple(dict.fromkeys(name for groups in of_datasets.values() for name in groups.names)),
        sum(groups.count for groups in of_datasets.values()),
        notes=notes if len(of_datasets) > 1 else [*datasets],
    )


def groups_of(
    parts: Sequence[tuple[Grouping | None, Sequence[str]]], may_be_one: bool = False
) -> Groups:
    """Make the groups of some datums of each of several datasets.

    Args:
        parts: the groups of each dataset, ``None`` where its datums are independent, and uids of
            the datums that count, in order.
        may_be_one: whether all datums may be of one group.

    Raises:
        InvalidInput: they are, and may not.
    """
    known = [(grouping, uids) for grouping, uids in parts if grouping is not None]
    if not known:
        return Groups()
    units = Units.of_groups(
        *(np.arange(len(uids)) if of is None else of.numbers(uids) for of, uids in parts)
    )
    names = tuple(dict.fromkeys(name for grouping, _ in known for name in grouping.names))
    if not may_be_one:
        _refuse_one(units, names, [grouping.dataset for grouping, _ in known])
    alone = sum(grouping.alone(uids) for grouping, uids in known)
    every = [uid for _, uids in parts for uid in uids]
    return Groups(names, units.count, units, every, tuple(_notes(units, names, alone)))


def read_grouping(reader: Reader, version: Version, groups: GroupNames) -> Grouping | None:
    """Read the groups of a version's datums: those that a query names, else the declared ones.

    Returns:
        ``None`` where the datums are independent.

    Raises:
        UnknownName: no datum has one of the properties; the nearest is named.
        InvalidInput: a property makes no groups of that kind.
    """
    names = version.groups if groups is None else groups
    if not names or INDEPENDENT in names:
        return None
    return Grouping.of(reader.datums(version), names, version.dataset)


def _values(datums: Sequence[Datum], name: str, dataset: str) -> list[Any]:
    """Value of a property, or name of a slice, of each datum; ``None`` where it has none."""
    base, _, way = name.partition(":")
    if base == LOCATION:
        cells = cell_names(datums, name)
        if not any(cells):
            raise UnknownName("property", base, {key for datum in datums for key in datum.metadata})
        return list(cells)
    if not way:
        return property_values(datums, name)
    values: list[Any] = [None] * len(datums)
    for part, mask in masks(datums, name, dataset).items():
        for index in np.flatnonzero(mask):
            values[index] = part
    return values


def _key(value: Any) -> tuple[type, Any]:
    """What tells values apart: 1, 1.0, true and "1" are four; lists and mappings by content."""
    if isinstance(value, (list, Mapping)):
        return type(value), canonical_json(encode_metadata({"value": value}))
    return type(value), value


def _refuse_one(units: Units, names: Sequence[str], datasets: Sequence[str]) -> None:
    """Refuse a property that has one value on all datums."""
    if units.count == 1 < len(units.of_datum):
        raise InvalidInput(
            f"groups {', '.join(names)!r}: all {len(units.of_datum):,} selected datums of "
            f"{', '.join(map(repr, datasets))} are one group, which tells nothing of others. Name "
            f"a property of several values, or groups={INDEPENDENT!r} (--groups {INDEPENDENT}) "
            "for independent datums."
        )


def _notes(units: Units, names: Sequence[str], alone: int) -> list[str]:
    """Which groups there are, how many datums have none, and whether the groups are too few."""
    by, datums = " and ".join(names), len(units.of_datum)
    lone = "1 datum has" if alone == 1 else f"{alone:,} datums have"
    notes = [f"{lone} no {by}: each is a group of its own."] if alone else []
    if units.are_datums and not alone:
        return [f"Every datum has its own {by}: the groups change nothing."]
    groups = "1 group is" if units.count == 1 else f"{units.count} groups are"
    few = f"{groups} too few to say how sure this is: at least {FEW} are."
    return [
        f"Datums of one {by} stay together: {datums:,} datums in {units.count:,} groups.",
        *notes,
        *([few] if units.count < FEW else ()),
    ]
