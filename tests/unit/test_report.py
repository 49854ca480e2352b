"""A report is one page that needs nothing else, and data in it are text."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import replace
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import velour_plugin as velour
from tests.classification_data import dataset_of
from tests.label_maps import dataset as drawn_dataset
from tests.pictures import MODELS, harbour, predicted
from tests.scenes import ELSEWHERE, TEN_BY_TEN, annotation, scene
from velour_plugin.report import other_models
from velour_plugin.report.cell_examples import EXAMPLES, SIDE, example_uids, examples_content
from velour_plugin.report.drawing import Drawn, drawn
from velour_plugin.report.figures.confusion_matrix import confusion_matrix
from velour_plugin.report.findings import Findings, find
from velour_plugin.report.other_models import leaderboard_beside
from velour_plugin.report.page import report
from velour_plugin.report.rows import label_rows, slice_rows, worst_rows

EVIL = "</script><script>alert(1)</script>"


def findings_of(dataset: velour.Dataset) -> Findings:
    return find(velour.evaluate(dataset, "object-detection", save=False), dataset)


def test_plotly_lies_in_the_page_packed() -> None:
    page = report(findings_of(predicted(harbour(), "small")))
    packed = re.search(r'id="plotly">([^<]+)<', page)
    assert packed is not None
    source = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    assert zlib.decompress(base64.b64decode(packed.group(1))) == source
    assert len(page) < 3_000_000
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)


def test_what_data_say_is_no_markup() -> None:
    boxes = [annotation(TEN_BY_TEN, EVIL), annotation(TEN_BY_TEN, "fire")]
    dataset = scene((boxes, []), place=EVIL)
    page = report(findings_of(dataset.with_predictions([], model=EVIL)))
    assert EVIL not in page
    assert "&lt;/script&gt;" in page
    specs = re.search(r'id="specs">(.*?)</script>', page, re.DOTALL)
    assert specs is not None
    assert EVIL in json.loads(specs.group(1))["labels"]["data"][0]["y"]


def test_an_evaluation_with_nothing_to_show_is_a_page_too() -> None:
    page = report(findings_of(scene(([], []))))
    assert "mAP" in page
    assert 'id="plotly"' not in page


def test_images_are_in_the_page(tmp_path: Path) -> None:
    dataset = predicted(harbour(tmp_path, 4), "small")
    findings = findings_of(dataset)
    worst = [findings.datums[index].uid for index in findings.worst]
    page = report(findings, list(drawn(dataset, worst[:2], tmp_path)))
    assert page.count('src="data:image/jpeg;base64,') == min(2, len(worst))


def test_rows_name_first_and_compare_second() -> None:
    """MLflow groups a table by its first column and compares by the second."""
    findings = findings_of(predicted(harbour(), "small"))
    assert list(label_rows(findings)[0])[:3] == ["label", "AP_50", "datums"]
    assert list(slice_rows(findings)[0]) == ["slice", "mAP", "interval", "datums", "difference"]
    worst = worst_rows(findings)[0]
    assert list(worst)[:4] == ["datum", "cost", "errors", "score"]
    assert worst["time_of_day"] in {"day", "night"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    """All models on the harbour; one also with other predictions before, and other parameters."""
    url, dataset = f"sqlite:///{tmp_path / 'velour.db'}", harbour()
    before = predicted(dataset, "large").with_model("small")
    velour.evaluate(before, "object-detection", store=url)
    velour.evaluate(
        before.with_model("strict"),
        "object-detection",
        parameters={"iou_thresholds": [0.9]},
        store=url,
    )
    for model in MODELS:
        velour.evaluate(predicted(dataset, model), "object-detection", store=url)
    return url


def test_the_newest_evaluation_of_every_comparable_model_is_beside_this_one(store: str) -> None:
    evaluation = velour.evaluate(predicted(harbour(), "small"), "object-detection", store=store)
    with velour.open_store(store) as opened:
        leaderboard = leaderboard_beside(evaluation, opened)
    assert leaderboard is not None
    ids = [row.evaluation_id for row in leaderboard.rows]
    assert evaluation.id in ids
    assert [row.model for row in leaderboard.rows] == ["large", "night-tuned", "small"]
    ranked = velour.rank("mAP", "harbour", runs=ids, store=store)
    assert leaderboard.rows == ranked.rows
    assert all(row.interval for row in leaderboard.rows)
    findings = replace(find(evaluation, predicted(harbour(), "small")), leaderboard=leaderboard)
    page = report(findings)
    section = page[page.index('<section id="leaderboard"') : page.index('<section id="figures"')]
    assert section.count("<tr>") == 4
    assert section.count("this run") == 1
    assert [
        section.index(f"<td>{name}</td>") for name in ("large", "night-tuned", "small")
    ] == sorted(section.index(f"<td>{name}</td>") for name in MODELS)


def test_a_leaderboard_that_takes_long_to_resample_has_no_intervals(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And shows the best models and this one only."""
    monkeypatch.setattr(other_models, "ROWS", 1)
    monkeypatch.setattr(other_models, "MODELS", 1)
    evaluation = velour.evaluate(predicted(harbour(), "small"), "object-detection", store=store)
    with velour.open_store(store) as opened:
        leaderboard = leaderboard_beside(evaluation, opened)
    assert leaderboard is not None
    assert [row.model for row in leaderboard.rows] == ["large", "small"]
    assert [row.interval for row in leaderboard.rows] == [None, None]


def test_without_another_comparable_model_there_is_no_leaderboard(store: str) -> None:
    strict = predicted(harbour(), "large").with_model("strict")
    parameters = {"iou_thresholds": [0.9]}
    alone = velour.evaluate(strict, "object-detection", parameters=parameters, store=store)
    unsaved = velour.evaluate(strict, "object-detection", save=False)
    with velour.open_store(store) as opened:
        assert leaderboard_beside(alone, opened) is None
        assert leaderboard_beside(unsaved, opened) is None
    assert 'id="leaderboard"' not in report(find(alone, strict))


def test_the_cells_of_a_detection_matrix_name_the_datums_of_their_errors() -> None:
    """A truck is predicted where a boat is; a boat is missed; a boat is where nothing is."""
    boat, other = annotation(TEN_BY_TEN, "boat"), annotation(ELSEWHERE, "truck")
    dataset = scene(
        ([boat, other], [annotation(TEN_BY_TEN, "truck", 0.9)]),
        ([boat], []),
        ([], [annotation(TEN_BY_TEN, "boat", 0.9)]),
    )
    matrix = confusion_matrix(findings_of(dataset))
    assert matrix is not None
    first, second, third = dataset.uids
    assert (matrix.rows, matrix.columns) == (
        ["boat", "truck", "background"],
        ["boat", "truck", "missed"],
    )
    assert matrix.examples == {
        (0, 1): [first],
        (0, 2): [second],
        (1, 2): [first],
        (2, 0): [third],
    }
    assert all(matrix.counts[cell] == 1 for cell in matrix.examples)


def test_the_cells_of_other_tasks_name_their_datums_too() -> None:
    truths = {"a": "cat", "b": "cat", "c": "dog"}
    scores = {"a": {"cat": 0.4, "dog": 0.6}, "b": {"cat": 0.9, "dog": 0.1}, "c": {"cat": 1.0}}
    dataset = dataset_of(truths, scores)
    evaluation = velour.evaluate(dataset, "image-classification", save=False)
    matrix = confusion_matrix(find(evaluation, dataset))
    assert matrix is not None
    assert matrix.examples == {(0, 1): ["a"], (1, 0): ["c"]}
    pixels = drawn_dataset({"a": ("rrrc", "rrrr"), "b": ("rc", "cr")})
    found = find(velour.evaluate(pixels, "semantic-segmentation", save=False), pixels)
    matrix = confusion_matrix(found)
    assert matrix is not None
    for (row, column), uids in matrix.examples.items():
        assert row != column
        assert matrix.counts[row, column] > 0
        assert set(uids) <= {"a", "b"}
    assert {uid for uids in matrix.examples.values() for uid in uids} == {"a", "b"}


def test_images_behind_cells_are_small_and_few(tmp_path: Path) -> None:
    dataset = predicted(harbour(tmp_path), "small")
    findings = findings_of(dataset)
    uids = example_uids(findings)
    matrix = confusion_matrix(findings)
    assert matrix is not None
    assert len(uids) == len(set(uids)) <= EXAMPLES
    assert {cell_uids[0] for cell_uids in matrix.examples.values()} <= set(uids)
    content = examples_content(findings, list(drawn(dataset, dataset.uids, tmp_path)))
    assert content is not None
    assert sorted(uid for uid, _ in content["images"]) == sorted(uids)
    for _, url in content["images"]:
        image = Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))
        assert max(image.size) == SIDE


def test_a_page_stays_below_its_bound() -> None:
    """Images of noise are as large as images get."""
    dataset = predicted(harbour(images=150), "small")
    findings = findings_of(dataset)
    noise = np.random.default_rng(0).integers(0, 256, (640, 640, 3)).astype(np.uint8)
    images = [Drawn(uid, Image.fromarray(noise)) for uid in dataset.uids]
    assert len(example_uids(findings)) > 30
    assert 5_000_000 < len(report(findings, images)) < 15_000_000


def test_long_names_are_shown_whole() -> None:
    dataset = scene(([annotation(TEN_BY_TEN, "x" * 1_000)], []))
    assert "x" * 1_000 in report(findings_of(dataset))
