"""Compiled modules, if there are any; without them, numpy computes the same, slower.

The environment variable ``VELOUR_ENGINE`` chooses: ``auto`` (compiled modules where there are
any), ``numpy``, or ``native`` (refuse to run without). ``VELOUR_THREADS`` bounds the threads of
one call; the number of threads never changes a result.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from velour_plugin.errors import InvalidInput, MissingExtra

ENGINES = ("auto", "native", "numpy")


class Compiled:
    """A module of C, if it can be imported; ``functions`` is ``None`` where it is absent.

    Its functions take arrays by name and return a dictionary of arrays. They raise ``TypeError``
    for an array of another type, and ``ValueError`` for another length or a value that is out of
    bounds; the message names it.

    Args:
        name: dotted, of the module.

    Attributes:
        functions: the module; ``None`` where it is absent.
    """

    functions: Any

    def __init__(self, name: str) -> None:
        self._why_not = ""
        try:
            self.functions = import_module(name)
        except ImportError as error:
            self.functions, self._why_not = None, str(error)

    def available(self) -> bool:
        """Whether the module is there and ``VELOUR_ENGINE`` does not turn it off.

        Raises:
            InvalidInput: ``VELOUR_ENGINE`` names no engine.
            MissingExtra: ``VELOUR_ENGINE=native`` and there is no such module.
        """
        engine = os.environ.get("VELOUR_ENGINE", "auto")
        if engine not in ENGINES:
            raise InvalidInput(f"VELOUR_ENGINE={engine!r}: expected one of {', '.join(ENGINES)}.")
        if engine == "native" and self.functions is None:
            raise MissingExtra(
                f"VELOUR_ENGINE=native, and the compiled kernel is absent ({self._why_not}): "
                "install a C compiler and reinstall velour-plugin, or unset VELOUR_ENGINE to use "
                "numpy."
            )
        return engine != "numpy" and self.functions is not None

    def describe(self) -> str:
        """Say which engine runs, and why, in a few words."""
        if self.available():
            return f"compiled, up to {threads()} threads"
        if self.functions is not None:
            return "numpy (VELOUR_ENGINE=numpy)"
        return f"numpy (no compiled kernel: {self._why_not})"


library = Compiled("velour_plugin.native._native")
"""The compiled module of the core."""


def threads() -> int:
    """Return the number of threads of one call: the processors of this process, at most 16.

    Raises:
        InvalidInput: ``VELOUR_THREADS`` is no whole number above 0.
    """
    setting = os.environ.get("VELOUR_THREADS")
    if setting is None:
        can = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return min(can or 1, 16)
    if not setting.isdecimal() or int(setting) < 1:
        raise InvalidInput(f"VELOUR_THREADS={setting!r}: expected a whole number above 0.")
    return min(int(setting), 64)


def threads_for(rows: int) -> int:
    """Return the number of threads for so many rows: 1 below 20,000, as starting them costs."""
    return threads() if rows >= 20_000 else 1
