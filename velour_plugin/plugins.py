"""Find plugins by entry point, refuse what cannot be right, and say who provides what.

Hooks are called through pluggy, one plugin at a time where it matters whose answer it is:
wrappers, ``tryfirst``, ``trylast`` and implementations of fewer arguments work as pluggy
promises, and two plugins that claim one name are both named.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib.metadata import entry_points
from itertools import chain
from typing import TYPE_CHECKING, Any

import pluggy

from velour_plugin import hookspecs
from velour_plugin.errors import BadPlugin, NotFound, PluginConflict, UnknownName

if TYPE_CHECKING:
    import click

    from velour_plugin.autologger import Autologger
    from velour_plugin.domain.evaluation import Evaluation
    from velour_plugin.evaluator import Evaluator
    from velour_plugin.formats import Format
    from velour_plugin.store import Store, StoreOpener, StoreTables, Version
    from velour_plugin.tracked_evaluation import TrackedEvaluation

GROUP = "velour"
SLOW = 1.0
"""Seconds that a plugin may take after a save before its name and time are logged."""

_logger = logging.getLogger("velour")


class Plugins:
    """What the plugins of one process offer.

    Args:
        manager: with the plugins registered; :func:`installed` makes the usual one.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self.manager = manager
        self.refresh()

    def refresh(self) -> None:
        """Forget what was collected, after plugins were registered or unregistered.

        Raises:
            BadPlugin: a plugin implements a hook that does not exist.
            PluginConflict: two plugins offer evaluators of one task, or formats of one name.
        """
        for name in ("evaluators", "formats", "autologgers", "stores", "tables"):
            vars(self).pop(name, None)
        self._providers: dict[tuple[str, str], str] = {}
        self._commands: dict[str, click.Command] | None = None
        _refuse_unknown_hooks(self.manager)
        if self._may_conflict("velour_evaluators"):
            _ = self.evaluators
        if self._may_conflict("velour_formats"):
            _ = self.formats

    @cached_property
    def evaluators(self) -> dict[str, Evaluator]:
        """Evaluators by task."""
        return self._collect("velour_evaluators", "evaluator", "task")

    @cached_property
    def formats(self) -> dict[str, Format]:
        """Formats by name."""
        return self._collect("velour_formats", "format", "name")

    @cached_property
    def autologgers(self) -> dict[str, Autologger]:
        """Autologgers by the library that they watch."""
        return self._collect("velour_autologgers", "autologger", "name")

    @cached_property
    def stores(self) -> dict[str, StoreOpener]:
        """What opens a store, by the scheme of its URL."""
        return self._collect("velour_stores", "store")

    @cached_property
    def tables(self) -> dict[str, StoreTables]:
        """Tables that plugins own in an SQL store, by the name of their group."""
        return self._collect("velour_tables", "tables", "name")

    @property
    def providers(self) -> dict[tuple[str, str], str]:
        """The plugin behind each offer, by kind and name; of commands once they were collected."""
        _ = self.evaluators, self.formats, self.autologgers, self.stores, self.tables
        return self._providers

    def provider(self, kind: str, name: str) -> str:
        """The plugin behind an offer that was collected."""
        return self._providers[kind, name]

    def evaluator(self, task: str) -> Evaluator:
        """Find the evaluator of a task, or say which tasks there are."""
        if task not in self.evaluators:
            raise UnknownName("task", task, self.evaluators)
        return self.evaluators[task]

    def format(self, name: str) -> Format:
        """Find a dataset format, or say which there are."""
        if name not in self.formats:
            raise UnknownName("format", name, self.formats)
        return self.formats[name]

    def commands(self, taken: Iterable[str] = ()) -> dict[str, click.Command]:
        """Commands by name; those that Velour has itself are taken."""
        if self._commands is None:
            self._providers.update({("command", name): "velour itself" for name in taken})
            self._commands = self._collect("velour_commands", "command", "name")
        return self._commands

    def autolog(self, libraries: Sequence[str] | None, options: Mapping[str, Any]) -> None:
        """Switch the autologgers of these libraries, or of all, on or off.

        Raises:
            UnknownName: nothing watches one of the libraries.
            NotFound: no plugin can switch them.
        """
        known = self.autologgers
        for name in libraries or ():
            if name not in known:
                raise UnknownName("library to autolog", name, known)
        chosen = [known[name] for name in (known if libraries is None else libraries)]
        if not self.manager.hook.velour_autolog(autologgers=chosen, options=options):
            raise NotFound("autologging: no plugin has runs to log to; install Velour with MLflow.")

    def find_runs(self, query: str, experiments: Sequence[str] | None) -> set[str]:
        """Ids of the runs that a query finds.

        Raises:
            NotFound: no plugin knows runs.
        """
        found = self.manager.hook.velour_find_runs(query=query, experiments=experiments)
        if found is None:
            raise NotFound(
                f"runs {query!r}: no plugin searches runs; name them: runs=['id', …] (--run)."
            )
        return set(found)

    def evaluate_tracked(self, request: TrackedEvaluation) -> Evaluation:
        """Evaluate in a run of a tracker.

        Raises:
            NotFound: no plugin tracks runs.
        """
        evaluation: Evaluation | None = self.manager.hook.velour_evaluate_tracked(request=request)
        if evaluation is None:
            raise NotFound("no plugin tracks runs: only files of predictions can be evaluated.")
        return evaluation

    def announce_dataset(self, version: Version, store: Store) -> None:
        """Announce a new dataset version; a plugin that fails is a warning."""
        self._announce("velour_after_dataset", "a dataset", version=version, store=store)

    def announce_evaluation(self, evaluation: Evaluation, store: Store) -> None:
        """Announce a saved evaluation; a plugin that fails is a warning."""
        hook = "velour_after_evaluation"
        self._announce(hook, "an evaluation", evaluation=evaluation, store=store)

    def _announce(self, hook: str, subject: str, **arguments: Any) -> None:
        for provider, call in self._calls(hook):
            started = time.perf_counter()
            try:
                call(**arguments)
            except Exception as error:
                warnings.warn(
                    f"plugin {self._blamed(hook, provider)} failed after {subject} that is safely "
                    f"stored: {error!r}",
                    stacklevel=4,
                )
            seconds = time.perf_counter() - started
            if seconds > SLOW:
                _logger.warning("plugin %r took %.1f s after %s.", provider, seconds, subject)

    def _blamed(self, hook: str, provider: str) -> str:
        """The plugins one of which failed: pluggy runs every wrapper around each call."""
        wrappers = [one for one in _implementations(self.manager, hook) if _is_wrapper(one)]
        names = [provider, *(_provider(self.manager, one.plugin) for one in wrappers)]
        return " or ".join(map(repr, dict.fromkeys(names)))

    def _may_conflict(self, hook: str) -> bool:
        """A single plugin is called when its answer is needed: evaluators are slow to import."""
        return len(self._calls(hook)) > 1

    def _collect(self, hook: str, kind: str, attribute: str | None = None) -> dict[str, Any]:
        """What all plugins offer through a hook, by name.

        Args:
            hook: its name.
            kind: what it collects, for messages.
            attribute: of an offer, which names it; ``None`` where plugins answer with mappings.

        Raises:
            PluginConflict: two plugins offer the same name.
        """
        offers: dict[str, Any] = {}
        providers: dict[tuple[str, str], str] = {}
        for provider, call in self._calls(hook):
            for name, offer in chain.from_iterable(_named(answer, attribute) for answer in call()):
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

    def _calls(self, hook: str) -> Sequence[tuple[str, Callable[..., Any]]]:
        """Each plugin that implements a hook, with a call of it alone inside all wrappers."""
        plugins = [
            implementation.plugin
            for implementation in _implementations(self.manager, hook)
            if not _is_wrapper(implementation)
        ]
        return [
            (
                _provider(self.manager, plugin),
                self.manager.subset_hook_caller(
                    hook, [other for other in plugins if other is not plugin]
                ),
            )
            for plugin in plugins
        ]


@lru_cache(maxsize=1)
def installed() -> Plugins:
    """The plugins of this environment, found once per process.

    Raises:
        BadPlugin: a plugin implements a hook that does not exist, or with arguments it has not.
        PluginConflict: two plugins offer the same name.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    seen: set[str] = set()
    for entry in entry_points(group=GROUP):
        if entry.value in seen:  # an editable install beside a wheel lists an entry twice
            continue
        seen.add(entry.value)
        register(manager, entry.load(), _entry_name(entry))
    return Plugins(manager)


def register(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    """Register a plugin whose implementations fit the hooks.

    Raises:
        BadPlugin: an implementation has an argument that its hook has not.
    """
    if not isinstance(plugin, Hashable):
        raise BadPlugin(f"plugin {name!r} cannot be hashed: name a module, or give it a __hash__.")
    try:
        manager.register(plugin, name=name)
    except pluggy.PluginValidationError as error:
        reason = " ".join(str(error).split())
        raise BadPlugin(f"{reason}: correct the plugin, or uninstall it.") from error


def _refuse_unknown_hooks(manager: pluggy.PluginManager) -> None:
    """Refuse a misspelt hook, which would never be called.

    It is what pluggy's ``check_pending`` refuses, with the nearest hook in the message.
    """
    callers = {name: caller for name, caller in vars(manager.hook).items() if name[:1] != "_"}
    known = [name for name, caller in callers.items() if caller.has_spec()]
    for name in callers.keys() - set(known):
        for implementation in callers[name].get_hookimpls():
            if not implementation.optionalhook:
                raise BadPlugin(
                    f"plugin {_provider(manager, implementation.plugin)!r} implements an "
                    f"{UnknownName('hook', name, known)} A hook of a newer Velour is marked "
                    "hookimpl(optionalhook=True)."
                )


def _named(answer: Any, attribute: str | None) -> Iterable[tuple[str, Any]]:
    if attribute is None:
        return dict(answer).items()
    return ((str(getattr(offer, attribute)), offer) for offer in answer)


def _implementations(manager: pluggy.PluginManager, hook: str) -> Sequence[pluggy.HookImpl]:
    """Implementations of a hook in the order in which pluggy calls them."""
    return list(reversed(getattr(manager.hook, hook).get_hookimpls()))


def _is_wrapper(implementation: pluggy.HookImpl) -> bool:
    return implementation.wrapper or implementation.hookwrapper


def _entry_name(entry: Any) -> str:
    distribution = entry.dist
    return (
        f"{entry.name} ({distribution.name} {distribution.version})" if distribution else entry.name
    )


def _provider(manager: pluggy.PluginManager, plugin: object) -> str:
    return manager.get_name(plugin) or repr(plugin)
