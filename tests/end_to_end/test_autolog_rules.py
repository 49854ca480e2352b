"""Autologging keeps MLflow's rules: on and off, exclusive, silent, and never in people's way."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import numpy as np
import pycocotools.coco
import pytest
from mlflow.utils.autologging_utils import AUTOLOGGING_INTEGRATIONS, autologging_is_disabled
from mlflow.utils.autologging_utils.events import AutologgingEventLogger
from pycocotools.cocoeval import COCOeval
from velour_integrations.autologging import coco_eval, recording
from velour_integrations.autologging.switch import switch

import velour_plugin as velour
from tests import mlflow_runs as runs
from tests.autologging import QUIET, all_runs, coco, history, off_afterwards, summarize, warned
from tests.coco_oracle import random_boxes
from velour_plugin.contracts.autologger import Autologger
from velour_plugin.errors import NotFound, UnknownName
from velour_plugin.plugins.installed import Plugins, installed
from velour_plugin.plugins.manager import PluginManager

__all__ = ["off_afterwards", "warned"]
pytestmark = [*QUIET, pytest.mark.usefixtures("tracking")]


@pytest.fixture
def tolerant(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow as people have it, which turns failures of autologging into warnings."""
    monkeypatch.setenv("MLFLOW_AUTOLOGGING_TESTING", "false")


def evaluate() -> Any:
    """An evaluation as a trainer makes it."""
    data = random_boxes(np.random.default_rng(1))
    return summarize(COCOeval(*coco(pycocotools.coco, *data), "bbox"))


def test_nothing_is_logged_unless_it_was_asked_for() -> None:
    evaluate()
    assert all_runs() == []
    assert autologging_is_disabled("velour")


def test_a_run_is_made_where_none_is_active() -> None:
    velour.autolog(extra_tags={"team": "ships"}, log_artifacts=False)
    evaluate()
    (run,) = all_runs()
    assert run.info.status == "FINISHED"
    assert mlflow.active_run() is None
    assert run.data.tags["mlflow.autologging"] == "velour"
    assert run.data.tags["team"] == "ships"


def test_the_active_run_is_used_and_left_open() -> None:
    velour.autolog(log_artifacts=False)
    with mlflow.start_run() as mine:
        evaluate()
        assert mlflow.active_run().info.run_id == mine.info.run_id
    (run,) = all_runs()
    assert run.info.run_id == mine.info.run_id
    assert "mAP" in run.data.metrics
    assert "mlflow.autologging" not in run.data.tags


def test_disabled_is_as_it_was_before() -> None:
    before = COCOeval.summarize
    velour.autolog(log_artifacts=False)
    assert COCOeval.summarize is not before
    velour.autolog(disable=True)
    assert COCOeval.summarize is before
    evaluate()
    assert all_runs() == []


def test_calling_it_twice_logs_once() -> None:
    velour.autolog(log_artifacts=False)
    velour.autolog(log_artifacts=False)
    with mlflow.start_run() as run:
        evaluate()
    assert len(history(run.info.run_id, "mAP")) == 1


def test_exclusive_leaves_peoples_runs_alone() -> None:
    velour.autolog(exclusive=True)
    with mlflow.start_run() as mine:
        evaluate()
    assert runs.metrics(mine.info.run_id) == {}
    evaluate()
    assert len(all_runs()) == 2


def test_mlflow_may_turn_everything_off_for_a_while() -> None:
    from mlflow.utils.autologging_utils import disable_autologging

    velour.autolog(log_artifacts=False)
    with disable_autologging():
        evaluate()
    assert all_runs() == []


@pytest.mark.usefixtures("tolerant")
def test_silent_says_nothing_even_when_it_fails(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    velour.autolog(silent=True)
    capfd.readouterr()
    evaluate()
    monkeypatch.setattr(coco_eval, "_captured", broken)
    evaluate()
    assert len(all_runs()) == 1
    assert capfd.readouterr().err == ""


def broken(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("a mistake of Velour's")


@pytest.mark.usefixtures("tolerant")
@pytest.mark.parametrize(
    ("module", "function"),
    [
        (coco_eval, "_captured"),
        (coco_eval, "_truth"),
        (recording, "_evaluated"),
        (recording, "_log"),
    ],
)
def test_a_failure_of_ours_is_a_warning_and_the_result_is_the_same(
    module: Any, function: str, monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    expected = evaluate().stats
    velour.autolog(log_artifacts=False)
    monkeypatch.setattr(module, function, broken)
    assert evaluate().stats.tolist() == expected.tolist()
    assert any("a mistake of Velour's" in warning for warning in warned)
    assert all(run.data.metrics == {} for run in all_runs())
    assert mlflow.active_run() is None


@pytest.mark.usefixtures("tolerant")
def test_what_a_library_raises_people_see(warned: list[str]) -> None:
    velour.autolog(log_artifacts=False)
    truth, found = coco(pycocotools.coco, *random_boxes(np.random.default_rng(1)))
    with pytest.raises(Exception, match="Please run accumulate"):
        COCOeval(truth, found, "bbox").summarize()
    assert (all_runs(), warned) == ([], [])


def test_a_store_that_does_not_answer_leaves_the_numbers_alone(
    monkeypatch: pytest.MonkeyPatch, warned: list[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_AUTOLOGGING_TESTING", "false")
    expected = evaluate().stats
    velour.autolog(store=f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    assert evaluate().stats.tolist() == expected.tolist()
    assert any("velour autologging" in warning for warning in warned)


def test_a_library_may_be_chosen() -> None:
    velour.autolog(libraries=["scikit-learn"])
    evaluate()
    assert all_runs() == []
    velour.autolog(libraries=["pycocotools"])
    evaluate()
    assert len(all_runs()) == 1


def test_a_library_that_was_chosen_once_is_not_watched_when_it_is_imported_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow.utils.import_hooks import _post_import_hooks, notify_module_loaded

    laid: list[str] = []
    later = Autologger("velour-plugin", {"not_yet_there": lambda *given: laid.append("later")})
    switch([later], join=False)
    switch([], join=False)
    monkeypatch.setitem(sys.modules, "not_yet_there", ModuleType("not_yet_there"))
    notify_module_loaded(sys.modules["not_yet_there"])
    assert laid == []
    switch([later], join=False)
    assert laid == ["later"]
    del _post_import_hooks["not_yet_there"]


def test_a_module_that_cannot_be_watched_can_be_imported(
    monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    monkeypatch.setenv("MLFLOW_AUTOLOGGING_TESTING", "false")
    switch([Autologger("velour-plugin", {"json": broken})], join=False)
    assert warned == ["Velour's autologging cannot watch velour-plugin: a mistake of Velour's"]


def test_a_library_that_nobody_watches_is_refused() -> None:
    with pytest.raises(UnknownName, match="unknown library to autolog 'pycocotool': did you mean"):
        velour.autolog(libraries=["pycocotool"])


def test_without_a_tracker_of_runs_there_is_nothing_to_log_to() -> None:
    with pytest.raises(NotFound, match="no plugin has runs to log to"):
        Plugins(PluginManager()).autolog(None, {})


def test_a_strangers_autologger_is_watched_by_the_same_rules() -> None:
    """All that a plugin gives is a name and a function that lays watchers."""
    heard: list[int] = []

    class Library:
        def measure(self, x: int) -> int:
            return 2 * x

    def watcher(original: Any, self: Any, x: int) -> None:
        heard.append(original(self, x))

    mine = Autologger(
        "velour-plugin", {"json": lambda module, watch: watch(Library, "measure", watcher)}
    )
    switch([mine], join=False, silent=True)
    assert (Library().measure(4), heard) == (8, [8])
    switch([mine], join=False, disable=True)
    assert (Library().measure(5), heard) == (10, [8])


def untried(only: bool) -> None:
    """Autologging of a pycocotools that is too old."""
    old = [
        replace(one, versions=">=99")
        for one in installed().autologgers.values()
        if one.name == "pycocotools"
    ]
    switch(old, join=False, disable_for_unsupported_versions=only)


def test_a_version_that_is_untried_is_warned_of(warned: list[str]) -> None:
    untried(only=False)
    assert "known to work with >=99" in warned[0]
    evaluate()
    assert len(all_runs()) == 1


def test_a_version_that_is_untried_is_left_alone_when_asked_for(warned: list[str]) -> None:
    untried(only=True)
    evaluate()
    assert (all_runs(), warned) == ([], [])


# mlflow.autolog


@pytest.fixture
def loggers() -> Any:
    """MLflow's event logger is put back, and its own autologging off."""
    before = AutologgingEventLogger._event_logger
    yield
    AutologgingEventLogger.set_logger(before)
    mlflow.autolog(disable=True)


@pytest.mark.usefixtures("loggers")
def test_mlflows_autolog_does_not_reach_us_unless_we_join() -> None:
    mlflow.autolog()
    evaluate()
    assert all_runs() == []
    velour.autolog(join=True, disable=True)
    mlflow.autolog(extra_tags={"team": "ships"})
    evaluate()
    (run,) = all_runs()
    assert run.data.tags["team"] == "ships"
    mlflow.autolog(disable=True)
    evaluate()
    assert len(all_runs()) == 1


@pytest.mark.usefixtures("loggers")
def test_whoever_listened_before_still_hears() -> None:
    heard: list[str] = []

    class Listener(AutologgingEventLogger):  # type: ignore[misc]
        def log_autolog_called(self, integration: str, call_args: Any, call_kwargs: Any) -> None:
            heard.append(integration)

        def log_patch_function_start(self, *args: Any) -> None:
            heard.append("start")

    AutologgingEventLogger.set_logger(Listener())
    velour.autolog(join=True)
    velour.autolog(join=True)
    mlflow.autolog(exclude_flavors=["velour"], disable=True)
    evaluate()
    assert "mlflow" in heard
    assert "start" in heard
    assert len(all_runs()) == 1  # we were excluded from being switched off


def test_options_are_where_mlflow_keeps_them() -> None:
    velour.autolog(exclusive=True)
    assert AUTOLOGGING_INTEGRATIONS["velour"]["exclusive"] is True
    assert not autologging_is_disabled("velour")


def test_libraries_that_are_imported_later_are_watched() -> None:
    """In a fresh process: autologging first, then everything else, with MLflow's import hooks."""
    code = """
        import contextlib, io, sys
        import velour_plugin as velour
        assert "mlflow" not in sys.modules
        velour.autolog(log_artifacts=False)
        assert "pycocotools" not in sys.modules and "sklearn" not in sys.modules
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
        box = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]}
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO()
            truth.dataset = {"images": [{"id": 1}], "categories": [{"id": 1}],
                             "annotations": [{**box, "id": 1, "area": 81, "iscrowd": 0}]}
            truth.createIndex()
            found = COCOeval(truth, truth.loadRes([{**box, "score": 0.5}]), "bbox")
            found.evaluate(); found.accumulate(); found.summarize()
        import mlflow
        print(mlflow.search_runs(output_format="list")[0].data.metrics["mAP"])
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, "MLFLOW_AUTOLOGGING_TESTING": "true"},
    )
    assert float(done.stdout) == pytest.approx(1), done.stderr[-2000:]
