"""Differences of paired replicates, rank sets, the set of the best: by hand and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import studentized_range

from velour_plugin.ranking.uncertainty.best_set import best_set
from velour_plugin.ranking.uncertainty.differences import Differences
from velour_plugin.ranking.uncertainty.rank_sets import rank_sets, surely_better


def apart(*values: float, error: float = 1.0, units: int = 10_000) -> Differences:
    """Runs with errors of one size that have nothing to do with each other."""
    return Differences(np.array(values), error**2 * np.eye(len(values)), units)


def resampled(outcomes: np.ndarray, resamples: int = 400, seed: int = 0) -> Differences:
    """Runs that are right or wrong on common datums, ``(datums, runs)``."""
    datums = len(outcomes)
    weights = np.random.default_rng(seed).multinomial(
        datums, np.full(datums, 1 / datums), size=resamples
    )
    replicates = (weights @ outcomes / datums).T
    return Differences.of_replicates(outcomes.mean(axis=0), replicates, datums)


def answers(models: int, datums: int, seed: int) -> np.ndarray:
    """Equally good models, right on 70 % of the datums, of which some are hard for all."""
    random = np.random.default_rng(seed)
    hard = random.normal(size=(datums, 1)) + random.normal(size=(datums, models))
    return (hard < 0.742).astype(float)


def test_the_error_of_a_difference_is_that_of_its_replicates() -> None:
    replicates = np.random.default_rng(1).normal(size=(3, 50))
    found = Differences.of_replicates(np.zeros(3), replicates, 50)

    assert_allclose(found.errors[0, 1], (replicates[0] - replicates[1]).std())
    assert_array_equal(np.diag(found.errors), 0)


def test_an_undefined_replicate_is_left_out_of_its_pairs() -> None:
    replicates = np.random.default_rng(1).normal(size=(2, 50))
    spoiled = np.hstack([replicates, [[np.nan], [3.0]]])

    found = Differences.of_replicates(np.zeros(2), spoiled, 50).covariance

    assert found[0, 0] == pytest.approx(replicates[0].var())
    assert np.isfinite(found).all()


def test_few_datums_that_all_agree_are_as_clear_as_their_exchange_allows() -> None:
    """One run right and one wrong on each of n datums: exchanging signs gives 2 in 2 ** n."""
    clear = {n: resampled(np.tile([1.0, 0.0], (n, 1))) for n in (5, 6)}

    assert [best_set(found, 0.95).tolist() for found in clear.values()] == [
        [True, True],
        [True, False],
    ]


def test_the_critical_value_of_all_pairs_is_tukeys() -> None:
    runs = apart(*np.zeros(6))
    pairs = ~np.eye(6, dtype=bool)

    wanted = studentized_range.ppf(0.95, 6, np.inf) / np.sqrt(2)

    assert runs.critical(pairs, 0.95) == pytest.approx(wanted, abs=0.1)


def test_ranks_are_told_where_runs_are_clearly_apart() -> None:
    assert rank_sets(apart(9.0, 0.0, 1.0), 0.95).tolist() == [[1, 1], [2, 3], [2, 3]]
    assert rank_sets(apart(1.0, 1.0), 0.95).tolist() == [[1, 2], [1, 2]]
    assert rank_sets(apart(0.5), 0.95).tolist() == [[1, 1]]


def test_runs_that_answer_alike_have_the_same_ranks_and_are_tied() -> None:
    outcomes = answers(4, 60, seed=3)
    outcomes[:, 1] = outcomes[:, 0]
    found = resampled(outcomes)

    assert found.alike[0].tolist() == [True, True, False, False]
    assert found.scores[0, 1] == 0
    assert_array_equal(*rank_sets(found, 0.95)[:2])
    assert_array_equal(*best_set(found, 0.95)[:2])


def test_what_is_clear_is_taken_out_so_that_less_need_be_clear() -> None:
    """Nine runs far below are eliminated first: the first two are then a pair alone."""
    gap = 2.6 * np.sqrt(2)
    runs = apart(100 + gap, 100.0, *range(0, -180, -20))
    critical = runs.critical(~np.eye(11, dtype=bool), 0.95)

    assert runs.scores[0, 1] < critical
    assert surely_better(runs, 0.95)[:2, 2:].all()
    assert not surely_better(runs, 0.95)[0, 1]
    assert best_set(runs, 0.95).sum() == 1


def eliminated_by_definition(found: Differences, confidence: float) -> list[bool]:
    """Hansen, Lunde and Nason's elimination by the range statistic, one pair after another."""
    members = list(range(len(found.values)))
    errors, scores, draws = found.errors, found.scores, found._draws
    while len(members) > 1:
        pairs = [(i, j) for i in members for j in members if i != j]
        drawn = np.max([(draws[i] - draws[j]) / (errors[i, j] or np.inf) for i, j in pairs], axis=0)
        critical = np.quantile(drawn, confidence)
        beaten = {j for i, j in pairs if scores[i, j] > critical}
        if not beaten:
            break
        members = [run for run in members if run not in beaten]
    return [run in members for run in range(len(found.values))]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_set_is_its_definition(seed: int) -> None:
    outcomes = answers(8, 120, seed)
    outcomes[:, :4] *= np.random.default_rng(seed).random((120, 4)) < 0.8  # these are worse
    found = resampled(outcomes)

    assert best_set(found, 0.95).tolist() == eliminated_by_definition(found, 0.95)


def test_of_equal_models_few_boards_leave_one_out_and_ranks_hold_all_at_once() -> None:
    """The long version of this is in the simulations; of 20 models some differ much by chance."""
    boards = [resampled(answers(20, 50, seed), seed=seed) for seed in range(100)]

    assert sum(not best_set(board, 0.95).all() for board in boards) <= 10
    assert sum((rank_sets(board, 0.95) != [1, 20]).any() for board in boards) <= 10


def test_models_that_are_worse_are_left_out() -> None:
    outcomes = answers(10, 200, seed=1)
    outcomes[:, 5:] *= np.random.default_rng(1).random((200, 5)) < 0.7
    found = best_set(resampled(outcomes), 0.95)

    assert found[:5].sum() >= 4
    assert found[5:].sum() == 0
