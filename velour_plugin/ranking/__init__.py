"""Which model is best for this need: rankings that refuse unfair comparisons.

Every function here answers a query from a reader of a store; it knows no SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from velour_plugin.domain.encoding.canonical import canonical_json, digest
from velour_plugin.errors import InvalidInput, StoreUnavailable
from velour_plugin.plugins.installed import installed
from velour_plugin.queries.query import Query

if TYPE_CHECKING:
    from velour_plugin.store.protocol import Store

Answer = TypeVar("Answer")

_ANSWERS = {
    "compare": "comparing.comparison.answer_comparison",
    "matches": "match_rows.answer_matches",
    "matrix": "matrix.answer_matrix",
    "plan": "planning.plan.answer_plan",
    "rank": "rank_runs.answer_ranking",
    "recommend": "recommending.recommendation.answer_recommendation",
    "slices": "slice_runs.answer_slices",
    "threshold": "operating.thresholds.answer_thresholds",
    "worst": "slice_runs.answer_worst",
}
"""By kind of query what answers it; loaded when the cache does not have the answer."""


_REVISION = 5
"""Of rankings: raised when the same query has another answer, so that older ones are not given."""


def answer(store: Store, query: Query[Answer]) -> Answer:
    """Answer a query from one moment of a store; from its cache while nothing has changed.

    The revision that an answer is kept under is read in the same transaction as what it is made
    of: what is written meanwhile has a later one, and the answer is not given again.

    Raises:
        InvalidInput: it is no query; each query's answerer raises more.
    """
    if not isinstance(query, Query):
        raise InvalidInput(
            f"query {query!r}: expected a velour.Query, such as velour.RankQuery(…)."
        )
    key = cache_key(query)
    with store.snapshot() as reader:
        revision, known = (
            (0, None) if key is None else reader.cached_answer(key, query.read_datasets)
        )
        cached = None if known is None else read_answer(query, known)
        if cached is not None:
            return cached
        computed: Answer = _answerer(query)(reader, query)
    if key is not None:
        with suppress(StoreUnavailable):  # who may only read is answered all the same
            store.keep_answer(key, revision, computed.to_dict())  # type: ignore[attr-defined]
    return computed


def _answerer(query: Query[Any]) -> Callable[..., Any]:
    module, _, function = _ANSWERS[query.kind].rpartition(".")
    answerer: Callable[..., Any] = getattr(
        import_module(f"velour_plugin.ranking.{module}"), function
    )
    return answerer


def read_answer(query: Query[Answer], content: Mapping[str, Any]) -> Answer | None:
    """Read a cached answer; ``None`` where another version of Velour wrote it."""
    with suppress(InvalidInput):
        answer: Answer = query.answer_type.from_dict(content)
        return answer
    return None


def _family_revisions(query: Query[Any]) -> dict[str, str] | None:
    """Revisions of the property families in a query, which are part of the cache key."""
    used = query.properties
    if not used:
        return {}
    from velour_plugin.filters.split import family_revisions

    return family_revisions(used)


def cache_key(query: Query[Any]) -> str | None:
    """Return the cache key of a query; a new version of an evaluator or property family changes it.

    ``None`` where what a tracker knows decides the answer, which may change unseen.
    """
    families = _family_revisions(query)
    if not query.cacheable or families is None:
        return None
    versions = installed().evaluators.versions
    return digest("answer", canonical_json([_REVISION, versions, families]), query.digest)
