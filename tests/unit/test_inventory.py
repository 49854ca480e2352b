"""What a store holds: runs, models and datasets, the newest first, and one run in full."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.errors import UnknownName
from velour_plugin.store import Store, upgrade_store
from velour_plugin.store.opening import read_store
from velour_plugin.use_cases import inventory


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Two runs of one model and a file's predictions; a dataset that nobody evaluated."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        for number, found in enumerate((["2"], ["2", "10"])):
            dataset = fires(found, "owl")
            run = velour.EvaluatedRun(f"id {number}", f"run {number}", "7")
            opened.save(velour.evaluate(dataset, "object-detection", run=run, save=False), dataset)
        velour.evaluate(fires(["2"], "lark", name="embers"), "object-detection", store=opened)
        opened.save_dataset(fires(images=["2"], name="unseen"))
        opened.save_model(velour.Model("swin", {"depth": 50}))
        yield opened


def read(store_url: str, store: Store, function: Any, **arguments: Any) -> Any:
    """The same of the database's own driver and of an open store."""
    reading = partial(function, **arguments)
    quick = read_store(store_url, reading)
    with store.snapshot() as reader:
        assert reading(reader) == quick
    return quick


def test_runs_are_listed_with_their_first_headline_metric(store: Store, store_url: str) -> None:
    entries = read(store_url, store, inventory.list_runs)
    assert [(entry["model"], entry["run"], entry["dataset"]) for entry in entries] == [
        ("lark", None, "embers"),
        ("owl", "run 1", "fires"),
        ("owl", "run 0", "fires"),
    ]
    ranked = velour.rank("mAP", "fires", all_runs=True, resamples=0, store=store)
    values = {row.run: row.value for row in ranked}
    assert {entry["run"]: entry["value"] for entry in entries[1:]} == values
    assert {entry["metric"] for entry in entries} == {"mAP"}

    (entry,) = read(store_url, store, inventory.list_runs, model="lark")
    assert entry["run_id"] is None
    assert len(read(store_url, store, inventory.list_runs, dataset="fires")) == 2
    assert read(store_url, store, inventory.list_runs, dataset="unseen") == []
    with pytest.raises(UnknownName, match="unknown model 'owle': did you mean 'owl'"):
        read(store_url, store, inventory.list_runs, model="owle")
    with pytest.raises(UnknownName, match="unknown dataset 'fire'"):
        read(store_url, store, inventory.list_runs, dataset="fire")


def test_a_run_is_shown_with_what_makes_it_comparable(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = read(store_url, store, inventory.show_run, run="run 0")
    evaluation = store.load(shown["evaluation_id"])
    assert shown["metrics"] == dict(evaluation)
    assert shown["certificate"] == evaluation.certificate.to_dict()
    assert (shown["dataset"], shown["version"]) == ("fires", 1)
    assert shown["mlflow"] == "#/experiments/7/runs/id 0"
    assert shown["older_evaluations"] == []

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000/")
    newest = read(store_url, store, inventory.show_run, run="owl")
    assert newest["run"] == "run 1"
    assert newest["mlflow"] == "http://127.0.0.1:5000/#/experiments/7/runs/id 1"
    assert newest["older_evaluations"] == [shown["evaluation_id"]]
    assert read(store_url, store, inventory.show_run, run="lark")["mlflow"] is None
    with pytest.raises(UnknownName, match="unknown run 'owll': did you mean 'owl'"):
        read(store_url, store, inventory.show_run, run="owll")
    with pytest.raises(UnknownName, match="unknown dataset of run 'owl' 'embers'"):
        read(store_url, store, inventory.show_run, run="owl", dataset="embers")


def test_models_and_datasets_are_listed_newest_first(store: Store, store_url: str) -> None:
    models = read(store_url, store, inventory.list_models)
    known = [(entry["name"], entry["evaluations"], entry["datasets"]) for entry in models]
    assert known == [("lark", 1, ["embers"]), ("owl", 2, ["fires"]), ("swin", 0, [])]
    assert models[2]["metadata"] == {"depth": 50}
    (owl,) = read(store_url, store, inventory.list_models, dataset="fires")
    assert owl["name"] == "owl"

    store.save_dataset(fires(images=["2", "10"]))
    datasets = read(store_url, store, inventory.list_datasets)
    counts = [(entry["dataset"], entry["number"], entry["evaluations"]) for entry in datasets]
    assert counts == [("fires", 2, 0), ("unseen", 1, 0), ("embers", 1, 1), ("fires", 1, 2)]
    (evaluated,) = read(store_url, store, inventory.list_datasets, model="owl")
    assert (evaluated["dataset"], evaluated["number"]) == ("fires", 1)
    assert len(read(store_url, store, inventory.list_datasets, dataset="fires")) == 2
