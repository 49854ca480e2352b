"""Scores of runs that met on some datums only: exact cases, and least squares by another way."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from velour_plugin.ranking.recommending.connected import combined_scores, connected


def test_runs_that_all_met_differ_by_their_differences() -> None:
    values = np.array([0.9, 0.5, 0.7])
    pairs = list(combinations(range(3), 2))
    differences = np.array([values[i] - values[j] for i, j in pairs])
    scores = combined_scores(pairs, np.array([9.0, 1.0, 4.0]), differences, 3)
    assert scores == pytest.approx(values - values.mean())


def test_runs_that_never_met_are_compared_through_one_that_met_both() -> None:
    """The first is 0.2 above the second, which is 0.1 above the third."""
    scores = combined_scores([(0, 1), (1, 2)], np.array([50.0, 10.0]), np.array([0.2, 0.1]), 3)
    assert scores[0] - scores[2] == pytest.approx(0.3)
    assert scores.sum() == pytest.approx(0.0)


def test_where_ways_disagree_the_better_known_counts_more() -> None:
    """Directly 0.0 on 100 datums, through the second 0.3 on two times 100, as on 50."""
    pairs, differences = [(0, 1), (1, 2), (0, 2)], np.array([0.2, 0.1, 0.0])
    scores = combined_scores(pairs, np.array([100.0, 100.0, 100.0]), differences, 3)
    assert scores[0] - scores[2] == pytest.approx((100 * 0.0 + 50 * 0.3) / 150)


def test_it_is_the_least_squares_solution() -> None:
    """Of random designs, by numpy's solver; columns are solved alike."""
    random = np.random.default_rng(0)
    for _ in range(50):
        runs = int(random.integers(2, 7))
        chain = [(at, at + 1) for at in range(runs - 1)]
        others = [pair for pair in combinations(range(runs), 2) if pair not in chain]
        pairs = chain + [pair for pair in others if random.random() < 0.4]
        weights = random.integers(1, 100, len(pairs)).astype(float)
        differences = random.normal(size=(len(pairs), 4))
        root = np.sqrt(weights)[:, None]
        design = np.zeros((len(pairs), runs))
        for row, (i, j) in enumerate(pairs):
            design[row, i], design[row, j] = 1, -1
        expected = np.linalg.lstsq(root * design, root * differences, rcond=None)[0]
        np.testing.assert_allclose(
            combined_scores(pairs, weights, differences, runs), expected, atol=1e-12
        )


def test_resamples_of_differences_are_resamples_of_scores() -> None:
    replicates = np.array([[0.1, 0.3, np.nan]])
    scores = combined_scores([(0, 1)], np.array([7.0]), replicates, 2)
    np.testing.assert_allclose(scores[0] - scores[1], replicates[0])


def test_sets_are_connected_by_what_they_share() -> None:
    assert connected([]) == []
    assert connected([["a"], ["b"], ["a", "b"]]) == [[0, 1, 2]]
    assert connected([["a"], ["b"], ["c", "a"]]) == [[0, 2], [1]]
