"""Versions of a dataset: never edited, sharing what did not change."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

import velour_plugin as velour
from velour_plugin.errors import NotFound, UnknownName
from velour_plugin.store import open_store, upgrade_store
from velour_plugin.store.sql import schema


def truth(uid: str, x: float = 0.0, **metadata: object) -> velour.GroundTruth:
    """One box on one datum."""
    box = velour.BoundingBox.from_xywh(x, 0, 5, 5)
    return velour.GroundTruth(
        velour.Datum(uid, metadata),
        [velour.Annotation([velour.Label("class", "fire")], bounding_box=box)],
    )


def fires(*truths: velour.GroundTruth) -> velour.Dataset:
    """A dataset called fires."""
    return velour.Dataset.from_groundtruths(truths, "fires")


def test_adding_datums_makes_the_version_that_the_whole_would_be(store_url: str) -> None:
    """Two of three datums are sent again in neither case: their rows are shared."""
    upgrade_store(store_url)
    with open_store(store_url) as store:
        store.save_dataset(fires(truth("1"), truth("2")))

        grown = store.add_datums(fires(truth("10", night=True)))

        whole = fires(truth("1"), truth("2"), truth("10", night=True))
        assert (grown.number, grown.datums, grown.digest) == (2, 3, whole.digest)
        assert store.load_dataset("fires").digest == whole.digest
        assert store.save_dataset(whole).number == 2
        assert list(grown.properties) == ["night"]
        with store.engine.connect() as connection:
            assert connection.scalar(select(func.count()).select_from(schema.datums)) == 3


def test_a_difference_names_what_was_added_removed_and_changed(store_url: str) -> None:
    upgrade_store(store_url)
    with open_store(store_url) as store:
        store.save_dataset(fires(truth("1"), truth("2"), truth("3"), truth("4")))
        store.save_dataset(fires(truth("2"), truth("3", x=1.0), truth("4", night=True), truth("5")))

        found = store.diff("fires", 1, 2)

        assert found.added == ("5",)
        assert found.removed == ("1",)
        assert found.changed == ("3", "4")
        assert found.unchanged == 1
        assert str(found).splitlines()[0] == (
            "fires v1 to v2: 1 added, 1 removed, 2 changed, 1 unchanged"
        )


def test_a_datum_with_a_known_uid_takes_its_place(store_url: str) -> None:
    upgrade_store(store_url)
    with open_store(store_url) as store:
        store.save_dataset(fires(truth("1"), truth("2")))

        grown = store.add_datums(fires(truth("2", x=9.0)))

        assert grown.datums == 2
        assert store.diff("fires", 1, 2).changed == ("2",)


def test_adding_what_is_there_makes_no_version(store_url: str) -> None:
    upgrade_store(store_url)
    with open_store(store_url) as store:
        store.save_dataset(fires(truth("1"), truth("2")))

        assert store.add_datums(fires(truth("2"))).number == 1


def test_versions_and_datasets_that_do_not_exist_are_named(sqlite_url: str) -> None:
    with open_store(sqlite_url) as store:
        store.save_dataset(fires(truth("1")))

        with pytest.raises(NotFound, match="has versions 1 to 1, not 2"):
            store.diff("fires", 1, 2)
        with pytest.raises(UnknownName, match="did you mean 'fires'"):
            store.diff("fire", 1, 2)
