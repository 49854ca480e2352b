"""How one run does on each slice of its data, and which datums cost it most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from velour_plugin.evaluator import value_over
from velour_plugin.filters import Where, parse_filter
from velour_plugin.progress import track
from velour_plugin.ranking.measured import FEW, measure
from velour_plugin.ranking.rank_runs import LabelName, check_statistics, label_of
from velour_plugin.ranking.results import Results, bars
from velour_plugin.ranking.runs import Judged, judged
from velour_plugin.ranking.slicing import Cut, Mask, cut_name, masks
from velour_plugin.ranking.statistics import resample_weights
from velour_plugin.store import Store, open_store

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Slice:
    """A run on one slice.

    Args:
        by: what the data were cut by.
        slice: which slice.
        datums: how many it holds.
        value: of the metric; ``None`` where it is undefined.
        interval: confidence interval; ``None`` where there is none.
        difference: the value less that over all selected datums.
    """

    by: str
    slice: str
    datums: int
    value: float | None
    interval: tuple[float, float] | None
    difference: float | None


class Slices(Results[Slice]):
    """A run, slice by slice."""

    def plot(self) -> go.Figure:
        """Bars with intervals."""
        return bars(
            self.title,
            [f"{row.by}: {row.slice}" for row in self.rows],
            [row.value for row in self.rows],
            [row.interval for row in self.rows],
            "value",
        )


@dataclass(frozen=True, slots=True)
class Costly:
    """A datum that a run would do better without.

    Args:
        uid: its name.
        cost: how much better the metric would be without it.
        metadata: what is known of it.
    """

    uid: str
    cost: float
    metadata: Mapping[str, Any]


class Worst(Results[Costly]):
    """The datums that cost a run most, the worst first."""

    def plot(self) -> go.Figure:
        """Bars."""
        costs: list[float | None] = [row.cost for row in self.rows]
        return bars(self.title, [row.uid for row in self.rows], costs, [None] * len(costs), "cost")


def slices(
    run: str,
    by: Sequence[Cut] | Cut,
    metric: str | None = None,
    where: Where = None,
    label: LabelName | None = None,
    dataset: str | None = None,
    confidence: float = 0.95,
    resamples: int = 200,
    seed: int = 0,
    store: Store | None = None,
) -> Slices:
    """Measure a run on slices of its data, from its ledger.

    Args:
        run: a run's id or name, a model's name, or an evaluation's id.
        by: how to cut (see :mod:`velour_plugin.ranking.slicing`).
        metric: its name; the first of the task's headline metrics when left out.
        where: only these datums are cut.
        label: the class that the metric is about.
        dataset: that it was judged on; the one of its newest evaluation when left out.
        confidence: of the intervals, in (0, 1).
        resamples: how many to draw; 0 for no intervals.
        seed: of the resamples.
        store: an open store; ``None`` opens the default one.

    Raises:
        UnknownName: there is no such run, property or metric.
        InvalidInput: a property cannot be cut that way.
    """
    check_statistics(confidence, resamples)
    if store is None:
        with open_store() as opened:
            return slices(
                run, by, metric, where, label, dataset, confidence, resamples, seed, opened
            )
    asked = judged(store, run, parse_filter(where), dataset)
    name = checked_metric(asked, metric)
    about = label_of(label)
    whole = value_over(asked.evaluator, asked.ledger, name, about, asked.selected)
    cuts = [by] if isinstance(by, (str, Mapping)) else list(by)
    found = [
        (cut_name(cut), part, mask) for cut in cuts for part, mask in cut_masks(store, asked, cut)
    ]
    low, high = asked.evaluator.bounds(name)
    rows = []
    for by_name, part, mask in track(found, len(found), f"slicing {name}"):
        datums = int(mask.sum())
        enough = resamples and datums >= FEW
        drawn = [resample_weights(datums, resamples, seed)] if enough else []
        one = measure(asked.evaluator, asked.ledger, mask, name, about, drawn)
        rows.append(
            Slice(
                by_name,
                part,
                one.datums,
                one.value,
                one.interval(confidence, (low, high)),
                None if one.value is None or whole is None else one.value - whole,
            )
        )
    shown = "undefined" if whole is None else f"{whole:.4f}"
    title = f"{name} of {asked.name} on {asked.dataset}: {shown} over {asked.selected.sum()} datums"
    return Slices(title, rows, asked.notes)


def worst(
    run: str,
    metric: str | None = None,
    where: Where = None,
    n: int = 10,
    dataset: str | None = None,
    store: Store | None = None,
) -> Worst:
    """Find the datums without which a run would do best: those that cost most.

    The cost of a datum is what the metric gains when it is left out.

    Args:
        run: a run's id or name, a model's name, or an evaluation's id.
        metric: its name; the first of the task's headline metrics when left out.
        where: only these datums are looked at.
        n: how many to name.
        dataset: that it was judged on; the one of its newest evaluation when left out.
        store: an open store; ``None`` opens the default one.
    """
    if store is None:
        with open_store() as opened:
            return worst(run, metric, where, n, dataset, opened)
    asked = judged(store, run, parse_filter(where), dataset)
    name = checked_metric(asked, metric)
    whole = value_over(asked.evaluator, asked.ledger, name, None, asked.selected)
    sign = -1.0 if asked.evaluator.prefers_lower(name) else 1.0
    places = np.flatnonzero(asked.selected)
    costs = np.zeros(len(places))
    blocks = np.array_split(np.arange(len(places)), max(1, len(places) // 50))
    for block in track(blocks, len(blocks), f"leaving out datums, {name}"):
        counts = np.repeat(asked.selected[None].astype(np.int64), len(block), axis=0)
        counts[np.arange(len(block)), places[block]] = 0
        without = asked.evaluator.values(asked.ledger, [(name, None)], counts)[:, 0]
        costs[block] = np.nan_to_num(sign * (without - (np.nan if whole is None else whole)))
    order = np.argsort(-costs, kind="stable")[:n]
    version = asked.candidate.version_id
    metadata = {datum.uid: datum.metadata for datum in store.datums(asked.dataset, version)}
    uids = [asked.ledger.datums[places[place]] for place in order]
    rows = [
        Costly(uid, float(cost), dict(metadata[uid]))
        for uid, cost in zip(uids, costs[order], strict=True)
    ]
    title = f"what costs {asked.name} most {name} on {asked.dataset}"
    return Worst(title, rows, asked.notes)


def checked_metric(asked: Judged, metric: str | None) -> str:
    """The metric's name, or the task's first headline metric."""
    return metric or asked.evaluator.headline[0]


def cut_masks(store: Store, asked: Judged, cut: Cut) -> list[tuple[str, Mask]]:
    """Slices of the selected datums, over the ledger's datums."""
    datums = {d.uid: d for d in store.datums(asked.dataset, asked.candidate.version_id)}
    own = [datums[uid] for uid in asked.ledger.datums]
    return [(name, mask & asked.selected) for name, mask in masks(own, cut, asked.dataset).items()]
