"""The other models of a dataset beside the evaluated one, ranked by its first headline metric."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.queries.query import RankQuery
from velour_plugin.ranking.candidates.comparability import differences
from velour_plugin.report.headline_intervals import ROWS, ledger_rows
from velour_plugin.store.protocol import Store

if TYPE_CHECKING:
    from velour_plugin.answers import Leaderboard
    from velour_plugin.store.values import Candidate

MODELS = 20
"""Models on the leaderboard of a report, at most: the best ones, and the evaluated one."""


def leaderboard_beside(evaluation: Evaluation, store: Store) -> Leaderboard | None:
    """Rank the newest run of each model that was evaluated exactly as this one was.

    Intervals are as ``velour rank`` has them; where resampling all of the ledgers would take
    more than about a second, the leaderboard has none.

    Args:
        evaluation: that is in the store.
        store: where the others are.

    Returns:
        ``None`` where there is no other model.
    """
    metric, dataset = next(iter(evaluation.headline), ""), evaluation.certificate.dataset
    with store.snapshot() as reader:
        candidates = list(reader.candidates(dataset))
    ids = _newest_of_models(evaluation, candidates)
    if len(ids) < 2 or not metric:
        return None
    leaderboard = store.ask(RankQuery(metric=metric, datasets=(dataset,), runs=ids, resamples=0))
    best = [row.evaluation_id for row in leaderboard.rows[:MODELS]]
    ids = list(dict.fromkeys([*best, evaluation.id]))
    cheap = len(ids) * ledger_rows(evaluation.ledger) <= ROWS * 5  # a single metric, not a dozen
    query = RankQuery(metric=metric, datasets=(dataset,), runs=ids)
    return store.ask(query if cheap else replace(query, resamples=0))


def _newest_of_models(evaluation: Evaluation, candidates: list[Candidate]) -> list[str]:
    """Ids of comparable evaluations, the newest of each experiment's models; with this one."""
    mine = next((item for item in candidates if item.evaluation_id == evaluation.id), None)
    if mine is None:
        return []
    newest = {_model(mine): mine}
    for item in candidates:  # newest first
        if _model(item) not in newest and item.task == mine.task and not differences([mine, item]):
            newest[_model(item)] = item
    return [item.evaluation_id for item in newest.values()]


def _model(candidate: Candidate) -> tuple[str | None, str]:
    """A model's experiment and name: models of two experiments may be called alike."""
    return None if candidate.run is None else candidate.run.experiment_id, candidate.model
