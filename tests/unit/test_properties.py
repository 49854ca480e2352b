"""Families of properties: Velour's own, and those that plugins add."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import velour_plugin as velour
from tests.fires import IMAGES, fires
from tests.unit.test_plugins import offering, plugins
from velour_plugin.errors import InvalidInput, PluginConflict, UnknownName
from velour_plugin.filters import parse_filter, split_filter
from velour_plugin.filters.language.tree import Property, filter_digest
from velour_plugin.filters.properties import OWN, PropertyFamily
from velour_plugin.filters.split import family_revisions
from velour_plugin.plugins.installed import Plugins, installed
from velour_plugin.store import Store, upgrade_store

WEATHER = PropertyFamily(
    "weather",
    "sql",
    {"weather.rain": "number", "weather.sky": "string", "weather.signs": "strings"},
)
CARDS = PropertyFamily(
    "cards",
    "candidates",
    open={"cards.": "string"},
    revision=None,
    value=lambda name, model, run_id: {"cards.licence": {"a": "MIT"}}.get(name, {}).get(model),
)


def family(*families: PropertyFamily) -> Any:
    return offering("velour_properties", lambda: families)


@pytest.fixture
def weather(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """Two families of a plugin, beside all that is installed."""
    found = plugins(sky=family(WEATHER, CARDS))
    families = [*installed().properties.values(), *found.properties.values()]
    monkeypatch.setattr("velour_plugin.filters.properties._offered", lambda: families)
    return found


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        yield opened


def test_a_plugins_family_is_answered_by_the_facts_of_its_source(
    store: Store, weather: Plugins
) -> None:
    version = store.save_dataset(fires())
    rain = {"2": 0.5, "10": 3}
    signs = {"2": ["low clouds", "wind"]}
    store.write_facts("fires", velour.Facts("weather", "1", {"rain": rain, "signs": signs}))
    selected = [
        list(store.select_datums(version, parse_filter(where)).uids)
        for where in (
            "weather.rain > 1", "weather.rain + 1 < 2", "'wind' IN (weather.signs)",
            "fact.weather.rain > 1",
        )
    ]  # fmt: skip
    assert selected == [["10"], ["2"], ["2"], ["10"]]
    with pytest.raises(UnknownName, match=r"'weather.sky'"):
        store.select_datums(version, parse_filter("weather.sky = 'grey'"))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("weather.rain = 'a'", "weather.rain is a number and 'a' is a string"),
        ("weather.signs = 'a'", "weather.signs is a list of strings"),
        (
            "hour > 1 AND weather.rainn = 1",
            r"did you mean 'weather.rain'\?.*metadata.weather.rainn(.|\n)*column 14",
        ),
        ("weather.rain > 1 OR cards.licence = 'MIT'", "mixes weather.rain .about a datum. with ca"),
    ],
)
def test_what_a_family_does_not_have_is_refused(weather: Plugins, where: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        split_filter(parse_filter(where))


def test_metadata_of_a_plugins_prefix_has_its_longer_name(weather: Plugins) -> None:
    assert Property("metadata.weather.rain").path == ("weather", "rain")
    assert Property("metadata.weather.rain").name == "metadata.weather.rain"
    assert Property("weather").path == ("weather",)
    asked = [filter_digest(parse_filter(f"{name} = 1")) for name in
             ("weather.rain", "metadata.weather.rain")]  # fmt: skip
    assert len(set(asked)) == 2


@pytest.mark.parametrize("name", [".hidden", "model.x", "weather", "uid.x", "dataset.x"])
def test_names_without_a_family_are_metadata(weather: Plugins, name: str) -> None:
    assert Property(name).path == tuple(name.split("."))
    assert Property(f"metadata.{name}") == Property(name)


def test_runs_are_chosen_by_what_a_plugin_knows_of_them(store: Store, weather: Plugins) -> None:
    """An answer that the plugin may change at any moment is not kept."""
    for model in ("a", "b"):
        velour.evaluate(fires(tuple(IMAGES), model), "object-detection", store=store)
    asked = {"dataset": "fires", "resamples": 0, "store": store}
    board = velour.rank("mAP", where="cards.licence = 'MIT'", **asked)
    assert [row.model for row in board] == ["a"]
    others = velour.rank("mAP", where="cards.licence IS NULL AND hour > 1", **asked)
    assert [row.model for row in others] == ["b"]
    assert family_revisions([Property("cards.licence")]) is None
    assert family_revisions([Property("weather.rain"), Property("hour")]) == {"weather": "1"}
    assert family_revisions([]) == {}


def test_two_families_of_one_prefix_are_refused_naming_both_plugins() -> None:
    found = plugins(mine=family(WEATHER), yours=family(WEATHER))
    with pytest.raises(
        PluginConflict, match=r"properties 'weather' is offered by (mine.*yours|yours.*mine)"
    ):
        _ = found.properties


@pytest.mark.parametrize("prefix", ["fact", "datum", "metadata", "model", "label", "score", "uid"])
def test_a_prefix_of_velours_own_is_taken(prefix: str) -> None:
    with pytest.raises(PluginConflict, match=f"'{prefix}' are offered by Velour itself"):
        _ = plugins(mine=family(PropertyFamily(prefix, "sql"))).properties


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: PropertyFamily("a", "magic"), "unknown way to answer properties 'magic'"),
        (lambda: PropertyFamily("a", "sql", {"a.b": "text"}), "unknown kind of property 'a.b'"),
        (lambda: PropertyFamily("A b", "sql"), "property prefix 'A b': expected lower case"),
        (lambda: PropertyFamily("a", "sql", {"b.c": "number"}), "expected 'a.NAME'"),
        (lambda: PropertyFamily("a", "sql", {"a.b": "geometry"}), "rest on facts, which are"),
        (lambda: PropertyFamily("a", "ledger"), "a plugin offers 'sql'.* or 'candidates'"),
        (lambda: PropertyFamily("a", "candidates"), "'candidates' with value="),
        (lambda: PropertyFamily("a", "sql", value=print), "'sql', which rests on facts"),
    ],
)
def test_a_family_that_nothing_could_answer_is_refused(made: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        _ = plugins(mine=offering("velour_properties", lambda: [made()])).properties


def test_every_property_of_our_own_is_of_one_family() -> None:
    names = [name for own in OWN for name in own.names]
    assert len(set(names)) == len(names)
    for name in names:
        assert sum(own.kind_of(re.sub("NAME$", "a.b", name)) is not None for own in OWN) >= 1


def test_velour_plugins_lists_prefixes_and_who_offers_them() -> None:
    assert plugins(sky=family(WEATHER)).providers["properties", "weather"] == "sky"
