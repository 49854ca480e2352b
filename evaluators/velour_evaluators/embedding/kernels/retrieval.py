"""Purity, recall and separation of embeddings.

Sources: Manning et al. 2008, Introduction to Information Retrieval, 16.3 (purity);
Jégou et al. 2011 (Recall@k); Hanley and McNeil 1982 (area under the ROC curve).
Neighbours, and which of them are equally near: ``neighbours.py`` beside this.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from velour_evaluators.embedding.kernels.neighbours import (
    BLOCK,
    Distance,
    blocks,
    checked,
    nearest,
    unit,
)
from velour_plugin.errors import InvalidInput

_STEPS = 2**20


class Labelled(NamedTuple):
    """Vectors and the label of each.

    Args:
        vectors: ``(n, d)`` finite numbers.
        labels: ``(n,)`` numbers or strings.
    """

    vectors: ArrayLike
    labels: ArrayLike


def purity_at_k(
    queries: Labelled,
    k: int,
    candidates: Labelled | None = None,
    distance: Distance = "cosine",
) -> float | None:
    """Average the share of a query's ``k`` nearest candidates that have its label.

    Where there are fewer than ``k`` candidates, all of them are its neighbours.

    Args:
        queries: vectors whose neighbours are searched.
        k: how many, >= 1.
        candidates: vectors that are searched; ``None`` for the other queries.
        distance: ``cosine`` or ``euclidean``.

    Returns:
        In [0, 1]; ``None`` where no query has a candidate.

    >>> two_pairs = Labelled([[0.0, 1], [0, 2], [1, 0], [2, 0]], ["a", "a", "b", "a"])
    >>> purity_at_k(two_pairs, 1)  # the first two have each other, the last two do not fit
    0.5
    """
    near = nearest(queries.vectors, k, candidates and candidates.vectors, distance)
    query_labels, candidate_labels = _label_numbers(queries, candidates)
    return float((candidate_labels[near] == query_labels[:, None]).mean()) if near.size else None


def recall_at_k(
    queries: Labelled,
    k: int,
    candidates: Labelled | None = None,
    distance: Distance = "cosine",
) -> float | None:
    """Compute the share of queries with a candidate of their label among the ``k`` nearest.

    A query whose label no candidate has does not count.

    Args:
        queries: vectors whose neighbours are searched.
        k: how many nearest candidates are looked at, >= 1.
        candidates: vectors that are searched; ``None`` for the other queries.
        distance: ``cosine`` or ``euclidean``.

    Returns:
        In [0, 1]; ``None`` where no query has a candidate of its label.
    """
    near = nearest(queries.vectors, k, candidates and candidates.vectors, distance)
    query_labels, candidate_labels = _label_numbers(queries, candidates)
    times = np.bincount(candidate_labels, minlength=int(query_labels.max(initial=-1)) + 1)[
        query_labels
    ]
    possible = times > (1 if candidates is None else 0)
    matched = (candidate_labels[near] == query_labels[:, None]).any(axis=1)
    return float(matched[possible].mean()) if possible.any() else None


def separation(
    queries: Labelled, candidates: Labelled | None = None, block: int = BLOCK
) -> float | None:
    """Compute the probability that a pair of one label is more alike than a pair of two labels.

    That is the area under the ROC curve of cosine similarity over all pairs of a query
    and a candidate. Similarities that agree to 2**-20, about a millionth, are ties, and
    a tie counts half, as by mid-ranks.

    Args:
        queries: one side of each pair.
        candidates: the other side; ``None`` for the other queries.
        block: pairs to compare at a time.

    Returns:
        In [0, 1], 0.5 where labels do not matter; ``None`` where there is no pair of one
        label, or none of two.
    """
    left = unit(checked(queries.vectors))
    right = left if candidates is None else unit(checked(candidates.vectors, left.shape[1]))
    query_labels, candidate_labels = _label_numbers(queries, candidates)
    counts = np.zeros((2, 2 * _STEPS + 1), np.int64)
    for rows in blocks(len(left), len(right), block):
        first = rows.start if candidates is None else 0
        alike = left[rows] @ right[first:].T
        bins = np.rint(alike * _STEPS).astype(np.int64) + _STEPS
        bins += (query_labels[rows, None] == candidate_labels[first:]) * np.int64(counts.shape[1])
        if candidates is None:  # every pair once, and none with itself
            bins = bins[np.logical_not(np.tri(*bins.shape, dtype=np.bool_))]
        counts += np.bincount(bins.ravel(), minlength=counts.size).reshape(counts.shape)
    return _auc(counts[1].astype(np.float64), counts[0].astype(np.float64))


def _auc(same: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Area under the ROC curve from counts by rising similarity."""
    if not (same.any() and other.any()):
        return None
    below = np.cumsum(other) - other / 2
    return float((same * below).sum() / (same.sum() * other.sum()))


def _label_numbers(
    queries: Labelled, candidates: Labelled | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels of both sides as numbers that are equal when the labels are."""
    query_labels = _checked_labels(queries)
    if candidates is None:
        numbers = np.unique(query_labels, return_inverse=True)[1]
        return numbers, numbers
    all_labels = np.concatenate((query_labels, _checked_labels(candidates)))
    numbers = np.unique(all_labels, return_inverse=True)[1]
    return numbers[: len(query_labels)], numbers[len(query_labels) :]


def _checked_labels(side: Labelled) -> NDArray[Any]:
    labels = np.asarray(side.labels)
    if labels.shape != (len(np.asarray(side.vectors)),):
        raise InvalidInput(
            f"labels of shape {labels.shape} for {len(np.asarray(side.vectors))} vectors: "
            "expected one label a vector."
        )
    return labels
