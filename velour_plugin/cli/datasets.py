"""``velour datasets``."""

from __future__ import annotations

import click

from velour_plugin.cli.options import json_option, print_json, store_option


@click.command()
@json_option
@store_option
def datasets(as_json: bool, store: str | None) -> None:
    """List the datasets of a store with their versions, the newest first.

    \b
    $ velour datasets
    """
    import velour_plugin as velour

    with velour.open_store(store) as opened:
        found = [v for name in opened.dataset_names() for v in opened.versions(name)]
    if as_json:
        names = ("dataset", "number", "digest", "datums", "properties")
        print_json([{name: getattr(version, name) for name in names} for version in found])
        return
    for version in found:
        click.echo(
            f"{version.dataset} v{version.number}  {version.datums} datums  {version.digest[:12]}"
        )
