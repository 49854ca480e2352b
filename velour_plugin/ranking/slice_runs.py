"""How one run does on each slice of its data, and which datums cost it most."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Any

import numpy as np

from velour_plugin.answers import DatumImpact, Slice, Slices, Worst
from velour_plugin.answers.intervals import rough_notes
from velour_plugin.answers.slices import metadata_text
from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.labels import label_text
from velour_plugin.evaluator import value_over
from velour_plugin.filters import Where, parse_filter
from velour_plugin.helpers.progress import track
from velour_plugin.queries.fields import Cut
from velour_plugin.queries.query import SliceQuery, WorstQuery, label_of
from velour_plugin.ranking.candidates.datum_predictions import select_in_run
from velour_plugin.ranking.candidates.run_lookup import EvaluatedLedger, find_run, metric_of_run
from velour_plugin.ranking.datum_costs import datum_costs, group_costs
from velour_plugin.ranking.grouping import (
    Grouping,
    GroupNames,
    Groups,
    groups_of,
    read_grouping,
    read_groups,
)
from velour_plugin.ranking.notes import on_few_resamples
from velour_plugin.ranking.slicing import Mask, cut_name, masks
from velour_plugin.ranking.uncertainty.bootstrap import measure_resampled
from velour_plugin.ranking.uncertainty.measurement import interval_fields
from velour_plugin.store.protocol import Reader, Snapshot


def answer_slices(reader: Snapshot, query: SliceQuery) -> Slices:
    """Measure a run on slices of its data, from its ledger."""
    run = find_run(reader, query.run, query.where, query.dataset)
    label = label_of(query)
    metric = metric_of_run(reader, run, query.metric, label)
    parts = [
        (cut_name(cut), part, mask)
        for cut in query.by
        for part, mask in cut_masks(reader, run, cut)
    ]
    groups = groups_of_run(reader, run, query.groups, query.resamples)
    reader.release()
    whole = value_over(run.evaluator, run.ledger, metric, label, run.selected)
    bounds = run.evaluator.bounds(metric)
    rows = []
    for by, part, mask in track(parts, len(parts), f"slicing {metric}"):
        subject = (run.evaluator, run.ledger, mask)
        measured = measure_resampled(
            subject,
            metric,
            label,
            units=groups.among(run.ledger.datums, mask),
            resamples=query.resamples,
            seed=query.seed,
        )
        rows.append(
            Slice(
                by=by,
                slice=part,
                datums=measured.datums,
                value=measured.value,
                difference=None
                if measured.value is None or whole is None
                else measured.value - whole,
                **interval_fields(measured, query.confidence, bounds),
            )
        )
    shown = "undefined" if whole is None else f"{whole:.4f}"
    about = "" if label is None else f" of {label_text(label)}"
    title = (
        f"{metric}{about} of {run.name} on {run.dataset}: {shown} over {run.selected.sum()} datums"
    )
    rough = rough_notes((f"{row.by} {row.slice}", row.rough) for row in rows)
    few = on_few_resamples(query.resamples, query.confidence)
    notes = (*run.notes, *groups.notes, *few, *rough)
    return Slices(title=title, rows=rows, notes=notes, **groups.of_answer)


def answer_worst(reader: Snapshot, query: WorstQuery) -> Worst:
    """Find the datums, or the groups that the query names, without which a run would do best."""
    run = find_run(reader, query.run, query.where, query.dataset)
    label = label_of(query)
    metric = metric_of_run(reader, run, query.metric, label)
    uids = [*compress(run.ledger.datums, run.selected)]
    metadata = {datum.uid: datum.metadata for datum in reader.datums(run.candidate.version)}
    # what is declared is about chance: whoever looks for bad images finds them one by one
    grouping = query.groups and read_grouping(reader, run.candidate.version, query.groups)
    reader.release()
    subject = (run.evaluator, run.ledger, (metric, label), run.selected)
    groups = groups_of([(grouping or None, uids)])
    if groups.units is None:
        costs = datum_costs(*subject, np.flatnonzero(run.selected))
        firsts, sizes = np.arange(len(uids)), np.ones(len(uids), int)
    else:
        costs = group_costs(*subject, groups.units)
        _, firsts, sizes = np.unique(groups.units.of_datum, return_index=True, return_counts=True)
    order = np.argsort(-costs, kind="stable")
    order = order[costs[order] > 0][: query.n]
    rows = [
        _impact(uids[firsts[at]], costs[at], sizes[at], metadata, grouping or None) for at in order
    ]
    about = "" if label is None else f" of {label_text(label)}"
    title = f"what costs {run.name} most {metric}{about} on {run.dataset}"
    kind = "groups" if groups.names else "selected datums"
    fewer = f"Only {len(rows)} of {len(costs)} {kind} cost it {metric}."
    notes = [*run.notes, *([fewer] if len(rows) < min(query.n, len(costs)) else [])]
    return Worst(title=title, rows=rows, notes=notes, **groups.of_answer)


def _impact(
    uid: str,
    cost: float,
    datums: int,
    metadata: Mapping[str, Mapping[str, Any]],
    grouping: Grouping | None,
) -> DatumImpact:
    """What a datum costs, or the group that it is of; one without a group is named itself."""
    values = None if grouping is None else grouping.values_of(uid)
    if values is None:
        return DatumImpact(uid, float(cost), dict(metadata[uid]))
    return DatumImpact(metadata_text(values), float(cost), values, int(datums))


def _mask(reader: Reader, run: EvaluatedLedger, where: Where) -> Mask:
    selection = select_in_run(reader, run.candidate, parse_filter(where))
    return selection.mask(run.ledger.datums) & run.selected


def groups_of_run(reader: Reader, run: EvaluatedLedger, groups: GroupNames, draws: int) -> Groups:
    """Return the groups of a run's selected datums, in the order of its ledger.

    Raises:
        UnknownName: no datum has a property that the query names.
        InvalidInput: the groups that it names are one.
    """
    uids = [*compress(run.ledger.datums, run.selected)]
    return read_groups(reader, groups, [(run.candidate.version, uids)], draws)


def cut_masks(reader: Reader, run: EvaluatedLedger, cut: Cut) -> list[tuple[str, Mask]]:
    """Return each slice's name and ``(datums,)`` mask of the ledger, where also selected."""
    if isinstance(cut, Mapping):
        ((_, filters),) = cut.items()
        return [(name, _mask(reader, run, where)) for name, where in filters.items()]
    datums = {datum.uid: datum for datum in reader.datums(run.candidate.version)}
    evaluated: list[Datum] = [datums[uid] for uid in run.ledger.datums]
    return [
        (name, mask & run.selected) for name, mask in masks(evaluated, cut, run.dataset).items()
    ]
