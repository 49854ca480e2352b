"""Dataset versions over time: differences between two, and new ones made by adding data.

A version is never edited; adding makes the next one, which shares every datum row
that did not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from sqlalchemy import Connection, select

from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.encoding.dataset_digests import version_digest
from velour_plugin.domain.metadata import decode_metadata
from velour_plugin.domain.order import natural_order
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.records.annotation_rows import geometry_of
from velour_plugin.store.sql.records.columns import wkb_of
from velour_plugin.store.sql.records.datasets import (
    VersionContent,
    find_versions,
    known_versions,
    members_of,
    save_datums,
    write_version,
)
from velour_plugin.store.values import Version, VersionDiff


def diff_versions(connection: Connection, first: Version, second: Version) -> VersionDiff:
    """Compare two versions of a dataset by their datums' digests."""
    before, after = contents_of(connection, first), contents_of(connection, second)
    common = before.keys() & after.keys()
    changed = {uid for uid in common if before[uid] != after[uid]}
    return VersionDiff(
        first.dataset,
        first.number,
        second.number,
        _ordered(after.keys() - before.keys()),
        _ordered(before.keys() - after.keys()),
        _ordered(changed),
        len(common) - len(changed),
    )


def add_datums(connection: Connection, backend: Backend, addition: Dataset) -> Version:
    """Make and return the next version of a dataset by adding datums to its newest one.

    A datum whose uid is there already replaces the old one. Only the addition is
    sent: the rows of all other datums are shared.

    Args:
        connection: of the caller's transaction.
        backend: of the store's database.
        addition: the new datums with their truth, under the dataset's name.
    """
    backend.lock(connection, addition.name)
    base = known_versions(connection, addition.name)[0]
    rows = {uid: (number, digest) for uid, number, digest in members_of(connection, base)}
    ids = save_datums(connection, backend, addition)
    fresh = zip(addition.uids, ids.tolist(), addition.contents, strict=True)
    rows.update({uid: (number, digest) for uid, number, digest in fresh})
    uids = sorted(rows, key=natural_order)
    content = _content(connection, base, addition, [rows[uid][1] for uid in uids])
    for version in find_versions(connection, addition.name):
        if version.digest == content.digest:
            return version
    datum_ids = np.array([rows[uid][0] for uid in uids], np.int64)
    return write_version(connection, backend, addition.name, content, datum_ids)


def _content(
    connection: Connection, base: Version, addition: Dataset, digests: Iterable[str]
) -> VersionContent:
    columns = schema.versions.c
    query = select(columns.metadata, columns.labels, columns.location)
    metadata, known, wkb = connection.execute(query.where(columns.id == base.id)).one()
    location = geometry_of(wkb)
    labels = list(dict.fromkeys([*((key, value) for key, value in known), *addition.truth.labels]))
    added = {key for datum in addition.datums for key in datum.metadata}
    name = version_digest(decode_metadata(metadata), labels, location)
    name.add(*digests)
    properties = sorted({*base.properties, *added})
    groups = addition.groups or base.groups
    return VersionContent(name.hex, metadata, labels, properties, wkb_of(location), groups)


def contents_of(connection: Connection, version: Version) -> Mapping[str, str]:
    """Return the digest of each datum of a version with its ground truth, by uid."""
    return {uid: digest for uid, _, digest in members_of(connection, version)}


def _ordered(uids: set[str]) -> tuple[str, ...]:
    return tuple(sorted(uids, key=natural_order))
