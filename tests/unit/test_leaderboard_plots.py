"""A board as a figure: a dot for each run, arms as long as its interval."""

from __future__ import annotations

import pytest

from velour_plugin.answers import Leaderboard, LeaderboardRow, Slice, Slices


def row(
    rank: int | None, model: str, run: str | None, value: float | None, **more: object
) -> LeaderboardRow:
    return LeaderboardRow(rank, model, run, run, value, 24, model, **more)  # type: ignore[arg-type]


def board(*rows: LeaderboardRow) -> Leaderboard:
    return Leaderboard(
        metric="mAP", label=None, dataset="fires", where=None, datums=24, of_datums=24,
        lower_is_better=False, confidence=0.95, rows=rows,
    )  # fmt: skip


def test_each_run_is_a_dot_with_its_interval_the_best_on_top() -> None:
    figure = board(row(1, "night", "a", 0.6, interval=(0.5, 0.65)), row(2, "day", None, 0.4)).plot()

    (dots,) = figure.data
    assert list(dots.x) == [0.6, 0.4]
    assert list(dots.text) == ["night (a)", "day"]
    assert list(dots.error_x.array) == pytest.approx([0.05, 0.0])
    assert list(dots.error_x.arrayminus) == pytest.approx([0.1, 0.0])
    low, high = figure.layout.yaxis.range
    assert low > high  # the first line is the upper one
    assert "mAP on fires" in figure.layout.title.text


def test_rough_intervals_are_grey() -> None:
    figure = board(
        row(1, "a", None, 0.6, interval=(0.5, 0.65), rough="few datums"),
        row(2, "b", None, 0.4, interval=(0.3, 0.5)),
    ).plot()

    dots, grey = figure.data
    assert list(dots.error_x.array) == pytest.approx([0.0, 0.1])
    assert list(grey.error_x.array) == pytest.approx([0.05, 0.0])
    assert grey.error_x.color == "#bbbbbb"
    assert list(grey.y) == list(dots.y)


def test_rough_intervals_of_slices_are_grey() -> None:
    parts = [Slice("hour", "9", 24, 0.5, (0.25, 0.75), 0.0, "BCa", "few datums")]
    shown, grey = Slices(title="slices", rows=parts).plot().data
    assert list(shown.error_x.array) == [0.0]
    assert list(grey.error_x.array) == [0.25]


def test_runs_of_one_name_are_two_dots_and_those_without_a_value_none() -> None:
    figure = board(
        row(1, "m", None, 0.6), row(2, "m", None, 0.4), row(None, "silent", None, None)
    ).plot()

    assert list(figure.data[0].x) == [0.6, 0.4]
    assert len(set(figure.data[0].y)) == 2


def test_an_empty_board_is_an_empty_figure() -> None:
    assert len(board().plot().data[0].x) == 0
