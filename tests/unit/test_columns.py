"""Further columns of a leaderboard, conditions on them, and what stands beside a metric."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.answers import Leaderboard
from velour_plugin.answers.plots import pareto_front
from velour_plugin.errors import InvalidInput, UnknownName
from velour_plugin.filters.properties import PropertyFamily
from velour_plugin.store import Store
from velour_plugin.testing.plugins import plugin_installed

LATENCIES = {"r1": 30.0, "r2": 10.0, "r3": 40.0}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """Runs that find 3, 2 and 1 of 4 fires."""
    with velour.open_store(sqlite_url) as opened:
        for number, found in enumerate((["2", "10", "20"], ["2", "10"], ["2"]), 1):
            dataset = fires(found, f"model {number}")
            run = velour.EvaluatedRun(f"r{number}", f"run {number}", "0")  # of no tracker
            opened.save(velour.evaluate(dataset, "object-detection", run=run, save=False), dataset)
        yield opened


@pytest.fixture
def tracker() -> Iterator[None]:
    """A tracker that knows how fast the runs are."""

    def latency(name: str, model: str, run_id: str | None) -> float | None:
        return LATENCIES.get(run_id or "") if name == "bench.latency_ms" else None

    class Bench:
        @velour.hookimpl
        def velour_properties(self) -> list[PropertyFamily]:
            opened = {"bench.": "number"}
            return [
                PropertyFamily("bench", "candidates", open=opened, revision=None, value=latency)
            ]

    with plugin_installed(Bench()):
        yield


def test_other_metrics_stand_beside_the_one_that_is_ranked_by(store: Store) -> None:
    board = velour.rank(
        "mAR_100", "fires", columns=["mAR_1", "mAR_small"], where="hour >= 20", store=store
    )
    alone = {
        name: velour.rank(name, "fires", where="hour >= 20", resamples=0, store=store)
        for name in board.columns
    }
    for row in board:
        assert row.columns == {
            name: next(other.value for other in ranked if other.run_id == row.run_id)
            for name, ranked in alone.items()
        }
    assert list(board.to_frame().columns)[-2:] == ["mAR_1", "mAR_small"]
    assert "mAR_small" in str(board)


def test_rows_that_do_not_meet_a_condition_are_left_out_and_named(store: Store) -> None:
    board = velour.rank("mAR_100", "fires", having="mAR_100 >= 0.5 AND mAR_1 < 0.75", store=store)
    assert [row.model for row in board] == ["model 2"]
    assert board[0].rank == 1
    assert board.columns == ("mAR_1",)
    assert any(
        note.startswith("Left out by ") and note.endswith(": model 1, model 3.")
        for note in board.notes
    )


def test_a_condition_that_nobody_meets_leaves_an_empty_leaderboard(store: Store) -> None:
    board = velour.rank("mAR_100", "fires", having="mAR_1 > 1", store=store)
    assert len(board) == 0
    assert "model 1, model 2, model 3" in board.notes[-1]


def test_what_a_condition_cannot_be_told_of_is_left_out(store: Store) -> None:
    """Sizes of objects that are not there have no recall."""
    assert len(velour.rank("mAR_100", "fires", having="mAR_large >= 0", store=store)) == 0
    assert len(velour.rank("mAR_100", "fires", having="mAR_large IS NULL", store=store)) == 3


@pytest.mark.usefixtures("tracker")
def test_what_a_tracker_knows_is_a_column(store: Store) -> None:
    board = velour.rank("mAR_100", "fires", columns=["bench.latency_ms"], store=store)
    assert [row.columns["bench.latency_ms"] for row in board] == [30.0, 10.0, 40.0]
    fast = velour.rank("mAR_100", "fires", having="bench.latency_ms < 35", store=store)
    assert [row.model for row in fast] == ["model 1", "model 2"]
    assert Leaderboard.from_dict(board.to_dict()) == board


@pytest.mark.usefixtures("tracker")
def test_the_pareto_front_joins_runs_that_nobody_beats_in_both(store: Store) -> None:
    board = velour.rank("mAR_100", "fires", columns=["bench.latency_ms"], store=store)
    front, runs = board.plot(against="bench.latency_ms").data
    assert (list(front.x), list(front.y)) == ([10.0, 30.0], [0.5, 0.75])
    assert len(runs.x) == 3
    with pytest.raises(UnknownName, match="unknown column of the leaderboard 'speed'"):
        board.plot(against="speed")


def test_a_column_is_about_the_label_that_is_ranked_by_where_it_can_be(store: Store) -> None:
    board = velour.rank("AR_100", "fires", label="fire", columns=["AP", "mAP"], store=store)
    for name, label in (("AP", "fire"), ("mAP", None)):
        ranked = velour.rank(name, "fires", label=label, resamples=0, store=store)
        values = {row.model: row.value for row in ranked}
        assert {row.model: row.columns[name] for row in board} == values
    with pytest.raises(InvalidInput, match="AP is about one label"):
        velour.rank("mAR_100", "fires", columns=["AP"], store=store)


def test_columns_that_nobody_knows_are_refused(store: Store) -> None:
    with pytest.raises(UnknownName, match="unknown metric 'mAR_10O': did you mean 'mAR_10"):
        velour.rank("mAR_100", "fires", columns=["mAR_10O"], store=store)
    with pytest.raises(UnknownName, match=r"unknown metric 'sacred\.latency'"):
        velour.rank("mAR_100", "fires", columns=["sacred.latency"], store=store)


@pytest.mark.usefixtures("tracker")
def test_a_column_that_no_run_has_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match=r"column 'bench\.size': none of the ranked runs"):
        velour.rank("mAR_100", "fires", columns=["bench.size"], store=store)


def test_what_is_known_of_models_is_a_column(store: Store) -> None:
    for number in (1, 2):
        store.save_model(velour.Model(f"model {number}", {"backbone": f"swin-{number}"}))
    board = velour.rank("mAR_100", "fires", columns=["model.metadata.backbone"], store=store)
    values = [row.columns["model.metadata.backbone"] for row in board]
    assert values == ["swin-1", "swin-2", None]


def test_a_front_is_of_what_nobody_beats() -> None:
    points = [(1.0, 1.0), (2.0, 2.0), (2.0, 1.0), (1.0, 1.0), (3.0, 2.0)]
    assert pareto_front(points, (False, True)) == [0, 1, 3]
    assert pareto_front(points, (True, True)) == [4]
    assert pareto_front([], (True, True)) == []
