"""Select datasets and runs by metadata of models and datasets, before datums are read."""

from __future__ import annotations

from collections.abc import Sequence

from velour_plugin.errors import NotFound
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.row_filter import check_run_properties
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess


def datasets_with_candidates(access: LedgerAccess, datasets: Sequence[str]) -> Sequence[str]:
    """Return those of the datasets with an evaluation that the filter on models and runs selects.

    Without such a filter, all of the datasets.

    Args:
        access: the filter, and where the evaluations are.
        datasets: names.

    Raises:
        UnknownName: no model or dataset has metadata that the filter names.
        NotFound: no evaluation is admitted on any of them.
    """
    if access.split.runs is None:
        return datasets
    candidates = {name: access.reader.candidates(name) for name in datasets}
    every = [item for items in candidates.values() for item in items]
    check_run_properties(
        access.split.runs,
        [item.model_metadata for item in every],
        [item.dataset_metadata for item in every],
    )
    admitted = [name for name, items in candidates.items() if any(map(access.admits, items))]
    if not admitted:
        raise NotFound(
            "no evaluated run matches the filter: none on "
            f"{', '.join(map(repr, datasets))} has {to_text(access.split.runs)}."
        )
    return admitted
