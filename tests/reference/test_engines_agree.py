"""Detection by the compiled kernel and by numpy: the same bits, whatever the parameters.

Random data with ties and crowds, random thresholds, limits and area ranges, federated data sets,
boxes and masks; whole, in parts, weighted, and with each image left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from velour_evaluators.kernels.native import library

import velour_plugin as velour
from tests.coco_oracle import dataset_of, matched, random_boxes, random_masks
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.ledger import Ledger
from velour_plugin.partitions import split

pytestmark = pytest.mark.skipif(not library.available(), reason=library.describe())


def random_parameters(rng: np.random.Generator) -> dict[str, Any]:
    """Ranges may overlap and leave out areas; there are one to five, and as many IoU thresholds."""
    edges = [0, 1, 64, 500, 1024, 2000, 9216, 1e5, 1e10]
    edges = [np.sort(rng.choice(edges, 2, replace=False)) for _ in range(5)]
    areas = int(rng.integers(1, 6))
    thresholds = rng.choice(np.arange(1, 21) / 20, int(rng.integers(1, 6)), replace=False)
    limits = rng.choice([1, 2, 3, 5, 10, 100, 1_000], int(rng.integers(1, 4)), replace=False)
    return {
        "iou_thresholds": np.sort(thresholds).tolist(),
        "max_detections": np.sort(limits).tolist(),
        "area_ranges": {f"range {at}": edges[at].tolist() for at in range(areas)},
        "score_threshold": float(rng.choice([0.0, 0.3, 0.5, 1.0])),
        "iou_threshold": float(rng.choice([0.5, 0.55, 0.75, thresholds[0]])),
        "details": bool(rng.random() < 0.5),
    }


def federated(rng: np.random.Generator, dataset: velour.Dataset) -> velour.Dataset:
    """Images that say of which labels they were annotated, all or in part."""
    values = [value for _, value in dataset.labels]

    def some() -> list[str]:
        return [value for value in values if rng.random() < 0.4]

    datums = tuple(
        velour.Datum(
            datum.uid, {**datum.metadata, "absent_labels": some(), "partial_labels": some()}
        )
        for datum in dataset.datums
    )
    return velour.Dataset(
        "lvis", datums, dataset.truth, predictions=dataset.predictions, model="model"
    )


@dataclass(frozen=True)
class Case:
    """Data and parameters of a seed."""

    dataset: velour.Dataset
    masks: bool
    parameters: dict[str, Any]

    @classmethod
    def of(cls, seed: int) -> Case:
        """Every third has masks, every other one is federated."""
        rng = np.random.default_rng(seed)
        masks, parameters = seed % 3 == 0, random_parameters(rng)
        dataset = dataset_of(*(random_masks(rng) if masks else random_boxes(rng)), masks=masks)
        if seed % 2:
            dataset, parameters["federated"] = federated(rng, dataset), True
        return cls(dataset, masks, parameters)

    def match(self, dataset: velour.Dataset | None = None) -> tuple[Any, Ledger]:
        """The evaluator, and its ledger."""
        return matched(dataset or self.dataset, self.masks, **self.parameters)


def by_both(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> tuple[Any, Any]:
    """What comes out by the compiled kernel, and by numpy."""
    monkeypatch.setenv("VELOUR_ENGINE", "native")
    compiled = work()
    monkeypatch.setenv("VELOUR_ENGINE", "numpy")
    return compiled, work()


def columns_of(ledger: Ledger) -> dict[tuple[str, str], tuple[str, bytes]]:
    """Every column as bytes."""
    return {
        (table, name): (str(column.dtype), column.tobytes())
        for table, columns in ledger.tables.items()
        for name, column in columns.items()
    }


def spelled(metrics: Sequence[Metric]) -> list[tuple[Any, ...]]:
    return [
        (one.name, one.label and one.label.name, repr(one.value), repr(one.parameters))
        for one in metrics
    ]


SEEDS = range(45)


@pytest.mark.parametrize("seed", SEEDS)
def test_ledgers_and_metrics(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case.of(seed)

    def work() -> tuple[Any, ...]:
        evaluator, ledger = case.match()
        metrics = spelled(evaluator.measure(ledger)) + spelled(evaluator.details(ledger))
        return columns_of(ledger), metrics, evaluator.errors(ledger)

    compiled, reference = by_both(monkeypatch, work)
    assert compiled == reference


@pytest.mark.parametrize("seed", SEEDS)
def test_weightings(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """None, all, resamples with many copies, selections; one at a time and many together."""
    case, rng = Case.of(seed), np.random.default_rng([seed, 1])
    datums = len(case.dataset)
    weights = np.stack(
        [
            np.ones(datums, np.int64),
            np.zeros(datums, np.int64),
            *rng.integers(0, 4, (9, datums)),
            *(rng.random((3, datums)) < 0.5),
        ]
    )

    def work() -> tuple[Any, ...]:
        evaluator, ledger = case.match()
        keys = [(one.name, one.label) for one in evaluator.measure(ledger)]
        together = evaluator.values(ledger, keys, weights)
        alone = [evaluator.values(ledger, keys, row[None])[0] for row in weights]
        without = evaluator.leave_one_out(
            ledger, keys, all_but_some(datums), np.arange(datums)[::2]
        )
        return (
            bits(together),
            bits(np.stack(alone)),
            bits(without),
            spelled(evaluator.measure(ledger, None, weights[2])),
        )

    compiled, reference = by_both(monkeypatch, work)
    assert compiled == reference
    assert compiled[0] == compiled[1]


def all_but_some(datums: int) -> NDArray[np.bool_]:
    """Images that count, among them those that are left out in turn."""
    places = np.arange(datums)
    return (places % 5 != 1) | (places % 2 == 0)


def bits(values: NDArray[np.float64]) -> bytes:
    """Numbers as bytes, every NaN alike."""
    return np.where(np.isnan(values), np.nan, values).tobytes()


@pytest.mark.parametrize("seed", SEEDS)
def test_parts(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In turn, backwards, and interleaved: what is put together is the ledger of the whole."""
    case, rng = Case.of(seed), np.random.default_rng([seed, 2])
    datums = len(case.dataset)
    case.parameters["iou_type"] = "raster" if case.masks else "box"
    drawn = rng.integers(0, 3, datums)
    parts = [
        split(case.dataset, 3),
        split(case.dataset, 3)[::-1],
        [case.dataset.subset(drawn == part) for part in range(3) if (drawn == part).any()],
    ]

    def work() -> list[Any]:
        evaluator, whole = case.match()
        merged = [evaluator.concatenate([case.match(part)[1] for part in some]) for some in parts]
        return [columns_of(ledger) for ledger in (whole, *merged)]

    compiled, reference = by_both(monkeypatch, work)
    assert compiled == reference
    assert all(columns == compiled[0] for columns in compiled)
