"""A filter answered for all rows at once says of each row what it says of that row alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.filters import parse_filter
from velour_plugin.filters.column_filter import truths_of
from velour_plugin.filters.predicates import compiled
from velour_plugin.filters.row_filter import _RowSubject

OPS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
NUMBERS = st.sampled_from([0, 0.5, 1, 6, 100.0, 1e300])
NAMES = st.sampled_from(["score", "annotation.area"])
SIDES = st.one_of(NAMES, NUMBERS.map(str))
LEAVES = st.one_of(
    st.builds("{} {} {}".format, NAMES, OPS, SIDES),
    st.builds("{} BETWEEN {} AND {}".format, NAMES, NUMBERS, SIDES),
    st.builds("{} IS NULL".format, NAMES),
    st.sampled_from(["label.value = 'car'", "label.key LIKE 'c%'"]),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("(NOT {})".format, inner),
    ),
    max_leaves=6,
)
MAYBE = st.sampled_from([np.nan, 0.0, 0.5, 1.0])
ROWS = st.lists(st.tuples(st.integers(0, 2), MAYBE, st.sampled_from([np.nan, 6.0, 100.0]),
                          st.booleans()), max_size=8)  # fmt: skip


def table_of(rows: list[tuple[int, float, float, bool]]) -> AnnotationTable:
    """Rows with and without a score, an area, a box of 2 by 3 pixels."""
    label, score, area, boxed = zip(*rows, strict=True) if rows else ((), (), (), ())
    box = [[0, 0, 2, 3] if there else [np.nan] * 4 for there in boxed]
    return AnnotationTable.from_columns(
        [("class", "car"), ("class", "bus"), ("color", "red")],
        np.zeros(len(rows), int),
        np.array(label, int),
        score=np.array(score, float),
        area=np.array(area, float),
        box=np.array(box, float).reshape(-1, 4),
    )


@given(FILTERS, ROWS)
def test_columns_agree_with_rows(where: str, rows: list[tuple[int, float, float, bool]]) -> None:
    """What is true, what is false, and what is unknown."""
    node, table = parse_filter(where), table_of(rows)
    assert node is not None
    truths, answer, subject = truths_of(node, table), compiled(node), _RowSubject(table)
    assert truths is not None
    for row in range(len(table)):
        subject.row = row
        expected = answer(subject)
        assert (truths.true[row], truths.false[row]) == (expected is True, expected is False)
