"""Evaluators and formats that plugins offer by name and place, imported when they are used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import velour_plugin as velour
from velour_plugin.errors import BadPlugin, PluginConflict
from velour_plugin.plugin import Offer
from velour_plugin.plugins.installed import installed
from velour_plugin.testing.plugins import plugin_installed

MODULE = """
class Counting:
    task, version = "counting", "2"

class Lines:
    name = "lines"

class Broken:
    def __init__(self):
        raise RuntimeError("half written")
"""


@pytest.fixture(autouse=True)
def _a_module_of_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counters.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "counters", raising=False)


def offering(hook: str, *offers: Any) -> object:
    implementation = velour.hookimpl(lambda: offers)
    return type("Plugin", (), {hook: staticmethod(implementation)})


def test_every_evaluator_and_format_of_ours_is_what_it_is_offered_as() -> None:
    """Loading compares name and version with the offer."""
    found = installed()
    versions = {task: evaluator.version for task, evaluator in found.evaluators.items()}
    assert sorted(versions.items()) == found.evaluators.versions
    assert {name: one.name for name, one in found.formats.items()} == {
        name: name for name in ("coco", "geojson", "label-images", "spacenet", "voc", "yolo")
    }


def test_an_evaluator_is_imported_when_its_task_is_looked_up() -> None:
    mine = offering("velour_evaluators", Offer("counting", "counters:Counting", "2"))
    with plugin_installed(mine, "mine"):
        found = installed()
        assert "counting" in found.evaluators
        assert ("counting", "2") in found.evaluators.versions
        assert found.providers["evaluator", "counting"] == "mine"
        assert "counters" not in sys.modules
        evaluator = found.evaluator("counting")
        assert (evaluator.task, evaluator.version) == ("counting", "2")
        assert found.evaluator("counting") is evaluator


def test_a_format_is_imported_when_it_is_looked_up() -> None:
    with plugin_installed(offering("velour_formats", Offer("lines", "counters:Lines")), "mine"):
        assert "counters" not in sys.modules
        assert installed().format("lines").name == "lines"


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (Offer("counting", "counters:Counting", "1"), "offered as 'counting' of version '1'"),
        (Offer("summing", "counters:Counting", "2"), "offered as 'summing'"),
        (Offer("counting", "counters:Gone", "1"), "plugin 'mine' failed when 'counting' was im"),
        (Offer("counting", "nowhere:Counting", "1"), "plugin 'mine' failed .*No module"),
        (Offer("counting", "counters:Broken", "1"), "plugin 'mine' failed .*half written"),
    ],
)
def test_what_is_not_there_or_another_is_refused(offer: Offer, reason: str) -> None:
    mine = plugin_installed(offering("velour_evaluators", offer), "mine")
    with mine, pytest.raises(BadPlugin, match=reason):
        installed().evaluator(offer.name)


def test_another_evaluator_takes_the_place_of_one_that_was_never_loaded() -> None:
    mine = offering("velour_evaluators", Offer("counting", "nowhere:Counting", "2"))
    with plugin_installed(mine, "mine"):
        evaluators: Any = installed().evaluators
        evaluators["counting"] = "mine"
        assert evaluators["counting"] == "mine"
        del evaluators["counting"]
        assert "counting" not in evaluators


def test_evaluators_of_one_task_are_refused_whether_offered_or_made() -> None:
    offer = Offer("object-detection", "counters:Counting", "2")
    mine = plugin_installed(offering("velour_evaluators", offer), "mine")
    with pytest.raises(PluginConflict, match="'object-detection' is offered by"), mine:
        raise AssertionError("both are installed")
