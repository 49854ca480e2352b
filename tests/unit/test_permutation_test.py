"""P-values from as many permutations as it takes: when they end, and that they are valid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from velour_plugin.answers import Difference
from velour_plugin.ranking.comparing import permutation_test
from velour_plugin.ranking.comparing.permutation_test import CLEAR, Family, stages

NO_PART: Any = None


def family_of(*differences: float | None) -> Family:
    """Differences that are not shares of datums."""
    rows = [Difference("label", "AP", 9, 0.0, 0.0, value, None) for value in differences]
    return Family([permutation_test.Tested(row, ("AP", None), NO_PART) for row in rows])


def drawn(family: Family, random: np.random.Generator, most: int) -> Family:
    """Draw permutations as a comparison does."""
    for count in stages(most):
        if family.is_clear:
            break
        family.add(random.normal(size=(count, len(family.drawn))))
    return family


def test_each_stage_doubles_what_was_drawn() -> None:
    assert list(stages(150)) == [150]
    assert list(stages(200)) == [200]
    assert list(stages(2000)) == [200, 200, 400, 800, 400]
    assert list(stages(0)) == []


def test_p_is_clear_when_enough_permutations_are_as_large() -> None:
    permuted = np.zeros((200, 1))
    permuted[: CLEAR - 1] = 1.0
    family = family_of(1.0)
    family.add(permuted)
    assert not family.is_clear
    family.add(permuted)
    assert family.is_clear
    assert family.rows()[0].p == pytest.approx((2 * CLEAR - 1) / 401)


def test_a_clear_p_stays_as_it_is_while_others_are_drawn() -> None:
    random, family = np.random.default_rng(0), family_of(6.0, 0.1, None)
    drawn(family, random, 1000)
    clear, chance, undefined = (row.p for row in family.rows())
    assert family.permutations == 1000
    assert clear == pytest.approx(1 / 1001)
    assert chance is not None
    assert (chance * 201) == pytest.approx(round(chance * 201))  # of the first 200
    assert undefined is None


@pytest.mark.parametrize("many", [1, 8])
def test_p_is_valid_however_early_it_ends(many: int) -> None:
    """Equal models: any p of a family is at most a level in at most as many of 2,000 families."""
    random = np.random.default_rng(1)
    families = (family_of(*random.normal(size=many)) for _ in range(2000))
    rows = [drawn(family, random, 800).rows() for family in families]
    smallest = np.array([min(row.p or 0.0 for row in family) for family in rows])
    for level in (0.2, 0.1, 0.05, 0.01):
        spread = (level * (1 - level) / 2000) ** 0.5
        assert np.mean(smallest <= level) <= level + 3 * spread
