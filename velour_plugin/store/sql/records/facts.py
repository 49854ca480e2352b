"""Facts about stored datums: write them by source, read them, tag and untag.

A fact is of a datum's row, not of its uid: a row is content, shared by every version that holds
it, so a fact is never claimed of a datum whose image or annotations have changed. Facts are beside
content: no digest includes them. A leaderboard may depend on them, so every write to the
tables ``facts`` and ``models`` must advance a revision.

Functions take an open connection and never commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Select, delete, or_, select

from velour_plugin.domain.facts import TAG_SOURCE, Facts, FactValue, fact_name, fact_parts
from velour_plugin.errors import UnknownName
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.records.datasets import members_of
from velour_plugin.store.values import Version


def save_facts(connection: Connection, backend: Backend, version: Version, facts: Facts) -> int:
    """Write the facts of a source about a version's datums, replacing its earlier facts.

    Facts of older revisions of the source about other versions of the dataset are deleted as well.

    Returns:
        Number of values written.

    Raises:
        UnknownName: a fact is about a datum that the version does not have.
    """
    backend.lock(connection, version.dataset)
    ids = _row_ids(connection, version, {uid for column in facts.values.values() for uid in column})
    columns, table = _columns(facts, ids), schema.facts.c
    outdated = table.datum_id.in_(_of_dataset(version.dataset)) & (table.revision != facts.revision)
    members = table.datum_id.in_(_of_version(version))
    connection.execute(
        delete(schema.facts).where(table.source == facts.source, or_(outdated, members))
    )
    backend.insert(connection, schema.facts, columns)
    return len(columns["name"])


def delete_facts(connection: Connection, dataset: str, source: str) -> int:
    """Delete all facts of a source about any version of a dataset; return their number.

    Raises:
        UnknownName: there are no facts of the source.
    """
    columns = schema.facts.c
    of_dataset = columns.datum_id.in_(_of_dataset(dataset))
    known = set(connection.scalars(select(columns.source).where(of_dataset).distinct()))
    if source not in known:
        raise UnknownName(f"source of facts about {dataset!r}", source, known)
    return connection.execute(
        delete(schema.facts).where(of_dataset, columns.source == source)
    ).rowcount


def facts_of_version(
    connection: Connection, version: Version, source: str | None = None
) -> dict[str, dict[str, FactValue]]:
    """Return the facts of a version's datums: by uid, then by name as ``fact.quality.blur``.

    Args:
        connection: to the store.
        version: of the dataset.
        source: only facts of this source; ``None`` for all.
    """
    members = schema.version_datums.c
    query = (
        _values(schema.datums.c.uid)
        .join(schema.version_datums, members.datum_id == schema.datums.c.id)
        .where(members.version_id == version.id)
    )
    return _gathered(connection, query, source)


def facts_of_contents(
    connection: Connection, dataset: str, contents: Mapping[str, str]
) -> dict[str, dict[str, FactValue]]:
    """Return the facts of a dataset in memory, of datums whose content is stored: by uid, by name.

    Args:
        connection: to the store.
        dataset: its name.
        contents: by uid, the digest of the datum with its ground truth.
    """
    query = _values(schema.datums.c.digest).where(schema.datums.c.id.in_(_of_dataset(dataset)))
    stored = _gathered(connection, query, None)
    return {uid: stored[content] for uid, content in contents.items() if content in stored}


def known_facts(connection: Connection, dataset: str, names: Collection[str]) -> set[str]:
    """Return ``names`` if all of these facts exist; otherwise the names of all facts that exist."""
    if all(_exists(connection, dataset, name) for name in names):
        return set(names)
    columns = schema.facts.c
    query = select(columns.source, columns.name).where(columns.datum_id.in_(_of_dataset(dataset)))
    return {fact_name(source, name) for source, name in connection.execute(query.distinct())}


def tag(
    connection: Connection, backend: Backend, version: Version, name: str, uids: Iterable[str]
) -> int:
    """Tag datums of a version; return how many did not have the tag before.

    Raises:
        UnknownName: the version has no datum of that uid.
    """
    backend.lock(connection, version.dataset)
    ids = set(_row_ids(connection, version, set(uids)).values())
    new = sorted(ids - set(_tagged(connection, version, name).values()))
    same = {"source": TAG_SOURCE, "revision": "1", "name": TAG_SOURCE, "listed": 1, "text": name}
    columns = {"datum_id": new, **{key: [value] * len(new) for key, value in same.items()}}
    backend.insert(connection, schema.facts, columns)
    return len(new)


def untag(
    connection: Connection, backend: Backend, version: Version, name: str, uids: Iterable[str]
) -> int:
    """Remove a tag from datums of a version; return how many had it.

    Raises:
        UnknownName: no datum of the dataset has the tag, or the version has no such datum.
    """
    ids = set(_row_ids(connection, version, set(uids)).values())
    tagged = _tagged(connection, version, name)
    if not tagged:
        raise UnknownName("tag", name, tags_of(connection, version.dataset))
    rows = [row for row, datum in tagged.items() if datum in ids]
    if rows:
        connection.execute(delete(schema.facts).where(backend.one_of(schema.facts.c.id, rows)))
    return len(rows)


def tags_of(connection: Connection, dataset: str) -> list[str]:
    """Return the tags that datums of a dataset have, sorted."""
    columns = schema.facts.c
    query = select(columns.text).where(
        columns.datum_id.in_(_of_dataset(dataset)), columns.source == TAG_SOURCE
    )
    return sorted(connection.scalars(query.distinct()))


def _columns(facts: Facts, ids: Mapping[str, int]) -> dict[str, Any]:
    """One row a value; the items of a list are rows."""
    rows = [
        (ids[uid], name, int(isinstance(value, tuple)), item)
        for name, column in facts.values.items()
        for uid, value in column.items()
        for item in (value if isinstance(value, tuple) else (value,))
    ]
    datums, names, listed, items = zip(*rows, strict=True) if rows else ((), (), (), ())
    return {
        "datum_id": list(datums),
        "source": [facts.source] * len(rows),
        "revision": [facts.revision] * len(rows),
        "name": list(names),
        "listed": list(listed),
        "number": np.array([np.nan if isinstance(item, str) else item for item in items], float),
        "text": [item if isinstance(item, str) else None for item in items],
    }


def _row_ids(connection: Connection, version: Version, uids: set[str]) -> dict[str, int]:
    """Row ids of some of a version's datums, by uid."""
    members = {uid: number for uid, number, _ in members_of(connection, version)}
    for uid in sorted(uids - members.keys()):
        raise UnknownName(f"datum of {version.dataset} v{version.number}", uid, members)
    return {uid: members[uid] for uid in uids}


def _of_dataset(dataset: str) -> Select[Any]:
    return select(schema.datums.c.id).join(schema.datasets).where(schema.datasets.c.name == dataset)


def _of_version(version: Version) -> Select[Any]:
    members = schema.version_datums.c
    return select(members.datum_id).where(members.version_id == version.id)


def _tagged(connection: Connection, version: Version, name: str) -> dict[int, int]:
    """Datums of the version's dataset that have a tag, by the id of the fact's row."""
    columns = schema.facts.c
    query = select(columns.id, columns.datum_id).where(
        columns.datum_id.in_(_of_dataset(version.dataset)),
        columns.source == TAG_SOURCE,
        columns.name == TAG_SOURCE,
        columns.text == name,
    )
    return {row: datum for row, datum in connection.execute(query)}  # noqa: C416  dict() takes a result for a mapping


def _exists(connection: Connection, dataset: str, fact: str) -> bool:
    source, name = fact_parts(fact)
    columns = schema.facts.c
    of_dataset = columns.datum_id.in_(_of_dataset(dataset))
    query = select(columns.id).where(columns.source == source, columns.name == name, of_dataset)
    return connection.scalars(query.limit(1)).first() is not None


def _values(key: ColumnElement[Any]) -> Select[Any]:
    columns = schema.facts.c
    values = (columns.source, columns.name, columns.listed, columns.number, columns.text)
    return select(key.label("key"), *values).join_from(schema.facts, schema.datums)


def _gathered(
    connection: Connection, query: Select[Any], source: str | None
) -> dict[str, dict[str, FactValue]]:
    if source is not None:
        query = query.where(schema.facts.c.source == source)
    gathered: dict[str, dict[str, Any]] = {}
    for row in connection.execute(query.order_by(schema.facts.c.id)):
        values = gathered.setdefault(row.key, {})
        name = fact_name(row.source, row.name)
        item = row.text if row.number is None else row.number
        values[name] = (*values.get(name, ()), item) if row.listed else item
    return gathered
