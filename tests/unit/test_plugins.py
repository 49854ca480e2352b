"""Plugins: found by entry point, told apart by name, and unable to break an evaluation."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import click
import pluggy
import pytest
import velour_evaluators
import velour_integrations

import velour_plugin as velour
from tests.scenes import FOUND, TRUE, scene
from velour_plugin import hookspecs
from velour_plugin.errors import PluginConflict, UnknownName
from velour_plugin.plugins import Plugins, installed

HOOKS = [name for name in dir(hookspecs) if hasattr(getattr(hookspecs, name), "velour_spec")]


def offering(hook: str, answer: Callable[..., Any]) -> Any:
    """A plugin that answers one hook."""
    answer.__name__ = hook
    return SimpleNamespace(**{hook: velour.hookimpl(answer)})


def plugins(**registered: Any) -> Plugins:
    manager = pluggy.PluginManager("velour")
    manager.add_hookspecs(hookspecs)
    for name, plugin in registered.items():
        manager.register(plugin, name=name.replace("_", "-"))
    return Plugins(manager)


def evaluator(task: str) -> Any:
    return offering("velour_evaluators", lambda: [SimpleNamespace(task=task)])


def test_every_answer_is_kept() -> None:
    found = plugins(mine=evaluator("counting"), yours=evaluator("captioning"))
    assert sorted(found.evaluators) == ["captioning", "counting"]
    assert found.evaluator("counting").task == "counting"
    assert found.providers["evaluator", "counting"] == "mine"


def test_a_plugin_alone_is_asked_when_its_answer_is_needed() -> None:
    """Evaluators are slow to import: the help does without; two may conflict, and are asked."""
    asked: list[str] = []

    def answer(name: str) -> Any:
        return offering("velour_evaluators", lambda: asked.append(name) or [])

    found = plugins(mine=answer("mine"))
    assert asked == []
    assert (found.evaluators, found.evaluators, asked) == ({}, {}, ["mine"])
    plugins(mine=answer("a"), yours=answer("b"))
    assert sorted(asked) == ["a", "b", "mine"]


def test_two_evaluators_of_one_task_are_refused_naming_both_plugins() -> None:
    with pytest.raises(PluginConflict) as refusal:
        plugins(my_plugin=evaluator("counting"), your_plugin=evaluator("counting"))
    message = str(refusal.value)
    assert "evaluator 'counting' is offered by" in message
    assert "my-plugin" in message
    assert "your-plugin" in message
    assert "uninstall one of them" in message


def test_two_formats_of_one_name_are_refused_naming_both_plugins() -> None:
    offers = [offering("velour_formats", lambda: [SimpleNamespace(name="yolo")]) for _ in "ab"]
    with pytest.raises(PluginConflict, match=r"format 'yolo' .*(mine.*yours|yours.*mine)"):
        plugins(mine=offers[0], yours=offers[1])


def test_a_command_of_velours_own_is_taken() -> None:
    mine = offering("velour_commands", lambda: [click.Command("rank")])
    with pytest.raises(PluginConflict, match=r"command 'rank' .* velour itself and by mine"):
        plugins(mine=mine).commands(taken=["rank"])
    report = offering("velour_commands", lambda: [click.Command("report")])
    assert list(plugins(mine=report).commands(taken=["rank"])) == ["report"]


def test_a_task_and_a_format_of_the_same_name_are_no_conflict() -> None:
    both = SimpleNamespace(
        **vars(evaluator("coco")),
        **vars(offering("velour_formats", lambda: [SimpleNamespace(name="coco")])),
    )
    assert plugins(mine=both).format("coco").name == "coco"


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown task 'object-detecton': did you mean") as error:
        installed().evaluator("object-detecton")
    assert "'object-detection'" in str(error.value)
    assert "instance-segmentation" in str(error.value)
    with pytest.raises(UnknownName, match="known are: none"):
        plugins().evaluator("object-detection")


def test_the_plugins_of_this_environment_are_found_once() -> None:
    assert installed() is installed()
    provider = installed().providers["evaluator", "object-detection"]
    assert re.fullmatch(r"evaluators \(velour-plugin [\d.]+.*\)", provider)


def evaluation() -> velour.Evaluation:
    return velour.evaluate(scene(([TRUE], [FOUND])), "object-detection")


def test_every_plugin_hears_of_an_evaluation() -> None:
    heard: list[str] = []
    listener = offering("velour_after_evaluation", lambda evaluation: heard.append(evaluation.id))
    other = offering("velour_after_evaluation", lambda evaluation: heard.append(evaluation.model))
    said = evaluation()
    plugins(mine=listener, yours=other).announce(said)
    assert sorted(heard) == sorted([said.id, "model"])


def test_a_plugin_that_fails_is_a_warning_and_the_others_still_hear() -> None:
    """The evaluation is safely stored by then."""
    heard = []

    def fail(evaluation: velour.Evaluation) -> None:
        raise RuntimeError("the chat is down")

    broken = offering("velour_after_evaluation", fail)
    listener = offering("velour_after_evaluation", lambda evaluation: heard.append(evaluation))
    for order in ({"broken": broken, "fine": listener}, {"fine": listener, "broken": broken}):
        heard.clear()
        with pytest.warns(UserWarning, match="plugin 'broken' failed after .*the chat is down"):
            plugins(**order).announce(evaluation())
        assert len(heard) == 1


def test_a_hook_that_does_not_exist_is_noticed() -> None:
    """A misspelled hook would never be called."""
    manager = pluggy.PluginManager("velour")
    manager.add_hookspecs(hookspecs)
    manager.register(offering("velour_evaluator", lambda: ["ours"]), name="misspelled")
    with pytest.raises(pluggy.PluginValidationError, match="velour_evaluator"):
        manager.check_pending()


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented_with_an_example(hook: str) -> None:
    """The example is a function of the hook's own name and arguments."""
    spec = getattr(hookspecs, hook)
    text = inspect.getdoc(spec) or ""
    arguments = ", ".join(inspect.signature(spec).parameters)
    assert f"::\n\n    @velour_plugin.hookimpl\n    def {hook}({arguments}):" in text


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_answered_by_a_plugin_of_ours(hook: str) -> None:
    """A hook ships only with a real plugin that uses it."""
    ours = (velour_evaluators, velour_integrations)
    assert any(hasattr(getattr(plugin, hook, None), "velour_impl") for plugin in ours)
    assert getattr(installed().manager.hook, hook).get_hookimpls()


def test_hooks_are_named_after_velour() -> None:
    assert len(HOOKS) >= 4
    assert all(name.startswith("velour_") for name in HOOKS)


def test_importing_velour_finds_no_plugins() -> None:
    """What is offered is looked for when it is first asked for."""
    with warnings.catch_warnings():
        assert "velour_evaluators" not in inspect.getsource(velour)
