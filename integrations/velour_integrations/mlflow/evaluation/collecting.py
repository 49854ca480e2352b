"""Collects the evaluations that ``mlflow.models.evaluate`` made: its result holds metrics only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from velour_plugin import Evaluation

_collected: ContextVar[list[Evaluation] | None] = ContextVar("velour_collected", default=None)


@contextmanager
def collecting() -> Iterator[list[Evaluation]]:
    """Context manager that gives a list; evaluations completed in its block are appended."""
    evaluations: list[Evaluation] = []
    token = _collected.set(evaluations)
    try:
        yield evaluations
    finally:
        _collected.reset(token)


def collect(evaluation: Evaluation) -> None:
    """Append a completed evaluation to the list of :func:`collecting`, if there is one."""
    evaluations = _collected.get()
    if evaluations is not None:
        evaluations.append(evaluation)
