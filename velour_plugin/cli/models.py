"""``velour models``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

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
    """List the models of a store, and describe them for filters on their metadata."""


@models.command(name="list")
@click.option("--dataset", metavar="NAME", help="Only models that were evaluated on it.")
@json_option
@store_option
def list_models(dataset: str | None, as_json: bool, store: str | None) -> None:
    """List models that were evaluated or described, the newest first.

    \b
    $ velour models list --dataset fires
    """
    from velour_plugin.store.opening import read_store
    from velour_plugin.use_cases import inventory

    entries = read_store(store, partial(inventory.list_models, dataset=dataset))
    if as_json:
        print_json(entries)
        return
    if not entries:
        click.echo("No model is evaluated or described yet: run 'velour evaluate'.", err=True)
    for entry in entries:
        click.echo("  ".join([entry["name"], *_facts(entry)]))


def _facts(entry: Mapping[str, Any]) -> list[str]:
    """What is known of a model, in the order of one line."""
    facts = []
    if entry["evaluations"]:
        count, moment = entry["evaluations"], entry["evaluated_at"][:16].replace("T", " ")
        plural = "" if count == 1 else "s"
        facts.append(f"{count} evaluation{plural} on {', '.join(entry['datasets'])}, {moment} UTC")
    if entry["metadata"]:
        facts.append(json.dumps(entry["metadata"], ensure_ascii=False))
    return [*facts, entry["location"]] if entry["location"] else facts


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
