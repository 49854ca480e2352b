"""A progress bar on anything that takes longer than two seconds, on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
PATIENCE = 2.0
"""Seconds that pass before a bar appears."""


def track(items: Iterable[Item], total: int, about: str) -> Iterator[Item]:
    """Yield items; on a terminal, show a bar on standard error when it takes long.

    Args:
        items: to yield.
        total: number of items.
        about: the text beside the bar.
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
            bar.update(task, advance=1, visible=time.monotonic() - began > PATIENCE)
