"""Plugins: found by entry point, told apart by name, and unable to break an evaluation."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import click
import pytest
import velour_evaluators
import velour_integrations

import velour_plugin as velour
from tests.scenes import FOUND, TRUE, scene
from velour_plugin import hookspecs
from velour_plugin.errors import BadPlugin, PluginConflict, UnknownName
from velour_plugin.plugins.installed import Plugins, installed
from velour_plugin.plugins.manager import PluginManager
from velour_plugin.store.sql import plugin as sql

HOOKS = [name for name in dir(hookspecs) if hasattr(getattr(hookspecs, name), "velour_spec")]


def offering(hook: str, answer: Callable[..., Any], **options: Any) -> Any:
    """A plugin that implements one hook, with options of ``hookimpl``."""
    answer.__name__ = hook
    return plugin(**{hook: velour.hookimpl(answer, **options)})


def plugin(**implementations: Any) -> Any:
    """A plugin with these implementations; pluggy needs one that can be hashed, as modules can."""
    return type("Plugin", (), {name: staticmethod(call) for name, call in implementations.items()})


def plugins(**registered: Any) -> Plugins:
    manager = PluginManager()
    for name, plugin in registered.items():
        manager.register(plugin, name.replace("_", "-"))
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
    both = plugin(
        velour_evaluators=velour.hookimpl(lambda: [SimpleNamespace(task="coco")]),
        velour_formats=velour.hookimpl(lambda: [SimpleNamespace(name="coco")]),
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
    return velour.evaluate(scene(([TRUE], [FOUND])), "object-detection", save=False)


def announce(**registered: Any) -> None:
    with velour.open_store() as store:
        plugins(**registered).announce_evaluation(evaluation(), store)


def test_every_plugin_hears_of_an_evaluation() -> None:
    heard: list[str] = []
    listener = offering("velour_after_evaluation", lambda evaluation: heard.append(evaluation.id))
    other = offering("velour_after_evaluation", lambda store: heard.append(store.display_url))
    announce(mine=listener, yours=other)
    assert sorted(heard)[0] == evaluation().id
    assert sorted(heard)[1].startswith("sqlite:///")


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
            announce(**order)
        assert len(heard) == 1


def test_a_wrapper_that_fails_is_named_too() -> None:
    def fail() -> Any:
        yield
        raise RuntimeError("the clock stopped")

    listener = offering("velour_after_evaluation", lambda: None)
    wrapper = offering("velour_after_evaluation", fail, wrapper=True)
    with pytest.warns(UserWarning, match="plugin 'fine' or 'timer' failed .*the clock stopped"):
        announce(fine=listener, timer=wrapper)


def test_a_plugin_that_is_slow_after_an_evaluation_is_named_with_its_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listener = offering("velour_after_evaluation", lambda: None)
    announce(fine=listener)
    assert caplog.messages == []
    monkeypatch.setattr("velour_plugin.plugins.installed.SLOW", -1.0)
    announce(slow=listener)
    assert re.fullmatch(r"plugin 'slow' took \d\.\d s after an evaluation\.", *caplog.messages)


def test_a_misspelt_hook_is_refused_at_start_naming_the_plugin_and_the_nearest_hook() -> None:
    """It would never be called."""
    with pytest.raises(BadPlugin) as refusal:
        plugins(typo=offering("velour_evaluator", lambda: ["ours"]))
    message = str(refusal.value)
    assert "plugin 'typo' implements an unknown hook 'velour_evaluator'" in message
    assert "did you mean 'velour_evaluators'?" in message
    assert "optionalhook=True" in message
    assert refusal.value.exit_code == 2


def test_a_hook_of_a_newer_velour_is_allowed_where_it_is_marked() -> None:
    newer = offering("velour_after_sunset", lambda: None, optionalhook=True)
    assert plugins(newer=newer).evaluators == {}


def test_a_function_that_is_not_marked_is_no_implementation() -> None:
    assert plugins(mine=plugin(velour_evaluator=lambda: ["a helper"])).evaluators == {}


def test_an_argument_that_a_hook_does_not_have_is_refused() -> None:
    with pytest.raises(BadPlugin, match=r"mine.*velour_formats.*\{'pth'\}.*correct the plugin"):
        plugins(mine=offering("velour_formats", lambda pth: []))


def test_a_plugin_that_cannot_be_hashed_is_refused() -> None:
    """Pluggy tells plugins apart by their hash; every module has one."""
    with pytest.raises(BadPlugin, match="plugin 'mine' cannot be hashed: name a module"):
        plugins(mine=SimpleNamespace())


def test_an_implementation_may_leave_out_arguments() -> None:
    """Pluggy promises it: a hook that gets one more argument breaks no plugin."""
    heard: list[str] = []
    announce(short=offering("velour_after_evaluation", lambda: heard.append("called")))
    assert heard == ["called"]


def test_a_wrapper_runs_around_what_another_plugin_offers() -> None:
    """It may replace an offer; the offer still belongs to the plugin that made it."""

    def renamed() -> Any:
        answers = yield
        return [[SimpleNamespace(task=f"{one.task}-fast") for one in answer] for answer in answers]

    found = plugins(
        mine=evaluator("counting"),
        yours=evaluator("captioning"),
        wrapper=offering("velour_evaluators", renamed, wrapper=True),
    )
    assert sorted(found.evaluators) == ["captioning-fast", "counting-fast"]
    assert found.providers["evaluator", "counting-fast"] == "mine"


def test_plugins_are_called_in_the_order_that_they_ask_for() -> None:
    heard: list[str] = []

    def hears(name: str, **options: Any) -> Any:
        return offering("velour_after_evaluation", lambda: heard.append(name), **options)

    announce(
        first=hears("first", tryfirst=True), last=hears("last", trylast=True), other=hears("other")
    )
    assert heard == ["first", "other", "last"]


def test_a_plugin_without_an_answer_offers_nothing() -> None:
    assert plugins(mine=offering("velour_formats", lambda: None)).formats == {}


def test_wrappers_alone_are_called_as_well() -> None:
    """As by pluggy: a wrapper need not know whether anybody is wrapped."""
    heard: list[str] = []

    def timed() -> Any:
        heard.append("before")
        yield
        heard.append("after")

    announce(timer=offering("velour_after_evaluation", timed, wrapper=True))
    assert heard == ["before", "after"]


@pytest.mark.parametrize("error", [RuntimeError("the disk is full"), SystemExit("no licence")])
def test_a_plugin_that_fails_to_offer_is_named_with_a_way_out(error: BaseException) -> None:
    def fail() -> Any:
        raise error

    with pytest.raises(BadPlugin) as refusal:
        _ = plugins(broken=offering("velour_stores", fail)).stores
    assert str(refusal.value) == (
        f"plugin 'broken' failed in velour_stores: {error!r}. Correct the plugin, or uninstall it."
    )


@pytest.mark.parametrize("offer", [[3], 3, [SimpleNamespace(name=3)], [SimpleNamespace(name="")]])
def test_what_has_no_name_is_no_offer(offer: Any) -> None:
    with pytest.raises(BadPlugin, match=r"plugin 'broken' failed in velour_tables: TypeError"):
        _ = plugins(broken=offering("velour_tables", lambda: offer)).tables


@pytest.mark.parametrize("offer", [["memory"], {1: print}, 3])
def test_stores_are_offered_by_the_scheme_of_their_urls(offer: Any) -> None:
    with pytest.raises(BadPlugin, match=r"plugin 'broken' failed in velour_stores: "):
        _ = plugins(broken=offering("velour_stores", lambda: offer)).stores


def test_a_plugin_that_exits_after_an_evaluation_ends_nothing() -> None:
    def leave() -> None:
        raise SystemExit("done")

    with pytest.warns(UserWarning, match=r"plugin 'rude' failed after .*SystemExit\('done'\)"):
        announce(rude=offering("velour_after_evaluation", leave))


def test_two_stores_of_one_scheme_are_refused_every_time() -> None:
    """The first refusal leaves nothing behind that would make the second one lie."""
    offers = [offering("velour_stores", lambda: {"memory": print}) for _ in "ab"]
    found = plugins(mine=offers[0], yours=offers[1])
    for _ in range(2):
        with pytest.raises(PluginConflict, match=r"store 'memory' .*(mine.*yours|yours.*mine)"):
            _ = found.stores


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented_with_an_example(hook: str) -> None:
    """The example is a function of the hook's own name and arguments."""
    spec = getattr(hookspecs, hook)
    text = inspect.getdoc(spec) or ""
    arguments = ", ".join(inspect.signature(spec).parameters)
    assert f"::\n\n    @velour_plugin.hookimpl\n    def {hook}({arguments}):" in text


@pytest.mark.parametrize("hook", sorted({*HOOKS} - {"velour_tables", "velour_after_dataset"}))
def test_a_hook_is_answered_by_a_plugin_of_ours(hook: str) -> None:
    """A hook ships with a real plugin that uses it; these two with that of the third party."""
    ours = (velour_evaluators, velour_integrations, sql)
    assert any(hasattr(getattr(plugin, hook, None), "velour_impl") for plugin in ours)
    assert getattr(installed().manager.hook, hook).get_hookimpls()


def test_hooks_are_named_after_velour() -> None:
    assert len(HOOKS) >= 4
    assert all(name.startswith("velour_") for name in HOOKS)


def test_importing_velour_finds_no_plugins() -> None:
    """What is offered is looked for when it is first asked for."""
    with warnings.catch_warnings():
        assert "velour_evaluators" not in inspect.getsource(velour)
