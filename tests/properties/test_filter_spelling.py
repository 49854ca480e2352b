"""A filter has one digest, however it is spelled."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import strategies
from velour_plugin.filters import parse_filter
from velour_plugin.filters.language.cql2_text import to_text
from velour_plugin.filters.language.tree import filter_digest, to_json


@settings(max_examples=200)
@given(strategies.filters())
def test_a_filter_that_is_spelled_out_reads_as_itself(asked: Any) -> None:
    """In canonical JSON, whose spelling is then its own, and in text."""
    node = parse_filter(asked)
    assert node is not None
    canonical = to_json(node)
    assert to_json(parse_filter(canonical)) == canonical  # type: ignore[arg-type]
    assert filter_digest(parse_filter(to_text(node))) == filter_digest(node), to_text(node)


def test_a_negation_of_equal_negations_is_none() -> None:
    """AND of one thing twice is that thing, and NOT NOT is nothing."""
    twice = "NOT (NOT a = 1 AND NOT a = 1)"
    assert to_json(parse_filter(twice)) == to_json(parse_filter("a = 1"))  # type: ignore[arg-type]


@settings(max_examples=200)
@given(strategies.filters(), st.randoms())
def test_order_and_nesting_change_no_digest(asked: Any, random: Any) -> None:
    """Operands of AND and OR, and values of lists, may come in any order."""
    other = _shuffled(asked, random)
    assert filter_digest(parse_filter(other)) == filter_digest(parse_filter(asked))


def _shuffled(asked: Any, random: Any) -> Any:
    if not isinstance(asked, dict) or "op" not in asked:
        return asked
    op, args = asked["op"], [_shuffled(arg, random) for arg in asked["args"]]
    if op in ("and", "or"):
        random.shuffle(args)
        args = [args[0], {"op": op, "args": args[1:]}]
    if op in ("in", "a_contains", "a_overlaps"):
        args = [args[0], random.sample(args[1], len(args[1]))]
    return {"args": args, "op": op}
