"""Plans: how many datums a width or a difference needs, on data countable by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import velour_plugin as velour
from velour_plugin.cli import main
from velour_plugin.errors import InvalidInput, NotComparable, UnknownName
from velour_plugin.ranking.planning.pilot import Pilot, deviation_factors
from velour_plugin.ranking.uncertainty.statistics import wilson_interval
from velour_plugin.store import Store

TASK = "image-classification"
LABELS = ("cat", "dog")


def truths(count: int) -> velour.Dataset:
    """Cats and dogs by turns, the first ten of them indoors."""
    return velour.Dataset.from_groundtruths(
        [
            velour.GroundTruth(
                velour.Datum(str(number), {"room": "in" if number < 10 else "out"}),
                [velour.Annotation([velour.Label("class", LABELS[number % 2])])],
            )
            for number in range(count)
        ],
        "pets",
    )


def guessed(dataset: velour.Dataset, model: str, wrong: set[int]) -> velour.Dataset:
    """A model that is wrong on some datums, by their numbers."""
    predictions = [
        velour.Prediction(
            datum,
            [
                velour.Annotation(
                    [
                        velour.Label("class", name, 0.9 if (at == number % 2) else 0.1)
                        for at, name in enumerate(LABELS if number not in wrong else LABELS[::-1])
                    ]
                )
            ],
        )
        for number, datum in enumerate(dataset.datums)
    ]
    return dataset.with_predictions(predictions, model)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """A hundred pets: one model is right on 80, another on 80 others, a third on all."""
    dataset = truths(100)
    with velour.open_store(sqlite_url) as opened:
        for model, wrong in (
            ("first", set(range(20))),
            ("second", set(range(10, 30))),
            ("perfect", set[int]()),
        ):
            velour.evaluate(guessed(dataset, model, wrong), TASK, store=opened)
        yield opened


def plan(store: Store, run: str = "first", **asked: Any) -> velour.Plan:
    return velour.plan(run, metric="accuracy", store=store, **asked)


def test_the_planned_number_gives_wilsons_interval_that_width(store: Store) -> None:
    (row,) = plan(store, width=0.05)
    assert (row.slice, row.datums, row.value) == ("all", 100, 0.8)
    assert row.standard_error == pytest.approx(0.04, rel=0.1)
    assert row.needed is not None
    assert row.more == row.needed - 100
    low, high = wilson_interval(round(0.8 * row.needed), row.needed, 0.95) or (0, 1)
    assert high - low == pytest.approx(0.05, rel=0.01)


def test_half_the_width_needs_four_times_the_datums(store: Store) -> None:
    (wide,), (narrow,) = plan(store, width=0.1), plan(store, width=0.05)
    assert narrow.needed == pytest.approx(4 * (wide.needed or 0), rel=0.02)


def test_without_a_goal_the_interval_is_to_be_a_twentieth_wide(store: Store) -> None:
    assert plan(store).rows == plan(store, width=0.05).rows
    assert (plan(store).goal, plan(store).wanted) == ("width", 0.05)


def test_a_perfect_share_needs_datums_all_the_same(store: Store) -> None:
    """Wilson's interval of 73 right out of 73 is 0.05 wide."""
    (row,) = plan(store, "perfect", width=0.05)
    assert row.needed == 73
    assert (row.more, row.thin) == (0, False)
    assert (row.needed_range or (0, 0))[1] > 73


def test_the_difference_of_two_runs_is_planned_from_paired_resamples(store: Store) -> None:
    """They differ on 20 of 100 datums, ten each way: a standard deviation of the root of 0.2."""
    (row,) = plan(store, against="second", detect=0.05, resamples=4000)
    assert row.value == 0.0
    assert row.standard_error == pytest.approx(math.sqrt(0.2 / 100), rel=0.05)
    assert row.needed == pytest.approx((2.8016 / 0.05) ** 2 * 0.2, rel=0.1)


def test_another_run_that_is_not_named_is_assumed_to_err_by_itself(store: Store) -> None:
    """Twice the variance of 0.16 a datum."""
    answer = plan(store, detect=0.05, resamples=4000)
    assert answer[0].needed == pytest.approx((2.8016 / 0.05) ** 2 * 2 * 0.16, rel=0.1)
    assert any(note.startswith("Assumed of the other run") for note in answer.notes)
    assert not plan(store, against="second", detect=0.05).notes


def test_slices_that_are_too_thin_are_named(store: Store) -> None:
    answer = plan(store, width=0.05, by="room")
    assert [(row.slice, row.datums) for row in answer] == [
        ("all", 100), ("room: in", 10), ("room: out", 90),
    ]  # fmt: skip
    assert answer.thin == list(answer.rows)
    assert "Too thin now: room: in, room: out." in answer.notes
    enough = plan(store, "perfect", width=0.05, by="room")
    assert [row.thin for row in enough] == [False, True, False]
    assert "Too thin now: room: in." in enough.notes
    assert "Collected as they come, 630 more give every slice that has a number its own." in (
        enough.notes
    )


def test_fewer_than_five_datums_plan_nothing(store: Store) -> None:
    (row,) = answer = plan(store, where="uid IN ('1', '2', '3')")
    assert (row.needed, row.more, row.thin) == (None, None, True)
    assert row.reason == "3 datums are too few to plan from: at least 5 are"
    assert any(row.reason in note for note in answer.notes)


def test_a_pilot_in_which_nothing_varies_plans_nothing(store: Store) -> None:
    for asked in ({"against": "first", "detect": 0.02}, {"against": "first"}):
        (row,) = plan(store, **asked)
        assert row.needed is None
        assert "nothing varies" in (row.reason or "")
    (row,) = velour.plan("perfect", metric="f1_macro", store=store)
    assert "nothing varies" in (row.reason or "")


def test_a_metric_that_is_undefined_says_so(store: Store) -> None:
    velour.evaluate(guessed(truths(100), "third", set()), TASK, store=store)
    answer = velour.plan("first", metric="roc_auc", by="room", where="uid = '0'", store=store)
    assert answer[0].needed is None
    assert answer[0].reason


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"width": 0.0}, r"width 0\.0: expected a number of at least 0\.0001"),
        ({"detect": -0.02}, r"detect -0\.02: expected a number"),
        ({"width": float("nan")}, "width nan: expected a number"),
        ({"width": True}, "width True: expected a number"),
        ({"width": "wide"}, "width 'wide': expected a number"),
        ({"width": 0.1, "detect": 0.1}, "a plan is for one of them; leave the other out"),
        ({"width": 1.0}, r"width \(--width\) 1: accuracy is from 0 to 1"),
        ({"detect": 1.5}, r"detect \(--detect\) 1\.5: accuracy is from 0 to 1"),
        ({"against": "second", "width": 2.0}, "expected less than 2"),
        ({"detect": 0.1, "power": 0.05}, r"expected more than 0\.05"),
        ({"detect": 0.1, "power": 1.0}, r"power must be in \(0, 1\)"),
        ({"confidence": 1.0}, r"confidence must be in \(0, 1\)"),
        ({"resamples": 0}, "resamples 0: expected a whole number >= 1"),
        ({"resamples": 19}, r"resamples \(--resamples\) 19: too few to tell a standard error"),
    ],
)
def test_a_goal_without_meaning_is_refused(store: Store, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        plan(store, **asked)


def test_a_difference_that_no_run_can_have_is_not_planned_for(store: Store) -> None:
    (row,) = plan(store, detect=0.9)
    assert row.needed is None
    assert row.reason == (
        "no run differs by 0.9 from 0.8000: by 0.8000 at most; name a smaller difference (--detect)"
    )
    answer = plan(store, detect=0.3)
    assert answer[0].needed is not None
    assert any("No run is better than 0.8000 by 0.3" in note for note in answer.notes)


def test_runs_of_other_questions_have_no_difference(store: Store) -> None:
    other = guessed(truths(90), "fewer", {1})
    velour.evaluate(other, TASK, store=store)
    with pytest.raises(NotComparable, match="pets v1 in first; pets v2 in fewer"):
        plan(store, against="fewer")
    with pytest.raises(UnknownName, match="did you mean 'second'"):
        plan(store, against="secnd")


def test_a_plan_prints_plots_and_converts(store: Store) -> None:
    answer = plan(store, detect=0.05, by="room")
    assert velour.Plan.from_dict(answer.to_dict()) == answer
    assert list(answer.to_frame()["slice"]) == ["all", "room: in", "room: out"]
    assert "found now" in str(answer)
    curves = answer.plot().data
    assert [curve.name for curve in curves] == ["all", "room: out"]
    assert [min(abs(y - 0.05) for y in curve.y) < 0.01 for curve in curves] == [True, True]


def test_the_command_prints_the_plan(store: Store, sqlite_url: str) -> None:
    command = ["plan", "first", "--metric", "accuracy", "--store", sqlite_url]
    result = CliRunner().invoke(main, [*command, "--width", "0.05", "--by", "room"])
    assert result.exit_code == 0
    assert result.output.startswith(
        "datums for an interval of accuracy that is 0.05 wide: first on pets"
    )


# What a standard error is worth


def test_the_range_of_a_normal_spread_is_that_of_chi_square() -> None:
    """Of 50 normal values the sample's deviation is known to about a fifth, either way."""
    values = np.random.default_rng(0).normal(size=50)
    low, high = deviation_factors(values, 50, 10**6, 0.95)
    assert (low, high) == (pytest.approx(0.835, abs=0.05), pytest.approx(1.246, abs=0.08))


def test_heavy_tails_and_few_resamples_widen_the_range() -> None:
    random = np.random.default_rng(0)
    normal, heavy = random.normal(size=100), random.standard_t(3, size=100)
    plain, tails, drawn = (
        deviation_factors(normal, 100, 10**6, 0.95),
        deviation_factors(heavy, 100, 10**6, 0.95),
        deviation_factors(normal, 100, 50, 0.95),
    )
    assert tails[0] < plain[0] < 1 < plain[1] < tails[1]
    assert drawn[0] < plain[0] < 1 < plain[1] < drawn[1]
    assert deviation_factors(np.zeros(100), 100, 1000, 0.95) == (1.0, 1.0)


def test_what_varies_by_rounding_does_not_vary() -> None:
    replicates = np.array([0.1 + 0.2, 0.3] * 500)
    assert Pilot.of(replicates, np.zeros(50), 50, 0.95).error == 0.0


def test_the_range_covers_the_true_number() -> None:
    """Means of 40 values; 1,000 pilots each. Of skewed ones 0.90 where 0.95 is said."""
    random = np.random.default_rng(1)
    for draw in (random.normal, random.standard_exponential, random.random):
        pilots = np.asarray(draw(size=(1000, 40)))
        spread = np.std(np.asarray(draw(size=10**6))) / math.sqrt(40)
        covers = []
        for values in pilots:
            replicates = values.std() / math.sqrt(40) * random.standard_normal(1000)
            pilot = Pilot.of(replicates, values, 40, 0.95)
            covers.append(pilot.least_error <= spread <= pilot.most_error)
        assert np.mean(covers) > 0.88


# Groups


def test_groups_are_planned_in_groups(store: Store) -> None:
    """Ten litters of ten, in each of which all are right or all wrong: datums tell no more."""
    truth = velour.Dataset.from_groundtruths(
        [
            velour.GroundTruth(
                velour.Datum(str(number), {"litter": number // 10}),
                [velour.Annotation([velour.Label("class", LABELS[number % 2])])],
            )
            for number in range(100)
        ],
        "litters",
    )
    velour.evaluate(guessed(truth, "alike", set(range(30))), TASK, store=store)
    (row,) = answer = plan(store, "alike", groups="litter", detect=0.2, resamples=4000)
    assert (row.datums, row.groups, row.units) == (100, 10, 10)
    assert row.standard_error == pytest.approx(math.sqrt(0.21 / 9), rel=0.05)
    assert row.needed == pytest.approx((2.8016 / 0.2) ** 2 * 2 * 0.21 * 10 / 9, rel=0.1)
    assert (answer.groups, answer.group_count) == (("litter",), 10)
    assert "needed: groups of as many datums as now, in all" in str(answer)
    by_datum = plan(store, "alike", detect=0.2, groups="none")[0]
    assert by_datum.groups is None
    assert (row.needed or 0) * 10 > 5 * (by_datum.needed or 0)


def test_few_groups_plan_nothing_however_many_datums(store: Store) -> None:
    (row,) = plan(store, groups="room")
    assert row.reason == "2 groups are too few to plan from: at least 5 are"
