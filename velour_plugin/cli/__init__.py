"""The command line ``velour``: one module a command, without logic.

A command reads options, makes one call, and prints. Wrong input exits with 2 and a message that
names the value, the rule and the way out.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from velour_plugin.domain.inputs.reading import reading
from velour_plugin.errors import VelourError

COMMANDS = {
    "compare": "questions.compare",
    "completion": "completion",
    "datasets": "datasets",
    "db": "db",
    "evaluate": "evaluate",
    "matches": "questions.matches",
    "matrix": "questions.matrix",
    "models": "models",
    "plan": "questions.plan",
    "plugins": "plugins",
    "rank": "questions.rank",
    "recommend": "questions.recommend",
    "runs": "runs",
    "slices": "questions.slices",
    "threshold": "questions.threshold",
    "worst": "questions.worst",
}


class Commands(click.Group):
    """The commands of Velour and of plugins, each imported when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands, Velour's and those of plugins."""
        return sorted({*COMMANDS, *self._offered()})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a command and return it; ``None`` where there is none of that name."""
        # numpy's threads sleep at once when there is no matrix to multiply: they would first spin
        # for as long as numpy takes to be imported
        os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
        if name in COMMANDS:
            module = import_module(f"velour_plugin.cli.{COMMANDS[name]}")
            return getattr(module, name)  # type: ignore[no-any-return]
        return self._offered().get(name)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that a command line begins with; suggest one for a misspelt name."""
        name = args[0]
        if not name.startswith("-") and self.get_command(context, name) is None:
            if context.resilient_parsing:  # for completion
                return None, None, args[1:]
            from velour_plugin.errors import UnknownName

            raise UnknownName("command", name, self.list_commands(context))
        return super().resolve_command(context, args)

    def invoke(self, context: click.Context) -> Any:
        """Call a command; what readers repaired, skipped and could not match ends on stderr."""
        with reading(announce=lambda report: None) as log:
            try:
                return super().invoke(context)
            finally:
                if not log.report.is_clean:
                    click.echo(str(log.report), err=True)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; for an error of Velour print its message and exit with its exit code."""
        try:
            return super().main(*args, **kwargs)
        except VelourError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)

    def _offered(self) -> dict[str, click.Command]:
        from velour_plugin.plugins.installed import installed

        return installed().commands(COMMANDS)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="velour-plugin")
def main() -> None:
    """Which model is best for this need, on data like this, and how sure are we?

    \b
    $ velour demo
    $ velour rank mAP --dataset simulated-fires \\
        --where "DWITHIN(location, POINT(-71.03 42.36), 50, 'mi')"
    """
