"""Revisions: counters of the writes that can change an answer.

A dataset has a revision of its own; writes that concern every dataset, such as to models, advance
the revision of the store. The database counts, in the transaction that writes: no clock is read,
and a reader that sees a revision sees every write that it counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, ScalarSelect, func, or_, select, text

from velour_plugin.store.sql import schema

STORE = ""
"""The name of the counter for writes that concern every dataset."""

_COUNT = text(
    "INSERT INTO revisions (name, value) VALUES (:name, 1) "
    "ON CONFLICT (name) DO UPDATE SET value = revisions.value + 1"
)


def advance(connection: Connection, names: Iterable[str]) -> None:
    """Count one more write to each of some datasets, or to the :data:`STORE`.

    Call it last in a transaction: from here on, other writers to these datasets wait.
    """
    for name in sorted(set(names)):  # in one order everywhere, so that no two deadlock
        connection.execute(_COUNT, {"name": name})


def revision_of(datasets: Iterable[str] | None) -> ScalarSelect[int]:
    """SQL for the number of writes that can have changed an answer; ``None`` is the whole store."""
    revisions = schema.revisions.c
    total = select(func.coalesce(func.sum(revisions.value), 0))
    if datasets is not None:
        total = total.where(or_(revisions.name == STORE, revisions.name.in_(list(datasets))))
    return total.scalar_subquery()
