"""Compare two runs: what changed by label, slice and kind of error, and whether by chance."""

from __future__ import annotations

from collections.abc import Sequence

from velour_plugin.answers import Comparison, Difference, ErrorDifference, Errors
from velour_plugin.domain.labels import label_text
from velour_plugin.queries.query import CompareQuery, label_of
from velour_plugin.ranking.candidates.pair_lookup import find_pair
from velour_plugin.ranking.candidates.run_lookup import EvaluatedLedger, metric_of_run
from velour_plugin.ranking.slice_runs import cut_masks, groups_of_run
from velour_plugin.ranking.slicing import cut_name
from velour_plugin.ranking.uncertainty.permutation_test import Pair, less, with_p
from velour_plugin.store.protocol import Snapshot


def answer_comparison(reader: Snapshot, query: CompareQuery) -> Comparison:
    """Compare two runs on the datums that a filter selects, from their ledgers."""
    first, second = find_pair(reader, query.baseline, query.candidate, query.where, query.dataset)
    label = label_of(query)
    metric = metric_of_run(reader, first, query.metric, label)
    parts = [
        (f"{cut_name(cut)}: {part}", mask)
        for cut in query.by
        for part, mask in cut_masks(reader, first, cut)
        if mask.any()
    ]
    groups = groups_of_run(reader, first, query.groups, query.permutations)
    for run in (first, second):
        run.ledger.load_details()  # by which errors are split
    reader.release()
    pair = Pair(first, second, (metric, label), query.permutations, query.seed, groups.units)
    headline, *labels = pair.differences(first.selected, "all")
    sliced = [pair.headline(mask, about) for about, mask in parts]
    about = "" if label is None else f"{label_text(label)}: "
    return Comparison(
        title=f"{about}{first.name} (first) and {second.name} (second) on {first.dataset}",
        rows=[*with_p([headline]), *_by_change(with_p(sliced)), *_by_change(with_p(labels))],
        notes=tuple(dict.fromkeys((*first.notes, *second.notes, *groups.notes, *pair.notes))),
        errors=_errors(first, second),
        **groups.of_answer,
    )


def _errors(first: EvaluatedLedger, second: EvaluatedLedger) -> Errors:
    """Split the errors of both runs by kind."""
    ours = first.evaluator.errors(first.ledger, first.selected)
    theirs = second.evaluator.errors(second.ledger, second.selected)
    rows = [
        ErrorDifference(
            kind,
            ours[kind][0],
            theirs[kind][0],
            ours[kind][1],
            theirs[kind][1],
            less(theirs[kind][1], ours[kind][1]),
        )
        for kind in ours
        if kind in theirs and ours[kind][0] + theirs[kind][0]
    ]
    rows.sort(key=lambda row: -abs(row.difference or 0.0))
    title = f"errors by kind and what they cost: {first.name} (first), {second.name} (second)"
    return Errors(title=title, rows=rows)


def _by_change(rows: Sequence[Difference]) -> list[Difference]:
    """The largest change first."""
    return sorted(rows, key=lambda row: -abs(row.difference or 0.0))
