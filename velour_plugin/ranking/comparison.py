"""Two runs side by side: what changed by label, slice and kind of error, and whether by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from velour_plugin.filters import Where, parse_filter
from velour_plugin.ranking.comparable import differences, refuse
from velour_plugin.ranking.paired import Difference, Pair, less
from velour_plugin.ranking.results import Results, bars
from velour_plugin.ranking.runs import Judged, judged
from velour_plugin.ranking.slice_runs import checked_metric, cut_masks
from velour_plugin.ranking.slicing import Cut, cut_name
from velour_plugin.ranking.statistics import holm
from velour_plugin.store import Store, open_store

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class ErrorDifference:
    """One kind of error in both runs.

    Args:
        kind: what the evaluator calls it, such as ``localisation``.
        first_count, second_count: how many there are.
        first, second: what they cost, in the metric's own measure; ``None`` where undefined.
        difference: second less first; below zero where the second run does better.
    """

    kind: str
    first_count: int
    second_count: int
    first: float | None
    second: float | None
    difference: float | None


class Errors(Results[ErrorDifference]):
    """Kinds of error that two runs make, what changed most first; empty where there are none."""

    def plot(self) -> go.Figure:
        """Bars of what each kind costs, both runs side by side."""
        import plotly.graph_objects as go

        kinds = [row.kind for row in self.rows]
        figure = go.Figure(
            [
                go.Bar(name="first", x=kinds, y=[row.first for row in self.rows]),
                go.Bar(name="second", x=kinds, y=[row.second for row in self.rows]),
            ]
        )
        figure.update_layout(title=self.title, yaxis_title="cost", template="plotly_white")
        return figure


@dataclass(frozen=True)
class Comparison(Results[Difference]):
    """Two runs: over all datums first, then what changed most.

    Args:
        errors: split by kind, over the same datums.
    """

    errors: Errors = field(default_factory=lambda: Errors("errors by kind", ()))

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON."""
        return {**super().to_dict(), "errors": self.errors.to_dict()["rows"]}

    def plot(self) -> go.Figure:
        """Bars of the differences; errors have a plot of their own."""
        changes = [row.difference for row in self.rows]
        names = [row.about for row in self.rows]
        return bars(self.title, names, changes, [None] * len(names), "second less first")

    def __str__(self) -> str:
        parted = "\n\n" if self.notes else "\n"  # a table ends with an empty line
        return super().__str__() + (f"{parted}{self.errors}" if self.errors else "")

    def _repr_html_(self) -> str:
        return super()._repr_html_() + (self.errors._repr_html_() if self.errors else "")


def compare(
    run_a: str,
    run_b: str,
    metric: str | None = None,
    where: Where = None,
    by: Sequence[Cut] | Cut = (),
    dataset: str | None = None,
    permutations: int = 200,
    seed: int = 0,
    store: Store | None = None,
) -> Comparison:
    """Compare two runs on the datums that a filter selects, from their ledgers.

    Args:
        run_a: the first run: an id or name, a model's name, or an evaluation's id.
        run_b: the second.
        metric: a headline metric; the task's first when left out. Labels are compared by the
            metric of labels that belongs to it, such as ``AP`` to ``mAP``.
        where: only these datums count.
        by: slices to compare as well (see :mod:`velour_plugin.ranking.slicing`).
        dataset: that both were judged on; that of the first run's newest evaluation when left out.
        permutations: how many to draw; the smallest p is 1 / (permutations + 1); 0 for no p.
        seed: of the permutations.
        store: an open store; ``None`` opens the default one.

    Raises:
        NotComparable: the two were not asked the same question; the fields are named.
        UnknownName: there is no such run, metric or property.
    """
    if store is None:
        with open_store() as opened:
            return compare(run_a, run_b, metric, where, by, dataset, permutations, seed, opened)
    node = parse_filter(where)
    first = judged(store, run_a, node, dataset)
    second = judged(store, run_b, node, first.dataset)
    differing = differences([first.candidate, second.candidate])
    if differing:
        refuse(differing, may_intersect=False)
    pair = Pair(first, second, checked_metric(first, metric), permutations, seed)
    rows = pair.differences(first.selected, "all")
    cuts = [by] if isinstance(by, (str, Mapping)) else list(by)
    sliced: list[Difference] = []
    for cut in cuts:
        for part, mask in cut_masks(store, first, cut):
            if mask.any():
                about = f"{cut_name(cut)}: {part}"
                sliced.append(pair.headline(mask, about))
    return Comparison(
        f"{first.name} (first) and {second.name} (second) on {first.dataset}",
        [*rows[:1], *_adjusted(sliced), *_adjusted(rows[1:])],
        tuple(dict.fromkeys((*first.notes, *second.notes, *pair.notes))),
        _errors(first, second),
    )


def _errors(first: Judged, second: Judged) -> Errors:
    """Split the errors of both runs by kind."""
    ours = first.evaluator.errors(first.ledger, first.selected)
    theirs = second.evaluator.errors(second.ledger, second.selected)
    rows = [
        ErrorDifference(
            kind,
            ours[kind][0],
            theirs[kind][0],
            ours[kind][1],
            theirs[kind][1],
            less(theirs[kind][1], ours[kind][1]),
        )
        for kind in ours
        if kind in theirs and ours[kind][0] + theirs[kind][0]
    ]
    rows.sort(key=lambda row: -abs(row.difference or 0.0))
    title = f"errors by kind and what they cost: {first.name} (first), {second.name} (second)"
    return Errors(title, rows)


def _adjusted(rows: Sequence[Difference]) -> list[Difference]:
    """Holm's correction among the lines that have a p; the largest change first."""
    known = [row for row in rows if row.p is not None]
    adjusted = dict(zip(map(id, known), holm([row.p or 0.0 for row in known]), strict=True))
    corrected = [replace(row, p=adjusted.get(id(row), row.p)) for row in rows]
    return sorted(corrected, key=lambda row: -abs(row.difference or 0.0))
