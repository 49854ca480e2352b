"""Select datums by how much a run predicted on them: ``datum.predictions``.

A ledger may have dropped predictions (``max_detections``), so they are counted in the stored
predictions, whatever their labels and scores. The answer is of one run: runs that are compared
would each be measured on other datums, so that is refused, unless their selections are intersected.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from velour_plugin.domain.datasets import Dataset
from velour_plugin.errors import BadFilter
from velour_plugin.filters.fixing import asks_for_facts
from velour_plugin.filters.interpret import check_properties, select
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.tree import Node
from velour_plugin.filters.split import Split, split_filter
from velour_plugin.store.protocol import Reader
from velour_plugin.store.values import Candidate, DatumSelection


def select_by_predictions(
    reader: Reader, items: Sequence[Candidate], split: Split, on_mismatch: str = "refuse"
) -> set[str] | None:
    """Return the uids of the datums that conditions on the predictions of every run select.

    Args:
        reader: where predictions, ground truth and facts are.
        items: the evaluations, one a run.
        split: the filter, taken apart.
        on_mismatch: ``refuse`` several runs, or ``intersect`` their selections.

    Returns:
        ``None`` when there are no such conditions.

    Raises:
        BadFilter: several runs are compared, and not over the datums that they share.
    """
    if split.predictions is None:
        return None
    if on_mismatch != "intersect":
        refuse_by_predictions(items, split)
    versions = {item.version.id: item.version for item in items}
    datasets = {number: reader.load_version(version) for number, version in versions.items()}
    return set.intersection(
        *(_selected(reader, item, datasets[item.version.id], split) for item in items)
    )


def refuse_by_predictions(items: Sequence[Candidate], split: Split) -> None:
    """Refuse conditions on the predictions of one run where several are compared.

    Raises:
        BadFilter: there are such conditions.
    """
    if split.predictions is not None and len(items) > 1:
        raise BadFilter(
            f"{to_text(split.predictions)} is about the predictions of one run, and "
            f"{len(items)} runs are compared: name one run, or use on_mismatch='intersect' to "
            "compare all over the datums that it selects for every one."
        )


def select_in_run(reader: Reader, item: Candidate, node: Node | None) -> DatumSelection:
    """Select the datums of one evaluation's dataset version by a filter.

    Args:
        reader: where they are.
        item: the evaluation; ``datum.predictions`` are of its run.
        node: a filter on datums.

    Raises:
        BadFilter: a condition is about something else.
        UnknownName: no datum has a property that the filter names.
    """
    split = split_filter(node)
    if node is not None:
        check_properties(node, set(), strict=False, also=("prediction",))
    selection = reader.select_datums(item.version, split.datums)
    predicted = select_by_predictions(reader, [item], split)
    return selection if predicted is None else selection.within(predicted)


def _selected(reader: Reader, item: Candidate, dataset: Dataset, split: Split) -> set[str]:
    facts = reader.facts(dataset) if asks_for_facts(split.predictions) else {}
    chosen = select(
        split.predictions,
        dataset.datums,
        dataset.name,
        truth=dataset.truth,
        predictions=reader.load_predictions(item.evaluation_id),
        facts=facts,
    )
    return set(compress(dataset.uids, chosen))
