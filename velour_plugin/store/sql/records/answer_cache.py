"""The cache of answers: an answer is valid for one revision of its datasets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, cast, literal, select, text
from sqlalchemy.types import BigInteger

from velour_plugin.store.sql import schema
from velour_plugin.store.sql.records.revisions import revision_of


def find_answer(
    connection: Connection, key: str, datasets: Sequence[str] | None
) -> tuple[int, Any | None]:
    """Read the revision of datasets and the answer that is valid at it, in one statement.

    Args:
        connection: to the store.
        key: of the query.
        datasets: of the query; ``None`` for all in the store.

    Returns:
        The revision; and the answer, ``None`` when there is none or it is out of date.
    """
    answers = schema.answers
    now = select(cast(revision_of(datasets), BigInteger).label("revision")).subquery()
    fresh = and_(answers.c.key == literal(key), answers.c.revision == now.c.revision)
    query = select(now.c.revision, answers.c.content).select_from(now).outerjoin(answers, fresh)
    row = connection.execute(query).one()
    return int(row.revision), row.content


def save_answer(connection: Connection, key: str, revision: int, content: Any) -> None:
    """Store an answer, replacing an older one of the same query.

    Args:
        connection: of the caller's transaction.
        key: of the query.
        revision: that :func:`find_answer` returned before the answer was computed.
        content: the answer as JSON.
    """
    now = dt.datetime.now(dt.UTC)
    values = {"key": key, "revision": revision, "content": content, "created_at": now}
    connection.execute(_SAVE, values)


_SAVE = text(
    "INSERT INTO answers (key, revision, content, created_at) "
    "VALUES (:key, :revision, :content, :created_at) "
    "ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, content = excluded.content, "
    "created_at = excluded.created_at WHERE answers.revision <= excluded.revision"
).bindparams(
    bindparam("content", type_=schema.answers.c.content.type),
    bindparam("created_at", type_=schema.answers.c.created_at.type),
)
