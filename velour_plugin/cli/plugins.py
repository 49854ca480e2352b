"""``velour plugins``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import json_option, print_json


@click.command()
@json_option
def plugins(as_json: bool) -> None:
    """List evaluators, formats and commands, and who provides them.

    \b
    $ velour plugins
    """
    from velour_plugin.cli import COMMANDS
    from velour_plugin.plugins import installed

    found = installed()
    found.commands(COMMANDS)
    rows = sorted((kind, name, provider) for (kind, name), provider in found.providers.items())
    if as_json:
        print_json([dict(zip(("kind", "name", "provider"), row, strict=True)) for row in rows])
        return
    for kind, name, provider in rows:
        click.echo(f"{kind:<10} {name:<24} {provider}")
