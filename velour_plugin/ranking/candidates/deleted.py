"""Evaluations in runs that MLflow has deleted: a leaderboard leaves them out, and says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from velour_plugin.errors import NotFound
from velour_plugin.ranking.candidates.comparability import name_of
from velour_plugin.store.values import Candidate

_MOST_NAMED = 5


def without_deleted(
    candidates: Sequence[Candidate], dataset: str
) -> tuple[list[Candidate], list[Candidate]]:
    """Divide evaluations into those of present runs, and those of deleted ones.

    Raises:
        NotFound: all runs are deleted.
    """
    deleted = [item for item in candidates if item.run_is_deleted]
    present = [item for item in candidates if not item.run_is_deleted]
    if deleted and not present:
        raise NotFound(
            f"dataset {dataset!r} has no evaluation to show. {deletion_notes(deleted)[0]}"
        )
    return present, deleted


def deletion_notes(deleted: Sequence[Candidate], shown: bool = False) -> list[str]:
    """Which runs are deleted, and as of when that is known.

    Args:
        deleted: evaluations in deleted runs.
        shown: whether they are on the leaderboard, as the query names them.
    """
    names = sorted({name_of(item) for item in deleted})
    if not names:
        return []
    listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    start = "Shown as named, deleted in MLflow" if shown else "Left out, deleted in MLflow"
    return [f"{start}: {listed} (as of {_as_of(deleted)}; --refresh or refresh=True asks again)."]


def _as_of(items: Sequence[Candidate]) -> str:
    moments = [item.run_checked_at for item in items if item.run_checked_at is not None]
    return min(moments).astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC") if moments else "?"
