"""``velour datasets``."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import click

from velour_plugin.cli.options import (
    changed_metadata,
    description_options,
    json_option,
    labels_option,
    latitude_longitude,
    lines,
    print_json,
    reading_text,
    store_option,
    strict_option,
    where_option,
)


@click.group(invoke_without_command=True)
@json_option
@store_option
@click.pass_context
def datasets(context: click.Context, as_json: bool, store: str | None) -> None:
    """List the datasets of a store, show, compare, tag and describe them; alone the same as list.

    \b
    $ velour datasets list
    $ velour datasets show fires
    $ velour datasets diff fires 1 2
    $ velour datasets tag fires night --where "hour >= 20"
    """
    if context.invoked_subcommand is None:
        context.invoke(list_datasets, as_json=as_json, store=store)


@datasets.command(name="list")
@click.option("--dataset", metavar="NAME", help="Only versions of it.")
@click.option("--model", metavar="NAME", help="Only versions on which it was evaluated.")
@json_option
@store_option
def list_datasets(dataset: str | None, model: str | None, as_json: bool, store: str | None) -> None:
    """List the versions of datasets, the newest first.

    \b
    $ velour datasets list --model night-model
    """
    from velour_plugin.store.opening import read_store
    from velour_plugin.use_cases import inventory

    entries = read_store(store, partial(inventory.list_datasets, dataset=dataset, model=model))
    if as_json:
        print_json(entries)
        return
    if not entries:
        click.echo("No dataset is stored yet: run 'velour evaluate'.", err=True)
    for entry in entries:
        count = entry["evaluations"]
        click.echo(
            f"{entry['dataset']} v{entry['number']}  {entry['datums']} datums  "
            f"{entry['digest'][:12]}  {count} evaluation{'' if count == 1 else 's'}"
        )


@datasets.command(name="show")
@click.argument("name")
@click.option("--version", "number", type=int, metavar="N", help="The newest if not given.")
@json_option
@store_option
def show_dataset(name: str, number: int | None, as_json: bool, store: str | None) -> None:
    """Show a version of NAME: what is in it, and what its reader repaired or left out.

    \b
    $ velour datasets show fires
    """
    from velour_plugin.store.opening import read_store
    from velour_plugin.use_cases import inventory

    entry = read_store(store, partial(inventory.show_dataset, dataset=name, number=number))
    if as_json:
        print_json(entry)
        return
    about = {
        "dataset": f"{entry['dataset']} v{entry['number']}  {entry['digest'][:12]}",
        "datums": f"{entry['datums']:,}",
        "properties": ", ".join(entry["properties"]) or "none",
        **({"groups": ", ".join(entry["groups"])} if entry["groups"] else {}),
        "evaluations": f"{entry['evaluations']:,} of {len(entry['models']):,} models",
    }
    click.echo("\n\n".join((lines(about), reading_text(entry["reading"]))))


@datasets.command()
@click.argument("name")
@click.argument("before", type=int)
@click.argument("after", type=int)
@json_option
@store_option
def diff(name: str, before: int, after: int, as_json: bool, store: str | None) -> None:
    """Say which datums of NAME were added, removed or changed between two versions.

    \b
    $ velour datasets diff fires 1 2
    """
    import velour_plugin as velour

    with velour.open_store(store, create=False) as opened:
        difference = opened.diff(name, before, after)
    if as_json:
        print_json(asdict(difference))
    else:
        click.echo(str(difference))


@datasets.command()
@click.argument("name")
@click.argument("truth")
@click.option("--format", default="coco", show_default=True, help="See velour plugins.")
@click.option("--metadata", metavar="FILE", help="CSV or JSON, one record a datum.")
@labels_option
@strict_option
@store_option
def add(
    name: str,
    truth: str,
    format: str,
    metadata: str | None,
    labels: str | None,
    store: str | None,
) -> None:
    """Make the next version of NAME by adding the datums of the file TRUTH.

    \b
    $ velour datasets add fires more-instances.json --metadata more-images.csv
    $ velour datasets add street more/ --format label-images --labels classes.txt
    """
    import velour_plugin as velour

    addition = velour.read_dataset(truth, format, name=name, metadata=metadata, labels=labels)
    with velour.open_store(store, create=False) as opened:
        version = opened.add_datums(addition)
    click.echo(f"{version.dataset} v{version.number}  {version.datums} datums")


@datasets.command()
@click.argument("name")
@click.argument("tag")
@where_option
@store_option
def tag(name: str, tag: str, where: str | None, store: str | None) -> None:
    """Tag the datums of NAME that a filter selects, all of them without one.

    \b
    $ velour datasets tag fires night --where "hour >= 20"
    $ velour rank mAP --dataset fires --where "'night' IN (fact.tags)"
    """
    import velour_plugin as velour

    with velour.open_store(store, create=False) as opened:
        click.echo(f"{opened.tag(name, tag, where=where)} datums of {name} are new under {tag!r}")


@datasets.command()
@click.argument("name")
@click.argument("tag")
@where_option
@store_option
def untag(name: str, tag: str, where: str | None, store: str | None) -> None:
    """Take a tag from the datums of NAME that a filter selects, from all without one.

    \b
    $ velour datasets untag fires night
    """
    import velour_plugin as velour

    with velour.open_store(store, create=False) as opened:
        click.echo(f"{opened.untag(name, tag, where=where)} datums of {name} lost {tag!r}")


@datasets.command(name="set")
@click.argument("name")
@description_options
@click.option(
    "--groups",
    multiple=True,
    metavar="NAME",
    help="Datums that belong together: video, location:0.5; repeatable; none: independent.",
)
@store_option
def set_dataset(
    name: str,
    metadata: tuple[str, ...],
    location: str | None,
    groups: tuple[str, ...],
    store: str | None,
) -> None:
    """Describe the dataset NAME as a whole; other metadata of it stays.

    What describes a dataset is content, so this makes its next version, of the same datums. Groups
    are not: they are declared for the version that there is.

    \b
    $ velour datasets set fires --groups video
    $ velour datasets set fires --metadata sensor=infrared --location 42.36,-71.03
    $ velour rank mAP --dataset fires --where "dataset.metadata.sensor = 'infrared'"
    """
    import velour_plugin as velour

    with velour.open_store(store, create=False) as opened:
        known = opened.load_dataset(name)
        meant_for = known.location if location is None else latitude_longitude(location)
        changed = known.with_metadata(changed_metadata(known.metadata, metadata), meant_for)
        version = opened.save_dataset(changed.with_groups(groups or known.groups))
    click.echo(f"{version.dataset} v{version.number}  {version.digest[:12]}")
