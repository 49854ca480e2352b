"""What a board says of its rows, from their measurements."""

from __future__ import annotations

import numpy as np
import pytest

from velour_plugin.ranking.uncertainty.measurement import Measurement
from velour_plugin.ranking.uncertainty.uncertainty import Uncertainty


def measured(value: float, seed: int, error: float = 0.02) -> Measurement:
    drawn = value + error * np.random.default_rng(seed).normal(size=300)
    return Measurement(value, 100, drawn, units=100)


def mirrored(each: Measurement) -> Measurement:
    assert each.value is not None
    return Measurement(-each.value, 100, -each.replicates, units=100)


RUNS = [measured(0.9, 1), measured(0.6, 2), measured(0.61, 3), measured(0.62, 4)]


def test_what_is_better_low_is_said_as_what_is_better_high() -> None:
    high = Uncertainty(RUNS, (None, None), False, 0.95)
    low = Uncertainty(list(map(mirrored, RUNS)), (None, None), True, 0.95)

    for row in range(4):
        assert low.rank_interval(row) == high.rank_interval(row)
        assert low.p_best(row) == high.p_best(row)
        assert low.tied_with_best(row) == high.tied_with_best(row)
    mirror, winner = low.after_selection(0), high.after_selection(0)
    assert mirror is not None
    assert winner is not None
    assert -mirror.value == pytest.approx(winner.value)
    assert (-mirror.high, -mirror.low) == pytest.approx((winner.low, winner.high), abs=0.02)
    assert winner.low < winner.value < winner.high


def test_a_winners_interval_is_no_narrower_than_its_own_and_within_bounds() -> None:
    sure = Uncertainty(RUNS, (0.0, 0.92), False, 0.95)
    own, winner = sure.interval(0), sure.after_selection(0)

    assert own is not None
    assert winner is not None
    assert winner.value - winner.low > 0.9 * (0.9 - own.low)
    assert winner.high <= 0.92


def test_a_run_that_is_mostly_undefined_has_no_rank_and_could_be_anywhere() -> None:
    undefined = np.where(np.arange(300) < 200, np.nan, 0.7)
    unclear = Measurement(0.7, 100, undefined, units=100)

    sure = Uncertainty([*RUNS, unclear], (0.0, 1.0), False, 0.95)

    assert (sure.rank_interval(4), sure.p_best(4), sure.tied_with_best(4)) == (None, None, None)
    assert sure.rank_interval(0) == (1, 2)


def test_nothing_is_said_without_replicates() -> None:
    bare = [Measurement(0.5, 100, np.empty(0)), Measurement(None, 0, np.empty(0))]
    sure = Uncertainty(bare, (0.0, 1.0), False, 0.95)

    assert [sure.rank_interval(0), sure.p_best(0), sure.tied_with_best(0)] == [None] * 3
    assert sure.after_selection(0) is None
