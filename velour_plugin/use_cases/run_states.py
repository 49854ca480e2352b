"""Mirror what a tracker knows of runs in a store: their names, and whether they are deleted.

A ranking reads the mirror and loads no tracker. It is refreshed where the tracker is in use anyway,
and where somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from velour_plugin.errors import NotFound, VelourError
from velour_plugin.plugins.installed import installed
from velour_plugin.store.opening import opened, read_store

if TYPE_CHECKING:
    from velour_plugin.store.protocol import Reader, Store
    from velour_plugin.store.values import Candidate

MOST_UNASKED = 500
"""Runs whose state is looked up without being asked for it: the newest ones."""


def refresh_runs(
    store: Store | str | None = None,
    datasets: Sequence[str] | None = None,
    refresh: bool | None = True,
) -> None:
    """Ask the tracker for the state of runs, and store what has changed.

    Args:
        store: an open store or its URL; ``None`` for the default store.
        datasets: whose runs; ``None`` for all of the store.
        refresh: ``None`` asks only where this process uses the tracker already, and does without
            an answer where there is none; ``False`` does nothing.

    Raises:
        NotFound: no plugin has runs, or there is no store.
        StoreUnavailable: the tracker does not answer.
    """
    if refresh:
        _refresh(store, datasets, is_explicit=True)
    elif refresh is None:
        try:
            if installed().run_states((), load=False) is not None:
                _refresh(store, datasets, is_explicit=False)
        except VelourError as error:
            _log(error)


def _refresh(
    store: Store | str | None, datasets: Sequence[str] | None, *, is_explicit: bool
) -> None:
    def read(reader: Reader) -> list[Candidate]:
        names = reader.dataset_names() if datasets is None else datasets
        return [item for name in names for item in reader.candidates(name) if item.run]

    items = read_store(store, read) if store is None or isinstance(store, str) else read(store)
    known = {item.run.run_id: item for item in items if item.run is not None}
    numbers = list(known) if is_explicit else list(known)[:MOST_UNASKED]
    states = installed().run_states(numbers, load=is_explicit)
    if states is None:
        raise NotFound("the state of runs: no plugin has runs to ask for.")
    # an answer that is kept stays valid where nothing has changed
    changed = [state for state in states if is_explicit or not state.agrees(known[state.run_id])]
    if changed:
        with opened(store) as writer:
            writer.save_run_states(changed)


def _log(error: VelourError) -> None:
    import logging

    logging.getLogger("velour").info("the state of runs was not refreshed: %s", error)
