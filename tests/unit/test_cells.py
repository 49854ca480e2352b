"""What people put into a cell of a frame, or return from a model, becomes annotations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from velour_integrations.mlflow.cells import annotations_of

import velour_plugin as velour
from velour_plugin.errors import BadDataset

MASK = np.eye(4, dtype=bool)
SQUARE, TRIANGLE = [0, 0, 4, 0, 4, 4, 0, 4], [6, 6, 9, 6, 9, 9]
FIRE, SURE = velour.Label("class", "fire"), velour.Label("class", "fire", 0.9)
BOX = velour.BoundingBox(1, 2, 4, 6)


def read(cell: Any) -> list[velour.Annotation]:
    return annotations_of(cell, "7", "prediction")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ([], []),
        ((), []),
        (np.array([]), []),
        ([velour.Annotation([FIRE], BOX)], [velour.Annotation([FIRE], BOX)]),
        ([{"label": "fire", "bbox": [1, 2, 3, 4]}], [velour.Annotation([FIRE], BOX)]),
        ([{"category": "fire", "bbox": (1, 2, 3, 4)}], [velour.Annotation([FIRE], BOX)]),
        ([{"label": "fire", "bbox": np.array([1, 2, 3, 4]), "score": 0.9}],
         [velour.Annotation([SURE], BOX)]),
        (np.array([{"label": "fire", "bbox": [1, 2, 3, 4]}]), [velour.Annotation([FIRE], BOX)]),
        ([{"label": "fire", "bbox": [1, 2, 3, 4], "iscrowd": 1, "area": 5}],
         [velour.Annotation([FIRE], BOX, is_crowd=True, area=5)]),
        ([{"label": "fire", "segmentation": [SQUARE]}],
         [velour.Annotation([FIRE], polygon=velour.Polygon(np.reshape(SQUARE, (-1, 2))))]),
        ([{"label": "fire", "segmentation": [SQUARE, TRIANGLE], "bbox": None}],
         [velour.Annotation([FIRE], multipolygon=velour.MultiPolygon(
             [np.reshape(SQUARE, (-1, 2)), np.reshape(TRIANGLE, (-1, 2))]))]),
        ([{"label": "fire", "segmentation": velour.Raster(MASK).to_rle()}],
         [velour.Annotation([FIRE], raster=velour.Raster(MASK))]),
        ([{"label": "fire", "segmentation": MASK}],
         [velour.Annotation([FIRE], raster=velour.Raster(MASK))]),
        ([{"label": "fire", "segmentation": [], "bbox": [1, 2, 3, 4]}],
         [velour.Annotation([FIRE], BOX)]),
        ([{"label": "fire"}], [velour.Annotation([FIRE])]),
        ([{"label": 7}], [velour.Annotation([velour.Label("class", "7")])]),
        ("fire", [velour.Annotation([FIRE])]),
        (7, [velour.Annotation([velour.Label("class", "7")])]),
        (np.int64(7), [velour.Annotation([velour.Label("class", "7")])]),
        (True, [velour.Annotation([velour.Label("class", "True")])]),
        ({"fire": 0.9, "smoke": 0.1},
         [velour.Annotation([SURE, velour.Label("class", "smoke", 0.1)])]),
    ],
)  # fmt: skip
def test_a_cell_is_understood(cell: Any, expected: list[velour.Annotation]) -> None:
    assert read(cell) == expected


class Tensor:
    """What torch gives: numpy can read it, and it is no numpy array."""

    def __init__(self, values: Any, kind: type = float) -> None:
        self.values = np.array(values, kind)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        return self.values

    def __iter__(self) -> Any:
        return (Tensor(value, type(value)) for value in self.values)

    def item(self) -> Any:
        """The only number."""
        return self.values.item()


@pytest.mark.parametrize("kind", [list, np.array, Tensor])
def test_arrays_are_understood_as_torchvision_gives_them(kind: Any) -> None:
    """Boxes have corners here, not sizes."""
    cell = {"boxes": kind([[1, 2, 4, 6], [0, 0, 1, 1]]), "scores": kind([0.5, 0.25])}
    labels = Tensor([3, 4], int) if kind is Tensor else kind([3, 4])
    first, second = read({**cell, "labels": labels})
    assert first == velour.Annotation([velour.Label("class", "3", 0.5)], BOX)
    assert second.labels == (velour.Label("class", "4", 0.25),)


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 1, 4, 4)])
def test_masks_are_understood_as_torchvision_gives_them(shape: tuple[int, ...]) -> None:
    """Half sure is not in the mask."""
    masks = np.where(MASK, 0.51, 0.5).reshape(shape)
    (only,) = read({"masks": masks, "labels": ["fire"]})
    assert only == velour.Annotation([FIRE], raster=velour.Raster(MASK))


def test_a_mask_of_one_row_stays_a_mask() -> None:
    (only,) = read({"masks": np.ones((1, 1, 1, 4)), "labels": ["fire"]})
    assert only.raster == velour.Raster(np.ones((1, 4)))


def test_arrays_without_rows_are_nothing() -> None:
    assert read({"boxes": np.empty((0, 4)), "labels": [], "scores": []}) == []


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (None, "None is a NoneType; say [] where there is nothing"),
        (float("nan"), "nan is a float; say [] where there is nothing"),
        (1.5, "1.5 is a float"),
        ([7], "7 is a int, not a mapping"),
        ([None], "None is a NoneType, not a mapping"),
        ([{"bbox": [1, 2, 3, 4]}], "lacks 'label'"),
        ([{"label": "", "bbox": [1, 2, 3, 4]}], "label value ''"),
        ([{"label": "fire", "bbox": [1, 2, 3]}], "bbox [1, 2, 3]"),
        ([{"label": "fire", "bbox": 7}], "bbox 7"),
        ([{"label": "fire", "bbox": [1, 2, -3, 4]}], "width -3"),
        ([{"label": "fire", "bbox": [1, 2, float("nan"), 4]}], "nan"),
        ([{"label": "fire", "bbox": [1, 2, "wide", 4]}], "width 'wide'"),
        ([{"label": "fire", "bbox": [1, 2, 3, 4], "score": 2}], "score 2"),
        ([{"label": "fire", "segmentation": [[1, 1, 2, 2]]}], "at least three"),
        ([{"label": "fire", "segmentation": {"size": [2, 2], "counts": [1]}}], "fill 4 pixels"),
        ([{"label": "fire", "segmentation": 7}], "segmentation 7"),
        ({"boxes": [[1, 2, 4, 6]], "labels": []}, "different lengths [0, 1]"),
        ({"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "scores": []}, "different lengths [0, 1]"),
        ({"boxes": [[1, 2, 4, 6]]}, "lacks 'labels'"),
        ({"boxes": [[1, 2, 4]], "labels": ["fire"]}, "boxes of shape (1, 3)"),
        ({"boxes": [1, 2, 4, 6], "labels": list("abcd")}, "boxes of shape (4,)"),
        ({"boxes": [[4, 2, 1, 6]], "labels": ["fire"]}, "turned over"),
        ({"masks": np.ones((1, 4)), "labels": ["fire"]}, "masks of shape (1, 4)"),
        ({}, "at least one"),
        ({"fire": 2.0}, "score 2.0"),
        ({"fire": "high"}, "score 'high'"),
    ],
)
def test_a_cell_that_is_not_understood_names_its_datum(cell: Any, said: str) -> None:
    with pytest.raises(BadDataset) as refusal:
        read(cell)
    assert str(refusal.value).startswith("prediction of datum '7': ")
    assert said in str(refusal.value)
    assert "Expected a list of velour.Annotation" in str(refusal.value)
