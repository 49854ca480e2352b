"""What people put into a cell of a frame, or return from a model, becomes annotations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from velour_integrations.mlflow.datasets.boxes import boxes_table
from velour_integrations.mlflow.datasets.cells import annotations_of, table_of

import velour_plugin as velour
from velour_plugin.domain.encoding.content import datum_bytes
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
        ('[{"label": "fire", "bbox": [1, 2, 3, 4]}]', [velour.Annotation([FIRE], BOX)]),
        ('{"boxes": [[1, 2, 4, 6]], "labels": ["fire"]}', [velour.Annotation([FIRE], BOX)]),
        ("[]", []),
        ({"bbox": [[1, 2, 3, 4]], "category": [7], "score": [0.9], "id": [42]},
         [velour.Annotation([velour.Label("class", "7", 0.9)], BOX)]),
        ({"bbox": [[1, 2, 3, 4]], "category": [7], "area": [5], "iscrowd": [1], "bbox_id": [0]},
         [velour.Annotation([velour.Label("class", "7")], BOX, is_crowd=True, area=5)]),
        ({"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "area": [5.5], "iscrowd": [1]},
         [velour.Annotation([FIRE], BOX, is_crowd=True, area=5.5)]),
        ({"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "masks": MASK[None], "iscrowd": [0]},
         [velour.Annotation([FIRE], BOX, raster=velour.Raster(MASK))]),
        ({"bbox": [], "category": []}, []),
        (7.0, [velour.Annotation([velour.Label("class", "7")])]),
        (7, [velour.Annotation([velour.Label("class", "7")])]),
        (np.int64(7), [velour.Annotation([velour.Label("class", "7")])]),
        (True, [velour.Annotation([velour.Label("class", "1")])]),
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
    ("cell", "message"),
    [
        (None, "None is a NoneType; say [] where there is nothing"),
        (float("nan"), "nan is a float; say [] where there is nothing"),
        (1.5, "1.5 is a float"),
        ('[{"label": "fire", bbox}]', "Expecting property name"),
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
        ({"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "iscrowd": [0, 1]}, "iscrowd of different"),
        ({"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "area": [-1]}, "area -1"),
        ({"boxes": [[1, 2, 4, 6]]}, "lacks 'labels'"),
        ({"boxes": [[1, 2, 4]], "labels": ["fire"]}, "boxes of shape (1, 3)"),
        ({"boxes": [1, 2, 4, 6], "labels": list("abcd")}, "boxes of shape (4,)"),
        ({"boxes": [[4, 2, 1, 6]], "labels": ["fire"]}, "turned over"),
        ({"masks": np.ones((1, 4)), "labels": ["fire"]}, "masks of shape (1, 4)"),
        ({"bbox": [[1, 2, 3]], "category": [7]}, "bbox [1, 2, 3]"),
        ({"bbox": [[1, 2, 3, 4]], "category": []}, "label, bbox of different lengths [0, 1]"),
        ({"bbox": [[1, 2, 3, 4]]}, "lacks 'category'"),
        ({}, "at least one"),
        ({"fire": 2.0}, "score 2.0"),
        ({"fire": "high"}, "score 'high'"),
    ],
)
def test_a_cell_that_is_not_understood_names_its_datum(cell: Any, message: str) -> None:
    with pytest.raises(BadDataset) as refusal:
        read(cell)
    assert str(refusal.value).startswith("prediction of datum '7': ")
    assert message in str(refusal.value)
    assert "Expected a list of velour.Annotation" in str(refusal.value)


# Many cells at once

CORNERS = np.array([[1, 2, 4, 6], [0.1, 0.2, 0.4, 7]], np.float32)
BOXES: list[Any] = [
    [{"label": "fire", "bbox": [1, 2, 3, 4], "score": 0.9},
     {"category": 7, "bbox": np.array([0.1, 0.2, 0.7, 1]), "score": 1}],
    [],
    [{"label": "b", "bbox": (1, 2, 3, 0), "iscrowd": 1, "area": 5.5, "segmentation": None}],
    {"boxes": CORNERS, "labels": np.array([3, 4]), "scores": np.array([0.1, 0.2], np.float32)},
    {"boxes": CORNERS.tolist(), "labels": ["fire", "a"]},
    {"boxes": CORNERS, "labels": ["a", "a"], "area": np.array([3, 4.5]), "iscrowd": [1, 0],
     "image_id": np.array([7])},
    {"boxes": np.empty((0, 4)), "labels": [], "scores": []},
    {"boxes": [], "labels": []},
]  # fmt: skip
UIDS, PLACES = list("abcdefgh"), np.array([6, 2, 0, 1, 3, 5, 7, 4])


def test_cells_of_boxes_become_columns_just_as_by_objects() -> None:
    """Two ways to one answer: a mapping of a class to its score is read by the slow one only."""
    quick = boxes_table(BOXES, PLACES, [("class", "z")])
    slow = table_of([*BOXES, {"x": 0.5}], [*UIDS, "i"], np.array([*PLACES, 8]), "prediction")
    assert quick is not None
    assert list(datum_bytes(quick, 8)) == list(datum_bytes(slow, 9))[:8]
    assert quick.labels == (("class", "z"), *slow.labels[:-1])


@pytest.mark.parametrize(
    "cell",
    [
        None,
        "fire",
        [None],
        [velour.Annotation([FIRE], BOX)],
        [{"label": "fire"}],
        [{"label": "", "bbox": [1, 2, 3, 4]}],
        [{"bbox": [1, 2, 3, 4]}],
        [{"label": "fire", "bbox": [1, 2, 3]}],
        [{"label": "fire", "bbox": [1, 2, 3, "4"]}],
        [{"label": "fire", "bbox": [1, 2, 3, None]}],
        [{"label": "fire", "bbox": [1, 2, 3, -4]}],
        [{"label": "fire", "bbox": [1, 2, 3, float("nan")]}],
        [{"label": "fire", "bbox": [1, 2, 3, 4], "score": float("nan")}],
        [{"label": "fire", "bbox": [1, 2, 3, 4], "score": 1.5}],
        [{"label": "fire", "bbox": [1, 2, 3, 4], "score": "0.5"}],
        [{"label": "fire", "bbox": [1, 2, 3, 4], "area": -1}],
        [{"label": "fire", "bbox": [1, 2, 3, 4], "segmentation": [SQUARE]}],
        {"boxes": [[4, 2, 1, 6]], "labels": ["fire"]},
        {"boxes": [[1, 2, 4, 6]], "labels": []},
        {"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "scores": []},
        {"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "scores": [2]},
        {"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "masks": np.ones((1, 4, 4))},
        {"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "area": [-1]},
        {"boxes": [[1, 2, 4, 6]], "labels": ["fire"], "iscrowd": [0, 1]},
        {"fire": 0.9},
    ],
)
def test_anything_but_boxes_is_left_to_those_who_know(cell: Any) -> None:
    assert boxes_table([BOXES[0], cell], PLACES[:2]) is None


def test_a_cell_among_many_is_named_by_its_datum_and_row() -> None:
    cells = [BOXES[0], [{"label": "fire", "bbox": [1, 2, 3]}]]
    with pytest.raises(BadDataset, match=r"^prediction of datum 'b': bbox \[1, 2, 3\]"):
        table_of(cells, UIDS[:2], PLACES[:2], "prediction")
    with pytest.raises(BadDataset, match=r"^row 1, ground truth of datum 'b': bbox"):
        table_of(cells, UIDS[:2], PLACES[:2], "ground truth", numbered=True)
