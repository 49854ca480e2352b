"""Matching on many workers gives what matching here gives, to the digit."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName
from velour_plugin.partitions import split


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
    said = [velour.Prediction(datum, boxes(random, 9, True)) for datum in datums]
    return velour.Dataset.from_groundtruths(truths, "grid").with_predictions(said, "model")


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
