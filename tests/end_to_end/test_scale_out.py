"""Matching on many workers gives what matching here gives, to the digit."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import joblib
import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName
from velour_plugin.partitions import split
from velour_plugin.store import upgrade_store


def boxes(random: np.random.Generator, count: int, scored: bool) -> list[velour.Annotation]:
    """Boxes of three classes on a grid coarse enough that they overlap."""
    return [
        velour.Annotation(
            [
                velour.Label(
                    "class",
                    "abc"[random.integers(3)],
                    score=float(random.random().__round__(3)) if scored else None,
                )
            ],
            bounding_box=velour.BoundingBox.from_xywh(*random.integers(1, 60, 4).astype(float)),
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def dataset() -> velour.Dataset:
    """Forty images, half of them at night, with predictions."""
    random = np.random.default_rng(0)
    datums = [
        velour.Datum(str(number), {"night": bool(number % 2)} if number < 30 else {"late": True})
        for number in range(40)
    ]
    truths = [velour.GroundTruth(datum, boxes(random, 5, False)) for datum in datums]
    predictions = [velour.Prediction(datum, boxes(random, 9, True)) for datum in datums]
    return velour.Dataset.from_groundtruths(truths, "grid").with_predictions(predictions, "model")


def same(a: velour.Evaluation, b: velour.Evaluation) -> bool:
    """Equal to the digit, and named alike."""
    return a.id == b.id and list(a.metrics) == list(b.metrics)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_threads_and_processes_give_the_same_digits(dataset: velour.Dataset, backend: str) -> None:
    here = velour.evaluate(dataset, "object-detection", save=False)

    with joblib.parallel_config(backend=backend, n_jobs=2):
        there = velour.evaluate(dataset, "object-detection", save=False)

    assert same(there, here)


def test_two_dask_workers_give_the_same_digits_from_partitions(
    dataset: velour.Dataset, tmp_path: Path
) -> None:
    """Each worker is a process of its own and reads its parts from parquet."""
    distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    here = velour.evaluate(dataset, "object-detection", save=False)
    parts = velour.PartitionedDataset.write(tmp_path / "parts", split(dataset, 5))

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        there = velour.evaluate(parts, "object-detection", save=False)

    assert len(parts) == 5
    assert same(there, here)


def test_a_filter_on_partitions_selects_as_on_the_whole(
    dataset: velour.Dataset, tmp_path: Path
) -> None:
    """The last part has no property ``night``; that is no error, and no datum of it is selected."""
    parts = velour.PartitionedDataset.write(tmp_path, split(dataset, 4))

    for where in ("night", "night OR late", "NOT night"):
        here = velour.evaluate(dataset, "object-detection", where=where, save=False)
        assert same(velour.evaluate(parts, "object-detection", where=where, save=False), here)


def test_a_property_that_no_part_has_is_refused(dataset: velour.Dataset, tmp_path: Path) -> None:
    parts = velour.PartitionedDataset.write(tmp_path, split(dataset, 2))

    with pytest.raises(UnknownName, match=r"nihgt.*did you mean 'night'"):
        velour.evaluate(parts, "object-detection", where="nihgt", save=False)


def test_parts_out_of_order_are_refused(dataset: velour.Dataset, tmp_path: Path) -> None:
    first, second = split(dataset, 2)

    with pytest.raises(BadDataset, match="begins with datum '0' after one that ends with '39'"):
        velour.PartitionedDataset.write(tmp_path, [second, first])


def test_a_folder_without_partitions_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"velour\.PartitionedDataset\.write"):
        velour.PartitionedDataset(tmp_path)


def test_a_worker_holds_its_part_only(dataset: velour.Dataset, tmp_path: Path) -> None:
    """What a part's worker reads is that part's files, however large the whole is."""
    parts = velour.PartitionedDataset.write(tmp_path, split(dataset, 8))

    one = parts.part(3)

    assert [len(part) for part in parts] == [5] * 8
    assert one.uids == dataset.uids[15:20]
    assert list(one.groundtruths) == list(dataset.groundtruths)[15:20]
    assert one.predictions is not None
    assert dataset.predictions is not None
    assert list(one.predicted) == list(dataset.predicted)[15:20]


def test_partitions_are_stored_as_the_whole_is(
    dataset: velour.Dataset, tmp_path: Path, store_url: str
) -> None:
    """The same version, evaluation and ledger; predictions as one blob for each part."""
    upgrade_store(store_url)
    parts = velour.PartitionedDataset.write(tmp_path / "parts", split(dataset, 3))
    here = velour.evaluate(dataset, "object-detection", save=False)

    with velour.open_store(store_url) as store:
        there = velour.evaluate(parts, "object-detection", store=store)
        (item,) = store.candidates("grid")
        back, predictions = store.load_dataset("grid"), store.load_predictions(item.evaluation_id)
        ledger = store.load(there.id).ledger

    assert same(there, here)
    assert (item.evaluation_id, back.digest) == (here.id, dataset.digest)
    assert back.with_predictions(predictions, "model").predictions_digest == (
        dataset.predictions_digest
    )
    assert ledger.datums == here.ledger.datums
    for name, columns in here.ledger.tables.items():
        for column, values in columns.items():
            assert ledger.tables[name][column].tobytes() == values.tobytes(), (name, column)


def test_what_is_stored_whole_is_known_when_it_comes_in_parts(
    dataset: velour.Dataset, tmp_path: Path, sqlite_url: str
) -> None:
    """And the other way round: one version, one set of predictions, one evaluation."""
    parts = velour.PartitionedDataset.write(tmp_path / "parts", split(dataset, 3))

    with velour.open_store(sqlite_url) as store:
        first = velour.evaluate(dataset, "object-detection", store=store)
        second = velour.evaluate(parts, "object-detection", store=store)
        (item,) = store.candidates("grid")
        assert len(store.versions("grid")) == 1

    assert second.id == first.id == item.evaluation_id


def test_stored_partitions_are_matched_again(
    dataset: velour.Dataset, tmp_path: Path, sqlite_url: str
) -> None:
    parts = velour.PartitionedDataset.write(tmp_path / "parts", split(dataset, 3))
    where = "annotation.area > 400 AND score >= 0.25"
    here = velour.evaluate(dataset, "object-detection", where=where, save=False)

    with velour.open_store(sqlite_url) as store:
        velour.evaluate(parts, "object-detection", store=store)
        board = velour.rank("mAP", "grid", where=where, resamples=0, store=store)

    assert [row.value for row in board.rows] == [here["mAP"]]


def test_parts_that_change_while_they_are_evaluated_are_refused(
    dataset: velour.Dataset, tmp_path: Path, sqlite_url: str
) -> None:
    """Nothing is stored of what was not evaluated."""
    parts = velour.PartitionedDataset.write(tmp_path / "parts", split(dataset, 3))
    evaluation = velour.evaluate(parts, "object-detection", save=False)
    chosen = np.arange(len(dataset)) < 30
    velour.PartitionedDataset.write(tmp_path / "parts", split(dataset.subset(chosen), 3))

    with velour.open_store(sqlite_url) as store:
        with pytest.raises(BadDataset, match=r"changed while .*Evaluate it again"):
            store.save(evaluation, parts)
        assert store.dataset_names() == []


def test_only_one_part_is_in_memory_while_parts_are_stored(
    dataset: velour.Dataset, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what was read before, nothing is alive when the next part is read."""
    parts = velour.PartitionedDataset.write(tmp_path / "parts", split(dataset, 8))
    evaluation = velour.evaluate(parts, "object-detection", save=False)
    original, read, alive = velour.PartitionedDataset.part, [], []

    def watched(self: velour.PartitionedDataset, number: int) -> velour.Dataset:
        gc.collect()
        alive.append(sum(reference() is not None for reference in read))
        part = original(self, number)
        read.append(weakref.ref(part))
        return part

    monkeypatch.setattr(velour.PartitionedDataset, "part", watched)
    with velour.open_store(sqlite_url) as store:
        store.save(evaluation, parts)

    assert len(read) == 16, "once for ground truth, once for predictions"
    assert max(alive) <= 1
