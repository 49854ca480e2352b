"""Further columns of a leaderboard (metrics, properties of runs), and conditions on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from velour_plugin.answers.leaderboard import ColumnValue
from velour_plugin.domain.labels import Label
from velour_plugin.errors import InvalidInput
from velour_plugin.filters import Property, parse_filter
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.predicates import compiled
from velour_plugin.filters.properties import is_of_runs
from velour_plugin.filters.row_filter import RunSubject
from velour_plugin.helpers.libraries import shapely
from velour_plugin.queries.query import RankQuery, label_of, metric_of
from velour_plugin.ranking.candidates.metric_lookup import (
    column_of_one_label,
    metric_names,
    metric_values,
    no_metric,
)
from velour_plugin.ranking.candidates.selection import Competitor, Competitors
from velour_plugin.ranking.uncertainty.measurement import Measurement
from velour_plugin.store.protocol import Reader


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A competitor with its numbers, before it is ranked.

    Args:
        competitor: a run or model.
        measured: its value and replicates.
        values: of the further columns, by name.
    """

    competitor: Competitor
    measured: Measurement
    values: Mapping[str, ColumnValue]

    @property
    def value(self) -> float | None:
        """Value of the metric that rows are ranked by."""
        return self.measured.value


class Columns:
    """The further columns of one leaderboard.

    Args:
        reader: of the store.
        query: names the columns, and the condition on them.
        metric: that is ranked by.
        competitors: the rows.

    Raises:
        UnknownName: there is no metric or property of a column's name.
        InvalidInput: a column is about classes, and the query names none.
    """

    def __init__(
        self, reader: Reader, query: RankQuery, metric: str, competitors: Competitors
    ) -> None:
        self.metric = metric
        self.names = tuple(name for name in query.further_columns if name != metric)
        self.having = parse_filter(query.having)
        self._admits = None if self.having is None else compiled(self.having)
        metrics = [name for name in self.names if not is_of_runs(name)]
        self.metrics = [(name, _label_of(reader, query, name, competitors)) for name in metrics]
        self.properties = [Property(name) for name in self.names if is_of_runs(name)]

    def joined(
        self, competitors: Sequence[Competitor], measured: Sequence[Measurement]
    ) -> list[Row]:
        """Return competitors with their numbers and the values of all further columns, in order.

        Raises:
            InvalidInput: no run has a column.
        """
        rows = [
            Row(competitor, each, self._values(competitor, each))
            for competitor, each in zip(competitors, measured, strict=True)
        ]
        for prop in self.properties:
            if all(row.values[prop.name] is None for row in rows):
                raise InvalidInput(
                    f"column {prop.name!r}: none of the ranked runs has a value of it; log it to "
                    "their runs, or leave the column out."
                )
        return rows

    def admits(self, row: Row) -> bool:
        """Whether a row meets the condition; a row with an unknown value does not."""
        values = {**row.values, self.metric: row.value}
        return self._admits is None or self._admits(_RowSubject(values)) is True

    def notes(self, left_out: Sequence[Row]) -> list[str]:
        """Return a line that names the rows that do not meet the condition; none if all do."""
        if not left_out or self.having is None:
            return []
        names = ", ".join(sorted(row.competitor.name for row in left_out))
        return [f"Left out by {to_text(self.having)}: {names}."]

    def _values(self, competitor: Competitor, measured: Measurement) -> dict[str, ColumnValue]:
        values = {**measured.further, **_values_of_run(competitor, self.properties)}
        return {name: values.get(name) for name in self.names}


@dataclass(frozen=True, slots=True)
class _RowSubject:
    """A row as a filter sees it: a column is a property of its name."""

    values: Mapping[str, ColumnValue]

    def value(self, prop: Property) -> Any:
        return self.values.get(prop.name)

    def geometry(self, prop: Property) -> shapely.Geometry | None:
        return None


def _label_of(
    reader: Reader, query: RankQuery, metric: str, competitors: Competitors
) -> Label | None:
    """The class that a column is about: the query's, where the metric is about classes.

    Raises:
        UnknownName: there is no such metric, or not of this class.
        InvalidInput: the metric is about classes, and the query names none.
    """
    candidates = [item for competitor in competitors.all for item in competitor.items]
    for label in dict.fromkeys((label_of(query), None)):
        if metric_values(reader, candidates, metric, label):
            return label
    if label_of(query) is None and metric in metric_names(reader, candidates):
        raise column_of_one_label(reader, metric, metric_of(query), candidates)
    raise no_metric(reader, metric, label_of(query), candidates)


def _values_of_run(
    competitor: Competitor, properties: Sequence[Property]
) -> dict[str, ColumnValue]:
    """Values of properties of a run and its model."""
    item, run = competitor.first, competitor.run
    subject = RunSubject(
        item.model,
        None if run is None else run.run_id,
        {"model": item.model_metadata, "dataset": item.dataset_metadata},
    )
    return {prop.name: subject.value(prop) for prop in properties}
