"""Recommendations over datasets of which models have some: counted by hand and by brute force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.ranking.uncertainty.measurement import Measurement
from velour_plugin.ranking.uncertainty.uncertainty import Uncertainty
from velour_plugin.ranking.uncertainty.units import Units
from velour_plugin.store import Store

TASK = "image-classification"
SIZES = {"berries": 20, "cakes": 41, "dates": 29}
RIGHT: Mapping[str, Mapping[str, int]] = {
    "ann": {"berries": 18, "cakes": 30},
    "bob": {"berries": 15, "cakes": 28, "dates": 18},
    "cid": {"dates": 24},
}
"""How many datums of each dataset a model is right on; cid met bob only."""


def evaluate(
    store: Store, right: Mapping[str, Mapping[str, int]], sizes: Mapping[str, int] = SIZES
) -> None:
    """Models are right on the first datums of a dataset, bob on the last ones."""
    for model, counts in right.items():
        for name, count in counts.items():
            datums = [velour.Datum(f"{at:03}", {"tray": at // 5}) for at in range(sizes[name])]
            truth = [
                velour.GroundTruth(one, [velour.Annotation([velour.Label("class", "ripe")])])
                for one in datums
            ]
            marks = is_right(model, count, sizes[name])
            said = [
                velour.Prediction(
                    one,
                    [
                        velour.Annotation(
                            [
                                velour.Label("class", "ripe", 0.9 if ripe else 0.1),
                                velour.Label("class", "green", 0.1 if ripe else 0.9),
                            ]
                        )
                    ],
                )
                for one, ripe in zip(datums, marks, strict=True)
            ]
            dataset = velour.Dataset.from_groundtruths(truth, name).with_predictions(said, model)
            velour.evaluate(dataset, TASK, store=store)


def is_right(model: str, count: int, size: int) -> np.ndarray:
    at = np.arange(size)
    return at >= size - count if model == "bob" else at < count


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with velour.open_store(sqlite_url) as opened:
        evaluate(opened, RIGHT)
        yield opened


def recommend(store: Store, resamples: int = 400, **asked: object) -> velour.Recommendation:
    return velour.recommend("accuracy", resamples=resamples, store=store, **asked)  # type: ignore[arg-type]


def test_models_are_compared_where_both_were_evaluated(store: Store) -> None:
    """Ann is 5 of 61 better than bob, cid 6 of 29: through bob, cid is better than ann."""
    found = recommend(store)
    rows = {row.model: row for row in found}
    assert rows["ann"].value == pytest.approx(48 / 61)
    assert rows["bob"].value == pytest.approx(61 / 90)
    assert rows["cid"].value == pytest.approx(24 / 29)
    assert [row.datasets for row in (rows["ann"], rows["cid"])] == [
        ("berries", "cakes"), ("dates",),
    ]  # fmt: skip
    assert rows["cid"].difference == 0.0
    assert rows["bob"].difference == pytest.approx(-6 / 29)
    assert rows["ann"].difference == pytest.approx(5 / 61 - 6 / 29)
    assert sum(row.p_best or 0.0 for row in found) == pytest.approx(1.0)
    assert found.best.model == "cid"
    assert set(found.boards) == set(SIZES)


def test_probabilities_are_those_of_one_stratified_bootstrap(store: Store) -> None:
    """Each dataset drawn by itself, the same draws for all pairs; by brute force."""
    found = recommend(store, seed=3)
    weights = Units.of_datums(*SIZES.values()).weights(400, 3)
    ends = np.cumsum([0, *SIZES.values()])
    drawn = {
        name: weights[:, start:end] for name, start, end in zip(SIZES, ends, ends[1:], strict=False)
    }
    assert all((drawn[name].sum(axis=1) == size).all() for name, size in SIZES.items())

    def shares(model: str, names: set[str]) -> np.ndarray:
        right = sum(
            drawn[name] @ is_right(model, RIGHT[model][name], SIZES[name]) for name in names
        )
        return np.asarray(right) / sum(SIZES[name] for name in names)

    ann_bob = shares("ann", {"berries", "cakes"}) - shares("bob", {"berries", "cakes"})
    cid_bob = shares("cid", {"dates"}) - shares("bob", {"dates"})
    scores = {"ann": ann_bob, "bob": np.zeros(400), "cid": cid_bob}
    values = {"ann": 5 / 61, "bob": 0.0, "cid": 6 / 29}
    sure = Uncertainty(
        [
            Measurement(0.5 + values[name], 0, 0.5 + scores[name].round(12), units=29)
            for name in scores
        ],
        (None, None),
        False,
        0.95,
    )
    rows = {row.model: row for row in found}
    for index, name in enumerate(scores):
        assert rows[name].p_best == pytest.approx(sure.p_best(index), abs=0.03)
        assert rows[name].tied_with_best == sure.tied_with_best(index)


def test_what_was_put_together_is_said(store: Store) -> None:
    note = recommend(store).notes[0]
    assert note.startswith("berries + cakes + dates: 90 of 90 datums; first is cid")
    assert "on berries ann, bob; on cakes ann, bob; on dates bob, cid" in note
    assert "1 of 3 pairs met on no datums and are compared through models that met both" in note


def test_models_of_one_truth_are_not_told_apart_by_the_data_that_they_have(
    sqlite_url: str,
) -> None:
    """Cid's only dataset is the hard one: its value is the lowest, its difference is none."""
    with velour.open_store(sqlite_url) as store:
        evaluate(
            store,
            {"ann": {"cakes": 36, "dates": 12}, "bob": {"cakes": 36}, "cid": {"dates": 12}},
        )
        rows = {row.model: row for row in recommend(store)}
    assert rows["cid"].value == pytest.approx(12 / 29)
    assert rows["bob"].value == pytest.approx(36 / 41)
    assert rows["ann"].difference == pytest.approx(0.0)
    assert rows["cid"].difference == rows["bob"].difference
    assert all(row.tied_with_best for row in rows.values())


def test_models_that_share_too_few_datums_share_no_probability(sqlite_url: str) -> None:
    """Four datums connect nobody."""
    sizes = {"cakes": 40, "few": 4}
    with velour.open_store(sqlite_url) as store:
        evaluate(
            store,
            {"ann": {"cakes": 30, "few": 1}, "bob": {"cakes": 20}, "cid": {"few": 4}},
            sizes,
        )
        found = recommend(store)
    assert {row.model: row.p_best is None for row in found} == {
        "ann": False, "bob": False, "cid": True,
    }  # fmt: skip
    assert any(note.startswith("cakes: 40 of 40 datums; first is ann") for note in found.notes)
    assert any("cid met no other on at least 5 datums" in note for note in found.notes)
    assert any(note.startswith("Probabilities are among models") for note in found.notes)


def test_where_all_met_it_is_the_ranking_of_all_datasets(sqlite_url: str) -> None:
    """Rows are those of the leaderboard, whose ties are those of the best set."""
    right = {"ann": {"berries": 18, "cakes": 30}, "bob": {"berries": 15, "cakes": 28}}
    with velour.open_store(sqlite_url) as store:
        evaluate(store, right)
        found = recommend(store)
        board = velour.rank("accuracy", ["berries", "cakes"], resamples=400, store=store)
    assert [(row.model, row.p_best, row.tied_with_best) for row in found] == [
        (row.model, row.p_best, row.tied_with_best) for row in board
    ]
    assert [row.difference for row in found] == [0.0, pytest.approx(-5 / 61)]


def test_groups_are_drawn_whole_in_every_dataset(store: Store) -> None:
    """Trays of five, of which ann has all or none right: differences are less sure."""
    found = recommend(store, groups="tray")
    assert any("one tray stay together: 90 datums in 19 groups" in note for note in found.notes)
    alone, together = recommend(store), found
    assert alone.rows != together.rows


def test_equal_models_are_seldom_excluded_where_not_all_met() -> None:
    """Four models of one truth, each on two of three datasets; 100 repetitions."""
    from velour_plugin.ranking.recommending.connected import combined_scores

    random, excluded = np.random.default_rng(5), 0
    design = [(0, 1, 3), (0, 1, 2), (1, 2, 3)]
    for _ in range(100):
        rows: dict[tuple[int, int], list[tuple[int, np.ndarray]]] = {}
        for models in design:
            right = (random.random((4, 60)) < 0.7).astype(float)
            weights = random.multinomial(60, np.full(60, 1 / 60), 200)
            sums = np.column_stack([right.sum(axis=1), right @ weights.T])
            for i, j in combinations(models, 2):
                rows.setdefault((i, j), []).append((60, sums[i] - sums[j]))
        counts = np.array([sum(n for n, _ in known) for known in rows.values()], float)
        gaps = np.array([sum(sums for _, sums in known) for known in rows.values()])
        scores = combined_scores(list(rows), counts, gaps / counts[:, None], 4)
        sure = Uncertainty(
            [Measurement(row[0], 0, row[1:], units=60) for row in 0.7 + scores],
            (None, None),
            False,
            0.95,
        )
        excluded += not all(sure.tied_with_best(index) for index in range(4))
    assert excluded <= 10
