"""Ledgers put together are in the order of the whole, however their datums lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from velour_evaluators.detection.evaluator import ObjectDetection
from velour_evaluators.detection.kernels import sorted_runs

import velour_plugin as velour
from velour_plugin.errors import BadDataset
from velour_plugin.partitions import split


def _boxes(random: np.random.Generator, count: int, scored: bool) -> list[velour.Annotation]:
    return [
        velour.Annotation(
            [
                velour.Label(
                    "class", "ab"[random.integers(2)], random.integers(9) / 8 if scored else None
                )
            ],
            bounding_box=velour.BoundingBox.from_xywh(*random.integers(1, 9, 4).astype(float)),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("details", [False, True])
def test_parts_give_the_bytes_of_the_whole(details: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in reverse, and interleaved; also on many threads."""
    monkeypatch.setattr(sorted_runs, "MANY_ROWS", 1)
    random, evaluator = np.random.default_rng(1), ObjectDetection()
    datums = [velour.Datum(str(number)) for number in range(24)]
    dataset = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(datum, _boxes(random, 3, False)) for datum in datums], "ties"
    ).with_predictions(
        [velour.Prediction(datum, _boxes(random, 6, True)) for datum in datums], "model"
    )
    parameters = evaluator.parameters({"details": details})
    whole = evaluator.match(dataset, parameters)
    parts = list(split(dataset, 4))
    odd = np.arange(24) % 2 == 1

    for some in (parts, parts[::-1], [dataset.subset(odd), dataset.subset(~odd)]):
        merged = evaluator.concatenate([evaluator.match(part, parameters) for part in some])
        assert merged.datums == whole.datums
        for name, columns in whole.tables.items():
            for column, values in columns.items():
                assert merged.tables[name][column].tobytes() == values.tobytes(), (name, column)


def test_datums_whose_new_names_change_their_order_are_sorted_again() -> None:
    """As over many datasets: of ``0!2`` and ``0!10``, the second comes first, and wins a tie."""
    evaluator, box = ObjectDetection(), velour.BoundingBox.from_xywh(0, 0, 4, 4)
    ledgers = []
    for uids in (("2", "10"), ("1", "9")):
        datums = [velour.Datum(uid) for uid in uids]
        dataset = velour.Dataset.from_groundtruths(
            [velour.GroundTruth(one, []) for one in datums], "ties"
        ).with_predictions(
            [
                velour.Prediction(
                    one, [velour.Annotation([velour.Label("a", "b", 0.5)], bounding_box=box)]
                )
                for one in datums
            ],
            "model",
        )
        ledger = evaluator.match(dataset, evaluator.parameters({"details": False}))
        names = tuple(f"0!{uid}" for uid in ledger.datums)
        ledgers.append(replace(ledger, datums=names))

    merged = evaluator.concatenate(ledgers)

    assert merged.datums == ("0!1", "0!10", "0!2", "0!9")
    assert merged.tables["detections"]["datum"].tolist() == [0, 1, 2, 3]


def test_a_datum_of_two_ledgers_is_refused() -> None:
    ledger = _empty_ledger()
    with pytest.raises(BadDataset, match="datum '1' is in two ledgers"):
        ObjectDetection().concatenate([ledger, ledger])


def test_ledgers_without_rows_are_put_together() -> None:
    merged = ObjectDetection().concatenate(
        [_empty_ledger(), replace(_empty_ledger(), datums=("2",))]
    )
    assert merged.datums == ("1", "2")
    assert [len(merged.tables[name]["datum"]) for name in ("detections", "truths")] == [0, 0]


def _empty_ledger() -> velour.Ledger:
    dataset = velour.Dataset.from_groundtruths(
        [velour.GroundTruth(velour.Datum("1"), [])], "empty"
    ).with_predictions([], "model")
    evaluator = ObjectDetection()
    return evaluator.match(dataset, evaluator.parameters({}))
