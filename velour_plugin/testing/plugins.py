"""Install a plugin in this process for a test, as an entry point does it for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from velour_plugin.plugins.installed import Plugins, installed


@contextmanager
def plugin_installed(plugin: object, name: str = "plugin-under-test") -> Iterator[Plugins]:
    """Context manager that installs a plugin beside those of the environment, and gives them all.

    Raises:
        BadPlugin: it does not keep to the hooks.
        PluginConflict: it offers what another plugin offers.
    """
    plugins = installed()
    plugins.manager.register(plugin, name)
    try:
        plugins.refresh()
        yield plugins
    finally:
        plugins.manager.unregister(plugin)
        plugins.refresh()
