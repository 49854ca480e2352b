"""Register plugins with pluggy, refuse those that break hook rules, call one at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pluggy

from velour_plugin import hookspecs
from velour_plugin.errors import BadPlugin, UnknownName, VelourError
from velour_plugin.plugins.entry_points import entry_points

GROUP = "velour"


class PluginManager(pluggy.PluginManager):
    """Pluggy's manager with Velour's hooks, and errors that name the plugin and the way out."""

    def __init__(self) -> None:
        super().__init__(GROUP)
        self.add_hookspecs(hookspecs)

    def register_installed(self) -> None:
        """Register every plugin that an entry point of the group ``velour`` names.

        Raises:
            BadPlugin: a plugin cannot be imported, or has an unknown argument of a hook.
        """
        seen: set[str] = set()
        for entry in entry_points(GROUP):
            if entry.value in seen:  # an editable install beside a wheel lists an entry twice
                continue
            seen.add(entry.value)
            name = f"{entry.name} ({entry.distribution})" if entry.distribution else entry.name
            with blamed(f"plugin {name!r}", "while it was imported"):
                plugin = entry.load()
            self.register(plugin, name)

    def register(self, plugin: object, name: str | None = None) -> str | None:
        """Register a plugin whose implementations fit the hooks; return its name.

        Raises:
            BadPlugin: an implementation has an argument unknown to its hook, or the plugin has
                no hash, which pluggy needs.
        """
        if not isinstance(plugin, Hashable):
            shown = name or type(plugin).__name__
            raise BadPlugin(
                f"plugin {shown!r} cannot be hashed: name a module, or give it a __hash__."
            )
        try:
            return super().register(plugin, name)
        except pluggy.PluginValidationError as error:
            reason = " ".join(str(error).split())
            raise BadPlugin(f"{reason}: correct the plugin, or uninstall it.") from error

    def check_pending(self) -> None:
        """Refuse a misspelt hook, which would never be called; the nearest is named.

        Raises:
            BadPlugin: a plugin implements a hook that does not exist and is not marked optional.
        """
        callers = {name: caller for name, caller in vars(self.hook).items() if name[:1] != "_"}
        known = [name for name, caller in callers.items() if caller.has_spec()]
        for name in callers.keys() - set(known):
            for implementation in callers[name].get_hookimpls():
                if not implementation.optionalhook:
                    raise BadPlugin(
                        f"plugin {self.provider(implementation.plugin)!r} implements an "
                        f"{UnknownName('hook', name, known)} A hook of a newer Velour is marked "
                        "hookimpl(optionalhook=True)."
                    )

    def calls(self, hook: str) -> Sequence[tuple[str, Callable[..., Any]]]:
        """List the plugins with a hook, each with a function that calls it inside all wrappers.

        Where there are only wrappers, one call of these.
        """
        plugins = [call.plugin for call in self._implementations(hook) if not _is_wrapper(call)]
        if not plugins and self.wrappers(hook):
            return [(self.wrappers(hook)[0], getattr(self.hook, hook))]
        return [
            (
                self.provider(plugin),
                self.subset_hook_caller(hook, [other for other in plugins if other is not plugin]),
            )
            for plugin in plugins
        ]

    def wrappers(self, hook: str) -> Sequence[str]:
        """List the plugins that wrap a hook: pluggy runs all of them around each call."""
        wrappers = filter(_is_wrapper, self._implementations(hook))
        return [self.provider(wrapper.plugin) for wrapper in wrappers]

    def taken(self, hook: str) -> set[str]:
        """Return the names of the arguments of a hook that any plugin takes."""
        return {name for call in self._implementations(hook) for name in call.argnames}

    def provider(self, plugin: object) -> str:
        """Return the name of a plugin, with its distribution and version where it has one."""
        return self.get_name(plugin) or repr(plugin)

    def _implementations(self, hook: str) -> Sequence[pluggy.HookImpl]:
        """Implementations of a hook, in the order in which pluggy calls them."""
        return list(reversed(getattr(self.hook, hook).get_hookimpls()))


@contextmanager
def blamed(owner: str, when: str) -> Iterator[None]:
    """Turn any exception of a plugin into an error that names it; Velour's errors pass.

    Args:
        owner: of the called code, such as ``plugin 'quality'``.
        when: the occasion, for the message.

    Raises:
        BadPlugin: the plugin failed.
    """
    try:
        yield
    except VelourError:
        raise
    except (Exception, SystemExit) as error:
        raise BadPlugin(
            f"{owner} failed {when}: {error!r}. Correct the plugin, or uninstall it."
        ) from error


def _is_wrapper(implementation: pluggy.HookImpl) -> bool:
    return implementation.wrapper or implementation.hookwrapper
