"""What plugins offer, imported when it is used: evaluators and formats bring large libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from velour_plugin.errors import BadPlugin

Item = TypeVar("Item")
Blame = Callable[[str], AbstractContextManager[None]]
"""Of the name of an offer the context that names its plugin in every error."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An evaluator or a format, and where it is imported from when somebody needs it.

    Args:
        name: the task of an evaluator, the name of a format.
        home: its class as ``package.module:Class``, called without arguments.
        version: of an evaluator's arithmetic: it names cached answers, so it is said here, too.
    """

    name: str
    home: str
    version: str | None = None

    def load(self) -> Any:
        """Import the class and make one.

        Raises:
            BadPlugin: what is imported has another name or version.
        """
        module, _, kind = self.home.partition(":")
        item = getattr(import_module(module), kind)()
        name, version = getattr(item, "task", None) or item.name, getattr(item, "version", None)
        if (name, version) != (self.name, self.version):
            raise BadPlugin(
                f"{self.home} is {name!r} of version {version!r}, and offered as {self.name!r} of "
                f"version {self.version!r}: correct the plugin, or uninstall it."
            )
        return item


class Offers(MutableMapping[str, Item], Generic[Item]):
    """Offers of one kind by name; an :class:`Offer` is imported when it is looked up.

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
        found: Item = item
        return found

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
        """Each name with the version behind it, sorted; nothing is imported for this."""
        return sorted((name, item.version) for name, item in self._offers.items())
