"""Two runs side by side: what changed, by label and by slice, and whether that is chance.

Significance is by permutation: if it did not matter whose predictions are whose, exchanging
them on a random half of the datums would often make as large a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator
from velour_plugin.filters import Node, parse_filter
from velour_plugin.progress import track
from velour_plugin.ranking.comparable import differences, refuse
from velour_plugin.ranking.results import Results, bars
from velour_plugin.ranking.runs import Judged, judged
from velour_plugin.ranking.slice_runs import checked_metric, cut_masks
from velour_plugin.ranking.slicing import Cut, cut_name
from velour_plugin.ranking.statistics import holm
from velour_plugin.store import Store, open_store

if TYPE_CHECKING:
    import plotly.graph_objects as go

_HEADLINE_TO_LABEL = {"mAP": "AP", "mAP_50": "AP_50", "mAP_75": "AP_75", "mAR_100": "AR_100"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a comparison.

    Args:
        about: ``all``, a label as key=value, or a slice.
        metric: which.
        datums: how many it is over.
        first, second: values of the two runs; ``None`` where undefined.
        difference: second less first.
        p: two-sided, by permutation, by Holm's method among lines of a kind.
    """

    about: str
    metric: str
    datums: int
    first: float | None
    second: float | None
    difference: float | None
    p: float | None


class Comparison(Results[Difference]):
    """Two runs: over all datums first, then what changed most."""

    def plot(self) -> go.Figure:
        """Bars of the differences."""
        changes = [row.difference for row in self.rows]
        names = [row.about for row in self.rows]
        return bars(self.title, names, changes, [None] * len(names), "second less first")


def compare(
    run_a: str,
    run_b: str,
    metric: str | None = None,
    where: str | Mapping[str, Any] | Node | None = None,
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
        permutations: how many to draw; the smallest p is 1 / (permutations + 1).
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
    name = checked_metric(first, metric)
    pair = _Pair(first, second, permutations, seed)
    rows = pair.differences(first.selected, name, "all")
    cuts = [by] if isinstance(by, (str, Mapping)) else list(by)
    sliced: list[Difference] = []
    for cut in cuts:
        for part, mask in cut_masks(store, first, cut):
            if mask.any():
                about = f"{cut_name(cut)}: {part}"
                sliced += pair.differences(mask, name, about)[:1]
    title = f"{first.name} (first) and {second.name} (second) on {first.dataset}"
    return Comparison(title, [*rows[:1], *_adjusted(sliced), *_adjusted(rows[1:])])


class _Pair:
    """Two ledgers in one, so that a weighting of its datums says whose predictions count where."""

    def __init__(self, first: Judged, second: Judged, permutations: int, seed: int) -> None:
        self.evaluator: Evaluator = first.evaluator
        self.count = len(first.ledger.datums)
        ours, theirs = _renamed(first.ledger, "a"), _renamed(second.ledger, "b")
        self.both = self.evaluator.concatenate([ours, theirs])
        place = {uid: at for at, uid in enumerate(self.both.datums)}
        self.ours = np.array([place[uid] for uid in ours.datums])
        self.theirs = np.array([place[uid] for uid in theirs.datums])
        self.permutations, self.seed = permutations, seed

    def differences(self, selected: NDArray[np.bool_], metric: str, about: str) -> list[Difference]:
        """The headline first, then labels by how much they changed."""
        none = np.zeros(self.count, bool)
        first, second = self._values(selected, none, metric), self._values(selected, ~none, metric)
        random = np.random.default_rng(self.seed)
        as_large = dict.fromkeys(first, 1)
        for _ in track(range(self.permutations), self.permutations, f"permuting {about}"):
            swap = random.random(self.count) < 0.5
            one = self._values(selected, swap, metric)
            other = self._values(selected, ~swap, metric)
            for key in as_large:
                as_large[key] += _as_large(one[key], other[key], first[key], second[key])
        rows = [
            Difference(
                about if label is None else f"{label.key}={label.value}",
                name,
                int(selected.sum()),
                first[name, label],
                second[name, label],
                _less(second[name, label], first[name, label]),
                None
                if _less(second[name, label], first[name, label]) is None or not self.permutations
                else as_large[name, label] / (self.permutations + 1),
            )
            for name, label in first
        ]
        return [*rows[:1], *sorted(rows[1:], key=lambda row: -abs(row.difference or 0.0))]

    def _values(
        self, selected: NDArray[np.bool_], second: NDArray[np.bool_], metric: str
    ) -> dict[tuple[str, Label | None], float | None]:
        """The metric and that of each label, the second run's predictions on some datums."""
        weights = np.zeros(len(self.both.datums), np.int64)
        weights[self.ours] = selected & ~second
        weights[self.theirs] = selected & second
        measured = self.evaluator.measure(self.both, weights=weights)
        own = _HEADLINE_TO_LABEL.get(metric, metric.removesuffix("_macro"))
        return {(one.name, one.label): one.value for one in measured if _asked(one, metric, own)}


def _asked(one: Metric, metric: str, own: str) -> bool:
    return one.name == (metric if one.label is None else own)


def _renamed(ledger: Ledger, side: str) -> Ledger:
    """Names that keep their order, which breaks ties, and differ from the other side's."""
    return replace(ledger, datums=tuple(f"{side}{at:012}" for at in range(len(ledger.datums))))


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _as_large(
    one: float | None, other: float | None, first: float | None, second: float | None
) -> bool:
    swapped, real = _less(other, one), _less(second, first)
    if swapped is None or real is None:
        return False
    return abs(swapped) >= abs(real) * (1 - 1e-9)


def _adjusted(rows: Sequence[Difference]) -> list[Difference]:
    """Holm's correction among the lines that have a p; the largest change first."""
    known = [row for row in rows if row.p is not None]
    adjusted = dict(zip(map(id, known), holm([row.p or 0.0 for row in known]), strict=True))
    corrected = [replace(row, p=adjusted.get(id(row), row.p)) for row in rows]
    return sorted(corrected, key=lambda row: -abs(row.difference or 0.0))
