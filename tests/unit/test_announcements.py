"""What plugins hear of a store: new dataset versions and evaluations, after the commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import velour_plugin as velour
from tests.scenes import FOUND, TRUE, scene
from velour_plugin import Store, Version
from velour_plugin.plugin import publish
from velour_plugin.store import upgrade_store
from velour_plugin.testing.plugins import plugin_installed

SCENE = scene(([TRUE], [FOUND]), ([TRUE], []))


class Listener:
    """Writes down what it hears, and what another connection can read of it by then."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @velour.hookimpl
    def velour_after_dataset(self, version: Version, store: Store) -> None:  # noqa: D102
        dataset = store.load_dataset(version.dataset, version.number)
        self.heard.append((version.number, dataset.uids))

    @velour.hookimpl
    def velour_after_evaluation(  # noqa: D102
        self, evaluation: velour.Evaluation, store: Store
    ) -> None:
        self.heard.append(store.load(evaluation.id).headline["mAR_100"])


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    with plugin_installed(listener):
        yield listener


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        yield opened


def truths(*uids: str) -> velour.Dataset:
    datums = [velour.Datum(uid) for uid in uids]
    return velour.Dataset.from_groundtruths(map(velour.GroundTruth, datums), "fires")


def test_a_version_is_announced_once(store: Store, listener: Listener) -> None:
    """Equal content is the same version: nothing is new about it."""
    store.save_dataset(truths("1", "2"))
    store.save_dataset(truths("2", "1"))
    assert listener.heard == [(1, ("1", "2"))]


def test_a_version_that_grew_is_announced(store: Store, listener: Listener) -> None:
    store.save_dataset(truths("1"))
    store.add_datums(truths("2"))
    store.add_datums(truths("2"))
    assert listener.heard == [(1, ("1",)), (2, ("1", "2"))]


def test_an_evaluation_is_announced_after_its_dataset(store: Store, listener: Listener) -> None:
    """One of two fires was found."""
    velour.evaluate(SCENE, "object-detection", store=store)
    assert listener.heard == [(1, ("0", "1")), 0.5]


def test_an_evaluation_that_was_stored_before_is_not_announced_again(
    store: Store, listener: Listener
) -> None:
    velour.evaluate(SCENE, "object-detection", store=store)
    listener.heard.clear()
    velour.evaluate(SCENE, "object-detection", store=store)
    assert listener.heard == []


def test_publishing_saves_and_announces(store: Store, listener: Listener) -> None:
    publish(velour.evaluate(SCENE, "object-detection", save=False), SCENE, store)
    assert listener.heard == [(1, ("0", "1")), 0.5]


def test_a_dataset_is_stored_although_a_plugin_fails_after_it(store: Store) -> None:
    class Broken:
        @velour.hookimpl
        def velour_after_dataset(self) -> None:
            raise RuntimeError("no disk left")

    with plugin_installed(Broken(), "broken"), pytest.warns(UserWarning, match="'broken' failed"):
        store.save_dataset(truths("1"))
    assert store.dataset_names() == ["fires"]
