"""Levels of repeated looks: by hand, against published boundaries, and by simulation."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from velour_plugin.ranking.comparing.spending import InterimLook, Spending, _tail

NORMAL = NormalDist()


def levels(sizes: list[int], error: float = 0.05) -> list[float]:
    """The level of each look."""
    spending, found = Spending(), []
    for units in sizes:
        spending = spending.next(units, error)
        found.append(spending.level)
    return found


def test_a_single_look_has_the_level_of_a_single_test() -> None:
    assert levels([50]) == [0.05]
    assert Spending().next(50, 0.05, comparisons=4).level == pytest.approx(0.0125)


def test_pococks_boundary_spends_the_same_at_each_look() -> None:
    """Pocock 1977, table 1: five looks at z = 2.413 are one two-sided test at 0.05.

    One-sided 0.025, but for a lead of both sides at once; what the last look adds is known then.
    """
    level = 2 * (1 - NORMAL.cdf(2.413))
    looks, spent = [InterimLook(1, level)], level / 2
    for units in range(2, 6):
        low, high = 0.0, level / 2
        for _ in range(40):  # what this look spends, by its level
            middle = (low + high) / 2
            low, high = (middle, high) if 2 * _tail(looks, units, middle) < level else (low, middle)
        spent += high
        looks.append(InterimLook(units, level))
    assert spent == pytest.approx(0.025, abs=2e-4)


def test_looks_that_have_nothing_in_common_share_by_sums() -> None:
    first = Spending().next(100, 0.05)
    second = first.next(100, 0.05, is_grown=False)
    third = second.next(90, 0.05)
    assert second.level == pytest.approx(0.05 * (1 - 1 / 1.1))
    assert third.level == pytest.approx(0.05 * (1 / 1.1 - 1 / 1.21))
    assert [look.units for look in third.looks] == [90]


def test_what_is_left_never_grows_and_the_looks_back_are_few() -> None:
    spending, left = Spending(), []
    for units in range(1000, 1200, 5):
        spending = spending.next(units, 0.05)
        left.append(spending.left)
    assert left == sorted(left, reverse=True)
    assert spending.left == pytest.approx(1000 / 1195)
    assert (spending.count, len(spending.looks)) == (40, 30)


@pytest.mark.parametrize("sizes", [[*range(50, 501, 30)], [100, 200, 400, 800], [100, 104, 108]])
def test_equal_models_are_seldom_promoted_over_all_looks(sizes: list[int]) -> None:
    """50,000 walks; without spending, up to 0.12 of them pass 1.96 at some look."""
    random = np.random.default_rng(0)
    steps = np.diff(np.array([0, *sizes]))
    walks = np.cumsum(random.normal(size=(50_000, len(sizes))) * np.sqrt(steps), axis=1)
    bounds = np.array([NORMAL.inv_cdf(1 - level / 2) for level in levels(sizes)])
    passed = (walks / np.sqrt(sizes) > bounds).any(axis=1).mean()
    assert passed == pytest.approx(0.05 * (1 - sizes[0] / sizes[-1] / 2), abs=0.003)
