"""What a tracker knows of runs is mirrored in the store; deleted ones leave the leaderboards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import pytest
from click.testing import CliRunner

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.cli import main
from velour_plugin.errors import NotFound, StoreUnavailable
from velour_plugin.plugin import RunState, SqlStore
from velour_plugin.plugins.installed import Plugins
from velour_plugin.store import upgrade_store
from velour_plugin.testing.plugins import plugin_installed
from velour_plugin.use_cases.run_states import refresh_runs

NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


class Tracker:
    """A plugin with runs, which counts how often it is asked."""

    def __init__(self) -> None:
        self.runs: dict[str, RunState] = {}
        self.asked: list[tuple[int, bool]] = []
        self.in_use = False
        self.is_down = False

    def say(self, run_id: str, name: str, is_deleted: bool = False) -> None:
        """Set what it says of a run."""
        self.runs[run_id] = RunState(run_id, name, is_deleted, NOON)

    @velour.hookimpl(tryfirst=True)
    def velour_run_states(self, run_ids: Sequence[str], load: bool) -> list[RunState] | None:
        """Answer if it is loaded for it, or in use."""
        self.asked.append((len(run_ids), load))
        if not load and not self.in_use:
            return None
        if self.is_down:
            raise StoreUnavailable("the tracker is down")
        return [self.runs[run_id] for run_id in run_ids if run_id in self.runs]


@pytest.fixture
def tracker() -> Iterator[Tracker]:
    plugin = Tracker()
    with plugin_installed(plugin, "tracker"):
        yield plugin


@pytest.fixture
def url(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    upgrade_store(store_url)
    monkeypatch.setenv("VELOUR_STORE_URI", store_url)
    for number, found in enumerate((["2"], ["2", "10"], ["2", "10", "20"])):
        save(fires(found, f"m{number}"), f"r{number}", f"run {number}")
    return store_url


def save(dataset: velour.Dataset, run_id: str, name: str) -> None:
    """Store an evaluation of a run that no MLflow has."""
    run = velour.EvaluatedRun(run_id, name, "0")
    evaluation = velour.evaluate(dataset, "object-detection", run=run, save=False)
    with velour.open_store() as store:
        store.save(evaluation, dataset)


def models(**options: object) -> list[str]:
    return [row.model for row in velour.rank("mAP", dataset="fires", resamples=0, **options)]  # type: ignore[arg-type]


@pytest.mark.usefixtures("url")
def test_nobody_asks_unless_it_is_wanted_or_in_use(tracker: Tracker) -> None:
    assert models() == ["m2", "m1", "m0"]
    assert models(refresh=False) == ["m2", "m1", "m0"]
    assert tracker.asked == [(0, False)]


@pytest.mark.usefixtures("url")
def test_a_deleted_run_leaves_the_board_and_comes_back(tracker: Tracker) -> None:
    tracker.say("r2", "run 2", is_deleted=True)
    board = velour.rank("mAP", dataset="fires", resamples=0, refresh=True)
    assert [row.model for row in board] == ["m1", "m0"]
    assert board.notes == (
        "Left out, deleted in MLflow: run 2 (as of 2026-07-01 12:00 UTC; --refresh or "
        "refresh=True asks again).",
    )
    assert velour.rank("mAP", dataset="fires", resamples=0) == board  # from the cache
    tracker.say("r2", "run 2")
    assert models() == ["m1", "m0"]
    assert models(refresh=True) == ["m2", "m1", "m0"]


@pytest.mark.usefixtures("url")
def test_a_model_falls_back_to_its_older_run(tracker: Tracker) -> None:
    save(fires(["10"], "m2"), "r9", "rerun")
    tracker.say("r9", "rerun", is_deleted=True)
    board = velour.rank("mAP", dataset="fires", resamples=0, refresh=True)
    assert (board[0].model, board[0].run) == ("m2", "run 2")


@pytest.mark.usefixtures("url")
def test_a_deleted_run_that_is_named_is_shown_and_marked(tracker: Tracker) -> None:
    tracker.say("r2", "run 2", is_deleted=True)
    board = velour.rank("mAP", dataset="fires", runs=["m1", "m2"], resamples=0, refresh=True)
    assert [row.model for row in board] == ["m2", "m1"]
    assert board.notes[0].startswith("Shown as named, deleted in MLflow: run 2 (as of 2026-07-01")


@pytest.mark.usefixtures("url")
def test_without_a_run_left_the_reason_is_given(tracker: Tracker) -> None:
    for number in range(3):
        tracker.say(f"r{number}", f"run {number}", is_deleted=True)
    with pytest.raises(NotFound, match=r"to show\. Left out, deleted in MLflow: run 0"):
        models(refresh=True)


@pytest.mark.usefixtures("url")
def test_a_matrix_leaves_it_out_too(tracker: Tracker) -> None:
    tracker.say("r2", "run 2", is_deleted=True)
    matrix = velour.matrix("mAP", resamples=0, refresh=True)
    assert {cell.model for cell in matrix} == {"m0", "m1"}
    assert any("deleted in MLflow: run 2" in note for note in matrix.notes)


def test_a_new_name_is_shown(tracker: Tracker, url: str) -> None:
    tracker.say("r2", "renamed")
    board = velour.rank("mAP", dataset="fires", resamples=0, refresh=True)
    assert board[0].run == "renamed"
    with velour.open_store(url) as store:
        assert store.evaluations_of("renamed")[0].model == "m2"


@pytest.mark.usefixtures("url")
def test_a_tracker_in_use_is_asked_by_itself_and_writes_only_what_changed(tracker: Tracker) -> None:
    tracker.in_use = True
    tracker.say("r2", "run 2", is_deleted=True)
    assert models() == ["m1", "m0"]
    with velour.open_store() as store:
        before = store.revision()
    assert models() == ["m1", "m0"]
    with velour.open_store() as store:
        assert store.revision() == before


@pytest.mark.usefixtures("url")
def test_a_tracker_that_is_down_matters_only_to_who_asked(tracker: Tracker) -> None:
    tracker.in_use = tracker.is_down = True
    assert models() == ["m2", "m1", "m0"]
    with pytest.raises(StoreUnavailable, match="the tracker is down"):
        models(refresh=True)


@pytest.mark.usefixtures("url")
def test_without_a_tracker_asking_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plugins, "run_states", lambda *_, **__: None)
    with pytest.raises(NotFound, match="no plugin has runs"):
        refresh_runs()


def test_commands_ask_and_show_it(tracker: Tracker, url: str) -> None:
    tracker.say("r2", "run 2", is_deleted=True)
    for command in (["rank", "mAP", "--resamples", "0"], ["matrix", "mAP", "--resamples", "0"]):
        result = CliRunner().invoke(main, [*command, "--refresh"])
        assert result.exit_code == 0, result.output
        assert "deleted in MLflow: run 2" in " ".join(result.output.split())
    listed = CliRunner().invoke(main, ["runs", "list", "--refresh", "--store", url])
    assert "run 2 (deleted)" in listed.output
    assert "(deleted)" in CliRunner().invoke(main, ["runs", "show", "r2"]).output


@pytest.mark.usefixtures("tracker")
def test_a_state_of_a_run_that_nobody_evaluated_is_passed_over(url: str) -> None:
    with velour.open_store(url) as store:
        assert isinstance(store, SqlStore)
        before = store.candidates("fires")
        store.save_run_states([RunState("unknown", "x", True, NOON)])
        assert store.candidates("fires") == before
