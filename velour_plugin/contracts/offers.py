"""Evaluators and formats that plugins offer by name, imported when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from velour_plugin.errors import BadPlugin

Item = TypeVar("Item")
Blame = Callable[[str], AbstractContextManager[None]]
"""Makes, for the name of an offer, a context that names its plugin in every error."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An evaluator or a format by name, with the class to import when it is needed.

    Args:
        name: the task of an evaluator, the name of a format.
        home: its class as ``package.module:Class``, called without arguments.
        version: of an evaluator's arithmetic: part of the key of cached answers.
    """

    name: str
    home: str
    version: str | None = None

    def load(self) -> Any:
        """Import the class and return a new instance.

        Raises:
            BadPlugin: what is imported has another name or version.
        """
        module, _, kind = self.home.partition(":")
        item = getattr(import_module(module), kind)()
        name, version = getattr(item, "task", None) or item.name, getattr(item, "version", None)
        if (name, version) != (self.name, self.version):
            raise BadPlugin(
                f"{self.home} is {name!r} of version {version!r}, but offered as {self.name!r} of "
                f"version {self.version!r}: correct the plugin, or uninstall it."
            )
        return item


class Offers(MutableMapping[str, Item], Generic[Item]):
    """A mapping of names to evaluators or formats; an :class:`Offer` is imported when looked up.

    Args:
        offers: by name, each an item or an :class:`Offer` of one.
        blame: names the plugin when an import fails.
    """

    def __init__(self, offers: dict[str, Any], blame: Blame) -> None:
        self._offers = offers
        self._blame = blame

    def __getitem__(self, name: str) -> Item:
        item = self._offers[name]
        if isinstance(item, Offer):
            with self._blame(name):
                item = self._offers[name] = item.load()
        loaded: Item = item
        return loaded

    def __contains__(self, name: object) -> bool:
        return name in self._offers

    def __setitem__(self, name: str, item: Item) -> None:
        self._offers[name] = item

    def __delitem__(self, name: str) -> None:
        del self._offers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._offers)

    def __len__(self) -> int:
        return len(self._offers)

    @property
    def versions(self) -> list[tuple[str, str | None]]:
        """Each name with its version, sorted; imports nothing."""
        return sorted((name, item.version) for name, item in self._offers.items())
