"""Replace conditions on facts in a filter by the uids that they select now.

Facts may change and digests do not, so an evaluation's certificate cannot name a fact: under
the same name other datums would be evaluated tomorrow. Conditions on facts become conditions on
``uid`` before anything is matched; the filter then selects the same datums forever.
"""

from __future__ import annotations

from itertools import compress

from velour_plugin.domain.datasets import Dataset
from velour_plugin.errors import NothingSelected
from velour_plugin.filters.interpret import FactsOfDatums, select
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.tree import (
    Call,
    Literal,
    Node,
    Property,
    conjunction,
    conjuncts,
    properties,
)


def asks_for_facts(node: Node | None) -> bool:
    """Whether a filter has a condition on a fact."""
    return node is not None and any(prop.fact is not None for prop in properties(node))


def without_facts(node: Node | None, dataset: Dataset, facts: FactsOfDatums) -> Node | None:
    """Replace conditions on facts by uids, so that a filter selects the same datums without them.

    Args:
        node: the filter.
        dataset: whose datums the filter selects.
        facts: of these datums.

    Raises:
        UnknownName: no datum has a fact that the filter names.
        NothingSelected: a condition on facts selects no datum.
    """
    return conjunction(
        [_uids(part, dataset, facts) if asks_for_facts(part) else part for part in conjuncts(node)]
    )


def _uids(part: Node, dataset: Dataset, facts: FactsOfDatums) -> Node:
    chosen = select(part, dataset.datums, dataset.name, truth=dataset.truth, facts=facts)
    uids = list(compress(dataset.uids, chosen))
    if not uids:
        raise NothingSelected(
            f"{to_text(part)} selects none of the datums of {dataset.name!r}: there is nothing to "
            "evaluate."
        )
    return Call("in", (Property("uid"), *map(Literal, uids)))
