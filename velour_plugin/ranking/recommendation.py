"""Which model is best for a need, over all datasets that have datums for it.

Datasets on which the same models were evaluated are put together and ranked as one; models that
never met on the same datums share no probability. If all runs are candidates, each dataset is
ranked by itself, as a run is of one dataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from velour_plugin.answers import Leaderboard, Recommendation, Support
from velour_plugin.errors import NotComparable, NotFound, UnknownName
from velour_plugin.queries.query import RankQuery, RecommendQuery
from velour_plugin.ranking.candidates.comparability import in_one_line
from velour_plugin.ranking.candidates.folding import folding_notes
from velour_plugin.ranking.defaults import named_metric
from velour_plugin.ranking.rank_runs import Ranking
from velour_plugin.store.protocol import Snapshot

_CANNOT_RANK = (NotFound, UnknownName, NotComparable)


@dataclass(frozen=True, slots=True)
class Pool:
    """Datasets on which the same models were evaluated, ranked together.

    Args:
        datasets: their names.
        ranking: over the datums of all of them.
    """

    datasets: Sequence[str]
    ranking: Ranking


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
    leaderboards: dict[str, Leaderboard] = {}
    pooled: list[tuple[Pool, Leaderboard]] = []
    for pool in pools:
        alone = {name: _leaderboard(rankings[name], name, left_out) for name in pool.datasets}
        known = {
            name: leaderboard for name, leaderboard in alone.items() if leaderboard is not None
        }
        if len(pool.datasets) == 1:
            pooled += [(pool, leaderboard) for leaderboard in known.values()]
        elif known:
            pooled.append((pool, pool.ranking.leaderboard()))
        leaderboards |= known
    if not leaderboards:
        reasons = "".join(f"\n  {name}: {why}" for name, why in left_out.items())
        raise NotFound(f"no dataset can say which model is best by {metric}:{reasons}")
    if query.all_runs:
        pooled = [(pool, _by_run(leaderboard)) for pool, leaderboard in pooled]
    pooled.sort(key=lambda entry: -entry[1].datums)
    notes = [_coverage(pool, leaderboard) for pool, leaderboard in pooled]
    if len(pooled) > 1:
        notes.append(_SEPARATE)
    folded = [item for ranking in rankings.values() for item in ranking.folded]
    notes += folding_notes(folded)
    notes += dict.fromkeys(note for ranking in rankings.values() for note in ranking.choice_notes)
    notes += [f"Left out: {name}: {why}" for name, why in left_out.items()]
    return Recommendation(
        title=f"Best {'run' if query.all_runs else 'model'} by {metric}",
        rows=[row for pool, leaderboard in pooled for row in _supports(pool, leaderboard)],
        notes=notes,
        boards=leaderboards,
        left_out=left_out,
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
    """Put datasets of the same models together, where their evaluations answer one question."""
    by_models: dict[frozenset[str], list[str]] = {}
    pools = []
    for name, ranking in rankings.items():
        if ranking.selects_datums and not query.all_runs:
            by_models.setdefault(ranking.models, []).append(name)
        else:
            pools.append(Pool([name], ranking))
    for names in by_models.values():
        try:
            together = rankings[names[0]] if len(names) == 1 else Ranking(reader, _on(query, names))
            pools.append(Pool(names, together))
        except _CANNOT_RANK:
            pools += [Pool([name], rankings[name]) for name in names]
    return pools


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


def _by_run(leaderboard: Leaderboard) -> Leaderboard:
    """The leaderboard with rows that are called by model and run."""
    often = Counter(row.name for row in leaderboard)
    names = [
        f"{row.name} {row.run_id[:8]}" if row.run_id and often[row.name] > 1 else row.name
        for row in leaderboard
    ]
    return replace(
        leaderboard,
        rows=[replace(row, model=name) for row, name in zip(leaderboard, names, strict=True)],
    )


def _supports(pool: Pool, leaderboard: Leaderboard) -> list[Support]:
    """Models of one pool, the likeliest best first; one that met no other has no probability."""
    known = [row for row in leaderboard if row.value is not None]
    rows = [
        Support(
            model=row.model,
            p_best=row.p_best if len(known) > 1 else None,
            value=row.value,
            datums=row.datums,
            datasets=tuple(pool.datasets),
        )
        for row in known
    ]
    return sorted(rows, key=lambda row: (-(row.p_best or 0.0), row.model))


def _coverage(pool: Pool, leaderboard: Leaderboard) -> str:
    """What was put together, and who leads there."""
    about = f"{' + '.join(pool.datasets)}: {leaderboard.datums} of {leaderboard.of_datums} datums"
    known = [row.model for row in leaderboard if row.value is not None]
    if len(known) == 1:
        return f"{about}; only {known[0]} was evaluated, so there is no probability."
    leaders = [row.model for row in leaderboard if row.tied_with_best]
    tied = f"; not to be told apart: {', '.join(leaders)}" if len(leaders) > 1 else ""
    return f"{about}; first is {leaderboard[0].model}{tied}."


_SEPARATE = (
    "Probabilities are among the models that were evaluated on the same datasets; rows of other "
    "datasets are not comparable ('velour matrix' shows what is missing)."
)
