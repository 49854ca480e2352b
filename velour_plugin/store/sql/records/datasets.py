"""Save and find dataset versions.

Functions take an open connection and never commit: the caller owns the
transaction, so a version and its annotations are stored together or not at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, exists, func, insert, select, update

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.columns.annotation_table import LabelName
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.encoding.dataset_digests import version_digest
from velour_plugin.domain.inputs.reading import ReadingReport
from velour_plugin.domain.metadata import decode_metadata, encode_metadata
from velour_plugin.errors import BadDataset, NotFound, UnknownName
from velour_plugin.partitions import PartitionedDataset, parts_of
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.records.annotation_rows import (
    geometry_of,
    label_ids,
    load_truth,
)
from velour_plugin.store.sql.records.columns import (
    datum_columns,
    reading_json,
    reading_of,
    region_columns,
    wkb_of,
)
from velour_plugin.store.values import DatumSelection, Version

VERSION = (
    schema.versions.c.id,
    schema.datasets.c.name.label("dataset"),
    schema.versions.c.number,
    schema.versions.c.digest,
    schema.versions.c.properties,
    schema.versions.c.datums,
    schema.versions.c.declared_groups,
)
"""Columns of a :class:`~velour_plugin.store.values.Version`, in its order."""


def save_version(
    connection: Connection, backend: Backend, dataset: Dataset | PartitionedDataset, digest: str
) -> Version:
    """Store a dataset's ground truth and return its version; what is there is not stored again.

    What its reader noted and which groups were declared is no content: the newest is kept.

    Of a partitioned dataset a part at a time is in memory, and the ids of all datums.

    Args:
        connection: of the caller's transaction.
        backend: of the store's database.
        dataset: in memory or in partitions.
        digest: of its content, :attr:`Dataset.digest`.

    Raises:
        BadDataset: the parts are no longer those that had this digest.
    """
    backend.lock(connection, dataset.name)
    version = _version_of(connection, dataset.name, digest)
    if version is None:
        version = _save_content(connection, backend, dataset, digest)
    notes = {
        "reading": reading_json(getattr(dataset, "reading", None)),
        "declared_groups": list(dataset.groups),
    }
    known = {name: value for name, value in notes.items() if value}
    if known:
        of = schema.versions
        connection.execute(update(of).where(of.c.id == version.id).values(known))
    return replace(version, groups=dataset.groups or version.groups)


def _save_content(
    connection: Connection, backend: Backend, dataset: Dataset | PartitionedDataset, digest: str
) -> Version:
    content = version_digest(dataset.metadata, dataset.labels, dataset.location)
    ids: list[NDArray[np.int64]] = []
    properties: set[str] = set()
    for part in parts_of(dataset):
        content.add_all(part.contents)
        ids.append(save_datums(connection, backend, part))
        properties.update(part.datums.properties)
    if content.hex != digest:
        raise BadDataset(
            f"{dataset!r} changed while it was evaluated: its digest was {digest[:12]} and is "
            f"{content.hex[:12]} now. Evaluate it again."
        )
    metadata = encode_metadata(dataset.metadata)
    location = wkb_of(dataset.location)
    described = VersionContent(digest, metadata, dataset.labels, sorted(properties), location)
    return write_version(connection, backend, dataset.name, described, np.concatenate(ids))


@dataclass(frozen=True, slots=True)
class VersionContent:
    """The content of a version beside its datums.

    Args:
        digest: of the whole content.
        metadata: of the dataset as a whole, as JSON.
        labels: its classes, in order.
        properties: names of its datums' metadata.
        location: of the dataset as a whole, as both databases take it.
        groups: that it declares.
    """

    digest: str
    metadata: Mapping[str, Any]
    labels: Sequence[LabelName]
    properties: Sequence[str]
    location: bytes | None = None
    groups: Sequence[str] = ()


def write_version(
    connection: Connection,
    backend: Backend,
    name: str,
    content: VersionContent,
    datum_ids: NDArray[np.int64],
) -> Version:
    """Write and return the next version of a dataset, from the ids of stored datums in order."""
    newest = find_versions(connection, name)
    statement = insert(schema.versions).values(
        dataset_id=_dataset_id(connection, backend, name),
        number=1 + (newest[0].number if newest else 0),
        digest=content.digest,
        metadata=dict(content.metadata),
        labels=[list(label) for label in content.labels],
        properties=list(content.properties),
        datums=len(datum_ids),
        location=content.location,
        declared_groups=list(content.groups) or None,
        created_at=dt.datetime.now(dt.UTC),
    )
    key = connection.execute(statement).inserted_primary_key
    assert key is not None
    count = len(datum_ids)
    members = {"version_id": np.full(count, int(key[0])), "position": np.arange(count)}
    backend.insert(connection, schema.version_datums, {**members, "datum_id": datum_ids})
    return replace(find_versions(connection, name)[0], is_new=True)


def find_reading(connection: Connection, version: Version) -> ReadingReport | None:
    """What the reader of a version noted when it was saved last."""
    columns = schema.versions.c
    return reading_of(connection.scalars(select(columns.reading).filter_by(id=version.id)).one())


def find_versions(connection: Connection, name: str) -> list[Version]:
    """Return the versions of a dataset, the newest first; empty without a dataset of that name."""
    query = _versions().where(schema.datasets.c.name == name)
    rows = connection.execute(query.order_by(schema.versions.c.number.desc()))
    return [version_of(row) for row in rows]


def version_of(row: Sequence[Any]) -> Version:
    """Make a version of a row of the columns :data:`VERSION`."""
    *values, groups = row
    return replace(Version(*values), groups=tuple(groups or ()))


def dataset_names(connection: Connection) -> list[str]:
    """Return the names of all datasets, sorted."""
    return sorted(connection.scalars(select(schema.datasets.c.name)))


def known_versions(connection: Connection, name: str) -> list[Version]:
    """Return the versions of a dataset, the newest first.

    Raises:
        UnknownName: no dataset has that name; the nearest is named.
    """
    versions = find_versions(connection, name)
    if not versions:
        raise UnknownName("dataset", name, dataset_names(connection))
    return versions


def numbered(connection: Connection, name: str, number: int | None) -> Version:
    """Return a version of a dataset by its number; the newest for ``None``.

    Raises:
        UnknownName: no dataset has that name.
        NotFound: it has no version of that number.
    """
    known = known_versions(connection, name)
    for version in known:
        if number in (None, version.number):
            return version
    raise NotFound(f"dataset {name!r} has versions 1 to {known[0].number}, not {number}.")


def select_datums(
    connection: Connection, version: Version, condition: ColumnElement[Any] | None
) -> DatumSelection:
    """Return the datums of a version that meet a condition, in the version's order."""
    query = _members(version, schema.datums.c.uid, schema.version_datums.c.position)
    if condition is not None:
        query = query.where(condition)
    rows = connection.execute(query.order_by(schema.version_datums.c.position)).all()
    positions = np.array([position for _, position in rows], np.int64)
    return DatumSelection([uid for uid, _ in rows], positions)


def version_uids(connection: Connection, version_id: int) -> list[str]:
    """Return the uids of all datums of a version, in its order."""
    members = schema.version_datums.c
    query = select(schema.datums.c.uid).join(schema.version_datums)
    query = query.where(members.version_id == version_id).order_by(members.position)
    return list(connection.scalars(query))


def members_of(connection: Connection, version: Version) -> list[tuple[str, int, str]]:
    """Return uid, row id and digest, its ground truth included, of each datum of a version."""
    columns = schema.datums.c
    query = _members(version, columns.uid, columns.id, columns.digest)
    return [(uid, number, digest) for uid, number, digest in connection.execute(query)]


def load_dataset(connection: Connection, version: Version) -> Dataset:
    """Read a dataset version back, with its ground truth: equal content, the same digest."""
    row = connection.execute(
        select(
            schema.versions.c.metadata,
            schema.versions.c.labels,
            schema.versions.c.location,
            schema.versions.c.reading,
            schema.versions.c.declared_groups,
        ).where(schema.versions.c.id == version.id)
    ).one()
    datums = load_datums(connection, version)
    labels = [(key, value) for key, value in row.labels]
    truth = load_truth(connection, version.id, labels)
    metadata, location = decode_metadata(row.metadata), geometry_of(row.location)
    dataset = Dataset.from_table(version.dataset, datums, truth, metadata, location=location)
    return replace(dataset, reading=reading_of(row.reading), groups=row.declared_groups or ())


def load_datums(connection: Connection, version: Version, ends: int | None = None) -> list[Datum]:
    """Read the datums of a version, or of its ends, in order, without their annotations."""
    columns = (schema.datums.c.uid, schema.datums.c.metadata, schema.datums.c.location)
    position = schema.version_datums.c.position
    query = _members(version, *columns).order_by(position)
    if ends is not None:
        query = query.where((position < ends) | (position >= version.datums - ends))
    return [
        Datum(uid, decode_metadata(metadata), geometry_of(location))
        for uid, metadata, location in connection.execute(query)
    ]


def save_datums(connection: Connection, backend: Backend, dataset: Dataset) -> NDArray[np.int64]:
    """Store the datums that are new, with their truth, and return all ids in order."""
    owner = _dataset_id(connection, backend, dataset.name)
    newest = _newest_id(connection)
    stored = _datum_ids(connection, owner, dataset.contents)
    new = np.array([name not in stored for name in dataset.contents], bool)
    fresh = dataset.subset(new)
    backend.insert(
        connection,
        schema.datums,
        {"dataset_id": np.full(len(fresh), owner), **datum_columns(fresh)},
    )
    stored |= _ids_after(connection, owner, newest)
    ids = np.array([stored[name] for name in dataset.contents], np.int64)
    if fresh.datums.locations is not None:
        backend.index_locations(connection, ids[new].tolist(), fresh.datums.locations)
    columns = region_columns(fresh.truth, label_ids(connection, backend, fresh.truth.labels))
    columns = {"datum_id": ids[new][fresh.truth.datum], **columns}
    backend.insert(connection, schema.annotations, columns)
    return ids


def _versions() -> Select[Any]:
    return select(*VERSION).join(schema.datasets)


def _version_of(connection: Connection, name: str, digest: str) -> Version | None:
    row = connection.execute(
        _versions().where(schema.datasets.c.name == name, schema.versions.c.digest == digest)
    ).one_or_none()
    return None if row is None else version_of(row)


def _members(version: Version, *columns: ColumnElement[Any]) -> Select[Any]:
    members = schema.version_datums.c
    return (
        select(*columns)
        .select_from(schema.version_datums)
        .join(schema.datums, schema.datums.c.id == members.datum_id)
        .where(members.version_id == version.id)
    )


def _dataset_id(connection: Connection, backend: Backend, name: str) -> int:
    backend.insert_missing(connection, schema.datasets, [{"name": name}])
    query = select(schema.datasets.c.id).where(schema.datasets.c.name == name)
    return int(connection.scalars(query).one())


def _newest_id(connection: Connection) -> int:
    """Row id of the datum that was stored last, 0 without any."""
    return connection.scalar(select(func.max(schema.datums.c.id))) or 0


def _ids_after(connection: Connection, owner: int, newest: int) -> dict[str, int]:
    """Row ids of a dataset's datums that were stored since, by their digest."""
    columns = schema.datums.c
    # + 0: keeps the planner from the dataset's index, which would scan all of its datums
    query = select(columns.digest, columns.id).where(
        columns.id > newest, columns.dataset_id + 0 == owner
    )
    return {digest: number for digest, number in connection.execute(query)}  # noqa: C416  dict() takes a result for a mapping


def _datum_ids(connection: Connection, owner: int, digests: Sequence[str]) -> dict[str, int]:
    """Row ids of the datums that are stored, by their digest."""
    columns = schema.datums.c
    known: dict[str, int] = {}
    if not connection.scalar(select(exists().where(columns.dataset_id == owner))):
        return known  # a new dataset: no need to look up a million digests
    for start in range(0, len(digests), _AT_ONCE):
        query = select(columns.digest, columns.id).where(
            columns.dataset_id == owner, columns.digest.in_(digests[start : start + _AT_ONCE])
        )
        known.update((digest, number) for digest, number in connection.execute(query))
    return known


_AT_ONCE = 10_000
"""Values of one IN: databases take 32,766 at most."""
