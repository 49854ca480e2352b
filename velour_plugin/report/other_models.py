"""The other models of a dataset beside the evaluated one, ranked by its first headline metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.queries.query import RankQuery
from velour_plugin.ranking.candidates.comparability import differences
from velour_plugin.report.intervals import FURTHER, RESAMPLES, ROWS, ledger_rows
from velour_plugin.store.protocol import Store

if TYPE_CHECKING:
    from velour_plugin.answers import Leaderboard
    from velour_plugin.store.values import Candidate

MODELS = 20
"""Models on the leaderboard of a report, at most: the best ones, and the evaluated one."""


def leaderboard_beside(
    evaluation: Evaluation, store: Store, intervals: bool = True
) -> Leaderboard | None:
    """Rank an evaluation against the newest comparable run of every other model.

    The metric is the first headline metric. There are at most the 20 best rows, and the evaluation
    itself. Models of one name in different experiments are different models. There are no
    intervals where resampling all of the ledgers would take more than about a second.

    Args:
        evaluation: to rank; its ledger's size decides whether there are intervals.
        store: where it and the other evaluations are.
        intervals: whether confidence intervals are computed.

    Returns:
        ``None`` without another comparable model, without a headline metric, or if the evaluation
        is not in the store.
    """
    metric, dataset = next(iter(evaluation.headline), ""), evaluation.certificate.dataset
    with store.snapshot() as reader:
        candidates = list(reader.candidates(dataset))
    mine = next((item for item in candidates if _is_of(item, evaluation)), None)
    newest = [] if mine is None else _newest_of_models(mine, candidates)
    names = [_query_name(item, candidates) for item in newest]
    if len(names) < 2 or not metric:
        return None
    leaderboard = store.ask(RankQuery(metric=metric, datasets=(dataset,), runs=names, resamples=0))
    best = [
        row.run_id if row.run_id in names else row.evaluation_id
        for row in leaderboard.rows[:MODELS]
    ]
    names = list(dict.fromkeys([names[0], *best]))
    cheap = len(names) * ledger_rows(evaluation.ledger) <= ROWS * FURTHER
    resamples = RESAMPLES if cheap and intervals else 0
    return store.ask(RankQuery(metric=metric, datasets=(dataset,), runs=names, resamples=resamples))


def _is_of(item: Candidate, evaluation: Evaluation) -> bool:
    """Whether a candidate is an evaluation in its own run: equal runs share an evaluation."""
    run = None if item.run is None else item.run.run_id
    own_run = None if evaluation.run is None else evaluation.run.run_id
    return item.evaluation_id == evaluation.id and run == own_run


def _newest_of_models(mine: Candidate, candidates: list[Candidate]) -> list[Candidate]:
    """A candidate, then the newest comparable one of every other model of an experiment."""
    newest = {_model(mine): mine}
    for item in candidates:  # newest first
        if not item.run_is_deleted and _model(item) not in newest and _is_comparable(item, mine):
            newest[_model(item)] = item
    return list(newest.values())


def _query_name(item: Candidate, candidates: list[Candidate]) -> str:
    """What a query names a candidate by: its run, unless that was also evaluated otherwise."""
    if item.run is None:
        return item.evaluation_id
    of_run = [other for other in candidates if other.run and other.run.run_id == item.run.run_id]
    alike = all(_is_comparable(other, item) for other in of_run)
    return item.run.run_id if alike else item.evaluation_id


def _is_comparable(item: Candidate, other: Candidate) -> bool:
    return item.task == other.task and not differences([item, other])


def _model(candidate: Candidate) -> tuple[str | None, str]:
    """A model's experiment and name: models of two experiments may be called alike."""
    return None if candidate.run is None else candidate.run.experiment_id, candidate.model
