"""Find plugins by entry point, refuse two of one name, and say who provides what."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from velour_plugin import hookspecs
from velour_plugin.errors import NotFound, PluginConflict, UnknownName

if TYPE_CHECKING:
    import click

    from velour_plugin.autologger import Autologger
    from velour_plugin.domain.evaluation import Evaluation
    from velour_plugin.evaluator import Evaluator
    from velour_plugin.filters.properties import PropertyFamily
    from velour_plugin.formats import Format
    from velour_plugin.tracked import Tracked

GROUP = "velour"


class Plugins:
    """What the plugins of one process offer.

    Args:
        manager: with the plugins registered; :func:`installed` makes the usual one.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self.manager = manager
        self._providers: dict[tuple[str, str], str] = {}
        self._commands: dict[str, click.Command] | None = None
        if self._may_conflict("velour_evaluators"):
            _ = self.evaluators
        if self._may_conflict("velour_formats"):
            _ = self.formats

    @cached_property
    def evaluators(self) -> dict[str, Evaluator]:
        """Evaluators by task."""
        return {one.task: one for one in self._collect("velour_evaluators", "evaluator", "task")}

    @cached_property
    def formats(self) -> dict[str, Format]:
        """Formats by name."""
        return {one.name: one for one in self._collect("velour_formats", "format", "name")}

    @cached_property
    def properties(self) -> dict[str, PropertyFamily]:
        """Families of properties that filters may ask for, by prefix."""
        from velour_plugin.filters.properties import checked_offer

        families = self._collect("velour_properties", "properties", "prefix")
        return {family.prefix: checked_offer(family) for family in families}

    @cached_property
    def autologgers(self) -> dict[str, Autologger]:
        """Autologgers by the library that they watch."""
        offered = self._collect("velour_autologgers", "autologger", "name")
        return {one.name: one for one in offered}

    @property
    def providers(self) -> dict[tuple[str, str], str]:
        """Who offers what, by kind and name; commands once they were asked for."""
        _ = self.evaluators, self.formats, self.autologgers, self.properties
        return self._providers

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
            self._commands = {
                str(command.name): command
                for command in self._collect("velour_commands", "command", "name")
            }
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

    def evaluate_tracked(self, asked: Tracked) -> str:
        """Judge in a run of a tracker; returns the run's id.

        Raises:
            NotFound: no plugin tracks runs.
        """
        found: str | None = self.manager.hook.velour_evaluate_tracked(asked=asked)
        if found is None:
            raise NotFound("no plugin tracks runs: only files of predictions can be judged.")
        return found

    def announce(self, evaluation: Evaluation) -> None:
        """Tell every plugin of a saved evaluation; a plugin that fails is a warning."""
        for implementation in self.manager.hook.velour_after_evaluation.get_hookimpls():
            try:
                implementation.function(evaluation)
            except Exception as error:
                warnings.warn(
                    f"plugin {implementation.plugin_name!r} failed after an evaluation that is "
                    f"safely stored: {error!r}",
                    stacklevel=2,
                )

    def _may_conflict(self, hook: str) -> bool:
        """One plugin alone is asked when its answer is needed: evaluators are slow to import."""
        return len(getattr(self.manager.hook, hook).get_hookimpls()) > 1

    def _collect(self, hook: str, kind: str, name: str) -> Iterable[Any]:
        """Ask each plugin in turn and keep who answered what."""
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            provider = _provider(self.manager, implementation.plugin)
            for offered in implementation.function():
                key = (kind, str(getattr(offered, name)))
                if key in self._providers:
                    raise PluginConflict(
                        f"{kind} {key[1]!r} is offered by {self._providers[key]} and by "
                        f"{provider}: uninstall one of them."
                    )
                self._providers[key] = provider
                yield offered


@lru_cache(maxsize=1)
def installed() -> Plugins:
    """The plugins of this environment, found once per process."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    seen: set[str] = set()
    for entry in entry_points(group=GROUP):
        if entry.value in seen:  # an editable install beside a wheel lists an entry twice
            continue
        seen.add(entry.value)
        manager.register(entry.load(), name=_entry_name(entry))
    return Plugins(manager)


def _entry_name(entry: Any) -> str:
    distribution = entry.dist
    return (
        f"{entry.name} ({distribution.name} {distribution.version})" if distribution else entry.name
    )


def _provider(manager: pluggy.PluginManager, plugin: object) -> str:
    return manager.get_name(plugin) or repr(plugin)
