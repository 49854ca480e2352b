"""``velour models``."""

from __future__ import annotations

import json

import click

from velour_plugin.cli.options import (
    changed_metadata,
    description_options,
    json_option,
    latitude_longitude,
    print_json,
    store_option,
)


@click.group()
def models() -> None:
    """Describe the models that are evaluated, for filters on their metadata."""


@models.command(name="list")
@json_option
@store_option
def list_models(as_json: bool, store: str | None) -> None:
    """List models that something is known of, with their metadata.

    \b
    $ velour models list
    """
    from velour_plugin.domain.metadata import encode_metadata
    from velour_plugin.store.opening import read_store

    known = read_store(store, lambda reader: reader.models())
    rows = [
        {
            "name": model.name,
            "metadata": encode_metadata(model.metadata),
            "location": None if model.location is None else model.location.wkt,
        }
        for model in known
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(
            "No model is described yet: velour models set NAME --metadata KEY=VALUE.", err=True
        )
    for row in rows:
        location = f"  {row['location']}" if row["location"] else ""
        click.echo(f"{row['name']}  {json.dumps(row['metadata'], ensure_ascii=False)}{location}")


@models.command(name="set")
@click.argument("name")
@description_options
@store_option
def set_model(
    name: str, metadata: tuple[str, ...], location: str | None, store: str | None
) -> None:
    """Store what is known of the model NAME; other metadata of it stays.

    \b
    $ velour models set yolo-s --metadata backbone=swin --metadata depth=50
    $ velour rank mAP --dataset fires --where "model.metadata.backbone = 'swin'"
    """
    import velour_plugin as velour

    with velour.open_store(store) as opened:
        known = {model.name: model for model in opened.models()}.get(name) or velour.Model(name)
        meant_for = known.location if location is None else latitude_longitude(location)
        opened.save_model(velour.Model(name, changed_metadata(known.metadata, metadata), meant_for))
