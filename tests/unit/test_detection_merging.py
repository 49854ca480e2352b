"""Ledgers put together are in the order of the whole, however their datums lie."""

from __future__ import annotations

import numpy as np
import pytest
from velour_evaluators.detection import merging
from velour_evaluators.detection.evaluator import ObjectDetection

import velour_plugin as velour
from velour_plugin.partitions import split


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 400])
def test_rows_are_ordered_by_label_score_and_datum(rows: int, interleaved: bool) -> None:
    """Three labels and five scores, so that nearly all are tied; as a sort of all at once."""
    random = np.random.default_rng(rows)
    label, score = random.integers(0, 3, rows), random.integers(0, 5, rows) / 4
    datum = random.integers(0, 30, rows) if interleaved else np.sort(random.integers(0, 30, rows))

    order = merging._ledger_order(label, score, datum.astype(np.int32))

    assert order.tolist() == np.lexsort([datum, -score, label]).tolist()


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
    monkeypatch.setattr(merging, "_MANY_ROWS", 1)
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
