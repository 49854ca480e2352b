"""Details of stored evaluations: nothing is computed for them until somebody looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select
from velour_evaluators.detection.evaluator import ObjectDetection
from velour_evaluators.kernels.native import library

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.errors import StoreUnavailable, UnknownName
from velour_plugin.plugins import installed
from velour_plugin.store import upgrade_store
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.store import SqlStore

LABELS = ("class:fire", "class:smoke", "color:red", "color:blue")
SETTINGS: list[dict[str, Any]] = [
    {},
    {"where": "hour >= 4"},
    {"where": "score > 0.2 AND annotation.area > 20"},
    {"parameters": {"label_map": {"smoke": "fire"}, "iou_threshold": 0.3}},
    {"parameters": {"label_keys": ["color"], "max_detections": [1, 2, 3]}},
]  # fmt: skip


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """An empty one, SQLite and PostGIS."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        assert isinstance(opened, SqlStore)
        yield opened


def stored_details(store: SqlStore) -> int:
    """How many ledgers have their details stored."""
    with store.engine.connect() as connection:
        query = select(func.count()).select_from(schema.ledger_details)
        return int(connection.scalars(query).one())


def anything(rng: np.random.Generator, model: str = "model") -> velour.Dataset:
    """Images out of order; crowds, empty sides, labels that only the model knows, equal scores."""
    uids = [str(uid) for uid in rng.permutation(12)]
    datums = [velour.Datum(uid, {"hour": int(uid), "height": 90, "width": 90}) for uid in uids]
    truths = [
        velour.GroundTruth(datum, [_drawn(rng, None) for _ in range(rng.integers(0, 4))])
        for datum in datums
    ]
    predictions = [
        velour.Prediction(velour.Datum(uid), [_drawn(rng, 0.1 * rng.integers(1, 10))
                                              for _ in range(rng.integers(0, 6))])
        for uid in uids
    ]  # fmt: skip
    return velour.Dataset.from_groundtruths(truths, "any").with_predictions(predictions, model)


def _drawn(rng: np.random.Generator, score: float | None) -> velour.Annotation:
    key, _, value = LABELS[rng.integers(0, 2 + 2 * (score is not None))].partition(":")
    x, y, width, height = (10 * rng.integers(0, 3, 4)).tolist()
    box = velour.BoundingBox(x, y, x + width + 5, y + height + 5)
    crowd = score is None and bool(rng.random() < 0.1)
    return velour.Annotation([velour.Label(key, value, score)], box, is_crowd=crowd)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_details_are_those_of_the_evaluation_to_the_bit(
    store: SqlStore, settings: dict[str, Any]
) -> None:
    """Matched again from what is stored, then read; metrics, tables and kinds of error."""
    for seed in range(4):
        dataset = anything(np.random.default_rng(seed), f"model {seed}")
        expected = velour.evaluate(dataset, "object-detection", save=False, **settings)
        saved = velour.evaluate(dataset, "object-detection", store=store, **settings)
        for _ in range(2):
            back = store.load(saved.id)
            assert back.measured == expected.measured
            assert back.metrics == expected.metrics
            assert back.to_dict() | {"created_at": None} == expected.to_dict() | {
                "created_at": None
            }
            assert back.ledger.tables.keys() == expected.ledger.tables.keys()
            for name, columns in expected.ledger.tables.items():
                for column, values in columns.items():
                    read = back.ledger.tables[name][column]
                    assert (read.dtype, read.tobytes()) == (values.dtype, values.tobytes())
    assert stored_details(store) == 4


def test_who_saves_and_ranks_computes_no_details(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does who reads the headline, or evaluates the same again."""
    monkeypatch.setattr(ObjectDetection, "details", _refuse)
    evaluations = [
        velour.evaluate(fires(["2", "10"]), "object-detection", store=store) for _ in range(2)
    ]
    assert [each["mAR_100"] for each in evaluations] == [0.5, 0.5]
    board = velour.rank("mAP", "fires", columns=["mAR_100"], resamples=0, store=store)
    assert board[0].columns == {"mAR_100": 0.5}
    velour.worst("model", store=store)
    if library.available():
        assert stored_details(store) == 0
    with pytest.raises(ZeroDivisionError):
        len(store.load(evaluations[0].id).metrics)


def test_details_of_a_partitioned_dataset_are_stored_at_once(
    store: SqlStore, tmp_path: Path
) -> None:
    """It is too large to be matched again as a whole."""
    dataset = fires(["2", "10"])
    halves = [dataset.subset(np.array(half, bool)) for half in ([1, 1, 0, 0], [0, 0, 1, 1])]
    parts = velour.PartitionedDataset.write(tmp_path, halves)
    saved = velour.evaluate(parts, "object-detection", store=store)
    assert stored_details(store) == 1
    assert store.load(saved.id).metrics == saved.metrics


def test_details_that_cannot_be_stored_are_seen(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may only read looks at them all the same."""
    saved = velour.evaluate(fires(["2", "10"]), "object-detection", store=store)
    before = stored_details(store)
    monkeypatch.setattr(SqlStore, "_writing", _read_only)
    assert store.load(saved.id).metrics == saved.metrics
    assert velour.compare("model", "model", permutations=0, store=store).errors
    assert stored_details(store) == before


@pytest.mark.skipif(not library.available(), reason="without the kernel details are stored at once")
def test_another_way_of_matching_has_no_details_of_an_older_one(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be of rows that the stored ledger does not have."""
    saved = velour.evaluate(fires(["2", "10"]), "object-detection", store=store)
    real = ObjectDetection.match

    def fewer(self: ObjectDetection, dataset: velour.Dataset, parameters: Any) -> velour.Ledger:
        return real(self, dataset.subset(np.array([True, False, True, True])), parameters)

    monkeypatch.setattr(ObjectDetection, "match", fewer)
    back = store.load(saved.id)
    assert back.measured == saved.measured
    with pytest.raises(StoreUnavailable, match="evaluate it again"):
        len(back.metrics)


def test_details_need_the_evaluator(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured is read without it; the error names the task."""
    saved = velour.evaluate(fires(["2", "10"]), "object-detection", store=store)
    back = store.load(saved.id)

    def missing(task: str) -> None:
        raise UnknownName("task", task, ["another"])

    monkeypatch.setattr(installed.installed(), "evaluator", missing)
    assert back["mAR_100"] == 0.5
    with pytest.raises(UnknownName, match="object-detection"):
        len(back.metrics)


def _refuse(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError


def _read_only(*_: Any) -> None:
    raise StoreUnavailable("it is read-only.")
