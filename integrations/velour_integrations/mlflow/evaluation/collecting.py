"""Collects the evaluations that ``mlflow.models.evaluate`` made: its result holds metrics only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from velour_plugin import Evaluation

_collected: ContextVar[list[Evaluation] | None] = ContextVar("velour_collected", default=None)


@contextmanager
def collecting() -> Iterator[list[Evaluation]]:
    """Collect the evaluations that are completed meanwhile, in order."""
    evaluations: list[Evaluation] = []
    token = _collected.set(evaluations)
    try:
        yield evaluations
    finally:
        _collected.reset(token)


def collect(evaluation: Evaluation) -> None:
    """Add a completed evaluation, if they are being collected."""
    evaluations = _collected.get()
    if evaluations is not None:
        evaluations.append(evaluation)
