"""``velour runs``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import click

from velour_plugin.cli.options import (
    json_option,
    lines,
    print_json,
    reading_text,
    refresh_option,
    store_option,
)


@click.group()
def runs() -> None:
    """List the runs that were evaluated, and show one."""


@runs.command(name="list")
@click.option("--dataset", metavar="NAME", help="Only those on it.")
@click.option("--model", metavar="NAME", help="Only those of it.")
@refresh_option
@json_option
@store_option
def list_runs(
    dataset: str | None, model: str | None, refresh: bool, as_json: bool, store: str | None
) -> None:
    """List evaluated runs, the newest first, by the first headline metric of their task.

    \b
    $ velour runs list --dataset fires
    """
    from velour_plugin.answers.text import TextColumn, TextTable
    from velour_plugin.store.opening import read_store
    from velour_plugin.use_cases import inventory
    from velour_plugin.use_cases.run_states import refresh_runs

    refresh_runs(store, None if dataset is None else [dataset], refresh)
    entries = read_store(store, partial(inventory.list_runs, dataset=dataset, model=model))
    if as_json:
        print_json(entries)
        return
    if not entries:
        click.echo("No run is evaluated yet: run 'velour evaluate'.", err=True)
        return
    columns = [
        TextColumn(heading, heading == "value")
        for heading in ("run", "model", "dataset", "metric", "value", "evaluated")
    ]
    names = Counter(entry["run"] for entry in entries)
    rows = [
        [
            (
                (entry["run"] if names[entry["run"]] == 1 else None)  # else its id, which names it
                or entry["run_id"]
                or entry["evaluation_id"]
            )
            + _state(entry),
            entry["model"],
            f"{entry['dataset']} v{entry['version']}",
            entry["metric"],
            number(entry["value"]),
            moment(entry["evaluated_at"]),
        ]
        for entry in entries
    ]
    click.echo(str(TextTable(f"Evaluated runs, the newest first: {len(rows)}", columns, rows)))


@runs.command()
@click.argument("run")
@click.option("--dataset", metavar="NAME", help="That RUN was evaluated on; any if not given.")
@json_option
@store_option
def show(run: str, dataset: str | None, as_json: bool, store: str | None) -> None:
    """Show the newest evaluation of RUN: its metrics, its data, and what makes it comparable.

    RUN is a run's id or name, a model's name, or an evaluation's id.

    \b
    $ velour runs show night-model
    """
    from velour_plugin.store.opening import read_store
    from velour_plugin.use_cases import inventory

    entry = read_store(store, partial(inventory.show_run, run=run, dataset=dataset))
    if as_json:
        print_json(entry)
        return
    about = {
        "run": entry["run"] or entry["run_id"] or "outside MLflow",
        "model": entry["model"],
        "dataset": f"{entry['dataset']} v{entry['version']}  {entry['dataset_digest'][:12]}",
        "task": entry["task"],
        "evaluated": moment(entry["evaluated_at"]),
        "MLflow": (entry["mlflow"] or "no run") + _state(entry),
        "evaluation": entry["evaluation_id"],
        "older": f"{len(entry['older_evaluations'])} evaluations of it, see 'velour runs list'",
    }
    if not entry["older_evaluations"]:
        del about["older"]
    numbers = {name: number(value) for name, value in entry["metrics"].items()}
    parts = map(lines, (about, numbers, _flat(entry["certificate"])))
    click.echo("\n\n".join((*parts, reading_text(entry["reading"]))))


def _state(entry: Mapping[str, Any]) -> str:
    """A word behind a run that its tracker has deleted."""
    return " (deleted)" if entry["deleted"] else ""


def number(value: float | None) -> str:
    """Return a metric's value with four decimals; ``undefined`` for ``None``."""
    return "undefined" if value is None else f"{value:.4f}"


def moment(iso: str) -> str:
    """Cut an ISO time in UTC to the minute: ``2026-07-01 12:00 UTC``."""
    return f"{iso[:16].replace('T', ' ')} UTC"


def _flat(certificate: dict[str, Any]) -> dict[str, str]:
    """A certificate in lines, a parameter each."""
    plain = {key: value for key, value in certificate.items() if key != "parameters"}
    named = {f"parameters.{key}": value for key, value in certificate["parameters"].items()}
    return {key: "–" if value is None else str(value) for key, value in (plain | named).items()}
