"""Embeddings: are items of one label each other's nearest neighbours?

An item is a predicted annotation with an embedding; its label is the true label of its datum.
Neighbours of every item are searched among all others; or, where ``role_key`` names metadata
that is ``query`` or ``candidate``, those of queries among candidates.

Neighbours are searched among the selected datums, so a filter changes them: the ledger keeps
the vectors, and every selection is searched anew. A datum that counts twice is in the data
twice, and its copies are each other's nearest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.embedding.kernels.retrieval import (
    Labelled,
    purity_at_k,
    recall_at_k,
    separation,
)
from velour_plugin import AnnotationTable, Dataset, Evaluator, Ledger, Metric
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName
from velour_plugin.plugin import IntervalMethod

_DISTANCES = ("cosine", "euclidean")
_ROLES = {"candidate": 0, "query": 1}


class EmbeddingEvaluator(Evaluator):
    """Recall and purity of the nearest neighbours, and how far labels are apart.

    ``recall_k``: share of queries with a candidate of their label among the ``k`` nearest, of those
    that have one at all. ``purity_k``: mean share of the ``k`` nearest that have the query's label.
    ``separation``: probability that a pair of one label is more alike, by cosine, than a pair of
    two; 0.5 where labels do not matter. Undefined (``None``) where no query has a candidate of its
    label.
    """

    task = "embedding"
    version = "1"
    headline = (
        "recall_1", "recall_5", "recall_10", "purity_1", "purity_5", "purity_10", "separation",
    )  # fmt: skip
    compares_classes = False
    defaults: ClassVar[Mapping[str, Any]] = {
        "neighbours": [1, 5, 10],
        "distance": "cosine",
        "role_key": None,
    }

    def parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, checked, with defaults.

        ``neighbours``: rising whole numbers >= 1. ``distance``: ``cosine`` or ``euclidean``.
        ``role_key``: name of the metadata that is ``query`` or ``candidate``; ``None`` when every
        item is both.
        """
        complete = super().parameters(parameters)
        counts = complete["neighbours"]
        sound = isinstance(counts, (list, tuple)) and all(
            isinstance(k, int) and not isinstance(k, bool) and k >= 1 for k in counts
        )
        if not sound or not counts or sorted(set(counts)) != list(counts):
            raise InvalidInput(f"neighbours {counts!r}: expected rising whole numbers >= 1.")
        if complete["distance"] not in _DISTANCES:
            raise UnknownName("distance", complete["distance"], _DISTANCES)
        return {**complete, "neighbours": list(counts)}

    def bounds(self, metric: str) -> tuple[float | None, float | None]:
        """Return 0 and 1: every metric is a share."""
        return (0.0, 1.0)

    def interval_method(self, metric: str) -> IntervalMethod:
        """Return the jackknife: in resamples, copies of a datum are each other's nearest."""
        return "jackknife"

    def match(self, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
        """Return a ledger of the vectors with their labels and roles."""
        predictions = dataset.predictions
        assert predictions is not None
        rows, vectors = _vectors(predictions, dataset)
        roles = _roles(dataset, parameters["role_key"])
        key_of = np.array([name[0] for name in dataset.truth.labels], dtype=object)
        truths = [_true_labels(dataset, key_of == key, key) for key in dict.fromkeys(key_of)]
        known = np.any([true[predictions.datum[rows]] >= 0 for true in truths], axis=0)
        rows, vectors = rows[known], vectors[known]
        items: list[tuple[int, int, int, int]] = []
        for true in truths:
            items += [
                (int(datum), int(true[datum]), int(roles[datum]), item)
                for item, datum in enumerate(predictions.datum[rows])
                if true[datum] >= 0
            ]
        columns = np.array(items, np.int32).reshape(-1, 4).T
        return Ledger(
            self.task,
            dataset.uids,
            dataset.truth.labels,
            dict(parameters),
            {
                "items": dict(zip(("datum", "label", "role", "vector"), columns, strict=True)),
                "vectors": {"number": vectors.ravel()},
            },
        )

    def measure(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Return the headline metrics of each label key."""
        counts = ledger.weights_of(datums, weights)
        metrics: list[Metric] = []
        keys = dict.fromkeys(key for key, _ in ledger.labels) or {"": None}
        for number, key in enumerate(keys):
            queries, candidates = _sides(ledger, key, counts)
            for name, value in _scores(queries, candidates, ledger.parameters):
                metrics.append(Metric(f"{key}/{name}" if number else name, value))
        return metrics

    def concatenate(self, ledgers: Sequence[Ledger]) -> Ledger:
        """Concatenate ledgers of disjoint datums: items by key and datum, vectors by datum."""
        return _in_order(Ledger.joined(_numbered_on(ledgers)))


def _vectors(
    predictions: AnnotationTable, dataset: Dataset
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Rows that have an embedding, one for each annotation, and their vectors ``(n, d)``."""
    if predictions.embedding is None:
        if len(predictions):
            raise BadDataset(
                f"the predictions on {dataset.name!r} have no embeddings: give them as "
                "velour.Annotation(labels, embedding=vector)."
            )
        return np.empty(0, np.intp), np.empty((0, 1))
    numbers = predictions.annotation
    first = np.r_[True, (numbers[1:] != numbers[:-1]) | (np.diff(predictions.datum) != 0)]
    known = np.array([item is not None for item in predictions.embedding], bool)
    rows = np.flatnonzero(first & known)
    sizes = {len(predictions.embedding[row]) for row in rows}
    if len(sizes) > 1:
        raise BadDataset(
            f"embeddings of {sorted(sizes)} dimensions on {dataset.name!r}: those of one model "
            "have one length."
        )
    return rows, np.array([predictions.embedding[row].vector for row in rows])


def _roles(dataset: Dataset, key: str | None) -> NDArray[np.int8]:
    """0 for candidates, 1 for queries, 2 for both."""
    if key is None:
        return np.full(len(dataset), 2, np.int8)
    roles = np.empty(len(dataset), np.int8)
    for index, datum in enumerate(dataset.datums):
        role = datum.metadata.get(key)
        if role not in _ROLES:
            raise BadDataset(
                f"datum {datum.uid!r}: metadata {key!r} is {role!r}; role_key expects "
                "'query' or 'candidate'."
            )
        roles[index] = _ROLES[role]
    return roles


def _true_labels(dataset: Dataset, labels_of_key: NDArray[np.bool_], key: str) -> NDArray[np.intp]:
    """The one true label of each datum under a key; -1 where it has none."""
    true = np.full(len(dataset), -1, np.intp)
    for row in np.flatnonzero(labels_of_key[dataset.truth.label]):
        datum, label = dataset.truth.datum[row], dataset.truth.label[row]
        if true[datum] not in (-1, label):
            raise BadDataset(
                f"datum {dataset.uids[datum]!r} has two true labels under {key!r}: an embedding "
                "is of one; evaluate the other key with label_keys."
            )
        true[datum] = label
    return true


def _sides(
    ledger: Ledger, key: str, counts: NDArray[np.int64] | None
) -> tuple[Labelled, Labelled | None]:
    """Queries and candidates of a key; ``None`` for candidates where every item is both."""
    items = ledger.tables["items"]
    labels_of_key = np.array([name[0] == key for name in ledger.labels], bool)
    often = labels_of_key[items["label"]].astype(np.int64)
    if counts is not None:
        often *= counts[items["datum"]]
    rows = np.repeat(np.arange(len(often)), often)
    number = ledger.tables["vectors"]["number"]
    total = _count(items)
    vectors = number.reshape(total, -1) if total else np.empty((0, 1))
    role = items["role"][rows]

    def side(chosen: NDArray[np.bool_]) -> Labelled:
        kept = rows[chosen]
        return Labelled(vectors[items["vector"][kept]], items["label"][kept])

    if (role == 2).all():
        return side(role == 2), None
    return side(role == 1), side(role == 0)


def _scores(
    queries: Labelled, candidates: Labelled | None, parameters: Mapping[str, Any]
) -> Iterator[tuple[str, float | None]]:
    distance = parameters["distance"]
    for k in parameters["neighbours"]:
        yield f"recall_{k}", recall_at_k(queries, k, candidates, distance)
    for k in parameters["neighbours"]:
        yield f"purity_{k}", purity_at_k(queries, k, candidates, distance)
    yield "separation", separation(queries, candidates)


def _numbered_on(ledgers: Sequence[Ledger]) -> list[Ledger]:
    """Ledgers whose vectors are numbered after those of the ledgers before."""
    numbered, before = [], 0
    for ledger in ledgers:
        items = ledger.tables["items"]
        moved = {**items, "vector": items["vector"] + np.int32(before)}
        before += _count(items)
        numbered.append(replace(ledger, tables={**ledger.tables, "items": moved}))
    return numbered


def _in_order(ledger: Ledger) -> Ledger:
    items, number = ledger.tables["items"], ledger.tables["vectors"]["number"]
    count = _count(items)
    datum_of = np.zeros(count, np.int32)
    datum_of[items["vector"]] = items["datum"]
    order = np.argsort(datum_of, kind="stable")
    new_index = np.empty(count, np.int32)
    new_index[order] = np.arange(count, dtype=np.int32)
    moved = {**items, "vector": new_index[items["vector"]]}
    keys = list(dict.fromkeys(key for key, _ in ledger.labels))
    key = np.array([keys.index(name[0]) for name in ledger.labels], np.int32)[items["label"]]
    rows = np.lexsort((moved["vector"], moved["datum"], key))
    vectors = number.reshape(count, -1)[order].ravel() if count else number
    sorted_items = {name: column[rows] for name, column in moved.items()}
    return replace(ledger, tables={"items": sorted_items, "vectors": {"number": vectors}})


def _count(items: Mapping[str, NDArray[Any]]) -> int:
    """Number of vectors in a ledger: each belongs to an item."""
    return int(items["vector"].max(initial=-1)) + 1
