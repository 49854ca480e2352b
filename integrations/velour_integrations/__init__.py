"""Velour's bridges to the outside world, offered through the same door as a stranger's.

One file knows one vendor or format; its library is imported in the function that needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from velour_plugin import hookimpl

if TYPE_CHECKING:
    import click

    from velour_plugin import Autologger, Evaluation
    from velour_plugin.plugin import Offer, PropertyFamily, RunState, TrackedEvaluation


@hookimpl
def velour_formats() -> Iterable[Offer]:
    """Offer COCO, GeoJSON, label images, Pascal VOC, SpaceNet and YOLO."""
    from velour_plugin.plugin import Offer

    return [Offer(name, f"velour_integrations.formats.{home}") for name, home in _FORMATS]


_FORMATS = (
    ("coco", "coco.coco_format:CocoFormat"),
    ("geojson", "geojson.geojson_format:GeoJsonFormat"),
    ("label-images", "label_images:LabelImagesFormat"),
    ("spacenet", "spacenet:SpaceNetFormat"),
    ("voc", "voc.voc_format:VocFormat"),
    ("yolo", "yolo.yolo_format:YoloFormat"),
)


@hookimpl
def velour_commands() -> Iterable[click.Command]:
    """Offer the demonstration, and commands for MLflow's model registry."""
    from velour_integrations.demo.command import demo
    from velour_integrations.registry_commands import promote, versions

    return [demo, promote, versions]


@hookimpl
def velour_find_runs(query: str, experiments: Sequence[str] | None) -> Iterable[str] | None:
    """Return ids of MLflow's ``search_runs``; or of the runs behind ``models:/…``."""
    from velour_integrations.loading import load_mlflow

    load_mlflow()
    from velour_integrations.mlflow.quiet import quiet_database
    from velour_integrations.mlflow.registry.versions import SCHEME, runs_of
    from velour_integrations.mlflow.runs.run import find_runs

    with quiet_database():
        return runs_of(query) if query.startswith(SCHEME) else find_runs(query, experiments)


@hookimpl
def velour_run_states(run_ids: Sequence[str], load: bool) -> Iterable[RunState] | None:
    """Ask MLflow; where nobody waits for it, only if this process evaluates in its runs."""
    known = sys.modules.get("velour_integrations.mlflow.runs.states")
    if not load and (known is None or not known.is_in_use()):
        return None
    from velour_integrations.loading import load_mlflow

    load_mlflow()
    from velour_integrations.mlflow.quiet import quiet_database
    from velour_integrations.mlflow.runs.states import states_of

    with quiet_database():
        return states_of(run_ids, patient=load)


@hookimpl
def velour_properties() -> Iterable[PropertyFamily]:
    """Offer what MLflow knows of runs: ``mlflow.params.NAME`` and its like."""
    from velour_integrations.run_properties import FAMILY

    return [FAMILY]


@hookimpl
def velour_evaluate_tracked(request: TrackedEvaluation) -> Evaluation | None:
    """Evaluate in an MLflow run, by ``mlflow.models.evaluate``."""
    from velour_integrations.loading import load_mlflow

    load_mlflow()
    from velour_integrations.mlflow.evaluation.tracked import evaluate_tracked
    from velour_integrations.mlflow.quiet import quiet_database

    with quiet_database():
        return evaluate_tracked(request)


@hookimpl
def velour_autologgers() -> Iterable[Autologger]:
    """Offer those of COCO's evaluation in two libraries, and of libraries for training."""
    from velour_integrations.autologging import AUTOLOGGERS

    return AUTOLOGGERS


@hookimpl
def velour_autolog(autologgers: Sequence[Autologger], options: Mapping[str, Any]) -> bool:
    """Switch Velour's autologging on or off as an integration of MLflow's autologging."""
    from velour_integrations.autologging.switch import switch

    switch(autologgers, **options)
    return True


@hookimpl
def velour_after_evaluation(evaluation: Evaluation) -> None:
    """Tag the MLflow run of an evaluation, if it has one, with its id, task, model and dataset."""
    if evaluation.run is not None:
        from velour_integrations.mlflow.runs.run import tag_run

        tag_run(evaluation)
