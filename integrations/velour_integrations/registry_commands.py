"""``velour promote`` and ``velour versions``: MLflow's model registry, moved by what was measured.

The libraries are imported when a command runs: the command line loads this file for its help.
"""

from __future__ import annotations

import click

from velour_plugin.plugin import (
    groups_option,
    json_option,
    label_named,
    print_result,
    store_option,
    where_option,
)


@click.command()
@click.argument("model")
@click.option("--alias", default="champion", show_default=True, help="To give to the best version.")
@click.option("--metric", default="mAP", show_default=True, help="To rank the versions by.")
@click.option("--dataset", required=True, metavar="NAME", help="That versions were evaluated on.")
@where_option
@click.option("--label", metavar="[KEY=]VALUE", help="Rank by this class, with a metric like AP.")
@groups_option
@click.option("--min-lead", type=float, metavar="MARGIN", help="Only if the lead is larger.")
@click.option("--precision", type=float, help="Store the thresholds of scores that reach it.")
@click.option("--confidence", default=0.95, show_default=True, help="That the lead is no chance.")
@click.option("--permutations", default=1000, show_default=True, help="Of the comparison.")
@click.option("--seed", default=0, show_default=True, help="Of ranking and comparison.")
@click.option("--force", is_flag=True, help="Move the alias all the same; a tag says so.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
@store_option
def promote(
    model: str,
    alias: str,
    metric: str,
    dataset: str,
    where: str | None,
    label: str | None,
    groups: tuple[str, ...],
    min_lead: float | None,
    precision: float | None,
    confidence: float,
    permutations: int,
    seed: int,
    force: bool,
    dry_run: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Give an alias of the registered MODEL to its best version, if that leads by more than chance.

    Versions are ranked by their evaluations in MLflow runs; the best is compared with the one that
    has the alias, and gets it when that leads to a p of at most 1 less the confidence: over all
    looks at data that grow, which tags of MODEL remember.

    \b
    $ velour promote fire-detector --alias champion --metric mAP --dataset fires \\
        --where "time_of_day = 'night'"
    """
    import velour_plugin as velour
    from velour_integrations.loading import load_mlflow

    load_mlflow()
    from velour_integrations.mlflow.quiet import quiet_database
    from velour_integrations.mlflow.registry.promote import promote as promote_model

    with quiet_database(), velour.open_store(store, create=False) as opened:
        promotion = promote_model(
            model,
            alias,
            metric,
            dataset=dataset,
            where=where,
            label=label_named(label),
            force=force,
            dry_run=dry_run,
            groups=groups or None,
            min_lead=min_lead,
            precision=precision,
            confidence=confidence,
            permutations=permutations,
            seed=seed,
            store=opened,
        )
    print_result(promotion, as_json)


@click.command()
@click.argument("name")
@click.option("--dataset", metavar="NAME", help="Only evaluations on this one.")
@json_option
@store_option
def versions(name: str, dataset: str | None, as_json: bool, store: str | None) -> None:
    """List the versions of the registered model NAME with their evaluations; or the way back.

    NAME may as well be an evaluation's id, or a run: the versions that it is of are listed.
    models:/NAME@ALIAS is one version.

    \b
    $ velour versions fire-detector
    $ velour versions 3f2a9c0d51e84b7a96c2f0e1d2b3a495
    """
    import velour_plugin as velour
    from velour_integrations.loading import load_mlflow

    load_mlflow()
    from velour_integrations.mlflow.quiet import quiet_database
    from velour_integrations.mlflow.registry.listing import listing

    with quiet_database(), velour.open_store(store, create=False) as opened:
        print_result(listing(name, dataset, opened), as_json)
