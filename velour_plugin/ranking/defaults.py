"""What a query need not name: the store's only dataset, and the first metric of its only task."""

from __future__ import annotations

from collections.abc import Sequence

from velour_plugin.domain.labels import Label
from velour_plugin.errors import InvalidInput, NotFound
from velour_plugin.plugins.installed import installed
from velour_plugin.ranking.candidates.metric_lookup import first_metric
from velour_plugin.store.protocol import Reader

_LISTED = 10
"""Names in a refusal."""


def named_datasets(reader: Reader, names: Sequence[str] | None) -> Sequence[str]:
    """Return the datasets of a query, or the store's only one.

    Raises:
        NotFound: none is named, and the store has none.
        InvalidInput: none is named, and the store has several.
    """
    if names is not None:
        return names
    known = reader.dataset_names()
    if not known:
        raise NotFound("this store has no dataset yet: run 'velour evaluate' to add one.")
    if len(known) > 1:
        raise InvalidInput(
            f"dataset: the store has {len(known)}, name one (--dataset): "
            f"{_listed(newest_first(reader, known))}."
        )
    return known


def named_metric(
    reader: Reader, metric: str | None, datasets: Sequence[str], label: Label | None = None
) -> str:
    """Return the metric of a query, or the first of the only task on its datasets.

    Raises:
        NotFound: none is named, and nothing was evaluated on the datasets.
        InvalidInput: none is named, and the datasets have evaluations of several tasks.
        UnknownName: there is no such dataset.
    """
    if metric is not None:
        return metric
    tasks = sorted({item.task for name in datasets for item in reader.candidates(name)})
    if not tasks:
        raise NotFound("nothing is evaluated yet: run 'velour evaluate', then rank by its metrics.")
    first = {first_metric(installed().evaluator(task), label): task for task in reversed(tasks)}
    if len(first) > 1:
        raise InvalidInput(
            f"metric: the evaluations are of several tasks, name one metric, such as "
            f"{_listed([f'{name} ({task})' for name, task in first.items()])}."
        )
    return next(iter(first))


def newest_first(reader: Reader, datasets: Sequence[str]) -> list[str]:
    """Sort the names of datasets by their newest versions, the latest first."""
    return sorted(datasets, key=lambda name: -reader.versions(name)[0].id)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
