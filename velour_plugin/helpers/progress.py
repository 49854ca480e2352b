"""Progress on standard error for anything that takes longer than two seconds, on terminals only."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TypeVar

Item = TypeVar("Item")
PATIENCE = 2.0
"""Seconds that pass before progress is shown."""


def track(items: Iterable[Item], total: int, about: str) -> Iterator[Item]:
    """Yield the items, with a progress bar where it takes long.

    Args:
        items: to go through.
        total: how many they are.
        about: what is done with them, such as ``measuring mAP``.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    began = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(about, total=total, visible=False)
        for item in items:
            yield item
            is_slow = time.monotonic() - began > PATIENCE
            if is_slow:
                _clear_lines()
            bar.update(task, advance=1, visible=is_slow)


@contextmanager
def waiting(about: str) -> Iterator[None]:
    """Show a line while a block runs that cannot tell how far it is; it is gone afterwards.

    A progress bar inside takes its place.

    Args:
        about: what is done, such as ``loading MLflow``.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    line = _Line(about)
    _LINES.append(line)
    try:
        yield
    finally:
        line.clear()
        _LINES.remove(line)


class _Line:
    """One line on standard error, from :data:`PATIENCE` seconds on until it is cleared."""

    def __init__(self, text: str) -> None:
        self._text, self._lock = text, Lock()
        self._is_shown = self._is_over = False
        self._timer = Timer(PATIENCE, self._show)
        self._timer.daemon = True  # a command that ends does not wait for it
        self._timer.start()

    def _show(self) -> None:
        with self._lock:
            if not self._is_over:
                self._is_shown = True
                sys.stderr.write(f"\r{self._text} …")
                sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line, and show it no more."""
        with self._lock:
            self._timer.cancel()
            self._is_over = True
            if self._is_shown:
                self._is_shown = False
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()


_LINES: list[_Line] = []


def _clear_lines() -> None:
    for line in _LINES:
        line.clear()
