"""Label images in cells of frames and answers of models, and keys that nobody knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from velour_integrations.mlflow.datasets.boxes import boxes_table
from velour_integrations.mlflow.datasets.cell_rules import CellRules
from velour_integrations.mlflow.datasets.cells import annotations_of, table_of

from tests.label_pngs import write_png
from velour_plugin.domain.columns.label_images import LabelImageRows
from velour_plugin.domain.encoding.content import datum_bytes
from velour_plugin.errors import BadDataset

SEMANTIC = CellRules("semantic-segmentation")
STREET = CellRules.of({"task": "semantic-segmentation", "labels": ["road", "car", "sky"]})
IMAGE = np.array([[0, 1, 2, 2]])


def table(cell: Any, rules: CellRules = STREET) -> Any:
    return table_of([cell], ["7"], np.array([0]), "prediction", rules=rules)


def test_arrays_volumes_lists_and_files_are_one_cell(tmp_path):
    rows = LabelImageRows(STREET.names)
    rows.add(0, IMAGE)
    (expected,) = datum_bytes(rows.table(), 1)
    path = write_png(tmp_path / "a.png", IMAGE)
    for cell in (IMAGE, IMAGE.tolist(), np.eye(3)[IMAGE], path, str(path)):
        assert list(datum_bytes(table(cell), 1)) == [expected]


@pytest.mark.parametrize("cell", [IMAGE, IMAGE.tolist(), np.eye(3)[IMAGE], "masks/a.png"])
def test_label_images_need_names(cell):
    with pytest.raises(BadDataset, match="this is a label image, and its numbers have no names: "):
        table(cell, SEMANTIC)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([{"label": "car", "segmentation": None}], "prediction of datum '7': label image of shape"),
        (np.array([[0, 9]]), "label image holds 9 in 1 pixels, and 9 has no name"),
        ("none.png", "'none.png' cannot be read"),
        (np.ones((2, 5, 5)), "no end has the 3 classes"),
    ],
)
def test_where_names_are_given_all_cells_are_label_images(cell, message):
    with pytest.raises(BadDataset, match=message):
        table(cell)


def test_a_cell_of_a_frame_is_named_by_its_row():
    with pytest.raises(BadDataset, match=r"^row 0, ground truth of datum 'a': label image holds 9"):
        table_of(
            [np.array([[9]])], ["a"], np.array([0]), "ground truth", numbered=True, rules=STREET
        )


UNKNOWN: list[tuple[Any, str]] = [
    (
        [{"labl": "car", "bbox": [0, 0, 1, 1]}],
        "unknown key of an object 'labl': did you mean 'label'",
    ),
    ([{"label": "car", "bbox": [0, 0, 1, 1], "scor": 0.5}], "'scor': did you mean 'score'"),
    (
        {"boxs": np.ones((1, 4)), "labels": ["a"]},
        "unknown key of arrays 'boxs': did you mean 'boxes'",
    ),
    ({"boxes": np.ones((0, 4)), "labels": [], "sores": []}, "'sores': did you mean 'scores'"),
    (
        {"bbox": [[0, 0, 1, 1]], "catgory": ["a"]},
        "unknown key of objects 'catgory': did you mean 'cat",
    ),
]


@pytest.mark.parametrize(("cell", "message"), UNKNOWN)
def test_a_key_that_nobody_looks_at_is_refused(cell, message):
    """By the quick reader of boxes as well, which leaves the words to the slow one."""
    assert boxes_table([cell], np.array([0])) is None
    with pytest.raises(BadDataset, match=message):
        annotations_of(cell, "7", "prediction")


def test_keys_without_a_meaning_are_let_be():
    cell = [{"label": "car", "bbox": [0, 0, 1, 1], "id": 3, "image_id": 7, "category_id": 1}]
    assert len(table(cell, CellRules())) == 1


@pytest.mark.parametrize("cell", [None, [7], [{"label": "car", "mask": 1}], {"bxes": [[1]]}])
def test_a_task_is_refused_in_its_own_words(cell):
    """No boxes where pixels are meant."""
    with pytest.raises(BadDataset) as refusal:
        annotations_of(cell, "7", "prediction", SEMANTIC)
    assert "'segmentation'" in str(refusal.value)
    assert "box" not in str(refusal.value).replace("bxes", "")


def test_a_classifier_is_refused_in_its_own_words():
    with pytest.raises(BadDataset, match="Expected a class, or a mapping of classes to scores"):
        annotations_of(None, "7", "prediction", CellRules("image-classification"))
