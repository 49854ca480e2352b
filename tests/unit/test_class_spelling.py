"""A class has one spelling, however it is written and wherever it comes in."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from velour_integrations.mlflow.datasets.cells import table_of

import velour_plugin as velour
from velour_plugin.errors import BadAnnotation, InvalidInput
from velour_plugin.plugin import class_text

Level = enum.IntEnum("Level", {"LOW": 0, "HIGH": 1})
Pet = enum.Enum("Pet", {"CAT": "cat", "DOG": "dog"})
ONES: list[Any] = [
    True, 1, 1.0, np.True_, np.int8(1), np.uint64(1), np.float16(1), np.float64(1), np.array(1),
    np.array(1.0), np.array(True), Level.HIGH, Decimal("1.0"), "1", np.str_("1"), b"1",
]  # fmt: skip


def _hashable(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("value", ONES, ids=repr)
def test_one_is_spelled_alike(value: Any) -> None:
    cells = table_of([value], ["a"], np.array([0]), "ground truth")
    scores = table_of([{_hashable(value): 0.5}], ["a"], np.array([0]), "prediction")
    boxes = table_of([[{"label": value, "bbox": [0, 0, 1, 1]}]], ["a"], np.array([0]), "prediction")

    assert class_text(value) == "1"
    assert velour.Label("class", value).name == ("class", "1")
    assert velour.Dataset.from_arrays("d", [value]).labels == (("class", "1"),)
    assert {table.labels for table in (cells, scores, boxes)} == {(("class", "1"),)}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("True", "True"), ("1.0", "1.0"), (" fire", " fire"), (b"fire", "fire"), (Pet.CAT, "cat"),
        (False, "0"), (-0.0, "0"), (-3.0, "-3"), (1e20, "1" + 20 * "0"), (2**70, str(2**70)),
    ],
)  # fmt: skip
def test_text_stays_and_numbers_have_no_fraction(value: Any, text: str) -> None:
    assert class_text(value) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "is missing"), (float("nan"), "is missing"), (pd.NA, "is missing"),
        (pd.NaT, "is missing"), (np.float32("nan"), "is missing"), (1.5, "is a float"),
        (float("inf"), "is a float"), (b"\xff", "no UTF-8"), ([1], "is a list"),
        (1j, "is a complex"), (np.datetime64("2026-01-01", "ns"), "is a datetime64"),
        (np.array([1, 2]), "is a ndarray"), (np.timedelta64(1, "ns"), "is a timedelta64"),
    ],
)  # fmt: skip
def test_what_is_no_class_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(BadAnnotation, match=reason):
        class_text(value)


def test_a_number_of_thousands_of_digits_is_no_class() -> None:
    with pytest.raises(BadAnnotation, match="digits"):
        class_text(10**5000)


def accuracy(truth: Any, predictions: Any, **options: Any) -> float | None:
    dataset = velour.Dataset.from_arrays("d", truth, predictions, **options)
    evaluation = velour.evaluate(dataset, "tabular-classification", save=False)
    return next(metric.value for metric in evaluation.metrics if metric.name == "accuracy")


COLUMNS: list[Any] = [
    [True, False, True],
    [1, 0, 1],
    [1.0, 0.0, 1.0],
    np.array([1, 0, 1], np.uint8),
    np.array([True, False, True]),
    np.array([1, 0, 1], np.float32),
    np.array([True, 0, 1.0], object),
    np.array(["1", "0", "1"]),
    np.array([b"1", b"0", b"1"]),
    pd.Series([1, 0, 1], dtype="Int64"),
    pd.Series([True, False, True], dtype="boolean"),
    pd.Categorical([1, 0, 1]),
    pd.Series(["1", "0", "1"], dtype="string"),
    [Level.HIGH, Level.LOW, Level.HIGH],
    [[1], [0], [1]],
    [True, "0", 1.0],
]


@pytest.mark.parametrize("truth", COLUMNS[:6])
@pytest.mark.parametrize("predictions", COLUMNS)
def test_columns_of_different_types_agree(truth: Any, predictions: Any) -> None:
    assert accuracy(truth, predictions) == 1.0
    assert accuracy(predictions, truth) == 1.0


def test_texts_are_not_numbers() -> None:
    assert accuracy(["True", "1"], ["True", "1"]) == 1.0
    assert accuracy(["True", "1"], [True, 1]) == 0.5


def test_numbers_count_the_labels_that_are_named() -> None:
    assert accuracy(["cat", "dog"], [0, 1], labels=["cat", "dog"]) == 1.0
    assert accuracy([0, 1], ["cat", "dog"], labels=["cat", "dog"]) == 1.0
    assert accuracy([7, 3], [7, 3], labels=[3, 7]) == 1.0


@pytest.mark.parametrize(
    "classes",
    [[False, True], [0, 1, 2], [0.0, 1.0], ["no", "yes"], np.array(["a", "b"]), [10, 9, 8]],
)
def test_columns_of_scores_are_in_the_order_of_scikit_learn(classes: Sequence[Any]) -> None:
    scores = np.eye(len(classes))
    assert accuracy(sorted(classes), scores) == 1.0
    assert accuracy(np.array(sorted(classes), object), scores) == 1.0


WRONG: list[tuple[Any, Any, dict[str, Any], str]] = [
    (np.ma.array([1, 2], mask=[False, True]), [1, 2], {}, "row 1: class None is missing"),
    (np.array([1, 2], "m8[s]"), [1, 2], {}, "row 0: class .* is a timedelta64"),
    ([[1, 0], [0, 1]], [0.9, 0.1], {}, "a score for each of them"),
    ([[1, 0], [0, 1]], [[2.5, -1], [0, 1]], {}, "through a sigmoid first"),
    (["a", None], ["a", "a"], {}, "row 1: class None is missing"),
    ([0.0, np.nan], [0, 0], {}, "row 1: class nan is missing"),
    ([0, 1], [[0.5, np.nan], [1, 0]], {}, "the score of row 0 is nan"),
    (["a", "b"], [[0.1, 0.2, 0.7]] * 2, {}, "name the classes of all columns in labels="),
    (["a", "b", "c"], [0.1, 0.9, 0.5], {}, "the probability of the second of two classes"),
    (["a", "b"], ["a", "c"], {"labels": ["a", "b"]}, "'c' is not among the labels"),
    ([[1, 0], [0, 0.5]], [[1, 0], [0, 1]], {}, "ground truth has no scores"),
    ([[1], [1, 0]], [1, 0], {}, "rows of different lengths"),
]


@pytest.mark.parametrize(("truth", "predictions", "options", "message"), WRONG)
def test_arrays_that_mean_nothing_are_refused(
    truth: Any, predictions: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        velour.Dataset.from_arrays("d", truth, predictions, **options)
