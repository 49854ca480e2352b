"""``velour models``."""

from __future__ import annotations

import json

import click

from velour_plugin.cli.options import json_option, print_json, store_option


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
    import velour_plugin as velour
    from velour_plugin.domain.metadata import encode_metadata

    with velour.open_store(store, create=False) as opened:
        known = opened.models()
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
    for row in rows:
        location = f"  {row['location']}" if row["location"] else ""
        click.echo(f"{row['name']}  {json.dumps(row['metadata'], ensure_ascii=False)}{location}")


@models.command(name="set")
@click.argument("name")
@click.option(
    "--metadata",
    multiple=True,
    metavar="KEY=VALUE",
    help="A JSON value where it is one, else text; KEY= removes it. May be repeated.",
)
@click.option("--location", metavar="LAT,LON", help="Where the model is meant for, in degrees.")
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
        changed = {**known.metadata, **dict(map(_pair, metadata))}
        kept = {key: value for key, value in changed.items() if value is not None}
        meant_for = known.location if location is None else _location(location)
        opened.save_model(velour.Model(name, kept, meant_for))


def _pair(text: str) -> tuple[str, object]:
    from velour_plugin.domain.models import metadata_value
    from velour_plugin.errors import BadMetadata

    key, equals, value = text.partition("=")
    if not key or not equals:
        raise BadMetadata(f"--metadata {text!r}: expected KEY=VALUE, such as backbone=swin.")
    return key, metadata_value(value) if value else None


def _location(text: str) -> tuple[float, float]:
    from velour_plugin.errors import BadGeometry

    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError as error:
        raise BadGeometry(
            f"--location {text!r}: expected LATITUDE,LONGITUDE, such as 42.36,-71.03."
        ) from error
    return latitude, longitude
