"""Which model is best for this need: rankings that refuse unfair comparisons.

Every function here answers a query from a reader of a store; it knows no SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeVar

from velour_plugin.domain.canonical import canonical_json, digest
from velour_plugin.errors import InvalidInput, StoreUnavailable
from velour_plugin.filters.split import family_revisions
from velour_plugin.plugins import installed
from velour_plugin.queries import Query
from velour_plugin.store.protocol import Store

Answer = TypeVar("Answer")

_ANSWERS = {
    "compare": "comparison.answer_comparison",
    "matrix": "matrix.answer_matrix",
    "rank": "rank_runs.answer_ranking",
    "recommend": "recommendation.answer_recommendation",
    "slices": "slice_runs.answer_slices",
    "worst": "slice_runs.answer_worst",
}
"""By kind of query what answers it; loaded when the cache does not have the answer."""


def answer(store: Store, query: Query[Answer]) -> Answer:
    """Answer a query from one moment of a store; from its cache while nothing has changed.

    The revision that an answer is kept under is read in the same transaction as what it is made
    of: what is written meanwhile has a later one, and the answer is not given again.

    Raises:
        InvalidInput: it is no query; a query's own function says what else.
    """
    if not isinstance(query, Query):
        raise InvalidInput(f"question {query!r}: expected one such as velour.RankQuery(…).")
    key = _key(query)
    with store.snapshot() as reader:
        revision, known = (
            (0, None) if key is None else reader.cached_answer(key, query.read_datasets)
        )
        if known is not None:
            with suppress(InvalidInput):  # kept by another Velour: computed again
                cached: Answer = query.answer_type.from_dict(known)
                return cached
        computed: Answer = _answerer(query)(reader, query)
    if key is not None:
        with suppress(StoreUnavailable):  # who may only read is answered all the same
            store.keep_answer(key, revision, computed.to_dict())  # type: ignore[attr-defined]
    return computed


def _answerer(query: Query[Any]) -> Callable[..., Any]:
    module, _, function = _ANSWERS[query.kind].partition(".")
    answerer: Callable[..., Any] = getattr(
        import_module(f"velour_plugin.ranking.{module}"), function
    )
    return answerer


def _key(query: Query[Any]) -> str | None:
    """Names a cached answer; new arithmetic of an evaluator, or family of properties, has another.

    ``None`` where what a tracker knows decides the answer, which may change unseen.
    """
    families = family_revisions(query.properties)
    if not query.cacheable or families is None:
        return None
    versions = installed().evaluators.versions
    return digest("answer", canonical_json([versions, families]), query.digest)
