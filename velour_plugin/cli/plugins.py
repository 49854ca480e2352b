"""``velour plugins``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import json_option, print_json


@click.command()
@json_option
def plugins(as_json: bool) -> None:
    """List evaluators, formats, stores, tables and commands, and who provides them.

    \b
    $ velour plugins
    """
    from velour_plugin.cli import COMMANDS
    from velour_plugin.plugins.installed import installed

    registry = installed()
    registry.commands(COMMANDS)
    rows = [
        {"kind": kind, "name": name, "provider": provider, "engine": _engine(kind, name)}
        for (kind, name), provider in sorted(registry.providers.items())
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        engine = f"  {row['engine']}" if row["engine"] else ""
        click.echo(f"{row['kind']:<10} {row['name']:<24} {row['provider']}{engine}")


def _engine(kind: str, name: str) -> str | None:
    """The engine of an evaluator, such as compiled kernels; ``None`` for other kinds."""
    from velour_plugin.plugins.installed import installed

    return installed().evaluator(name).engine if kind == "evaluator" else None
