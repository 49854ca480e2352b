"""Rankings, on SQLite and on PostGIS: who is first, over which datums, and who may not compete."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from velour_evaluators.detection.evaluator import ObjectDetection

import velour_plugin as velour
from tests.coco_oracle import dataset_of, random_boxes
from tests.fires import IMAGES, NEAR_BOSTON, NIGHT, fires
from tests.scenes import FOUND, TRUE
from velour_plugin.answers import Leaderboard
from velour_plugin.domain.columns.datum_columns import DatumColumns
from velour_plugin.errors import (
    BadFilter,
    InvalidInput,
    NotComparable,
    NotFound,
    NothingSelected,
    UnknownName,
)
from velour_plugin.store import Store, upgrade_store

ALL = tuple(IMAGES)
NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _ticking_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves by a second whenever it is read: which is the newest is no race."""
    moments = (NOON + dt.timedelta(seconds=second) for second in count())
    now = SimpleNamespace(now=lambda zone: next(moments))
    clock = SimpleNamespace(datetime=now, UTC=dt.UTC)
    for module in (
        "velour_plugin.domain.evaluation",
        "velour_plugin.store.sql.records.evaluations",
    ):
        monkeypatch.setattr(f"{module}.dt", clock)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        yield opened


def judge(
    store: Store,
    dataset: velour.Dataset,
    run: str | None = None,
    experiment: str = "1",
    **asked: Any,
) -> velour.Evaluation:
    """Evaluate and keep it, maybe for a run of which MLflow knows nothing; the newest so far."""
    owner = None if run is None else velour.EvaluatedRun(f"id of {run}", run, experiment)
    asked = {"task": "object-detection", **asked}
    evaluation = velour.evaluate(dataset, run=owner, **asked, save=False)
    store.save(evaluation, dataset)
    return evaluation


def rank(
    store: Store, metric: str = "mAR_100", dataset: str = "fires", **asked: Any
) -> Leaderboard:
    """A board without intervals, which have tests of their own."""
    return velour.rank(metric, dataset=dataset, store=store, **{"resamples": 0, **asked})


def order(board: Leaderboard) -> list[tuple[int | None, str, float | None]]:
    return [(row.rank, row.model, row.value) for row in board]


def three_models(store: Store) -> None:
    """One finds every fire, one those of Boston, one the one by day in Boston."""
    judge(store, fires(ALL, "all"))
    judge(store, fires(["2", "10"], "boston"))
    judge(store, fires(["10"], "noon"))


# Order


def test_the_best_comes_first_and_values_are_over_all_datums(store: Store) -> None:
    three_models(store)
    board = rank(store)
    assert order(board) == [(1, "all", 1.0), (2, "boston", 0.5), (3, "noon", 0.25)]
    assert (board.datums, board.of_datums) == (4, 4)
    assert {row.datums for row in board} == {4}


def test_a_filter_changes_the_order(store: Store) -> None:
    """By night there are a fire in Boston and one in Las Vegas; by day, one in Boston."""
    judge(store, fires(["2", "20"], "night owl"))
    judge(store, fires(["10", "roof"], "day shift"))
    assert order(rank(store, where=NIGHT)) == [(1, "night owl", 1.0), (2, "day shift", 0.0)]
    at_noon = f"NOT {NIGHT} AND {NEAR_BOSTON}"
    assert order(rank(store, where=at_noon)) == [(1, "day shift", 1.0), (2, "night owl", 0.0)]


def test_a_place_is_a_filter(store: Store) -> None:
    three_models(store)
    board = rank(store, where=NEAR_BOSTON)
    assert order(board) == [(1, "all", 1.0), (1, "boston", 1.0), (3, "noon", 0.5)]
    assert (board.datums, board.of_datums) == (2, 4)


def test_equal_values_share_a_rank_and_the_next_is_skipped(store: Store) -> None:
    judge(store, fires(["2"], "b"))
    judge(store, fires(["10"], "a"))
    judge(store, fires([], "c"))
    assert order(rank(store)) == [(1, "a", 0.25), (1, "b", 0.25), (3, "c", 0.0)]


def test_an_undefined_value_comes_last_and_says_why(store: Store) -> None:
    """Who says nothing is neither precise nor imprecise."""
    judge(store, fires([], "silent"))
    judge(store, fires(["2"], "careful"))
    board = rank(store, "precision", label="fire", where="hour > 0")
    assert order(board) == [(1, "careful", 1.0), (None, "silent", None)]
    assert board[1].reason
    assert board[1].reason in board.notes


def test_an_undefined_value_over_all_datums_says_why_too(store: Store) -> None:
    judge(store, fires([], "silent"))
    board = rank(store, "precision", label="fire")
    assert order(board) == [(None, "silent", None)]
    assert board[0].reason


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ("hour > 99", "selects none of the 4 datums of 'fires': nothing to rank"),
        ("hour = '20'", "hour is never of the type of '20': a value is 23; write 20 without"),
        ("hour > '9'", "hour is never of the type of '9': a value is 23; write 9 without quotes"),
        ("sensor = 7", "sensor is never of the type of 7: a value is 'infrared'."),
        ("hour IN ('a')", "hour is never of the type of 'a': a value is 23."),
        ("sensor = 'infra'", "No datum has sensor = 'infra'; values are 'infrared'"),
        ("hour > 1 AND hour = 'x'", "No hour can be all at once: 1 is a number, 'x' is a string"),
    ],
)
def test_a_filter_that_selects_nothing_is_refused_as_it_is_in_evaluate(
    store: Store, where: str, hint: str
) -> None:
    three_models(store)
    for use in (
        lambda: rank(store, where=where),
        lambda: velour.evaluate(fires(["2"]), "object-detection", where=where, store=store),
        lambda: velour.slices("all", by=["hour"], where=where, store=store),
    ):
        with pytest.raises(NothingSelected) as caught:
            use()
        assert hint.partition(" of the ")[0] in str(caught.value)
    with pytest.raises(NothingSelected, match=re.escape(hint)):
        rank(store, where=where)


def test_where_lower_is_better_the_lowest_comes_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if recall were a vice."""
    three_models(store)
    monkeypatch.setattr(ObjectDetection, "lower_is_better", frozenset({"mAR_100"}))
    board = rank(store)
    assert order(board) == [(1, "noon", 0.25), (2, "boston", 0.5), (3, "all", 1.0)]
    assert board.lower_is_better
    assert not rank(store, "mAP").lower_is_better


# Arithmetic


def coco_models(store: Store) -> list[velour.Dataset]:
    """Random boxes with everything nasty in them; three models that drop detections."""
    rng = np.random.default_rng(7)
    truth, detections = random_boxes(rng)
    dataset = dataset_of(truth, detections)
    datums = [
        velour.Datum(datum.uid, {**datum.metadata, "shard": place % 3, "odd": place % 2 == 1})
        for place, datum in enumerate(dataset.datums)
    ]
    dataset = replace(dataset, datums=tuple(datums))
    assert dataset.predictions is not None
    models = []
    for name, share in (("a", 1.0), ("b", 0.7), ("c", 0.4)):
        kept = rng.random(len(dataset.predictions)) < share
        models.append(dataset.with_predictions(dataset.predictions.take(kept), name))
    for model in models:
        judge(store, model)
    return models


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("shard = 0", lambda datum: datum["shard"] == 0),
        ("shard IN (0, 2) AND odd = true", lambda datum: datum["shard"] != 1 and datum["odd"]),
        ("NOT (shard = 1)", lambda datum: datum["shard"] != 1),
    ],
)
def test_a_filtered_value_is_that_of_an_evaluation_of_the_subset(
    store: Store, where: str, chosen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit, for headline metrics and for those of a label; nothing is matched again."""
    models = coco_models(store)
    label = models[0].truth.labels[0]
    asked = [("mAP", None), ("mAP_50", None), ("mAR_10", None), ("AP_75", label), ("f1", label)]
    expected: dict[Any, Any] = {}
    for model in models:
        mask = np.array([chosen(datum.metadata) for datum in model.datums])
        evaluation = velour.evaluate(model.subset(mask), task="object-detection", save=False)
        for name, about in asked:
            wanted = None if about is None else velour.Label(*about)
            expected[name, model.model] = next(
                metric.value
                for metric in evaluation.metrics
                if (metric.name, metric.label) == (name, wanted)
            )
    forbid_matching(monkeypatch)
    for name, about in asked:
        board = rank(store, name, "coco", where=where, label=about)
        assert {row.model: row.value for row in board} == {
            model: value for (metric, model), value in expected.items() if metric == name
        }


def forbid_matching(monkeypatch: pytest.MonkeyPatch) -> None:
    def match(*_: Any) -> None:
        raise AssertionError("matched again")

    monkeypatch.setattr(ObjectDetection, "match", match)


def test_nothing_is_matched_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    three_models(store)
    forbid_matching(monkeypatch)
    assert len(rank(store)) == 3
    assert rank(store, where=NIGHT)[0].value == 1.0


# Who takes part


def test_only_the_runs_that_are_asked_for(store: Store) -> None:
    judge(store, fires(["2"], "a"), run="first")
    judge(store, fires(["2", "10"], "b"), run="second", experiment="2")
    judge(store, fires([], "c"))
    assert [row.model for row in rank(store, runs=["first", "c"])] == ["a", "c"]
    assert [row.model for row in rank(store, runs=["id of second"])] == ["b"]
    assert [row.model for row in rank(store, runs=["a"])] == ["a"]
    assert [row.model for row in rank(store, experiments=["2"])] == ["b"]
    assert [row.model for row in rank(store, experiments="1")] == ["a"]


def test_a_row_names_its_run(store: Store) -> None:
    evaluation = judge(store, fires(["2"], "a"), run="first")
    (row,) = rank(store)
    assert (row.run, row.run_id, row.evaluation_id) == ("first", "id of first", evaluation.id)


def test_the_newest_evaluation_of_a_run_counts(store: Store) -> None:
    judge(store, fires(["2"], "a"), run="one")
    judge(store, fires(["2", "10"], "a"), run="one")
    assert [row.value for row in rank(store)] == [0.5]


def test_an_evaluation_made_again_is_the_newest_again(store: Store) -> None:
    """First one answer, then another, then the first again: that is what the run says now."""
    for found in (["2"], ["2", "10"], ["2"]):
        judge(store, fires(found, "a"), run="one")
    assert [row.value for row in rank(store)] == [0.25]


def test_evaluations_of_two_kinds_are_both_there(store: Store) -> None:
    """With other parameters it is another question: they are told apart, and not compared."""
    judge(store, fires(["2"], "a"), run="one")
    judge(store, fires(["2"], "a"), run="one", parameters={"max_detections": [1, 10, 50]})
    with pytest.raises(NotComparable, match=r"parameters\.max_detections"):
        rank(store, "mAP")


def test_one_evaluation_of_two_runs_is_two_rows_where_all_are_shown(store: Store) -> None:
    for run in ("one", "two"):
        judge(store, fires(["2"], "a"), run=run)
    board = rank(store, all_runs=True)
    assert sorted((row.run, row.rank) for row in board) == [("one", 1), ("two", 1)]


# One row a model


def test_a_model_has_one_row_its_newest_run(store: Store) -> None:
    judge(store, fires(["2"], "a"), run="a1")
    judge(store, fires(["2"], "b"), run="b1")
    judge(store, fires(["2", "10"], "a"), run="a2")
    judge(store, fires(["2", "10", "20"], "a"), run="a3")
    judge(store, fires([], "b"), run="b2")
    board = rank(store)
    assert [(row.model, row.run, row.value) for row in board] == [("a", "a3", 0.75), ("b", "b2", 0)]
    note = "3 older runs of 2 models are folded: --all-runs shows them (in Python all_runs=True)."
    assert board.notes[0] == note
    assert "a3" not in str(board)

    everything = rank(store, all_runs=True)
    runs = [(row.run, row.value) for row in everything]
    assert runs == [("a3", 0.75), ("a2", 0.5), ("a1", 0.25), ("b1", 0.25), ("b2", 0.0)]
    assert "folded" not in str(everything)
    assert all(f" {run} " in str(everything) for run, _ in runs)


def test_evaluating_twice_changes_nothing_on_the_leaderboard(store: Store) -> None:
    """As by a notebook's cell that is run again; the probability is over distinct models."""
    many = [velour.Datum(str(number), {}) for number in range(20)]
    truth = velour.Dataset.from_groundtruths([velour.GroundTruth(d, [TRUE]) for d in many], "many")
    boards = []
    for turn in range(2):
        for model, hits in (("a", 12), ("b", 10)):
            found = [velour.Prediction(datum, [FOUND]) for datum in many[:hits]]
            judge(store, truth.with_predictions(found, model), run=f"{model}{turn}")
        boards.append(velour.rank("mAR_100", "many", resamples=200, store=store))
    before, after = boards
    assert [(row.model, row.p_best, row.interval, row.rank_interval) for row in before] == [
        (row.model, row.p_best, row.interval, row.rank_interval) for row in after
    ]
    assert sum(row.p_best or 0 for row in after) == pytest.approx(1)
    assert after.notes == ("2 older runs of 2 models are folded: --all-runs shows them "
                           "(in Python all_runs=True).",)  # fmt: skip


def test_a_name_in_two_experiments_is_two_models_and_a_version_is_one(store: Store) -> None:
    judge(store, fires(["2"], "a"), run="r1", experiment="1")
    judge(store, fires(["2", "10"], "a"), run="r2", experiment="2")
    for model in ("fires/3", "net@m-0123abcd"):
        judge(store, fires(["2"], model), run=f"old {model}", experiment="1")
        judge(store, fires(["2", "10"], model), run=f"new {model}", experiment="2")
    board = rank(store)
    assert sorted((row.model, row.run) for row in board) == [
        ("a", "r1"),
        ("a", "r2"),
        ("fires/3", "new fires/3"),
        ("net@m-0123abcd", "new net@m-0123abcd"),
    ]
    assert " r1 " in str(board)  # one name twice: the column tells them apart


def test_runs_of_one_model_and_one_name_are_told_apart_by_their_ids(store: Store) -> None:
    for number in ("1111aaaa22", "3333bbbb44"):
        owner = velour.EvaluatedRun(number, "same", "1")
        dataset = fires([], "a")
        evaluation = velour.evaluate(dataset, "object-detection", run=owner, save=False)
        store.save(evaluation, dataset)
    shown = str(rank(store, all_runs=True))
    assert "same 1111aaaa " in shown
    assert "same 3333bbbb " in shown


def test_runs_that_are_named_are_not_folded(store: Store) -> None:
    judge(store, fires(["2"], "a"), run="one")
    judge(store, fires(["2", "10"], "a"), run="two")
    for runs in (["one", "two"], ["a"]):
        board = rank(store, runs=runs)
        assert [row.run for row in board] == ["two", "one"]
        assert board.notes == ()
    assert [row.run for row in rank(store, runs=["one"])] == ["one"]
    (row,) = rank(store, where="run_id = 'id of one'")
    assert row.run == "one"


def test_an_older_run_of_another_question_does_not_stand_in_the_way(store: Store) -> None:
    judge(store, fires(["2"], "a"), run="one", parameters={"iou_threshold": 0.7})
    judge(store, fires(["2", "10"], "a"), run="two")
    judge(store, fires(["2"], "b"), run="three")
    assert [row.run for row in rank(store)] == ["two", "three"]
    with pytest.raises(NotComparable, match="iou_threshold"):
        rank(store, all_runs=True)


# What need not be named


def test_the_only_dataset_and_the_first_metric_need_no_name(store: Store) -> None:
    with pytest.raises(NotFound, match="no dataset yet: run 'velour evaluate'"):
        velour.rank(store=store)
    store.save_dataset(fires())
    with pytest.raises(NotFound, match="nothing is evaluated yet"):
        velour.rank(store=store)
    judge(store, fires(["2"], "a"))
    named = velour.rank("mAP", "fires", resamples=0, store=store)
    assert velour.rank(resamples=0, store=store) == named
    assert velour.rank("mAP", resamples=0, store=store) == named
    assert velour.rank(label="fire", resamples=0, store=store).metric == "AP"

    judge(store, fires(["2"], "a", name="newest"))
    with pytest.raises(InvalidInput, match=r"has 2, name one \(--dataset\): newest, fires"):
        velour.rank("mAP", store=store)


def test_the_metric_is_named_where_there_are_several_tasks(store: Store) -> None:
    judge(store, fires(["2"], "a"))
    labels = [velour.Annotation([velour.Label("class", "fire")])]
    truth = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(velour.Datum("1"), labels)], "pictures"
    )
    scored = [velour.Annotation([velour.Label("class", "fire", 1.0)])]
    seen = truth.with_predictions([velour.Prediction(velour.Datum("1"), scored)], "c")
    judge(store, seen, task="image-classification")
    assert velour.rank(dataset="pictures", resamples=0, store=store).metric == "accuracy"
    with pytest.raises(InvalidInput, match=r"accuracy \(image-classification\)") as refusal:
        velour.matrix(store=store)
    assert "mAP (object-detection)" in str(refusal.value)


# Unfair comparisons


def test_a_refusal_says_field_by_field_who_differs(store: Store) -> None:
    judge(store, fires(["2"], "a"), run="one")
    judge(store, fires(["2"], "b", ["2", "10"]), run="two")
    judge(store, fires(["2"], "c"), parameters={"iou_threshold": 0.7}, where=NIGHT)
    with pytest.raises(NotComparable) as refusal:
        rank(store)
    lines = str(refusal.value).splitlines()
    assert lines[1:-1] == [
        "  dataset: fires v1 in c, one; fires v2 in two",
        "    v1 to v2: 2 datums removed (20, roof)",
        "  filter: hour >= 20 in c; none in two, one",
        "  parameters.iou_threshold: 0.7 in c; 0.5 in two, one",
    ]
    assert "--run" in lines[-1]


def test_a_refusal_says_that_only_metadata_differ(store: Store) -> None:
    judge(store, fires(["2"], "a"))
    data = fires(["2"], "b")
    datums = [replace(each, metadata={**each.metadata, "site": "x"}) for each in data.datums]
    judge(store, replace(data, datums=DatumColumns.of(datums)))
    with pytest.raises(NotComparable) as refusal:
        rank(store)
    assert str(refusal.value).splitlines()[1:-1] == [
        "  dataset: fires v1 in a; fires v2 in b",
        f"    v1 to v2: metadata differ on {len(data)} datums: site; all annotations are the same",
    ]
    with pytest.raises(NotComparable, match="all annotations are the same"):
        velour.compare("a", "b", store=store)


def test_a_refusal_tells_evaluations_of_one_name_apart(store: Store) -> None:
    judge(store, fires(["2"], "a"))
    judge(store, fires(["2"], "a"), parameters={"iou_threshold": 0.7})
    with pytest.raises(NotComparable) as refusal:
        rank(store)
    ids = re.findall(r"a \(evaluation (\w+)\)", str(refusal.value))
    assert len(set(ids)) == 2
    assert len(rank(store, runs=ids[:1])) == 1


def test_a_refusal_can_be_answered_by_naming_the_runs(store: Store) -> None:
    judge(store, fires(["2"], "a"))
    judge(store, fires([], "b"))
    judge(store, fires(["2"], "c"), parameters={"iou_threshold": 0.7})
    assert [row.model for row in rank(store, runs=["a", "b"])] == ["a", "b"]


def test_intersect_compares_over_the_datums_that_all_share(store: Store) -> None:
    """Datums 2 and 10 are in both; b's find on the roof does not count."""
    judge(store, fires(["2", "20"], "a", ["2", "10", "20"]))
    judge(store, fires(["2", "10", "roof"], "b", ["2", "10", "roof"]))
    with pytest.raises(NotComparable, match="on_mismatch='intersect'"):
        rank(store)
    board = rank(store, on_mismatch="intersect")
    assert order(board) == [(1, "b", 1.0), (2, "a", 0.5)]
    assert {row.datums for row in board} == {2}
    assert "the 2 datums that all evaluations share" in str(board)
    board = rank(store, on_mismatch="intersect", where=NIGHT)
    assert order(board) == [(1, "a", 1.0), (1, "b", 1.0)]
    assert {row.datums for row in board} == {1}


def test_intersect_equals_an_evaluation_of_what_is_shared(store: Store) -> None:
    whole = coco_models(store)[0]
    shared = np.arange(len(whole)) % 3 != 1
    smaller = replace(whole.subset(shared), model="smaller")
    judge(store, smaller)
    expected = velour.evaluate(smaller, task="object-detection", save=False)["mAP"]
    board = rank(store, "mAP", "coco", on_mismatch="intersect")
    values = {row.model: row.value for row in board}
    assert values["smaller"] == values["a"] == expected
    assert {row.datums for row in board} == {int(shared.sum())}


def test_a_datum_whose_truth_changed_is_not_shared(store: Store) -> None:
    """An image that was annotated anew is another datum, though its name is the same."""
    judge(store, fires(["2"], "a", ["2", "10"]))
    changed = [
        velour.GroundTruth(datum, [] if datum.uid == "10" else truth.annotations)
        for datum, truth in (
            (truth.datum, truth) for truth in fires(images=["2", "10"]).groundtruths
        )
    ]
    again = velour.Dataset.from_groundtruths(changed, "fires")
    predictions = [
        velour.Prediction(velour.Datum("2"), []),
        velour.Prediction(velour.Datum("10"), []),
    ]
    judge(store, again.with_predictions(predictions, "b"))
    board = rank(store, on_mismatch="intersect")
    assert order(board) == [(1, "a", 1.0), (2, "b", 0.0)]
    assert {row.datums for row in board} == {1}


def test_intersect_cannot_mend_other_questions(store: Store) -> None:
    judge(store, fires(["2"], "a"))
    judge(store, fires(["2"], "b", ["2", "10"]), parameters={"iou_threshold": 0.7})
    with pytest.raises(NotComparable, match="evaluate them again in the same way") as refusal:
        rank(store, on_mismatch="intersect")
    assert "parameters.iou_threshold" in str(refusal.value)
    assert "datums_digest" not in str(refusal.value)


def test_evaluations_under_one_filter_are_compared_over_its_datums(store: Store) -> None:
    """Both were asked about the night: two datums of four."""
    judge(store, fires(["2", "20"], "owl"), where=NIGHT)
    judge(store, fires(["10"], "lark"), where=NIGHT)
    board = rank(store)
    assert order(board) == [(1, "owl", 1.0), (2, "lark", 0.0)]
    assert {row.datums for row in board} == {2}
    assert board.datums == 2


# Names


@pytest.mark.parametrize(
    ("kind", "message", "asked"),
    [
        (UnknownName, "unknown metric 'mAP50': did you mean 'mAP_50'", {"metric": "mAP50"}),
        (UnknownName, "unknown dataset 'fire': did you mean 'fires'", {"dataset": "fire"}),
        (UnknownName, "unknown run 'nite': did you mean 'night'", {"runs": ["nite"]}),
        (UnknownName, "unknown experiment '11'.*known are: 1", {"experiments": ["11"]}),
        (UnknownName, "property 'sensr': did you mean 'sensor'", {"where": "sensr = 'x'"}),
        (UnknownName, "did you mean 'fire'", {"metric": "AP", "label": "fier"}),
        (InvalidInput, "AP is about one label: name it", {"metric": "AP"}),
        (BadFilter, "does not parse", {"where": "hour >"}),
        (UnknownName, "on_mismatch 'intersekt'.*'intersect'", {"on_mismatch": "intersekt"}),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(
    store: Store, kind: type[Exception], message: str, asked: dict[str, Any]
) -> None:
    judge(store, fires(["2"], "a"), run="night")
    with pytest.raises(kind, match=message):
        rank(store, **asked)


def test_a_dataset_without_evaluations_says_what_to_do(store: Store) -> None:
    store.save_dataset(fires())
    with pytest.raises(NotFound, match="no evaluations yet: velour evaluate"):
        rank(store)


# The board


def test_a_board_is_text_json_and_a_frame(store: Store) -> None:
    three_models(store)
    board = rank(store, where=NIGHT)
    assert str(board).splitlines()[0] == "mAR_100 on fires: 2 of 4 datums"
    assert "boston" in str(board)
    content = board.to_dict()
    assert [row["model"] for row in content["rows"]] == ["all", "boston", "noon"]
    assert (content["datums"], content["of_datums"]) == (2, 4)
    frame = board.to_frame()
    assert list(frame["value"]) == [1.0, 0.5, 0.0]
    assert list(frame["model"]) == [row.model for row in board]


def test_the_default_store_is_opened_when_none_is_given() -> None:
    with velour.open_store() as store:
        three_models(store)
    assert velour.rank("mAR_100", dataset="fires", resamples=0)[0].model == "all"


# Runs in a filter


def test_a_filter_chooses_models_and_runs(store: Store) -> None:
    judge(store, fires(ALL, "swin-l"), run="first")
    judge(store, fires(["2"], "swin-s"), run="second")
    judge(store, fires(["10"], "yolo"))
    assert [row.model for row in rank(store, where="model LIKE 'swin%'")] == ["swin-l", "swin-s"]
    assert [row.model for row in rank(store, where="run_id = 'id of second'")] == ["swin-s"]
    night = rank(store, where=f"model <> 'swin-l' AND {NIGHT}")
    assert order(night) == [(1, "swin-s", 0.5), (2, "yolo", 0.0)]
    outside = rank(store, where="run_id IS NULL")
    assert [row.model for row in outside] == ["yolo"]
    with pytest.raises(NotFound, match="no evaluated run matches"):
        rank(store, where="model = 'resnet'")


def test_one_run_is_named_and_not_filtered(store: Store) -> None:
    judge(store, fires(ALL, "swin"))
    with pytest.raises(InvalidInput, match="the run is named already"):
        velour.slices("swin", by="sensor", where="model = 'swin'", store=store)
    with pytest.raises(BadFilter, match="model and run_id are properties of evaluated runs"):
        velour.evaluate(fires(ALL), "object-detection", where="model = 'swin'", save=False)


# Labels, scores and annotations in a filter


def test_a_label_that_is_not_there_is_named_with_those_that_are(store: Store) -> None:
    judge(store, fires(ALL, "a"))
    with pytest.raises(UnknownName, match=r"label\.value = 'fier'.*known are: class=fire"):
        rank(store, where="label.value = 'fier'")
    with pytest.raises(UnknownName, match=r"label\.value = 'fier'.*known are: class=fire"):
        velour.evaluate(
            fires(ALL, "a"), "object-detection", where="label.value = 'fier'", save=False
        )


def test_metadata_that_no_annotation_has_is_refused(store: Store) -> None:
    judge(store, fires(ALL, "a"))
    with pytest.raises(UnknownName, match=r"property 'annotation\.metadata\.occluded'"):
        rank(store, where="annotation.metadata.occluded = true")


def test_slices_comparisons_and_worst_take_every_filter(store: Store) -> None:
    """Each fire is found with a score of 0.9: above it there is nothing."""
    judge(store, fires(ALL, "all"))
    judge(store, fires(["2", "10"], "boston"))
    for where, value in (("score >= 0.5", 1.0), ("score > 0.95", 0.0), ("score < 0.95", 1.0)):
        found = velour.slices(
            "all", "sensor", metric="mAR_100", where=where, resamples=0, store=store
        )
        assert {row.value for row in found} == {value}, where
        assert any("Matched again" in note for note in found.notes) is (where == "score < 0.95")
    where = "label.value = 'fire' AND annotation.area > 1"
    pair = velour.compare(
        "boston", "all", metric="mAR_100", where=where, permutations=5, store=store
    )
    assert (pair[0].first, pair[0].second) == (0.5, 1.0)
    costly = velour.worst("boston", metric="mAR_100", where=where, store=store)
    assert {row.uid for row in costly if row.cost > 0} == {"20", "roof"}


# Several datasets


def test_models_are_ranked_over_several_datasets_together(store: Store) -> None:
    """All finds 4 of 4 and 1 of 2; half finds 1 of 4 and 2 of 2."""
    judge(store, fires(ALL, "all"), run="a1")
    judge(store, fires(["2"], "half"), run="b1")
    judge(store, fires(["2"], "all", ["2", "10"], "more"), run="a2")
    judge(store, fires(["2", "10"], "half", ["2", "10"], "more"), run="b2")
    judge(store, fires(["2"], "absent", ["2", "10"], "more"))
    board = rank(store, dataset=["fires", "more"])
    assert order(board) == [(1, "all", 5 / 6), (2, "half", 3 / 6), (None, "absent", None)]
    assert board[2].reason == "not evaluated on fires"
    assert (board.datums, board.of_datums, board.dataset) == (6, 6, "fires, more")
    night = rank(store, dataset=["fires", "more"], where=NIGHT)
    assert [row.value for row in night] == [1.0, pytest.approx(2 / 3), None]
    sure = velour.rank("mAR_100", ["fires", "more"], store=store)
    assert sure[0].interval is not None
    assert rank(store, dataset=["fires"]).rows == rank(store).rows


def test_answers_to_different_questions_are_not_put_together(store: Store) -> None:
    judge(store, fires(ALL, "a"))
    judge(store, fires(["2"], "a", ["2", "10"], "more"), parameters={"iou_threshold": 0.7})
    with pytest.raises(NotComparable, match=r"parameters\.iou_threshold.*--parameters|parameters"):
        rank(store, dataset=["fires", "more"])
    alike = rank(store, dataset=["fires", "more"], parameters={"iou_threshold": 0.5})
    assert order(alike) == [(1, "a", 5 / 6)]


def test_runs_with_other_parameters_can_be_asked_alike(store: Store) -> None:
    judge(store, fires(ALL, "a"))
    judge(store, fires(["2"], "b"), parameters={"iou_threshold": 0.7})
    with pytest.raises(NotComparable, match="rank them all with the same parameters="):
        rank(store)
    assert order(rank(store, parameters={"iou_threshold": 0.5})) == [(1, "a", 1.0), (2, "b", 0.25)]
    with pytest.raises(UnknownName, match=r"unknown label 'class=smoke'.*known are: class=fire"):
        rank(store, "AP", label="smoke", parameters={"iou_threshold": 0.5})
    with pytest.raises(UnknownName, match="'iou_treshold': did you mean 'iou_threshold'"):
        rank(store, parameters={"iou_treshold": 0.5})


def test_models_that_share_no_dataset_have_no_place(store: Store) -> None:
    judge(store, fires(ALL, "a"))
    judge(store, fires(["2"], "b", ["2", "10"], "more"))
    board = rank(store, dataset=["fires", "more"])
    assert {row.reason for row in board} == {"not evaluated on more", "not evaluated on fires"}
    assert {row.rank for row in board} == {None}
    assert "selects none" not in str(board)


def test_other_scores_or_labels_are_another_question(store: Store) -> None:
    """They share their datums and yet no answer: the one was asked about sure detections only."""
    judge(store, fires(ALL, "sure"), where="score >= 0.5")
    judge(store, fires(ALL, "all"))
    with pytest.raises(NotComparable, match="filter of labels, scores and annotations"):
        rank(store, on_mismatch="intersect")
    alike = rank(store, where="model = 'all'")
    assert order(alike) == [(1, "all", 1.0)]


def test_the_same_scores_of_other_datums_can_be_intersected(store: Store) -> None:
    judge(store, fires(ALL, "a"), where=f"score >= 0.5 AND {NIGHT}")
    judge(store, fires(["2"], "b"), where="score >= 0.5")
    board = rank(store, on_mismatch="intersect")
    assert order(board) == [(1, "a", 1.0), (2, "b", 0.5)]


def test_types_that_contradict_each_other_are_said(store: Store) -> None:
    judge(store, fires(ALL, "a"))
    with pytest.raises(NothingSelected) as caught:
        rank(store, where="hour > 5 AND hour = 'late'")
    assert str(caught.value).splitlines()[1:] == [
        "No hour can be all at once: 5 is a number, 'late' is a string.",
        "hour is never of the type of 'late': a value is 23.",
    ]
    with pytest.raises(NothingSelected) as caught:
        rank(store, where="hour > 50 AND hour < 60")
    assert len(str(caught.value).splitlines()) == 1
