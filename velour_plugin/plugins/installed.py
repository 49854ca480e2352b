"""The installed plugins: their offers by name and provider, and the calls of their hooks.

Hooks are called through pluggy, one plugin at a time where it matters which plugin returned what:
wrappers, ``tryfirst``, ``trylast`` and implementations of fewer arguments work as pluggy
promises, and two plugins that claim one name are both named.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from velour_plugin.contracts.offers import Offer, Offers
from velour_plugin.errors import NotFound, PluginConflict, UnknownName
from velour_plugin.plugins.manager import PluginManager, blamed

if TYPE_CHECKING:
    import click

    from velour_plugin.contracts.autologger import Autologger
    from velour_plugin.contracts.formats import Format
    from velour_plugin.domain.evaluation import Evaluation
    from velour_plugin.evaluator import Evaluator
    from velour_plugin.filters.properties import PropertyFamily
    from velour_plugin.store import RunState, Store, StoreOpener, StoreTables, Version
    from velour_plugin.use_cases.tracked_evaluation import TrackedEvaluation

SLOW = 1.0
"""Seconds that a plugin may take after a save before its name and time are logged."""


class Plugins:
    """The offers of the plugins of one process.

    Args:
        manager: with the plugins registered; :func:`installed` makes the usual one.
    """

    def __init__(self, manager: PluginManager) -> None:
        self.manager = manager
        self.refresh()

    def refresh(self) -> None:
        """Clear all collected offers, after plugins were registered or unregistered.

        Raises:
            BadPlugin: a plugin implements a hook that does not exist.
            PluginConflict: two plugins offer evaluators of one task, or formats of one name.
        """
        for name in vars(self).keys() - {"manager"}:
            del vars(self)[name]
        self._providers: dict[tuple[str, str], str] = {}
        self._commands: dict[str, click.Command] | None = None
        self.manager.check_pending()
        if self._may_conflict("velour_evaluators"):
            _ = self.evaluators
        if self._may_conflict("velour_formats"):
            _ = self.formats

    @cached_property
    def evaluators(self) -> Offers[Evaluator]:
        """Evaluators by task."""
        return self._offers("velour_evaluators", "evaluator", "task")

    @cached_property
    def formats(self) -> Offers[Format]:
        """Formats by name."""
        return self._offers("velour_formats", "format", "name")

    @cached_property
    def properties(self) -> dict[str, PropertyFamily]:
        """Families of properties for filters, by prefix."""
        from velour_plugin.filters.properties import checked_offer

        families = self._collect("velour_properties", "properties", "prefix")
        return {prefix: checked_offer(family) for prefix, family in families.items()}

    @cached_property
    def autologgers(self) -> dict[str, Autologger]:
        """Autologgers by the library that they watch."""
        return self._collect("velour_autologgers", "autologger", "name")

    @cached_property
    def stores(self) -> dict[str, StoreOpener]:
        """Functions that open a store, by the scheme of its URL."""
        return self._collect("velour_stores", "store")

    @cached_property
    def tables(self) -> dict[str, StoreTables]:
        """Tables that plugins own in an SQL store, by the name of their group."""
        return self._collect("velour_tables", "tables", "name")

    @property
    def providers(self) -> dict[tuple[str, str], str]:
        """The plugin behind each offer, by kind and name; of commands once they were collected."""
        _ = (
            self.evaluators,
            self.formats,
            self.autologgers,
            self.properties,
            self.stores,
            self.tables,
        )
        return self._providers

    def provider(self, kind: str, name: str) -> str:
        """Return the name of the plugin behind an offer that was collected."""
        return self._providers[kind, name]

    def evaluator(self, task: str) -> Evaluator:
        """Return the evaluator of a task; an unknown task is refused, naming those that exist."""
        if not isinstance(task, str) or task not in self.evaluators:
            raise UnknownName("task", task, self.evaluators)
        return self.evaluators[task]

    def format(self, name: str) -> Format:
        """Return a dataset format by name; an unknown name is refused, naming those that exist."""
        if not isinstance(name, str) or name not in self.formats:
            raise UnknownName("format", name, self.formats)
        return self.formats[name]

    def commands(self, taken: Iterable[str] = ()) -> dict[str, click.Command]:
        """Return the plugins' commands by name; names in ``taken`` are Velour's own commands."""
        if self._commands is None:
            self._providers.update({("command", name): "velour itself" for name in taken})
            self._commands = self._collect("velour_commands", "command", "name")
        return self._commands

    def autolog(self, libraries: Sequence[str] | None, options: Mapping[str, Any]) -> None:
        """Switch the autologgers of these libraries, or of all, on or off.

        Raises:
            UnknownName: one of the libraries has no autologger.
            NotFound: no plugin can switch them.
        """
        known = self.autologgers
        for name in libraries or ():
            if name not in known:
                raise UnknownName("library to autolog", name, known)
        chosen = [known[name] for name in (known if libraries is None else libraries)]
        if not self.manager.hook.velour_autolog(autologgers=chosen, options=options):
            raise NotFound("autologging: no plugin has runs to log to: install MLflow.")

    def find_runs(self, query: str, experiments: Sequence[str] | None) -> set[str]:
        """Return the ids of the runs that a query of the tracker matches.

        Raises:
            NotFound: no plugin has runs.
        """
        run_ids = self.manager.hook.velour_find_runs(query=query, experiments=experiments)
        if run_ids is None:
            raise NotFound(
                f"runs {query!r}: no plugin searches runs; name them: runs=['id', …] (--run)."
            )
        return set(run_ids)

    def run_states(self, run_ids: Sequence[str], *, load: bool) -> list[RunState] | None:
        """What a tracker knows of runs; ``None`` where none answers.

        Args:
            run_ids: of the runs; none, to learn whether a tracker would answer.
            load: whether to load a tracker that this process does not use yet.
        """
        states = self.manager.hook.velour_run_states(run_ids=run_ids, load=load)
        return None if states is None else list(states)

    def evaluate_tracked(self, request: TrackedEvaluation) -> Evaluation:
        """Evaluate in a run of a tracker, by the first plugin that does.

        Raises:
            NotFound: no plugin tracks runs.
        """
        evaluation: Evaluation | None = self.manager.hook.velour_evaluate_tracked(request=request)
        if evaluation is None:
            raise NotFound("no plugin tracks runs: only files of predictions can be evaluated.")
        return evaluation

    def takes_stores(self) -> bool:
        """Whether a plugin hears of datasets, or takes the store when it hears of an evaluation."""
        heard = self.manager.calls("velour_after_dataset")
        return bool(heard) or "store" in self.manager.taken("velour_after_evaluation")

    def announce_dataset(self, version: Version, store: Store) -> None:
        """Announce a new dataset version; a plugin that fails is a warning."""
        self._announce("velour_after_dataset", "a dataset", version=version, store=store)

    def announce_evaluation(self, evaluation: Evaluation, store: Store | None) -> None:
        """Announce a saved evaluation; a plugin that fails is a warning.

        Args:
            evaluation: that was saved.
            store: where; ``None`` where no plugin takes it (:meth:`takes_stores`).
        """
        hook = "velour_after_evaluation"
        self._announce(hook, "an evaluation", evaluation=evaluation, store=store)

    def _announce(self, hook: str, subject: str, **arguments: Any) -> None:
        for provider, call in self.manager.calls(hook):
            started = time.perf_counter()
            try:
                call(**arguments)
            except (Exception, SystemExit) as error:
                warnings.warn(
                    f"plugin {self._suspects(hook, provider)} failed after {subject} that is "
                    f"safely stored: {error!r}",
                    stacklevel=4,
                )
            seconds = time.perf_counter() - started
            if seconds > SLOW:
                _warn_of_time(provider, seconds, subject)

    def _suspects(self, hook: str, provider: str) -> str:
        """Names of the plugins that may have failed: wrappers run around each call."""
        names = dict.fromkeys([provider, *self.manager.wrappers(hook)])
        return " or ".join(map(repr, names))

    def _may_conflict(self, hook: str) -> bool:
        """Whether several plugins implement a hook: a single one is called only when needed."""
        return len(self.manager.calls(hook)) > 1

    def _offers(self, hook: str, kind: str, attribute: str) -> Offers[Any]:
        """Offers of a kind that is slow to import."""

        def blame(name: str) -> AbstractContextManager[None]:
            return blamed(f"plugin {self.provider(kind, name)!r}", f"when {name!r} was imported")

        return Offers(self._collect(hook, kind, attribute), blame)

    def _collect(self, hook: str, kind: str, attribute: str | None = None) -> dict[str, Any]:
        """The offers of all plugins through a hook, by name.

        Args:
            hook: its name.
            kind: of the offers, for messages.
            attribute: of an offer, its name; ``None`` where plugins return mappings.

        Raises:
            BadPlugin: a plugin fails, or an offer has no name.
            PluginConflict: two plugins offer the same name.
        """
        offers: dict[str, Any] = {}
        providers: dict[tuple[str, str], str] = {}
        for provider, call in self.manager.calls(hook):
            with blamed(f"plugin {provider!r}", f"in {hook}"):
                named = [pair for answer in call() for pair in _named(answer, attribute)]
            for name, offer in named:
                known = self._providers.get((kind, name)) or providers.get((kind, name))
                if known is not None:
                    raise PluginConflict(
                        f"{kind} {name!r} is offered by {known} and by {provider}: "
                        "uninstall one of them."
                    )
                providers[kind, name] = provider
                offers[name] = offer
        self._providers |= providers
        return offers


@lru_cache(maxsize=1)
def installed() -> Plugins:
    """Return the plugins of this environment, found once per process.

    Raises:
        BadPlugin: a plugin implements an unknown hook, or a hook with unknown arguments.
        PluginConflict: two plugins offer the same name.
    """
    manager = PluginManager()
    manager.register_installed()
    return Plugins(manager)


def _warn_of_time(provider: str, seconds: float, subject: str) -> None:
    import logging

    message = "plugin %r took %.1f s after %s."
    logging.getLogger("velour").warning(message, provider, seconds, subject)


def _named(answer: Any, attribute: str | None) -> Iterator[tuple[str, Any]]:
    pairs: Iterable[tuple[Any, Any]] = (
        dict(answer).items()
        if attribute is None
        else [(_name_of(offer, attribute), offer) for offer in answer]
    )
    for name, offer in pairs:
        if not name or not isinstance(name, str):
            raise TypeError(f"{offer!r} is offered under the name {name!r}, which is no text")
        yield name, offer


def _name_of(offer: Any, attribute: str) -> Any:
    return offer.name if isinstance(offer, Offer) else getattr(offer, attribute, None)
