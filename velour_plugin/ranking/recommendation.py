"""Which model to take for a need, across every dataset that has something to say about it."""

from __future__ import annotations

from collections.abc import Mapping

from velour_plugin.answers import Leaderboard, Recommendation, Support
from velour_plugin.errors import NotComparable, NotFound, UnknownName
from velour_plugin.queries.query import RankQuery, RecommendQuery
from velour_plugin.ranking.candidates.comparability import in_one_line
from velour_plugin.ranking.rank_runs import Ranking
from velour_plugin.store.protocol import Snapshot


def answer_recommendation(reader: Snapshot, query: RecommendQuery) -> Recommendation:
    """Name the best-supported model for a need, with the evidence.

    Raises:
        NotFound: no dataset has anything to say; the reasons are given.
    """
    rankings: dict[str, Ranking] = {}
    left_out: dict[str, str] = {}
    for name in query.datasets or reader.dataset_names():
        try:
            rankings[name] = Ranking(reader, _of_dataset(query, name))
        except (NotFound, UnknownName, NotComparable) as error:
            left_out[name] = in_one_line(error)
    reader.release()
    boards: dict[str, Leaderboard] = {}
    for name, ranking in rankings.items():
        board = _leaderboard(ranking, name, left_out)
        if board is not None:
            boards[name] = board
    if not boards:
        reasons = "".join(f"\n  {name}: {why}" for name, why in left_out.items())
        raise NotFound(
            f"no dataset can say which model is best by {query.metric}:{reasons or ' none exist.'}"
        )
    notes = [_coverage(name, board) for name, board in boards.items()]
    notes += [f"Left out: {name}: {why}" for name, why in left_out.items()]
    return Recommendation(
        title=f"Best model by {query.metric}",
        rows=_supports(boards),
        notes=notes,
        boards=boards,
        left_out=left_out,
    )


def _of_dataset(query: RecommendQuery, name: str) -> RankQuery:
    return RankQuery(
        metric=query.metric,
        datasets=(name,),
        where=query.where,
        confidence=query.confidence,
        resamples=query.resamples,
        seed=query.seed,
    )


def _leaderboard(ranking: Ranking, name: str, left_out: dict[str, str]) -> Leaderboard | None:
    """The leaderboard of one dataset; ``None``, with the reason kept, where it has no chances."""
    try:
        board = ranking.leaderboard()
    except (NotFound, UnknownName, NotComparable) as error:
        left_out[name] = in_one_line(error)
        return None
    if any(row.p_best is not None for row in board):
        return board
    left_out[name] = "; ".join(board.notes) or "no run has a value"
    return None


def _supports(boards: Mapping[str, Leaderboard]) -> list[Support]:
    total = sum(board.datums for board in boards.values())
    by_model: dict[str, list[tuple[int, float, float]]] = {}
    for board in boards.values():
        best_of: dict[str, tuple[float, float]] = {}
        for row in board:
            if row.value is not None and row.p_best is not None:
                value, chance = best_of.get(row.model, (row.value, 0.0))
                best_of[row.model] = (value, chance + row.p_best)
        for model, (value, chance) in best_of.items():
            by_model.setdefault(model, []).append((board.datums, value, chance))
    rows = [
        Support(
            model,
            sum(datums * chance for datums, _, chance in results) / total,
            sum(datums * value for datums, value, _ in results) / sum(d for d, _, _ in results),
            sum(datums for datums, _, _ in results),
            len(results),
        )
        for model, results in by_model.items()
    ]
    return sorted(rows, key=lambda row: (-row.p_best, row.model))


def _coverage(name: str, board: Leaderboard) -> str:
    leaders = [row.model for row in board if row.tied_with_best]
    tied = f"; not to be told apart: {', '.join(leaders)}" if len(leaders) > 1 else ""
    return f"{name}: {board.datums} of {board.of_datums} datums; first is {board[0].model}{tied}."
