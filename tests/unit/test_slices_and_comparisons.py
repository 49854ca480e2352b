"""Slices, comparisons, the worst datums and recommendations, on data countable by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import velour_plugin as velour
from velour_plugin.errors import InvalidInput, NotComparable, NotFound, UnknownName
from velour_plugin.ranking.slicing import masks
from velour_plugin.store import Store

FIRE = velour.Label("class", "fire")


def datum(number: int) -> velour.Datum:
    """Even ones by day in Boston, odd ones at night in Denver."""
    night = number % 2 == 1
    moment = dt.datetime(2024, 1 + number % 3, 1, 20 if night else 8, tzinfo=dt.UTC)
    place = (39.74, -104.99) if night else (42.36, -71.03)
    return velour.Datum(str(number), {"night": night, "wind": number, "captured_at": moment}, place)


def box(x: float, score: float | None = None) -> velour.Annotation:
    """A box of ten pixels square."""
    label = FIRE if score is None else velour.Label("class", "fire", score)
    return velour.Annotation([label], velour.BoundingBox.from_xywh(x, 0, 10, 10))


def fires(name: str = "fires", count: int = 12) -> velour.Dataset:
    """One fire on each image."""
    truths = [velour.GroundTruth(datum(number), [box(0)]) for number in range(count)]
    return velour.Dataset.from_groundtruths(truths, name)


def found_on(dataset: velour.Dataset, model: str, night: bool) -> velour.Dataset:
    """A model that finds every fire of one half of the day, and none of the other."""
    predictions = [
        velour.Prediction(one, [box(0, 0.9) if one.metadata["night"] == night else box(50, 0.5)])
        for one in dataset.datums
    ]
    return dataset.with_predictions(predictions, model)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """A day model and a night model on twelve images."""
    with velour.open_store(sqlite_url) as opened:
        for model, night in (("day", False), ("night", True)):
            velour.evaluate(found_on(fires(), model, night), "object-detection", store=opened)
        yield opened


def test_a_run_is_measured_on_each_value_of_a_property(store: Store) -> None:
    found = velour.slices("night", by="night", metric="mAP", store=store)

    assert [(row.slice, row.datums, row.value) for row in found] == [
        ("False", 6, 0.0),
        ("True", 6, 1.0),
    ]
    assert found[1].interval == pytest.approx((0.5407, 1.0), abs=1e-4)  # of 6 datums, all right
    assert found[1].interval_method == "half-samples"
    assert list(found.to_frame()["slice"]) == ["False", "True"]
    assert "night" in str(found)
    assert found.plot().data[0].x == (0.0, 1.0)


def test_a_slice_equals_a_ranking_under_its_filter(store: Store) -> None:
    sliced = velour.slices("day", by="night", metric="mAP_50", resamples=0, store=store)
    board = velour.rank("mAP_50", "fires", where="NOT night", resamples=0, store=store)

    assert sliced[0].value == next(row.value for row in board if row.model == "day")


@pytest.mark.parametrize(
    ("cut", "sizes"),
    [
        ("night", {"False": 6, "True": 6}),
        ("wind:3", {"0 to 3.66667": 4, "3.66667 to 7.33333": 4, "7.33333 to 11": 4}),
        ("captured_at:hour", {"08 h": 6, "20 h": 6}),
        (
            "captured_at:month",
            {"01 January": 4, "02 February": 4, "03 March": 4},
        ),
        ("location:5", {"35 to 40 N, -105 to -100 E": 6, "40 to 45 N, -75 to -70 E": 6}),
        ({"region": {"east": "S_WITHIN(location, POLYGON((-80 40,-60 40,-60 50,-80 50,-80 40)))"}},
         {"east": 6}),
    ],
)  # fmt: skip
def test_data_are_cut_by_values_parts_moments_cells_and_regions(
    cut: object, sizes: dict[str, int]
) -> None:
    found = masks([datum(number) for number in range(12)], cut, "fires")  # type: ignore[arg-type]

    assert {name: int(mask.sum()) for name, mask in found.items()} == sizes


def test_numbers_of_many_values_are_cut_in_quarters() -> None:
    found = masks([datum(number) for number in range(12)], "wind", "fires")

    assert [int(mask.sum()) for mask in found.values()] == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("cut", "error", "words"),
    [
        ("nihgt", UnknownName, "did you mean 'night'"),
        ("wind:1", InvalidInput, "2 to 100 parts"),
        ("captured_at:hours", UnknownName, "did you mean 'hour'"),
        ("location:0", InvalidInput, "0 to 90 degrees"),
    ],
)
def test_a_cut_without_meaning_is_refused(cut: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        masks([datum(0), datum(1)], cut, "fires")


def test_a_comparison_finds_what_changed_and_that_it_is_no_chance(store: Store) -> None:
    found = velour.compare("day", "night", metric="mAP", by="night", store=store)

    everything, *others = found
    assert everything.first == everything.second == pytest.approx(51 / 101)
    slices = {row.about: row for row in others if row.about.startswith("night")}
    assert slices["night: True"].difference == 1.0
    assert slices["night: False"].difference == -1.0
    # on six images all swaps but none and all are smaller: p is about 2 / 64, doubled by Holm
    assert slices["night: True"].p == pytest.approx(4 / 64, abs=0.05)
    assert [row.metric for row in others if row.about == "class=fire"] == ["AP"]


def test_a_run_compared_with_itself_shows_nothing(store: Store) -> None:
    found = velour.compare("day", "day", metric="mAP", permutations=20, store=store)

    assert [row.difference for row in found] == [0.0, 0.0]
    assert [row.p for row in found] == [1.0, 1.0]


def test_runs_that_were_asked_other_questions_are_not_compared(store: Store) -> None:
    other = found_on(fires(), "other", True)
    velour.evaluate(other, "object-detection", parameters={"max_detections": [1, 10]}, store=store)

    with pytest.raises(NotComparable, match=r"parameters\.max_detections"):
        velour.compare("day", "other", store=store)


def test_the_worst_datums_are_those_that_the_run_missed(store: Store) -> None:
    found = velour.worst("night", n=6, store=store)

    assert {row.metadata["night"] for row in found} == {False}
    assert all(row.cost > 0 for row in found)


def test_a_class_is_named_for_slices_comparisons_and_worst(store: Store) -> None:
    sliced = velour.slices("day", "night", label="fire", resamples=0, store=store)
    assert [row.value for row in sliced] == [1.0, 0.0]
    costs = velour.worst("day", 3, label="fire", store=store)
    assert costs.rows == velour.worst("day", 3, metric="AP", label="fire", store=store).rows
    assert len(costs) == 3
    assert "most AP of class=fire" in costs.title
    (row,) = velour.compare("day", "night", label=("class", "fire"), store=store)
    whole = velour.compare("day", "night", store=store)
    assert (row.metric, row.first, row.second, row.p) == (
        whole[1].metric, whole[1].first, whole[1].second, whole[1].p,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "words", "question"),
    [
        (UnknownName, "unknown metric 'nap'", {"metric": "nap"}),
        (UnknownName, "unknown label of AP 'fier': did you mean 'fire'", {"label": "fier"}),
        (InvalidInput, "AP is about one label: name it", {"metric": "AP"}),
        (InvalidInput, "mAP is about all labels", {"metric": "mAP", "label": "fire"}),
        (UnknownName, "unknown label of AP '5'", {"label": 5}),
        (InvalidInput, "label 0.5: expected a value", {"label": 0.5}),
    ],
)
def test_a_metric_or_class_that_is_not_there_is_refused(
    store: Store, error: type[Exception], words: str, question: dict[str, Any]
) -> None:
    with pytest.raises(error, match=words):
        velour.slices("day", "night", resamples=0, store=store, **question)
    with pytest.raises(error, match=words):
        velour.worst("day", store=store, **question)
    with pytest.raises(error, match=words):
        velour.compare("day", "night", permutations=0, store=store, **question)


def test_a_recommendation_weighs_datasets_by_what_they_have_to_say(store: Store) -> None:
    small = fires("small", 10)
    velour.evaluate(found_on(small, "night", True), "object-detection", store=store)
    velour.evaluate(found_on(small, "day", False), "object-detection", store=store)

    found = velour.recommend("mAP", where="night", resamples=50, store=store)

    assert found.best.model == "night"
    assert (found.best.p_best, found.best.value, found.best.datums) == (1.0, 1.0, 11)
    assert set(found.boards) == {"fires", "small"}


def test_models_that_never_met_share_no_probability(store: Store) -> None:
    """Day and night met on fires; dusk and dawn on more; lone nobody."""
    for model in ("dusk", "dawn"):
        velour.evaluate(
            found_on(fires("more", 20), model, model == "dawn"), "object-detection", store=store
        )
    velour.evaluate(found_on(fires("quiet", 12), "lone", True), "object-detection", store=store)

    found = velour.recommend("mAP", where="night", resamples=50, store=store)

    assert [(row.model, row.p_best, row.datasets) for row in found] == [
        ("dawn", 1.0, ("more",)),
        ("dusk", 0.0, ("more",)),
        ("night", 1.0, ("fires",)),
        ("day", 0.0, ("fires",)),
        ("lone", None, ("quiet",)),
    ]
    assert "quiet: 6 of 12 datums; only lone was evaluated, so there is no probability." in (
        found.notes
    )
    assert any("evaluated on the same datasets" in note for note in found.notes)


def test_a_recommendation_folds_older_runs_too(store: Store) -> None:
    for number in (1, 2):
        dataset = found_on(fires(), "dusk", True)
        run = velour.EvaluatedRun(f"r{number}", None, "1")
        store.save(velour.evaluate(dataset, "object-detection", run=run, save=False), dataset)
    found = velour.recommend("mAP", where="night", resamples=50, store=store)
    assert {row.model: row.p_best for row in found} == {"night": 0.5, "dusk": 0.5, "day": 0.0}
    note = "1 older run of 1 model is folded: --all-runs shows it"
    assert any(each.startswith(note) for each in found.notes)


def test_all_runs_are_recommended_dataset_by_dataset(store: Store) -> None:
    """Dusk found the fires at night in its older run only; both of its runs have one name."""
    small = fires("small", 10)
    for model in ("day", "night"):
        velour.evaluate(found_on(small, model, model == "night"), "object-detection", store=store)
    for number, dataset, night in ((1, fires(), True), (2, fires(), False), (3, small, False)):
        found = found_on(dataset, "dusk", night)
        run = velour.EvaluatedRun(f"r{number}", "nightly", "1")
        store.save(velour.evaluate(found, "object-detection", run=run, save=False), found)

    newest = velour.recommend("mAP", where="night", resamples=50, store=store)
    every = velour.recommend("mAP", where="night", resamples=50, all_runs=True, store=store)

    assert {(row.model, row.datasets) for row in newest} == {
        (model, ("fires", "small")) for model in ("day", "dusk", "night")
    }
    assert [(row.model, row.value, row.datasets) for row in every] == [
        ("dusk (nightly) r1", 1.0, ("fires",)),
        ("night", 1.0, ("fires",)),
        ("day", 0.0, ("fires",)),
        ("dusk (nightly) r2", 0.0, ("fires",)),
        ("night", 1.0, ("small",)),
        ("day", 0.0, ("small",)),
        ("dusk (nightly)", 0.0, ("small",)),
    ]
    assert every.title == "Best run by mAP"
    assert any("first is dusk (nightly) r1" in note for note in every.notes)
    assert not any("folded" in note for note in every.notes)


def test_a_pooled_probability_is_that_of_a_ranking_of_all_datasets_together(store: Store) -> None:
    small = fires("small", 10)
    for model, night in (("night", True), ("day", False)):
        velour.evaluate(found_on(small, model, night), "object-detection", store=store)
    found = velour.recommend("mAP", where="wind < 7", resamples=200, store=store)
    board = velour.rank("mAP", ["fires", "small"], where="wind < 7", resamples=200, store=store)
    assert {(row.model, row.p_best, row.value, row.datums) for row in found} == {
        (row.model, row.p_best, row.value, row.datums) for row in board
    }
    assert found.notes[0].startswith("fires + small: 14 of 22 datums")
    assert "fires, small" in str(found)


def test_datasets_of_other_questions_are_not_pooled(store: Store) -> None:
    for model, night in (("night", True), ("day", False)):
        velour.evaluate(
            found_on(fires("small", 10), model, night), "object-detection",
            parameters={"iou_thresholds": [0.5]}, store=store,
        )  # fmt: skip
    found = velour.recommend("mAP", where="night", resamples=50, store=store)
    assert [row.datasets for row in found] == [("fires",)] * 2 + [("small",)] * 2


def test_a_dataset_that_knows_nothing_of_the_need_is_left_out_and_named(store: Store) -> None:
    plain = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(velour.Datum("1"), [box(0)])], "plain"
    )
    predictions = [velour.Prediction(velour.Datum("1"), [box(0, 0.5)])]
    velour.evaluate(plain.with_predictions(predictions, "day"), "object-detection", store=store)

    found = velour.recommend("mAP", where="night", resamples=10, store=store)

    assert list(found.left_out) == ["plain"]
    assert "unknown property 'night'" in found.left_out["plain"]


def test_nothing_to_recommend_says_why(store: Store) -> None:
    with pytest.raises(NotFound, match="unknown metric 'mAPP': did you mean 'mAP'"):
        velour.recommend("mAPP", store=store)


def test_a_board_is_read_back_until_a_new_evaluation_comes_in(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = velour.rank("mAP", "fires", where="night", resamples=20, store=store)
    with monkeypatch.context() as patched:
        patched.delattr(
            "velour_plugin.store.sql.records.evaluations.ledger_bytes"
        )  # needed to compute
        assert velour.rank("mAP", "fires", where="night", resamples=20, store=store) == first

    velour.evaluate(found_on(fires(), "third", True), "object-detection", store=store)

    assert len(velour.rank("mAP", "fires", where="night", resamples=20, store=store)) == 3


def test_intervals_ranks_and_chances_say_how_sure_a_board_is(store: Store) -> None:
    best, other = velour.rank("mAP", "fires", where="night", resamples=100, store=store)

    assert (best.model, best.rank_interval, best.p_best) == ("night", (1, 1), 1.0)
    assert (other.model, other.rank_interval, other.tied_with_best) == ("day", (2, 2), False)
    whole = velour.rank("mAP", "fires", resamples=100, store=store)
    assert all(row.tied_with_best for row in whole)
    assert sum(row.p_best or 0 for row in whole) == pytest.approx(1.0)
    assert whole.winner is None  # of two


def test_the_first_of_three_has_a_value_corrected_for_having_come_first(store: Store) -> None:
    velour.evaluate(found_on(fires(), "dusk", True), "object-detection", store=store)
    board = velour.rank("mAP", "fires", resamples=100, store=store)
    assert board.winner is not None
    assert board.winner.chosen_among == 3
    low, high = board.winner.interval
    assert 0 <= low <= board.winner.value <= high <= 1
    assert board == velour.rank("mAP", "fires", resamples=100, store=store)
    assert velour.rank("mAP", "fires", resamples=0, store=store).winner is None


def test_runs_that_answer_alike_are_one_model_to_the_best(store: Store) -> None:
    """Night and dusk find the same fires."""
    velour.evaluate(found_on(fires(), "dusk", True), "object-detection", store=store)
    board = velour.rank("mAP", "fires", where="night", resamples=100, store=store)
    shown = {row.model: (row.rank_interval, row.p_best, row.tied_with_best) for row in board}
    assert shown == {
        "night": ((1, 2), 0.5, True),
        "dusk": ((1, 2), 0.5, True),
        "day": ((3, 3), 0.0, False),
    }
