"""One row a model: older runs of a model are folded into its newest.

A model is a registered name with its version, or a logged model, whichever experiment its run is
in; any other model is its name within an experiment.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from velour_plugin.store.values import Candidate

ModelKey = tuple[str, str | None]
"""A model's name, and the experiment that the name belongs to; ``None`` for any, or for none."""

_REGISTERED_OR_LOGGED = re.compile(r"[^/@]+/\d+|(.+@)?m-[0-9a-f]{8,32}")
"""``NAME/VERSION`` of a registry, ``NAME@m-ID`` or ``m-ID`` of a logged model."""


def model_key(item: Candidate) -> ModelKey:
    """Return name and experiment of an evaluation's model, which tell it from other models.

    The experiment is ``None`` where the name is enough: for registered and logged models, and
    without a run.
    """
    if item.run is None or _REGISTERED_OR_LOGGED.fullmatch(item.model):
        return item.model, None
    return item.model, item.run.experiment_id


def run_key(item: Candidate) -> str:
    """Return the id of an evaluation's run; the model's name outside of a tracker."""
    return item.model if item.run is None else item.run.run_id


def fold(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
    """Divide evaluations by whether their run is the newest of its model, task by task.

    Args:
        candidates: evaluations, the newest first.

    Returns:
        The evaluations of the newest runs, and those of the others.
    """
    newest: dict[tuple[ModelKey, str], str] = {}
    for item in candidates:
        newest.setdefault((model_key(item), item.task), run_key(item))
    kept: list[Candidate] = []
    folded: list[Candidate] = []
    for item in candidates:
        is_newest = newest[model_key(item), item.task] == run_key(item)
        (kept if is_newest else folded).append(item)
    return kept, folded


def folding_notes(folded: Sequence[Candidate], is_alone: bool = True) -> list[str]:
    """Say how many runs are folded, and what shows them; no line where none is.

    Args:
        folded: evaluations in older runs.
        is_alone: whether the same query can show them, which over several datasets it cannot.
    """
    runs = {run_key(item) for item in folded}
    if not runs:
        return []
    models = {model_key(item) for item in folded}
    verb, them = ("is", "it") if len(runs) == 1 else ("are", "them")
    count = f"{_counted(runs, 'older run')} of {_counted(models, 'model')} {verb} folded"
    command = "--all-runs" if is_alone else "velour rank --dataset NAME --all-runs"
    return [f"{count}: {command} shows {them} (in Python all_runs=True)."]


def _counted(items: Collection[object], noun: str) -> str:
    return f"{len(items)} {noun}" if len(items) == 1 else f"{len(items)} {noun}s"


class RowNames:
    """Function from an evaluation to the name of its row: over several datasets, a name is one row.

    A name that stands for several models on one dataset carries its experiment; where every run
    has a row of its own, a name of several runs carries its run.

    Args:
        candidates: the evaluations on each dataset.
        all_runs: whether every run has a row of its own.
    """

    def __init__(self, candidates: Sequence[Sequence[Candidate]], all_runs: bool = False) -> None:
        self._all_runs = all_runs
        keys: dict[tuple[int, str, str], set[object]] = {}
        for number, items in enumerate(candidates):
            for item in items:
                keys.setdefault((number, item.task, item.model), set()).add(self._key(item))
        self._repeated = {model for (_, _, model), known in keys.items() if len(known) > 1}

    def __call__(self, item: Candidate) -> str:
        """The name of the row of an evaluation."""
        if item.run is None or item.model not in self._repeated:
            return item.model
        if self._all_runs:
            return f"{item.model} ({item.run.name or 'run'} {item.run.run_id[:8]})"
        return f"{item.model} (experiment {item.run.experiment_id})"

    def _key(self, item: Candidate) -> object:
        return run_key(item) if self._all_runs else model_key(item)
