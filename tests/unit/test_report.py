"""A report is one page that needs nothing else, and data in it are text."""

from __future__ import annotations

import base64
import json
import re
import zlib
from importlib.resources import files
from pathlib import Path

import velour_plugin as velour
from tests.pictures import harbour, predicted
from tests.scenes import TEN_BY_TEN, annotation, scene
from velour_plugin.report.drawing import drawn
from velour_plugin.report.findings import Findings, find
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
    assert list(slice_rows(findings)[0]) == ["slice", "mAP", "datums", "difference"]
    worst = worst_rows(findings)[0]
    assert list(worst)[:4] == ["datum", "cost", "errors", "score"]
    assert worst["time_of_day"] in {"day", "night"}
