"""Notes on a leaderboard: why it is empty, and over what it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from velour_plugin.errors import NothingSelected
from velour_plugin.filters import parse_filter
from velour_plugin.filters.existing_values import nothing_selected
from velour_plugin.queries.query import RankQuery
from velour_plugin.ranking.candidates.selection import DatasetSelection
from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.measurement import Measurement
from velour_plugin.store.protocol import Snapshot


def leaderboard_notes(
    measured: Sequence[Measurement],
    selections: Sequence[DatasetSelection],
    query: RankQuery,
    total: int,
) -> list[str]:
    """Return the notes on a leaderboard of some selections of ``total`` datums."""
    if not any(len(selected) for each in selections for selected in each.selected):
        names = ", ".join(repr(each.dataset) for each in selections)
        if query.where is None:
            return [f"No datum of {names} is the same in all evaluations, metadata included."]
        return [f"The filter selects none of the {total} datums of {names}."]
    return [
        *dict.fromkeys(each.reason for each in measured if each.reason),
        *_on_sharing(selections),
        *(_on_few_datums(measured) if query.resamples else ()),
        *on_few_resamples(query.resamples, query.confidence),
    ]


def on_few_resamples(resamples: int, confidence: float) -> list[str]:
    """Say that resamples are too few for a confidence: each tail of them holds less than one."""
    least = math.ceil(round(2 / (1 - confidence), 6))
    if not 0 < resamples < least:
        return []
    return [
        f"{resamples} resamples are too few to tell how far a {100 * confidence:.4g}% interval "
        f"reaches: at least {least} are needed, and 1000 are usual."
    ]


def refusal(
    reader: Snapshot, selections: Sequence[DatasetSelection], query: RankQuery
) -> NothingSelected | None:
    """The error of a filter that selects nothing of any dataset; ``None`` where it selects some."""
    if query.where is None or any(map(len, (each for s in selections for each in s.selected))):
        return None
    versions = {each.candidates[0].version.id: each.candidates[0].version for each in selections}
    datums = [datum for version in versions.values() for datum in reader.datums(version)]
    names = ", ".join(repr(each.dataset) for each in selections)
    return nothing_selected(parse_filter(query.where), names, datums, "rank")


def _on_sharing(selections: Sequence[DatasetSelection]) -> list[str]:
    return [
        f"Compared over the {len(each.shared)} datums that all evaluations share on "
        f"{each.dataset!r}."
        for each in selections
        if each.shared is not None
    ]


def _on_few_datums(measured: Sequence[Measurement]) -> list[str]:
    fewest = min((each.datums for each in measured if each.datums), default=FEW)
    if fewest >= FEW:
        return []
    datums = "datum is" if fewest == 1 else "datums are"
    return [f"{fewest} {datums} too few to say how sure this is: at least {FEW} are."]
