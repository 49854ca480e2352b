"""Compare two runs: what changed by label, slice and kind of error, and whether by chance."""

from __future__ import annotations

from collections.abc import Sequence

from velour_plugin.answers import Comparison, Difference, ErrorDifference, Errors, MarginTest
from velour_plugin.domain.labels import label_text
from velour_plugin.queries.query import CompareQuery, label_of
from velour_plugin.ranking.candidates.pair_lookup import find_pair
from velour_plugin.ranking.candidates.run_lookup import EvaluatedLedger, metric_of_run
from velour_plugin.ranking.comparing.margins import (
    detectable,
    margin_sentence,
    margin_tests,
    power_sentence,
)
from velour_plugin.ranking.comparing.pair import Pair, less
from velour_plugin.ranking.comparing.permutation_test import Family, Tested
from velour_plugin.ranking.slice_runs import cut_masks, groups_of_run
from velour_plugin.ranking.slicing import cut_name
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
    margins = {"no_worse": query.no_worse, "min_lead": query.min_lead}
    spread = bool(query.permutations) or any(margin is not None for margin in margins.values())
    groups = groups_of_run(reader, first, query.groups, int(spread))
    for run in (first, second):
        run.ledger.load_details()  # by which errors are split
    reader.release()
    pair = Pair(
        first,
        second,
        (metric, label),
        permutations=query.permutations,
        seed=query.seed,
        confidence=query.confidence,
        units=groups.units,
    )
    headline, *labels = pair.differences(first.selected, "all", spread)
    sliced = [pair.headline(mask, about, spread) for about, mask in parts]
    tests = margin_tests(pair, headline, margins)
    families = [Family([headline]), Family(sliced), Family(labels)]
    pair.permute(families)
    whole, by_slice, by_label = (family.rows() for family in families)
    notes = (*first.notes, *second.notes, *groups.notes, *_notes(pair, headline, tests))
    about = "" if label is None else f"{label_text(label)}: "
    return Comparison(
        title=f"{about}{first.name} (first) and {second.name} (second) on {first.dataset}",
        rows=[*whole, *_by_change(by_slice), *_by_change(by_label)],
        notes=tuple(dict.fromkeys(notes)),
        confidence=query.confidence,
        permutations=max(family.permutations for family in families),
        margins=tuple(tests),
        detectable=detectable(pair, headline),
        errors=_errors(first, second),
        **groups.of_answer,
    )


def _notes(pair: Pair, headline: Tested, tests: Sequence[MarginTest]) -> list[str]:
    """How the metric was tested, what was shown of margins, and what could be shown."""
    by_mcnemar = f"p of {pair.metric} is by McNemar's mid-p test."
    smallest = min((test.margin for test in tests if test.margin), default=None)
    lines = [
        _few_exchanges(pair) if headline.row.p is None else by_mcnemar,
        *(margin_sentence(pair, test) for test in tests),
        power_sentence(pair, headline, smallest),
    ]
    return [line for line in lines if line]


def _few_exchanges(pair: Pair) -> str | None:
    """Say that there are too few units for a small p; ``None`` where there are enough."""
    exchanges, level = pair.exchanges, 1 - pair.confidence
    if not pair.permutations or not exchanges.are_all or exchanges.least_p <= level:
        return None
    return (
        f"{exchanges.units.count} {pair.unit} have {exchanges.count + 1} ways to exchange them: "
        f"no p is below {exchanges.least_p:.4g}, however large the difference."
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
