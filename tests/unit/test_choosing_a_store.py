"""Wherever a store is taken: an open one, its URL, or None for the default; reading makes none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.errors import BadPlugin, InvalidInput, NotFound
from velour_plugin.testing.plugins import plugin_installed

READERS: dict[str, Callable[[Any], Any]] = {
    "rank": lambda store: velour.rank("mAP", "fires", resamples=0, store=store),
    "matrix": lambda store: velour.matrix("mAP", resamples=0, store=store),
    "slices": lambda store: velour.slices("model", "sensor", resamples=0, store=store),
    "compare": lambda store: velour.compare("model", "model", permutations=0, store=store),
    "plan": lambda store: velour.plan("model", store=store),
    "worst": lambda store: velour.worst("model", store=store),
}


@pytest.mark.parametrize("name", [*READERS, "recommend"])
def test_asking_where_there_is_no_store_makes_none(name: str, tmp_path: Path) -> None:
    ask = READERS.get(name, lambda store: velour.recommend("mAP", store=store))
    for store in (None, f"sqlite:///{tmp_path / 'other.db'}"):
        with pytest.raises(NotFound, match="there is no store"):
            ask(store)
    assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize("name", READERS)
def test_a_store_is_an_open_one_or_its_url_or_the_default(name: str) -> None:
    url = os.environ["VELOUR_STORE_URI"]
    with velour.open_store(url) as store:
        velour.evaluate(fires(["2"]), "object-detection", store=store)
        answers = [READERS[name](choice) for choice in (store, url, None)]
        assert store.versions("fires")  # which is open still
    assert answers[0].to_dict() == answers[1].to_dict() == answers[2].to_dict()


@pytest.mark.parametrize("store", [5, Path("velour.db"), object()])
def test_what_is_no_store_is_refused(store: Any) -> None:
    with pytest.raises(InvalidInput, match=r"expected an open store, a URL .* or None"):
        velour.rank("mAP", "fires", store=store)


def test_what_a_plugin_opens_is_a_store_or_refused_naming_the_plugin() -> None:
    hook = velour.hookimpl(lambda: {"void": lambda url, *, create: None})
    offering = type("Plugin", (), {"velour_stores": staticmethod(hook)})
    reason = r"store 'void://x': plugin 'vacuum' opened None, which lacks methods of .*Store"
    with plugin_installed(offering, "vacuum"), pytest.raises(BadPlugin, match=reason):
        velour.open_store("void://x")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///a\x00b.db",
        "postgresql://127.0.0.1:1/base\x00",
        f"sqlite:///{'x' * 5_000}.db",
        "sqlite:///\ud800.db",
    ],
)
def test_an_address_that_can_be_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"without U|can be no file"):
        velour.open_store(url)
