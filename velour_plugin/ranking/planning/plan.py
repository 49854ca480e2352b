"""How many datums to collect: from the ledger of a pilot, for all of them and by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from velour_plugin.answers import Plan, PlanRow
from velour_plugin.domain.labels import label_text
from velour_plugin.errors import InvalidInput
from velour_plugin.evaluator import MetricKey
from velour_plugin.helpers.progress import track
from velour_plugin.queries.query import PlanQuery, label_of
from velour_plugin.ranking.candidates.pair_lookup import find_pair
from velour_plugin.ranking.candidates.run_lookup import EvaluatedLedger, find_run, metric_of_run
from velour_plugin.ranking.planning.rows import Goal, PlanRows
from velour_plugin.ranking.slice_runs import cut_masks, groups_of_run
from velour_plugin.ranking.slicing import cut_name
from velour_plugin.store.protocol import Snapshot

_LISTED = 5
"""Slices in a note."""


def answer_plan(reader: Snapshot, query: PlanQuery) -> Plan:
    """Say how many datums a promise about a run, or about the difference of two, needs.

    Raises:
        InvalidInput: the metric cannot be so wide, or differ so much.
    """
    runs, label, goal = _runs(reader, query), label_of(query), Goal.of(query)
    key = (metric_of_run(reader, runs[0], query.metric, label), label)
    _refuse_impossible(goal, runs, key[0])
    parts = [("all", runs[0].selected)] + [
        (f"{cut_name(cut)}: {part}", mask)
        for cut in query.by
        for part, mask in cut_masks(reader, runs[0], cut)
    ]
    groups = groups_of_run(reader, runs[0], query.groups, query.resamples)
    reader.release()
    planned = PlanRows(runs, key, goal, query.resamples, query.seed, groups.units)
    rows = [planned.row(*part) for part in track(parts, len(parts), f"planning {key[0]}")]
    of_runs = [note for run in runs for note in run.notes]
    return Plan(
        title=_title(goal, runs, key),
        rows=rows,
        notes=tuple(dict.fromkeys([*of_runs, *groups.notes, *planned.notes, *_on_slices(rows)])),
        **groups.of_answer,
        goal=goal.name,
        wanted=goal.wanted,
        confidence=goal.confidence,
        power=goal.power,
    )


def _runs(reader: Snapshot, query: PlanQuery) -> Sequence[EvaluatedLedger]:
    """The pilot's run, and the one that it is compared with, if any."""
    if query.against is None:
        return [find_run(reader, query.run, query.where, query.dataset)]
    return find_pair(reader, query.run, query.against, query.where, query.dataset)


def _refuse_impossible(goal: Goal, runs: Sequence[EvaluatedLedger], metric: str) -> None:
    """Refuse what no two values of the metric, or no interval of its differences, are apart."""
    low, high = runs[0].evaluator.bounds(metric)
    if low is None or high is None:
        return
    span = (high - low) * (len(runs) if goal.name == "width" else 1)
    if goal.wanted >= span:
        raise InvalidInput(
            f"{goal.option} {goal.wanted:g}: {metric} is from {low:g} to {high:g}, so that any "
            f"pilot would do; expected less than {span:g}, such as 0.05."
        )


def _title(goal: Goal, runs: Sequence[EvaluatedLedger], key: MetricKey) -> str:
    metric, label = key
    about = metric if label is None else f"{metric} of {label_text(label)}"
    names = " and ".join(run.name for run in runs)
    if len(runs) > 1:
        about = f"the difference in {about}"
    wanted = (
        f"an interval of {about} that is {goal.wanted:g} wide"
        if goal.name == "width"
        else f"a test that finds a difference of {goal.wanted:g} in {key[0]}"
    )
    return f"datums for {wanted}: {names} on {runs[0].dataset}"


def _on_slices(rows: Sequence[PlanRow]) -> Iterator[str]:
    """Notes on what is too thin now, and what it takes if nobody chooses what is collected."""
    whole, *slices = rows
    yield from dict.fromkeys(f"{row.slice}: {row.reason}" for row in rows if row.reason)
    thin = [row.slice for row in slices if row.thin]
    if not thin:
        return
    further = f" and {len(thin) - _LISTED} more" if len(thin) > _LISTED else ""
    yield f"Too thin now: {', '.join(thin[:_LISTED])}{further}."
    shares = [(row.more, row.units / whole.units) for row in slices if row.more]
    if shares:
        more = max(ceil(more / share) for more, share in shares)
        yield f"Collected as they come, {more} more give every slice that has a number its own."
