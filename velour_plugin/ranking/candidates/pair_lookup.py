"""Find two runs that answer one question, for comparisons and plans."""

from __future__ import annotations

from velour_plugin.filters import Where, parse_filter, split_filter
from velour_plugin.ranking.candidates.comparability import differences
from velour_plugin.ranking.candidates.datum_predictions import refuse_by_predictions
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.candidates.refusal import refuse
from velour_plugin.ranking.candidates.run_lookup import EvaluatedLedger, find_run
from velour_plugin.store.protocol import Reader


def find_pair(
    reader: Reader, first: str, second: str, where: Where, dataset: str | None
) -> tuple[EvaluatedLedger, EvaluatedLedger]:
    """Find the newest evaluations of two runs on one dataset, over the same datums.

    Args:
        reader: where they are.
        first: a run, as :func:`find_run` finds it.
        second: another, which is looked for on the first one's dataset.
        where: the filter; ``None`` selects all datums.
        dataset: that both were evaluated on; ``None`` for that of the first one's newest.

    Raises:
        NotComparable: the two do not answer the same question; the fields are named.
        UnknownName: there is no such run, or not on that dataset.
        NothingSelected: the filter selects no datum.
    """
    ours = find_run(reader, first, where, dataset)
    theirs = find_run(reader, second, where, ours.dataset)
    candidates = [ours.candidate, theirs.candidate]
    refuse_by_predictions(candidates, split_filter(parse_filter(where)))
    differing = differences(candidates, LedgerAccess(reader))
    if differing:
        refuse(reader, candidates, differing, may_intersect=False)
    return ours, theirs
