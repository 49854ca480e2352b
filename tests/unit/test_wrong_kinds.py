"""What is of the wrong kind is refused with an error that says what was expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.errors import InvalidInput

WRITES: dict[str, Callable[[Any], Any]] = {
    "5: expected a velour.Dataset": lambda store: store.save_dataset(5),
    "'fires': expected a velour.Dataset": lambda store: store.add_datums("fires"),
    "'fires': expected a velour.Evaluation": lambda store: store.save("fires", fires()),
    "'r': expected a velour.EvaluatedRun": lambda store: store.link_run("x", "r"),
    "expected a velour.Facts": lambda store: store.write_facts("fires", {"blur": {"1": 2}}),
    "'swin': expected a velour.Model": lambda store: store.save_model("swin"),
    "uids 5: expected the names": lambda store: store.tag("fires", "seen", uids=5),
    "dataset 5: expected its name": lambda store: store.facts(5),
    "query 'rank': expected": lambda store: store.ask("rank"),
    "query None: expected": lambda store: store.ask(None),
    "runs 5: expected": lambda store: velour.rank("mAP", "fires", runs=5, store=store),
    "experiments 1.5: expected": lambda store: velour.rank("m", "d", experiments=1.5, store=store),
}


@pytest.mark.parametrize("message", WRITES)
def test_a_store_refuses_what_it_cannot_keep_or_answer(message: str, sqlite_url: str) -> None:
    with velour.open_store(sqlite_url) as store:
        store.save_dataset(fires())
        before = store.revision()
        with pytest.raises(InvalidInput, match=message):
            WRITES[message](store)
        assert store.revision() == before


@pytest.mark.parametrize("url", [5, b"sqlite:///x.db"])
def test_a_url_is_a_text(url: Any) -> None:
    with pytest.raises(InvalidInput, match="expected a URL such as sqlite"):
        velour.open_store(url)


@pytest.mark.parametrize("values", [5, ["blur"], {"blur": 5}])
def test_facts_are_by_name_and_uid(values: Any) -> None:
    with pytest.raises(InvalidInput, match="expected a mapping of names to mappings of uids"):
        velour.Facts("quality", "1", values)
