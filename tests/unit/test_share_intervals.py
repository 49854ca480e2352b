"""Intervals of metrics that are shares of datums are Wilson's, on boards and slices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scipy.stats import binomtest

import velour_plugin as velour
from tests.classification_data import dataset_of
from velour_plugin.store import Store

TRUTHS = {f"{number:02}": "dog" if number % 2 else "cat" for number in range(20)}
HALVES = {"half": {"early": "uid < '10'", "late": "uid >= '10'"}}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """A classifier that takes every dog but the first five for a cat: 15 of 20 are right."""
    predictions = {uid: truth if uid < "10" else "cat" for uid, truth in TRUTHS.items()}
    with velour.open_store(sqlite_url) as opened:
        velour.evaluate(dataset_of(TRUTHS, predictions), "image-classification", store=opened)
        yield opened


def wilson(right: int, total: int, confidence: float = 0.95) -> object:
    interval = binomtest(right, total).proportion_ci(confidence, method="wilson")
    return pytest.approx((interval.low, interval.high))


def test_the_interval_of_an_accuracy_is_wilsons(store: Store) -> None:
    (row,) = velour.rank("accuracy", "pets", confidence=0.9, resamples=20, store=store)

    assert row.value == 0.75
    assert row.interval == wilson(15, 20, 0.9)


def test_a_filter_and_a_label_narrow_what_was_tried(store: Store) -> None:
    (some,) = velour.rank("accuracy", "pets", where="uid >= '10'", resamples=20, store=store)
    (dogs,) = velour.rank("recall", "pets", label="dog", resamples=20, store=store)

    assert some.interval == wilson(5, 10)
    assert dogs.interval == wilson(5, 10)


def test_a_perfect_share_is_not_sure(store: Store) -> None:
    """Resamples of ten right ones are all right, and would make it look certain."""
    (row,) = velour.rank("accuracy", "pets", where="uid < '10'", resamples=20, store=store)

    assert row.value == 1.0
    assert row.interval == wilson(10, 10)


def test_other_metrics_have_the_intervals_of_resamples(store: Store) -> None:
    board = velour.rank("f1_macro", "pets", resamples=200, store=store)

    low, high = board[0].interval or (0, 0)
    assert 0 < low < (board[0].value or 0) < high <= 1
    assert board[0].interval != wilson(15, 20)


def test_who_asks_for_no_resamples_gets_no_interval(store: Store) -> None:
    assert velour.rank("accuracy", "pets", resamples=0, store=store)[0].interval is None
    found = velour.slices("guesser", HALVES, metric="accuracy", resamples=0, store=store)
    assert [row.interval for row in found] == [None, None]


def test_slices_have_wilsons_intervals_too(store: Store) -> None:
    found = velour.slices("guesser", HALVES, metric="accuracy", resamples=20, store=store)

    assert [row.interval for row in found] == [wilson(10, 10), wilson(5, 10)]
