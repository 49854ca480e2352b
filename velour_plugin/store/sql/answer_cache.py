"""Answers that were computed before, valid as long as no evaluation has come in.

Evaluations are only ever added, and linking one to a run leaves a later moment; so their
number and the last of these moments say whether an answer is still the answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Text, cast, delete, func, insert, select

from velour_plugin.store.sql import schema


def find_answer(connection: Connection, key: str, datasets: Sequence[str]) -> Any | None:
    """Read an answer in one round trip; ``None`` when there is none, or none that is valid."""
    answers = schema.answers.c
    query = select(answers.content).where(answers.key == key, answers.stamp == _stamp(datasets))
    return connection.scalars(query).one_or_none()


def save_answer(connection: Connection, key: str, datasets: Sequence[str], content: Any) -> None:
    """Keep an answer, in place of an older one to the same question."""
    connection.execute(delete(schema.answers).where(schema.answers.c.key == key))
    connection.execute(
        insert(schema.answers).values(
            key=key,
            stamp=_stamp(datasets),
            content=content,
            created_at=dt.datetime.now(dt.timezone.utc),
        )
    )


def _stamp(names: Sequence[str]) -> ScalarSelect[str]:
    """How many evaluations of datasets there are, and when one was last linked to a run."""
    versions = select(schema.versions.c.id).join(schema.datasets)
    versions = versions.where(schema.datasets.c.name.in_(list(names)))
    own = schema.evaluations.c.version_id.in_(versions)
    made = select(cast(func.count(), Text)).select_from(schema.evaluations).where(own)
    linked = (
        select(cast(func.max(schema.evaluation_runs.c.created_at), Text))
        .select_from(schema.evaluation_runs)
        .join(schema.evaluations)
        .where(own)
    )
    last = func.coalesce(linked.scalar_subquery(), "never")
    return select(made.scalar_subquery() + " " + last).scalar_subquery()
