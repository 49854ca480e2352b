"""The first evaluation of a new SQLite store is written as an open store writes it."""

from __future__ import annotations

import pickle
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.domain.encoding import codec
from velour_plugin.domain.encoding.arrow import columns_to_parquet
from velour_plugin.errors import InvalidInput
from velour_plugin.helpers.usage import in_use
from velour_plugin.plugins.installed import installed
from velour_plugin.store import ledgers
from velour_plugin.store.opening import is_missing, save_first
from velour_plugin.store.sql import opening
from velour_plugin.store.sql.plain.driver import new_file
from velour_plugin.store.sql.records import columns
from velour_plugin.testing.plugins import plugin_installed


def classes() -> velour.Dataset:
    rng = np.random.default_rng(5)
    values = rng.random((40, 3))
    scores = values / values.sum(1, keepdims=True)
    return velour.Dataset.from_arrays(
        "many", np.array([*"abca"] * 10), scores, labels=["a", "b", "c"]
    )


def shapes() -> velour.Dataset:
    """Masks and polygons, metadata of all kinds, places, and a label that is only predicted."""
    label = velour.Label("class", "ü\"x'")
    known = {"hour": 3, "who": "Zoë", "nested": {"a": [1.5, None]}}
    datum = velour.Datum("1", known, (1.5, 2.5))
    mask = velour.Raster(np.eye(7, dtype=bool))
    polygon = velour.Polygon([(0, 0), (4, 0), (4, 5)])
    true = [
        velour.Annotation([label], raster=mask, metadata={"by": "hand"}),
        velour.Annotation([label], polygon=polygon, embedding=[0.5, 2]),
    ]
    truths = [velour.GroundTruth(datum, true), velour.GroundTruth(velour.Datum("2"))]
    dataset = velour.Dataset.from_groundtruths(truths, "shapes", {"site": "É"}, location=(3, 4))
    found = [velour.Annotation([velour.Label("class", name, 0.5)], raster=mask)
             for name in ("b", label.value)]  # fmt: skip
    return dataset.with_predictions([velour.Prediction(datum, found)], "m")


EVALUATIONS: dict[str, Callable[[], tuple[velour.Dataset, str]]] = {
    "boxes": lambda: (fires(["2", "roof"]), "object-detection"),
    "classes": lambda: (classes(), "image-classification"),
    "shapes": lambda: (shapes(), "semantic-segmentation"),
}


def content(path: Path) -> list[str]:
    """All that is in a file, as statements; every moment is the same, and so is white space."""
    with closing(sqlite3.connect(path)) as connection:
        lines = [re.sub(r"\s+", " ", line) for line in connection.iterdump()]
    return sorted(re.sub(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}'", "now", line) for line in lines)


@pytest.fixture
def same_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal columns are equal bytes: pyarrow pads some with whatever is in memory."""
    known: dict[bytes, bytes] = {}

    def write(*arguments: Any, **options: Any) -> bytes:
        key = pickle.dumps((arguments, options))
        return known.setdefault(key, columns_to_parquet(*arguments, **options))

    for module in (codec, ledgers):
        monkeypatch.setattr(module, "columns_to_parquet", write)


@pytest.mark.usefixtures("same_parquet")
@pytest.mark.parametrize("kind", EVALUATIONS)
@pytest.mark.parametrize("is_looked_at", [False, True])
def test_the_file_is_the_one_that_a_store_makes(
    kind: str, is_looked_at: bool, tmp_path: Path
) -> None:
    quick, opened = tmp_path / "quick.db", tmp_path / "opened.db"
    dataset, task = EVALUATIONS[kind]()
    evaluation = velour.evaluate(dataset, task, save=False)
    assert not is_looked_at or len(evaluation.metrics)
    version = save_first(f"sqlite:///{quick}", dataset, evaluation)
    with velour.open_store(f"sqlite:///{opened}") as store:
        assert store.save(evaluation, dataset) == version
        assert version is not None
        assert version.is_new
    assert content(quick) == content(opened)
    assert (in_use.dataset, in_use.store) == (
        (dataset.name, dataset.digest),
        f"sqlite:///{opened}",
    )


def test_evaluating_opens_no_store_and_the_next_evaluation_finds_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with monkeypatch.context() as patch:
        patch.setattr(opening, "open_sql_store", None)
        first = velour.evaluate(fires(["2"]), "object-detection", store=url)
    again = velour.evaluate(fires(["2"]), "object-detection", store=url)
    assert again.created_at == first.created_at
    velour.evaluate(fires(["2", "10"], "other"), "object-detection", store=url)
    assert [row.model for row in velour.rank("mAP", "fires", resamples=0, store=url)] == [
        "other",
        "model",
    ]


def test_a_store_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "there.db"
    dataset = fires(["2"])
    evaluation = velour.evaluate(dataset, "object-detection", store=f"sqlite:///{path}")
    before = content(path)
    assert save_first(f"sqlite:///{path}", dataset, evaluation) is None
    opener = installed().stores["sqlite"]
    assert opener.save_first(f"sqlite:///{path}", dataset, evaluation) is None  # type: ignore[attr-defined]
    assert content(path) == before


@pytest.mark.parametrize(
    "url", ["sqlite:///:memory:", "sqlite:///no/folder/x.db", "sqlite:///x.db?timeout=3"]
)
def test_other_addresses_are_left_to_the_store(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not is_missing(url)


def test_nothing_is_written_when_a_value_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.db"
    monkeypatch.setattr(columns, "_LARGEST", 10)
    with pytest.raises(InvalidInput, match=r"predictions of .* GB: a database takes"):
        velour.evaluate(fires(["2"]), "object-detection", store=f"sqlite:///{path}")
    assert content(path) == ["BEGIN TRANSACTION;", "COMMIT;"]


def test_what_fails_in_the_middle_leaves_an_empty_file(tmp_path: Path) -> None:
    def fail() -> None:
        with new_file(f"sqlite:///{tmp_path / 'new.db'}") as file:
            file.execute("CREATE TABLE kept (x)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert content(tmp_path / "new.db") == ["BEGIN TRANSACTION;", "COMMIT;"]


def test_a_plugin_that_takes_the_store_gets_an_open_one(tmp_path: Path) -> None:
    seen: list[object] = []

    class Listener:
        @velour.hookimpl
        def velour_after_dataset(self, version: velour.Version) -> None:
            seen.append(version.number)

        @velour.hookimpl
        def velour_after_evaluation(self, store: velour.Store) -> None:
            seen.append(store.dataset_names())

    with plugin_installed(Listener(), "listener"):
        url = f"sqlite:///{tmp_path / 'new.db'}"
        velour.evaluate(fires(["2"]), "object-detection", store=url)
    assert seen == [1, ["fires"]]
