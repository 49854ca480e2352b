"""A session in the terminal: commands are printed as they can be typed, and run as printed."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from velour_plugin.plugin import masked_url

WIDTH = 96
"""Columns after which a command goes on in the next line."""


def program(name: str) -> str:
    """Return how to call a program of this environment from here: by name where that finds it.

    Else by its path, relative to the working directory where it lies below.
    """
    path = shutil.which(name, path=str(Path(sys.executable).parent))
    first = shutil.which(name)
    # By their names: the python of an environment is a link to one that lacks its packages.
    if path is None or (first and os.path.abspath(first) == os.path.abspath(path)):
        return name
    near = Path(path).is_relative_to(Path.cwd())
    return os.path.relpath(path) if near else path


def command_line(*words: str) -> str:
    """Join words as they are typed in a shell; long lines go on after a backslash.

    >>> print(command_line("velour", "rank", "--where", "time_of_day = 'night'"))
    velour rank --where "time_of_day = 'night'"
    """
    groups: list[str] = []  # an option with its value
    for word in words:
        if groups and groups[-1].startswith("--") and not word.startswith("--"):
            groups[-1] += f" {quoted(word)}"
        else:
            groups.append(quoted(word))
    lines = groups[:1]
    for group in groups[1:]:
        if len(lines[-1]) + len(group) < WIDTH:
            lines[-1] += f" {group}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {group}")
    return "\n".join(lines)


def quoted(word: str) -> str:
    """Quote one word for a shell, with double quotes where it has single ones of its own."""
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


class Session:
    """Runs commands of ``velour`` in this process.

    Args:
        root: the command line as a whole.
        store: URL of the store that all commands are about; ``None`` for the default one.
    """

    def __init__(self, root: click.Command, store: str | None) -> None:
        self._root = root
        self._velour = program("velour")
        self._store = () if store is None else ("--store", store)

    def line(self, *arguments: str) -> str:
        """Return a command of ``velour`` as it can be typed here."""
        return command_line(self._velour, *arguments, *map(masked_url, self._store))

    def run(self, *arguments: str) -> None:
        """Print a command, then what it prints.

        Raises:
            SystemExit: it failed, and has printed why.
        """
        click.echo(f"$ {self.line(*arguments)}")
        self._call(arguments)

    def run_for_the_end(self, *arguments: str, skip: int) -> None:
        """Print a command, and its output but for the first paragraphs.

        Args:
            arguments: of the command.
            skip: how many paragraphs are left out: the numbers of as many models.
        """
        click.echo(f"$ {self.line(*arguments)}")
        output = io.StringIO()
        with redirect_stdout(output):
            self._call(arguments)
        end = output.getvalue().split("\n\n", skip)[skip]
        click.echo(f"[…] the numbers of {skip} models, and then:\n\n{end}", nl=False)

    def _call(self, arguments: tuple[str, ...]) -> None:
        self._root.main([*arguments, *self._store], prog_name="velour", standalone_mode=False)
