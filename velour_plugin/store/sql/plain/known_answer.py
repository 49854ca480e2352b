"""Read a cached answer in one statement by the database's own driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from velour_plugin.store.sql.plain.driver import NotPlain, driver_of, from_json


def known_answer(
    url: str, key: str, datasets: Sequence[str] | None, heads: Mapping[str, str]
) -> Any | None:
    """Read the cached answer of a key, valid at the present revision of its datasets.

    Args:
        url: of an SQL store.
        key: of the query.
        datasets: of the query; ``None`` for all in the store.
        heads: by version table, the revision that is needed.

    Returns:
        The answer as JSON; ``None`` when there is none, it is out of date, or only an open store
        can answer.
    """
    names = None if datasets is None else ["", *datasets]  # "" counts what concerns every dataset
    statement, values = _statement(heads, names), [*(names or ()), key]
    with suppress(NotPlain), driver_of(url)(False) as transaction:
        for *known, is_fresh, content in transaction.rows(statement, values):
            if is_fresh and known == [*heads.values()]:
                return from_json(content)
    return None


def _statement(tables: Mapping[str, str], names: Sequence[str] | None) -> str:
    """Schema revisions, whether the answer is of the present revision, and the answer."""
    heads = (f"(SELECT version_num FROM {table})" for table in tables)
    which = "" if names is None else f" WHERE name IN ({', '.join('?' * len(names))})"
    now = f"(SELECT coalesce(sum(value), 0) FROM revisions{which})"
    return f"SELECT {', '.join(heads)}, revision = {now}, content FROM answers WHERE key = ?"
