"""Names, notes and tags: what is written into an MLflow run as text."""

from __future__ import annotations

import json

import pytest
from velour_integrations.mlflow.runs import names, note
from velour_integrations.mlflow.runs.tables import tag_of_tables

import velour_plugin as velour
from tests.pictures import harbour, predicted
from velour_plugin.domain.evaluation import EvaluatedRun
from velour_plugin.report.findings import find

OURS = "<!-- velour -->\nmAP 0.5\n<!-- /velour -->"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, OURS),
        ("", OURS),
        ("Mine.\n", f"Mine.\n\n{OURS}"),
        (f"Mine.\n\n{OURS.replace('0.5', '0.1')}\n\nAnd mine.", f"Mine.\n\n{OURS}\n\nAnd mine."),
        (OURS, OURS),
    ],
)
def test_our_part_of_a_note_is_put_in_or_replaced(before: str | None, after: str) -> None:
    assert note.with_ours(before, "mAP 0.5") == after


def test_a_note_that_has_no_room_is_left_alone() -> None:
    """MLflow would cut it off."""
    assert note.with_ours("x" * 7_900, "mAP 0.5") is None


def test_names_in_a_note_are_no_markdown() -> None:
    dataset = predicted(harbour(), "small").with_predictions([], model="a_b_*c* [x](y)")
    findings = find(velour.evaluate(dataset, "object-detection", save=False), dataset)
    text = note.run_note(findings, EvaluatedRun("r", "name", "7"), ["velour_report.html"], "#/view")
    assert r"a\_b\_\*c\* \[x\](y) on harbour" in text
    assert "(#/experiments/7/runs/r/artifacts/velour_report.html?workflowType" in text
    assert "[all runs compared](#/view)" in text


def test_parts_of_names_make_no_sections_and_lead_nowhere() -> None:
    values = ["fire", "car/truck", "..", " ", "mAP@[.5]", "Straße", "fire"]
    assert names.below("AP_by_class", values) == [
        "AP_by_class/fire",
        "AP_by_class/car_truck",
        "AP_by_class/_",
        "AP_by_class/_ 2",
        "AP_by_class/mAP__.5_",
        "AP_by_class/Straße",
        "AP_by_class/fire 2",
    ]


def test_names_that_are_cut_off_stay_different() -> None:
    cut = names.below("AP_by_class", ["x" * 400 + "1", "x" * 400 + "2"])
    assert len(set(cut)) == 2
    assert all(len(name) <= 250 for name in cut)


def test_the_tag_of_tables_keeps_what_others_logged() -> None:
    known = json.dumps([{"path": "mine.json", "type": "table"}, {"path": "a", "type": "table"}])
    values = json.loads(tag_of_tables(known, ("a", "b"), ["b"]))
    assert [one["path"] for one in values] == ["mine.json", "b"]
    assert json.loads(tag_of_tables(None, ("a",), [])) == []
