"""Queries are values: checked when made, the same for every spelling, and whole after JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from velour_plugin.errors import BadFilter, InvalidInput, UnknownName
from velour_plugin.queries.query import (
    CompareQuery,
    MatchesQuery,
    MatrixQuery,
    PlanQuery,
    Query,
    RankQuery,
    RecommendQuery,
    SliceQuery,
    ThresholdQuery,
    WorstQuery,
)

names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)
some_names = st.lists(names, min_size=1, max_size=3)
filters = st.sampled_from(
    [
        None,
        "hour >= 20",
        "city = 'Rome' AND (hour < 4 OR NOT night = true)",
        "DWITHIN(location, POINT(-71.03 42.36), 50, 'mi')",
        "captured_at > TIMESTAMP('2026-07-01T21:30:00Z')",
        {"op": "in", "args": [{"property": "city"}, ["b", "a"]]},
    ]
)
labels = st.none() | names | st.tuples(names, names)
cuts = st.lists(
    names | st.builds(lambda name, where: {name: {"some": where}}, names, filters), max_size=3
)
shares = st.floats(0.01, 0.99)
just = st.just(0.999)
counts = st.integers(0, 2000)
parameters = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "iou_thresholds": st.lists(st.floats(0, 1), max_size=3),
        "label_map": st.dictionaries(names, names, max_size=2)
        | st.dictionaries(st.tuples(names, names), st.tuples(names, names), max_size=2),
    },
)
groups = st.none() | st.just("none") | some_names.filter(lambda listed: "none" not in listed)
statistics: dict[str, Any] = {
    "groups": groups,
    "confidence": shares,
    "resamples": st.integers(1, 2000),
    "seed": counts,
}
queries = st.one_of(
    st.builds(
        RankQuery,
        metric=names,
        datasets=names | some_names,
        where=filters,
        label=labels,
        runs=st.none() | names | some_names,
        experiments=st.none() | some_names | st.lists(st.integers(0, 9), min_size=1),
        parameters=parameters,
        columns=st.lists(names, max_size=2),
        having=st.sampled_from([None, "recall >= 0.9", "mlflow.metrics.latency_ms < 5"]),
        on_mismatch=st.sampled_from(["refuse", "intersect"]),
        **statistics,
    ),
    st.builds(MatrixQuery, metric=names, where=filters, label=labels, by=cuts, **statistics),
    st.builds(SliceQuery, run=names, by=cuts, where=filters, label=labels, **statistics),
    st.builds(
        CompareQuery,
        baseline=names,
        candidate=names,
        where=filters,
        by=cuts,
        groups=groups,
        permutations=counts,
    ),
    st.builds(
        MatchesQuery,
        run=names,
        where=filters,
        label=labels,
        n=st.none() | st.integers(1, 20),
        outcome=st.none() | names,
        parameters=parameters,
    ),
    st.builds(ThresholdQuery, run=names, precision=st.floats(0.1, 1), where=filters, label=labels),
    st.builds(
        PlanQuery,
        run=names,
        against=st.none() | names,
        width=st.none() | st.floats(0.01, 0.5),
        where=filters,
        label=labels,
        by=cuts,
        **{**statistics, "resamples": st.integers(20, 2000)},
    ),
    st.builds(PlanQuery, run=names, detect=st.floats(0.01, 0.5), power=shares, confidence=just),
    st.builds(WorstQuery, run=names, where=filters, n=st.integers(1, 20), groups=groups),
    st.builds(
        RecommendQuery, metric=names, where=filters, datasets=st.none() | some_names, **statistics
    ),
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first filter loads its parser
@given(queries)
def test_a_query_is_the_same_after_json(query: Query[Any]) -> None:
    sent = json.loads(json.dumps(query.to_dict()))
    received = Query.from_dict(sent)

    assert type(received) is type(query)
    assert received == query
    assert received.to_dict() == query.to_dict()
    assert hash(received) == hash(query)


def test_a_query_that_was_stored_before_runs_were_folded_is_read() -> None:
    content = {"query": "rank", "metric": "mAP", "datasets": ["fires"]}
    assert Query.from_dict(content) == RankQuery(metric="mAP", datasets="fires", all_runs=False)


def test_what_has_no_order_has_one_digest() -> None:
    first = RankQuery(metric="mAP", datasets=["fires"], where="a = 1 AND b = 2", runs=["x", "y"])
    second = RankQuery(metric="mAP", datasets="fires", where="b = 2 AND a = 1", runs=["y", "x"])
    assert first == second
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "other",
    [
        {"metric": "mAR_100"},
        {"datasets": ["fires", "smoke"]},
        {"where": "a = 1"},
        {"label": "fire"},
        {"seed": 1},
        {"parameters": {"iou_thresholds": [0.5]}},
        {"having": "mAP > 0.5"},
        {"all_runs": True},
    ],
)
def test_another_question_has_another_digest(other: dict[str, Any]) -> None:
    asked = {"metric": "mAP", "datasets": ["fires"]}
    assert RankQuery(**asked).digest != RankQuery(**{**asked, **other}).digest


def test_questions_of_two_kinds_differ() -> None:
    assert RecommendQuery(metric="mAP", resamples=200) != MatrixQuery(metric="mAP")


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"metric": ""}, InvalidInput, "metric '': expected a name"),
        ({"metric": 5}, InvalidInput, "metric 5: expected a name"),
        ({"metric": "m\0AP"}, InvalidInput, "a text without U\\+0000"),
        ({"datasets": []}, InvalidInput, r"datasets \[\]: name at least one"),
        ({"datasets": {"a": 1}}, InvalidInput, "expected a name or a list of names"),
        ({"datasets": [1]}, InvalidInput, "datasets 1: expected a name"),
        ({"where": "hour >"}, BadFilter, "does not parse"),
        ({"label": ("a",)}, InvalidInput, "expected a value, or"),
        ({"label": 5.5}, InvalidInput, "label 5.5: expected a value"),
        ({"on_mismatch": "shrug"}, UnknownName, "known are: intersect, refuse"),
        ({"confidence": 1}, InvalidInput, r"confidence must be in \(0, 1\), such as 0.95; got 1"),
        ({"confidence": "high"}, InvalidInput, "got 'high'"),
        ({"resamples": -1}, InvalidInput, "resamples -1: expected a whole number >= 0"),
        ({"resamples": 1.5}, InvalidInput, "resamples 1.5: expected a whole number"),
        ({"resamples": True}, InvalidInput, "resamples True: expected a whole number"),
        ({"resamples": 10**30}, InvalidInput, "expected at most 100,000"),
        ({"all_runs": 1}, InvalidInput, "all_runs 1: expected True or False"),
        ({"all_runs": True, "datasets": ["a", "b"]}, InvalidInput, "rank one dataset to see all"),
        ({"seed": None}, InvalidInput, "seed None: expected a whole number"),
        ({"parameters": []}, InvalidInput, r"parameters \[\]: expected a mapping"),
        ({"parameters": {"a": {1, 2}}}, InvalidInput, "expected what JSON can hold"),
        ({"parameters": {"a": float("nan")}}, InvalidInput, "expected what JSON can hold"),
        ({"parameters": {"label_map": {"a": float("nan")}}}, InvalidInput, "what JSON can hold"),
        ({"parameters": {"\ud800": 1}}, InvalidInput, "expected what JSON can hold"),
        ({"metric": "a\x00"}, InvalidInput, "expected a name, a text without U"),
        ({"runs": ["\ud800"]}, InvalidInput, "expected a name"),
        ({"datasets": np.array(3)}, InvalidInput, "expected a name or a list of names"),
        ({"experiments": 1.5}, InvalidInput, "experiments 1.5: expected an id or a list of ids"),
        ({"on_mismatch": np.array(["refuse", "intersect"])}, UnknownName, "unknown on_mismatch"),
    ],
)
def test_nonsense_is_refused_when_a_query_is_made(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        RankQuery(**{"metric": "mAP", "datasets": ["fires"], **wrong})


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ([], InvalidInput, "expected a JSON object"),
        ({}, UnknownName, "unknown query None"),
        ({"query": "rang"}, UnknownName, "did you mean 'rank'"),
        ({"query": "worst", "metric": "mAP"}, InvalidInput, "the worst query lacks 'run'"),
        (
            {"query": "worst", "run": "a", "metrik": "mAP"},
            UnknownName,
            "unknown key of a worst query 'metrik': did you mean 'metric'",
        ),
        ({"query": "slices", "run": "a", "by": 7}, InvalidInput, "by 7: expected a property"),
        ({"query": "recommend", "metric": "mAP", "datasets": []}, InvalidInput, "at least one"),
        ({"query": "matrix", "metric": "mAP", "by": np.array(3)}, InvalidInput, "expected a prop"),
        (
            {"query": "slices", "run": "a", "by": [{"season": "summer"}]},
            InvalidInput,
            "expected one name and under it named filters",
        ),
    ],
)
def test_a_dictionary_that_is_no_query_is_refused(
    content: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Query.from_dict(content)


def test_runs_that_a_tracker_looks_up_are_not_cached() -> None:
    """Its runs and aliases change without the store hearing of it."""
    assert RankQuery(metric="mAP", datasets=["fires"], runs=["a"]).cacheable
    assert not RankQuery(metric="mAP", datasets=["fires"], runs="params.lr > 1").cacheable
    assert not WorstQuery(run="models:/fires@champion").cacheable
    assert not CompareQuery(baseline="a", candidate="models:/fires/1").cacheable
    assert not PlanQuery(run="a", against="models:/fires/1").cacheable
    assert PlanQuery(run="a").cacheable


def test_a_query_names_the_properties_that_decide_its_answer() -> None:
    query = RankQuery(
        metric="mAP", datasets=["fires"], where="hour > 3 AND fact.tags IS NOT NULL",
        columns=["mAP_50"], having="mlflow.params.lr = '1'",
    )  # fmt: skip
    names = {prop.name for prop in query.properties}
    assert names == {"hour", "fact.tags", "mAP_50", "mlflow.params.lr"}
    cut = SliceQuery(run="a", by=["city", {"day": {"late": "fact.q.sun < 0.1"}}])
    assert [prop.name for prop in cut.properties] == ["fact.q.sun"]
