"""Velour's bridges to the outside world, offered through the same door as a stranger's.

One file knows one vendor or format; its library is imported in the function that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from velour_plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

    from velour_plugin.domain.evaluation import Evaluation
    from velour_plugin.formats import Format


@hookimpl
def velour_formats() -> Iterable[Format]:
    """COCO and SpaceNet."""
    from velour_integrations.formats.coco import CocoFormat
    from velour_integrations.formats.spacenet import SpaceNetFormat

    return [CocoFormat(), SpaceNetFormat()]


@hookimpl
def velour_commands() -> Iterable[click.Command]:
    """The demonstration."""
    from velour_integrations.demo import demo

    return [demo]


@hookimpl
def velour_find_runs(query: str, experiments: Sequence[str] | None) -> Iterable[str] | None:
    """Ask MLflow's ``search_runs``."""
    from velour_integrations.mlflow.run import find_runs

    return find_runs(query, experiments)


@hookimpl
def velour_after_evaluation(evaluation: Evaluation) -> None:
    """Tell the MLflow run which evaluation is its own."""
    if evaluation.run is not None:
        from velour_integrations.mlflow.run import tag_run

        tag_run(evaluation)
