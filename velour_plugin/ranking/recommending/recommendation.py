"""Which model is best for a need, over all datasets that have datums for it.

Datasets that models connect are put together. Where all models were evaluated on all of them, they
are ranked over all datums; where not, every two are compared over the datasets that both have, and
their differences are combined. Models that no dataset connects share no probability. If all runs
are candidates, each dataset is ranked by itself, as a run is of one dataset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from velour_plugin.answers import Leaderboard, Recommendation
from velour_plugin.errors import NotComparable, NotFound, UnknownName
from velour_plugin.queries.query import RankQuery, RecommendQuery
from velour_plugin.ranking.candidates.comparability import (
    in_one_line,
    refuse_other_questions,
)
from velour_plugin.ranking.candidates.folding import folding_notes
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.defaults import named_metric
from velour_plugin.ranking.grouping import joined
from velour_plugin.ranking.notes import on_few_resamples
from velour_plugin.ranking.rank_runs import Ranking
from velour_plugin.ranking.recommending.connected import connected
from velour_plugin.ranking.recommending.network import Network
from velour_plugin.ranking.recommending.supports import (
    Supported,
    by_run,
    of_leaderboard,
    of_network,
)
from velour_plugin.store.protocol import Snapshot

_CANNOT_RANK = (NotFound, UnknownName, NotComparable)


@dataclass(frozen=True, slots=True)
class Pool:
    """Datasets that are put together, as models connect them.

    Args:
        datasets: their names.
        ranking: over the datums of all of them, of models that all were evaluated on all; or the
            network of models of which some were not.
    """

    datasets: Sequence[str]
    ranking: Ranking | Network


def answer_recommendation(reader: Snapshot, query: RecommendQuery) -> Recommendation:
    """Name the best-supported model for a need, with the evidence.

    Raises:
        NotFound: no dataset has anything to say; the reasons are given.
    """
    names = query.datasets or reader.dataset_names()
    metric = named_metric(reader, query.metric, names)
    query = replace(query, metric=metric)
    rankings: dict[str, Ranking] = {}
    left_out: dict[str, str] = {}
    for name in names:
        try:
            rankings[name] = Ranking(reader, _on(query, [name]))
        except _CANNOT_RANK as error:
            left_out[name] = in_one_line(error)
    pools = _pools(reader, query, rankings)
    reader.release()
    boards = {name: _leaderboard(rankings[name], name, left_out) for name in rankings}
    leaderboards = {name: board for name, board in boards.items() if board is not None}
    if not leaderboards:
        reasons = "".join(f"\n  {name}: {why}" for name, why in left_out.items())
        raise NotFound(f"no dataset can say which model is best by {metric}:{reasons}")
    supported = [each for pool in pools for each in _supported(pool, leaderboards, query)]
    supported.sort(key=lambda each: -each.datums)
    notes = [each.note for each in supported]
    if len(supported) > 1:
        notes.append(_SEPARATE)
    groups = joined({" + ".join(pool.datasets): pool.ranking.groups for pool in pools})
    notes += [*groups.notes, *on_few_resamples(query.resamples, query.confidence)]
    folded = [item for ranking in rankings.values() for item in ranking.folded]
    notes += folding_notes(folded)
    notes += dict.fromkeys(note for ranking in rankings.values() for note in ranking.choice_notes)
    notes += [f"Left out: {name}: {why}" for name, why in left_out.items()]
    return Recommendation(
        title=f"Best {'run' if query.all_runs else 'model'} by {metric}",
        rows=[row for each in supported for row in each.rows],
        notes=notes,
        boards=leaderboards,
        left_out=left_out,
        **groups.of_answer,
    )


def _on(query: RecommendQuery, names: Sequence[str]) -> RankQuery:
    return RankQuery(
        metric=query.metric,
        datasets=names,
        where=query.where,
        all_runs=query.all_runs,
        groups=query.groups,
        confidence=query.confidence,
        resamples=query.resamples,
        seed=query.seed,
    )


def _pools(reader: Snapshot, query: RecommendQuery, rankings: Mapping[str, Ranking]) -> list[Pool]:
    """Put together the datasets that models connect and whose evaluations answer one question."""
    together = [
        name for name, each in rankings.items() if each.selects_datums and not query.all_runs
    ]
    pools = [Pool([name], rankings[name]) for name in rankings if name not in together]
    for names in _of_one_question(reader, query, rankings, together):
        for part in connected([rankings[name].models for name in names]):
            pools += _pool(reader, query, rankings, [names[index] for index in part])
    return pools


def _of_one_question(
    reader: Snapshot,
    query: RecommendQuery,
    rankings: Mapping[str, Ranking],
    names: Sequence[str],
) -> list[list[str]]:
    """Datasets whose evaluations differ in nothing but their datums."""
    access = LedgerAccess(reader, query.where)
    parts: list[list[str]] = []
    for name in names:
        for part in parts:
            with suppress(NotComparable):
                of_both = [rankings[each].selections[0].candidates for each in (part[0], name)]
                refuse_other_questions([item for items in of_both for item in items], access)
                part.append(name)
                break
        else:
            parts.append([name])
    return parts


def _pool(
    reader: Snapshot,
    query: RecommendQuery,
    rankings: Mapping[str, Ranking],
    names: Sequence[str],
) -> list[Pool]:
    """One pool of some datasets; if they cannot be put together, one of each."""
    alone = [Pool([name], rankings[name]) for name in names]
    if len(names) == 1:
        return alone
    with suppress(*_CANNOT_RANK):
        if len({rankings[name].models for name in names}) == 1:
            return [Pool(names, Ranking(reader, _on(query, names)))]
        selections = [rankings[name].selections[0] for name in names]
        return [Pool(names, Network(reader, query, selections))]
    return alone


def _leaderboard(ranking: Ranking, name: str, left_out: dict[str, str]) -> Leaderboard | None:
    """The leaderboard of one dataset; ``None``, with the reason kept, where it has no chances."""
    try:
        leaderboard = ranking.leaderboard()
    except _CANNOT_RANK as error:
        left_out[name] = in_one_line(error)
        return None
    if any(row.p_best is not None for row in leaderboard):
        return leaderboard
    left_out[name] = "; ".join(leaderboard.notes) or "no run has a value"
    return None


def _supported(
    pool: Pool, leaderboards: Mapping[str, Leaderboard], query: RecommendQuery
) -> list[Supported]:
    """Models of a pool with their evidence; none where no dataset of it has a leaderboard."""
    if not any(name in leaderboards for name in pool.datasets):
        return []
    if isinstance(pool.ranking, Network):
        return of_network(pool.ranking)
    if len(pool.datasets) > 1:
        return [of_leaderboard(pool.datasets, pool.ranking.leaderboard())]
    leaderboard = leaderboards[pool.datasets[0]]
    return [of_leaderboard(pool.datasets, by_run(leaderboard) if query.all_runs else leaderboard)]


_SEPARATE = (
    "Probabilities are among models that were evaluated on the same datasets, or that others "
    "connect; those that nothing connects share none, and their rows are not comparable ('velour "
    "matrix' shows what is missing)."
)
