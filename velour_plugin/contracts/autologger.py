"""Autologgers: which functions of which library are watched, and the function that watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol


class Watch(Protocol):
    """Function ``(owner, name, watcher)`` that wraps ``owner.name`` while autologging is on."""

    def __call__(self, owner: Any, name: str, watcher: Callable[..., Any]) -> None:
        """Let ``watcher(original, *args, **kwargs)`` be called instead of ``owner.name``.

        The watcher calls ``original`` once, with the same arguments. What it returns is not
        used and what it raises is a warning: callers get what ``original`` gives.
        """


@dataclass(frozen=True, slots=True)
class Autologger:
    """A library whose evaluations Velour repeats and logs, without changes to user code.

    Args:
        name: of the library, as ``pip`` knows it.
        modules: by the name of a module, a function of the module and of a :class:`Watch`, called
            when the module is imported.
        versions: of the library that it is known to work with, such as ``>=2.0.8``.
    """

    name: str
    modules: Mapping[str, Callable[[ModuleType, Watch], None]]
    versions: str = ""
