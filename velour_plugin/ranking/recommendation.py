"""Which model to take for a need, across every dataset that has something to say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from velour_plugin.errors import NotComparable, NotFound, UnknownName, VelourError
from velour_plugin.filters import Where, parse_filter
from velour_plugin.ranking.board import Board
from velour_plugin.ranking.rank_runs import check_statistics, rank
from velour_plugin.ranking.results import Results, bars
from velour_plugin.store import Store, open_store

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class Support:
    """What speaks for one model.

    Args:
        model: its name.
        p_best: chance that it is the best, over datasets by the datums that each has to say.
        value: mean of the metric over datasets, likewise.
        datums: how many datums it was judged on.
        datasets: on how many datasets.
    """

    model: str
    p_best: float
    value: float | None
    datums: int
    datasets: int


class Recommendation(Results[Support]):
    """Models by how likely each is the best for a need; and the boards that say so.

    Attributes:
        boards: the evidence, by dataset.
        left_out: datasets that could say nothing, and why.
    """

    boards: Mapping[str, Board]
    left_out: Mapping[str, str]

    @property
    def best(self) -> Support:
        """The best-supported model."""
        return self.rows[0]

    def plot(self) -> go.Figure:
        """Bars of the chances."""
        chances: list[float | None] = [row.p_best for row in self.rows]
        names = [row.model for row in self.rows]
        return bars(self.title, names, chances, [None] * len(names), "P(best)")

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON, with the evidence."""
        return {
            **super().to_dict(),
            "boards": {name: board.to_dict() for name, board in self.boards.items()},
            "left_out": dict(self.left_out),
        }


def recommend(
    metric: str,
    where: Where = None,
    datasets: Sequence[str] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    store: Store | None = None,
) -> Recommendation:
    """Name the best-supported model for a need, with the evidence.

    Every dataset ranks its runs on the datums that the filter selects; a model's chances
    are weighted by how many those are. A dataset without such datums, without the filter's
    properties, or whose runs cannot be compared, is left out and named.

    Args:
        metric: what good means.
        where: the need.
        datasets: names; ``None`` for all in the store.
        confidence: of the boards' intervals.
        resamples: of the boards, >= 1: without resamples there are no chances.
        seed: of the resamples.
        store: an open store; ``None`` opens the default one.

    Raises:
        NotFound: no dataset has anything to say; the reasons are given.
    """
    check_statistics(confidence, max(resamples, 1))
    if store is None:
        with open_store() as opened:
            return recommend(metric, where, datasets, confidence, resamples, seed, opened)
    node = parse_filter(where)
    boards: dict[str, Board] = {}
    left_out: dict[str, str] = {}
    for name in datasets or store.dataset_names():
        try:
            board = rank(
                metric, name, node, confidence=confidence, resamples=max(resamples, 1), seed=seed,
                store=store,
            )  # fmt: skip
        except (NotFound, UnknownName, NotComparable) as error:
            left_out[name] = _reason(error)
            continue
        if any(row.p_best is not None for row in board):
            boards[name] = board
        else:
            left_out[name] = "; ".join(board.notes) or "no run has a value"
    if not boards:
        told = "".join(f"\n  {name}: {why}" for name, why in left_out.items())
        raise NotFound(
            f"no dataset can say which model is best by {metric}:{told or ' none exist.'}"
        )
    notes = [_coverage(name, board) for name, board in boards.items()]
    notes += [f"Left out: {name}: {why}" for name, why in left_out.items()]
    found = Recommendation(f"Best model by {metric}", _supports(boards), notes)
    object.__setattr__(found, "boards", boards)
    object.__setattr__(found, "left_out", left_out)
    return found


def _supports(boards: Mapping[str, Board]) -> list[Support]:
    total = sum(board.datums for board in boards.values())
    told: dict[str, list[tuple[int, float, float]]] = {}
    for board in boards.values():
        best_of: dict[str, tuple[float, float]] = {}
        for row in board:
            if row.value is not None and row.p_best is not None:
                value, chance = best_of.get(row.model, (row.value, 0.0))
                best_of[row.model] = (value, chance + row.p_best)
        for model, (value, chance) in best_of.items():
            told.setdefault(model, []).append((board.datums, value, chance))
    rows = [
        Support(
            model,
            sum(datums * chance for datums, _, chance in said) / total,
            sum(datums * value for datums, value, _ in said) / sum(d for d, _, _ in said),
            sum(datums for datums, _, _ in said),
            len(said),
        )
        for model, said in told.items()
    ]
    return sorted(rows, key=lambda row: (-row.p_best, row.model))


def _coverage(name: str, board: Board) -> str:
    leaders = [row.model for row in board if row.tied_with_best]
    tied = f"; not to be told apart: {', '.join(leaders)}" if len(leaders) > 1 else ""
    return f"{name}: {board.datums} of {board.of_datums} datums; first is {board[0].model}{tied}."


def _reason(error: VelourError) -> str:
    return str(error).splitlines()[0]
