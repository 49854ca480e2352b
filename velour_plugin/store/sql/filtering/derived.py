"""SQL for properties of a datum beside its metadata: facts, labels, number of annotations.

Every expression is about the row of ``datums`` that a query selects from, and is a look-up in an
index: of facts by datum, source and name; of annotations by datum and label.
"""

from __future__ import annotations

from sqlalchemy import Float, Select, Text, case, cast, exists, func, null, select

from velour_plugin.domain.facts import TAGS, fact_parts
from velour_plugin.filters.language.tree import Property
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.backend import Backend, Column, Condition


def value(prop: Property, kind: str, backend: Backend) -> Column:
    """SQL for a fact, or the number of a datum's annotations; NULL where it is of another kind."""
    if prop.name == "datum.truths":
        return _truths() if kind == "number" else null()
    only = _facts(str(prop.fact)).where(schema.facts.c.listed == 0)
    if kind == "number":
        return only.with_only_columns(schema.facts.c.number).scalar_subquery()
    if kind == "string":
        return backend.text(only.with_only_columns(schema.facts.c.text).scalar_subquery())
    return null()


def holds(prop: Property, item: object) -> Condition:
    """Condition: a list has an item; NULL where a fact is missing or no list.

    Every datum has a list of tags and of labels, maybe empty: these are never NULL.
    """
    if prop.name == "datum.labels":
        return _shows(item)
    listed = _facts(str(prop.fact)).where(schema.facts.c.listed == 1)
    column = schema.facts.c.text if isinstance(item, str) else schema.facts.c.number
    held = exists(listed.where(column == item))
    return held if prop.name == TAGS else case((exists(listed), held))


def absent(prop: Property) -> Condition | None:
    """Condition: a datum lacks a fact; ``None`` for properties that every datum has."""
    if prop.fact is None or prop.fact == TAGS:
        return None
    return ~exists(_facts(prop.fact))


def _facts(fact: str) -> Select[tuple[int]]:
    source, name = fact_parts(fact)
    columns = schema.facts.c
    of_datum = (columns.datum_id == schema.datums.c.id) & (columns.source == source)
    return select(columns.id).where(of_datum, columns.name == name).correlate(schema.datums)


def _truths() -> Column:
    columns = schema.annotations.c
    counted = select(func.count(columns.annotation.distinct()))
    counted = counted.where(columns.datum_id == schema.datums.c.id).correlate(schema.datums)
    return cast(counted.scalar_subquery(), Float(53))


def _shows(item: object) -> Condition:
    """A label by its value or as ``key=value``; its ids are looked up once for all datums."""
    text, columns, names = cast(item, Text), schema.annotations.c, schema.labels.c
    named = select(names.id).where((names.value == text) | (names.key + "=" + names.value == text))
    shown = select(columns.annotation).where(
        columns.datum_id == schema.datums.c.id, columns.label_id.in_(named)
    )
    return exists(shown.correlate(schema.datums))
