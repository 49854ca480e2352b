"""Model versions with their evaluations side by side, found from either end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from velour_integrations.mlflow.registry.versions import (
    SCHEME,
    ModelVersion,
    evaluations_of_version,
    named,
    versions,
    versions_of,
)
from velour_plugin import Candidate, Store
from velour_plugin.errors import UnknownName
from velour_plugin.plugin import TitledAnswer, bars, installed

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Listed:
    """A model version and one of its evaluations.

    Args:
        version: such as ``fires/3``.
        aliases: that it has.
        dataset: of the evaluation; ``None`` without one, as all of what follows.
        metric: the first headline metric of the task.
        value: of the metric.
        run: the MLflow run's id.
        evaluation: its id.
    """

    version: str
    aliases: str
    dataset: str | None = None
    metric: str | None = None
    value: float | None = None
    run: str | None = None
    evaluation: str | None = None


class Versions(TitledAnswer[Listed]):
    """Model versions with their evaluations, a row each."""

    row_type = Listed

    def plot(self) -> go.Figure:
        """Draw bars of the first headline metric; versions that were never evaluated have none."""
        values = [row.value for row in self.rows]
        names = [row.version if row.dataset is None else f"{row.version} on {row.dataset}"
                 for row in self.rows]  # fmt: skip
        return bars(self.title, names, values, [None] * len(names), "value")


def listing(name: str, dataset: str | None, store: Store) -> Versions:
    """List versions and their evaluations.

    Args:
        name: a registered model or a URI ``models:/…``; or an evaluation's id, or a run, whose
            versions are listed.
        dataset: only evaluations on this one; ``None`` for all.
        store: where the evaluations are.

    Raises:
        UnknownName: it is none of these.
    """
    rows: list[Listed] = []
    for version in _versions(name, store):
        items = evaluations_of_version(version, dataset, store)
        rows += [_listed(version, item, store) for item in items] or [
            Listed(version.name, ", ".join(version.aliases))
        ]
    return Versions(title=f"Versions and evaluations of {name}", rows=rows)


def _versions(name: str, store: Store) -> list[ModelVersion]:
    if name.startswith(SCHEME):
        return named(name)
    try:
        return versions(name)
    except UnknownName as no_model:
        try:
            return versions_of(name, store)
        except UnknownName:
            raise UnknownName("registered model, run or evaluation", name, ()) from no_model


def _listed(version: ModelVersion, item: Candidate, store: Store) -> Listed:
    metric = installed().evaluator(item.task).headline[0]
    return Listed(
        version=version.name,
        aliases=", ".join(version.aliases),
        dataset=item.certificate.dataset,
        metric=metric,
        value=store.metric_values([item.evaluation_id], metric).get(item.evaluation_id),
        run=None if item.run is None else item.run.run_id,
        evaluation=item.evaluation_id,
    )
