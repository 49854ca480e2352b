"""A new question is answered by the database's own driver as an open store answers it, or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

import velour_plugin as velour
from tests.fires import IMAGES, NEAR_BOSTON, NIGHT, fires
from velour_plugin.errors import UnknownName
from velour_plugin.filters import parse_filter
from velour_plugin.helpers.usage import in_use
from velour_plugin.ranking import cache_key
from velour_plugin.store import upgrade_store
from velour_plugin.store.opening import known_answer, quick_answer, read_store
from velour_plugin.store.sql import opening
from velour_plugin.store.sql.head import HEAD
from velour_plugin.store.sql.plain import plain_snapshot, plain_store
from velour_plugin.store.sql.plain.driver import NotPlain, driver_of
from velour_plugin.store.sql.store import SqlStore

SENSOR = "sensor = 'infrared' AND NOT hour BETWEEN 0 AND 9"


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """Five runs of three models on one dataset, one on another; one model is described."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        assert isinstance(opened, SqlStore)
        for number in range(5):
            found = [uid for place, uid in enumerate(IMAGES) if place <= number]
            dataset = fires(found, f"model {number % 3}")
            evaluation = velour.evaluate(dataset, "object-detection", store=opened)
            if number % 2:
                run = velour.EvaluatedRun(f"r{number}", f"run {number}", "7")
                opened.link_run(evaluation.id, run)
        velour.evaluate(fires(["2"], "model 1", name="other"), "object-detection", store=opened)
        opened.save_model(velour.Model("model 1", {"depth": 50}))
        yield opened


def queries() -> dict[str, velour.Query[Any]]:
    ranked = {"metric": "mAP", "datasets": ["fires"], "resamples": 20}
    return {
        "rank": velour.RankQuery(**ranked),
        "rank with a filter": velour.RankQuery(**ranked, where=NIGHT),
        "rank with another filter": velour.RankQuery(**ranked, where=SENSOR),
        "rank named datums": velour.RankQuery(**ranked, where="uid IN ('2', '20')"),
        "rank by a label": velour.RankQuery(
            metric="AP", datasets=["fires"], label="fire", resamples=0
        ),
        "rank described models": velour.RankQuery(**ranked, where="model.metadata.depth > 9"),
        "rank with parameters": velour.RankQuery(**ranked, parameters={"label_map": {"fire": "f"}}),
        "slices": velour.SliceQuery(run="run 1", by="sensor", resamples=20, dataset="fires"),
        "compare": velour.CompareQuery(baseline="run 1", candidate="run 3", permutations=20),
        "plan": velour.PlanQuery(run="run 1", by="sensor", resamples=20),
        "plan against": velour.PlanQuery(run="run 1", against="run 3", resamples=20),
        "matches": velour.MatchesQuery(run="run 3", where=NIGHT),
        "threshold": velour.ThresholdQuery(run="run 3", f1=True),
        "worst": velour.WorstQuery(run="run 3"),
        "worst with a filter": velour.WorstQuery(run="run 3", where=NIGHT),
        "matrix": velour.MatrixQuery(metric="mAP"),
    }


def as_json(answer: Any) -> Any:
    return json.loads(json.dumps(answer.to_dict()))


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No SQL store can be opened."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the store was opened")

    monkeypatch.setattr(opening, "open_sql_store", refuse)


@pytest.mark.parametrize("name", queries())
def test_the_answer_is_that_of_an_open_store(store: SqlStore, store_url: str, name: str) -> None:
    query = queries()[name]
    in_use.store = None
    quick = quick_answer(store_url, query)
    assert quick is not None
    assert in_use.store == store.display_url
    forget_answers(store)
    assert quick.to_dict() == store.ask(query).to_dict()


@pytest.mark.usefixtures("store", "closed")
def test_lists_are_read_without_opening_a_store(store_url: str) -> None:
    assert read_store(store_url, lambda reader: reader.dataset_names()) == ["fires", "other"]
    assert [model.name for model in read_store(store_url, lambda reader: reader.models())] == [
        "model 1"
    ]


def test_what_only_an_open_store_can_read_is_read_from_one(store: SqlStore, store_url: str) -> None:
    def described(reader: Any) -> Any:
        return reader.load_model("model 1")

    assert read_store(store_url, described) == store.load_model("model 1")


@pytest.mark.usefixtures("store", "closed")
@pytest.mark.parametrize(
    "name", ["rank", "rank with a filter", "slices", "plan", "worst", "matrix"]
)
def test_most_questions_open_no_store(store_url: str, name: str) -> None:
    assert quick_answer(store_url, queries()[name]) is not None


def test_a_comparison_opens_no_store_where_details_are_kept(
    store: SqlStore, store_url: str, request: pytest.FixtureRequest
) -> None:
    for number in (candidate.evaluation_id for candidate in store.candidates("fires")):
        store.load(number).ledger.load_details()
    request.getfixturevalue("closed")
    assert quick_answer(store_url, queries()["compare"]) is not None


@pytest.mark.parametrize("name", queries())
def test_the_answer_is_kept_where_an_open_store_finds_it(
    store: SqlStore, store_url: str, name: str
) -> None:
    query = queries()[name]
    quick, key = quick_answer(store_url, query), cache_key(query)
    assert quick is not None
    assert key is not None
    revision = store.revision(query.read_datasets)
    assert store.cached_answer(key, query.read_datasets) == (revision, as_json(quick))
    assert known_answer(store_url, key, query.read_datasets) == as_json(quick)


def test_an_answer_that_is_out_of_date_is_computed_again(store: SqlStore, store_url: str) -> None:
    query = queries()["rank"]
    before = quick_answer(store_url, query)
    velour.evaluate(fires(["2"], "new"), "object-detection", store=store)
    after = quick_answer(store_url, query)
    assert before is not None
    assert after is not None
    assert len(after) == len(before) + 1
    assert quick_answer(store_url, query) == after


def test_a_snapshot_reads_what_that_of_an_open_store_reads(store: SqlStore, store_url: str) -> None:
    names = [item.evaluation_id for item in store.candidates("fires")]
    version = store.versions("fires")[0]
    quick = plain_store.PlainStore(driver_of(store_url), {"velour_schema": HEAD}, lambda: store)
    with quick.snapshot() as ours, store.snapshot() as theirs:
        for reader in (ours, theirs):
            assert reader.dataset_names() == ["fires", "other"]
        assert ours.versions("fires") == theirs.versions("fires")
        assert ours.models() == theirs.models()
        assert ours.candidates("fires") == theirs.candidates("fires")
        assert ours.evaluations_of("run 3") == theirs.evaluations_of("run 3")
        assert ours.datums(version) == theirs.datums(version)
        for label in (None, velour.Label("class", "fire")):
            metric = "mAP" if label is None else "AP"
            values = ours.metric_values(names, metric, label)
            assert values == theirs.metric_values(names, metric, label)
            assert len(values) == len(names)
        for one, other in zip(ours.ledgers(names), theirs.ledgers(names), strict=True):
            assert (one.datums, one.labels) == (other.datums, other.labels)
            assert list(one.tables) == list(other.tables)
        for where in (None, NIGHT, SENSOR):
            chosen, expected = (
                reader.select_datums(version, parse_filter(where)) for reader in (ours, theirs)
            )
            assert list(chosen.uids) == list(expected.uids)
            assert chosen.positions.tolist() == expected.positions.tolist()


@pytest.mark.parametrize("where", [NEAR_BOSTON, "'fire' IN (datum.labels)", "hour > 99"])
def test_other_filters_are_left_to_the_store(store: SqlStore, store_url: str, where: str) -> None:
    quick = plain_store.PlainStore(driver_of(store_url), {"velour_schema": HEAD}, lambda: store)
    with pytest.raises(NotPlain), quick.snapshot() as reader:
        reader.select_datums(store.versions("fires")[0], parse_filter(where))


@pytest.mark.usefixtures("store")
def test_many_datums_are_left_to_the_store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_snapshot, "FEW", 3)
    assert quick_answer(store_url, queries()["rank with a filter"]) is None
    assert quick_answer(store_url, queries()["rank"]) is not None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE velour_schema SET version_num = '0000'",
        "DELETE FROM velour_schema",
        "ALTER TABLE ledger_contents RENAME COLUMN content TO text",
    ],
)
def test_a_strange_schema_is_left_to_the_store(
    store: SqlStore, store_url: str, change: str
) -> None:
    with store.transaction() as connection:
        connection.execute(text(change))
    assert quick_answer(store_url, queries()["rank"]) is None


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "ask",
    [
        lambda url: velour.rank("mAP", "fire", store=url),
        lambda url: velour.rank("maP", "fires", store=url),
        lambda url: velour.rank("mAP", "fires", where="hours > 3", store=url),
        lambda url: velour.worst("modell 1", store=url),
    ],
)
def test_names_that_do_not_exist_are_refused_in_the_words_of_the_store(
    store: SqlStore, store_url: str, ask: Any
) -> None:
    refusals = []
    for opened in (store_url, store):
        with pytest.raises(UnknownName) as refused:
            ask(opened)
        refusals.append(str(refused.value))
    assert refusals[0] == refusals[1]


def test_who_may_only_read_is_answered(store: SqlStore, store_url: str) -> None:
    query = queries()["rank"]
    with store.transaction() as connection:
        connection.execute(text("ALTER TABLE answers RENAME COLUMN created_at TO kept_at"))
    quick = quick_answer(store_url, query)
    assert quick is not None
    key = cache_key(query)
    assert key is not None
    assert store.cached_answer(key, ["fires"])[1] is None


def forget_answers(store: SqlStore) -> None:
    with store.transaction() as connection:
        connection.execute(text("DELETE FROM answers"))
