"""Rows of a recommendation, and the note that says what they are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from velour_plugin.answers import Leaderboard, Support
from velour_plugin.ranking.recommending.network import Network, Scores
from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.uncertainty import Uncertainty


@dataclass(frozen=True, slots=True)
class Supported:
    """Models that share a probability.

    Args:
        rows: the likeliest best first.
        datums: how many the evidence is from.
        note: what was put together, and who leads.
    """

    rows: Sequence[Support]
    datums: int
    note: str


def of_leaderboard(datasets: Sequence[str], leaderboard: Leaderboard) -> Supported:
    """Take models from the leaderboard of datasets on which all were evaluated."""
    known = [row for row in leaderboard if row.value is not None]
    best = known[0].value if known else None
    rows = [
        Support(
            model=row.model,
            p_best=row.p_best if len(known) > 1 else None,
            value=row.value,
            datums=row.datums,
            datasets=tuple(datasets),
            difference=None if row.value is None or best is None else row.value - best,
            tied_with_best=row.tied_with_best if len(known) > 1 else None,
        )
        for row in known
    ]
    about = f"{' + '.join(datasets)}: {leaderboard.datums} of {leaderboard.of_datums} datums"
    first = leaderboard[0].model
    return Supported(_sorted(rows), leaderboard.datums, f"{about}; {_leads(rows, first)}")


def by_run(leaderboard: Leaderboard) -> Leaderboard:
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


def of_network(network: Network) -> list[Supported]:
    """Take models from a network: those on one scale together, and each that met no other."""
    parts = network.scores()
    met = {model for part in parts for model in part.models}
    lone = [model for model in network.datasets if model not in met]
    return [*(_of_scores(network, part) for part in parts), *_of_lone(network, lone)]


def _of_scores(network: Network, scores: Scores) -> Supported:
    lower = network.prefers_lower
    sure = Uncertainty(scores.measured, (None, None), lower, network.query.confidence)
    values = [each.value or 0.0 for each in scores.measured]
    best = min(values) if lower else max(values)
    rows = [
        replace(
            _uncompared(network, model),
            p_best=sure.p_best(index),
            difference=values[index] - best,
            tied_with_best=sure.tied_with_best(index),
        )
        for index, model in enumerate(scores.models)
    ]
    first = scores.models[values.index(best)]
    datasets = [each.dataset for each in network.selections if each.dataset in scores.datasets]
    datums = network.count_datums(datasets)
    about = f"{' + '.join(datasets)}: {datums} of {network.total(datasets)} datums"
    note = f"{about}; {_leads(rows, first)} {' '.join(_on_meetings(network, scores, datasets))}"
    return Supported(_sorted(rows), datums, note)


def _uncompared(network: Network, model: str) -> Support:
    """A model's value over all its datums, without a comparison."""
    datasets = network.datasets[model]
    measured = network.measured[model, datasets]
    names = [each.dataset for each in network.selections if each.dataset in datasets]
    return Support(model, None, measured.value, measured.datums, tuple(names))


def _of_lone(network: Network, models: Sequence[str]) -> Iterator[Supported]:
    for model in models:
        row = _uncompared(network, model)
        if row.value is not None:
            note = (
                f"{' + '.join(row.datasets)}: {row.datums} datums; {model} met no other on at "
                f"least {FEW} datums, so there is no probability."
            )
            yield Supported([row], row.datums, note)


def _sorted(rows: Sequence[Support]) -> list[Support]:
    return sorted(rows, key=lambda row: (-(row.p_best or 0.0), row.model))


def _leads(rows: Sequence[Support], first: str) -> str:
    """Who leads among some models."""
    if len(rows) == 1:
        return f"only {first} was evaluated, so there is no probability."
    leaders = sorted(row.model for row in rows if row.tied_with_best)
    tied = f"; not to be told apart: {', '.join(leaders)}" if len(leaders) > 1 else ""
    return f"first is {first}{tied}."


def _on_meetings(network: Network, scores: Scores, datasets: Sequence[str]) -> Iterator[str]:
    """Which models met where, and how those that did not are compared."""
    on = "; ".join(
        f"on {name} {', '.join(m for m in sorted(scores.models) if name in network.datasets[m])}"
        for name in datasets
    )
    yield f"Evaluated were {on}."
    pairs = len(scores.models) * (len(scores.models) - 1) // 2
    apart = pairs - len(scores.met)
    if apart:
        yield (
            f"{apart} of {pairs} pairs met on no datums and are compared through models that met "
            "both, as if a lead on one dataset were as large on another."
        )
