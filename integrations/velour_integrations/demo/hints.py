"""What to do after ``velour demo``: lines that run as printed, and pages to open."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from velour_integrations.demo import SAMPLE

if TYPE_CHECKING:
    from velour_integrations.demo.session import Session

DETECTORS = "velour_integrations.demo.detectors"
PORT = 5000
REPORT = "velour_report.html"


def print_hints(
    session: Session, folder: Path, dataset: str, where: str, store: str | None
) -> None:
    """Print what to do next with a dataset, whose runs are in the experiment of its name."""
    from velour_integrations.demo.files import METADATA, TRUTH
    from velour_integrations.demo.session import command_line, program

    files, about = folder.as_posix(), ("--dataset", dataset)
    click.echo("\nWhat next\n=========")
    print_pages(dataset)
    if report := _report(dataset, "falcon", store):
        click.echo(f"\n# The report of falcon, its worst images drawn: open in a browser\n{report}")
    answers = {
        "Which images cost falcon most there?": ("worst", "falcon", *about, "--where", where),
        "Where is owl weak?": ("slices", "owl", *about, "--by", "region", "--by", "time_of_day"),
    }
    for question, arguments in answers.items():
        click.echo(f"\n# {question}\n$ {session.line(*arguments)}")
    numbers = ("evaluate", "--no-store", "--truth", f"{files}/{TRUTH}", "--metadata",
           f"{files}/{METADATA}", "--predictions", f"{files}/owl.json")  # fmt: skip
    click.echo("\n# Your own files, in place of these; without a store, numbers are only printed")
    click.echo(f"$ {command_line(program('velour'), *numbers)}")
    click.echo("\n# How good the simulated detectors are made")
    click.echo(f"$ {command_line(program('python'), '-m', 'pydoc', DETECTORS)}")


def print_pages(dataset: str) -> None:
    """Print the command that starts a server, where none is in use, and the pages of both acts."""
    from velour_integrations.demo.session import command_line, program
    from velour_integrations.demo.tracking import tracking_uri

    uri, server = tracking_uri(), tracking_uri().rstrip("/")
    if uri.startswith(("http://", "https://")):
        click.echo("\n# All runs in charts: open a page")
    else:
        port = str(free_port(PORT))
        server = f"http://127.0.0.1:{port}"
        words = ("ui", "--backend-store-uri", uri, "--port", port, "--workers", "1")
        click.echo("\n# All runs in charts: start MLflow in this directory, then open a page")
        click.echo(f"$ {command_line(program('mlflow'), *words)}")
    for experiment, task in ((dataset, "object-detection"), (SAMPLE, "instance-segmentation")):
        if view := _view(experiment, task):
            click.echo(f"{server}/{view}")


def _view(experiment: str, task: str) -> str | None:
    """The page of an experiment for machine learning, with the saved view if there is one."""
    import mlflow

    from velour_integrations.mlflow.runs.saved_view import link_to_view

    known = mlflow.MlflowClient().get_experiment_by_name(experiment)
    if known is None:
        return None
    runs = f"#/experiments/{known.experiment_id}/runs?workflowType=machine_learning"
    return link_to_view(known, task) or runs


def _report(dataset: str, model: str, store: str | None) -> str | None:
    """The file of a model's newest report, where artifacts are files of this machine."""
    import mlflow

    import velour_plugin as velour

    with velour.open_store(store) as opened:
        runs = [item.run for item in opened.candidates(dataset) if item.model == model and item.run]
    with suppress(mlflow.MlflowException, OSError):  # another tracking server than back then
        for run in runs[:1]:
            home = mlflow.MlflowClient().get_run(run.run_id).info.artifact_uri or ""
            path = Path(mlflow.utils.file_utils.local_file_uri_to_path(home), REPORT)
            return os.path.relpath(path) if path.is_file() else None
    return None


def free_port(first: int) -> int:
    """Return the first port from ``first`` on that nothing listens at on this machine."""
    for port in range(first, first + 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    return first
