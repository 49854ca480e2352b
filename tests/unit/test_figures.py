"""Figures are plotly's, and show the evaluation's numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

import velour_plugin as velour
from tests.classification_data import dataset_of_arrays
from tests.label_maps import dataset as drawn_dataset
from tests.pictures import harbour, predicted
from tests.scenes import TEN_BY_TEN, annotation, scene
from velour_plugin.errors import NotFound, UnknownName
from velour_plugin.report.figures import FIGURES, figure, figures, precision_curves, roc_curves
from velour_plugin.report.figures.style import BARS, CELLS, LINES, POINTS
from velour_plugin.report.findings import Findings, find


def detection() -> Findings:
    dataset = predicted(harbour(), "small")
    return find(velour.evaluate(dataset, "object-detection", save=False), dataset)


def classification(labels: int = 3, datums: int = 200) -> Findings:
    rng = np.random.default_rng(labels)
    truth, scores = rng.integers(0, labels, datums), rng.dirichlet(np.ones(labels), datums)
    scores[np.arange(datums), truth] += 0.4
    dataset = dataset_of_arrays(truth, scores / scores.sum(axis=1, keepdims=True))
    return find(velour.evaluate(dataset, "image-classification", save=False), dataset)


def segmentation() -> Findings:
    dataset = drawn_dataset({"a": ("rrrc rr..", "rrcc r..r"), "b": ("rc", "cr")})
    return find(velour.evaluate(dataset, "semantic-segmentation", save=False), dataset)


@pytest.mark.parametrize(
    ("findings", "names"),
    [
        (detection(), set(FIGURES) - {"roc"}),
        (
            classification(),
            {"precision_recall", "roc", "confusion", "labels", "reliability", "scores"},
        ),
        (segmentation(), {"confusion", "labels"}),
    ],
    ids=["detection", "classification", "segmentation"],
)
def test_every_figure_is_one_that_plotly_takes(findings: Findings, names: set[str]) -> None:
    drawn = figures(findings)
    assert set(drawn) == names
    for name, spec in drawn.items():
        assert json.loads(json.dumps(spec, allow_nan=False)) == spec
        assert isinstance(figure(findings, name), go.Figure)


def test_a_figure_that_does_not_exist_or_is_empty_is_refused() -> None:
    with pytest.raises(UnknownName, match="precision_recall"):
        figure(detection(), "precision_recal")
    with pytest.raises(NotFound, match="nothing to show"):
        figure(detection(), "roc")


def test_the_mean_of_a_precision_curve_is_the_average_precision() -> None:
    findings = detection()
    for label in findings.labels:
        mean = precision_curves(findings)[label.name].mean()
        assert mean == pytest.approx(label.values["AP_50"])


def test_a_precision_curve_never_rises_and_ends_where_recall_does() -> None:
    """Two of four objects are found: beyond a recall of 0.5 there is no precision."""
    truth, hit = annotation(TEN_BY_TEN), annotation(TEN_BY_TEN, score=0.9)
    dataset = scene(*[([truth], [hit])] * 2, *[([truth], [])] * 2)
    findings = find(velour.evaluate(dataset, "object-detection", save=False), dataset)
    (curve,) = precision_curves(findings).values()
    assert curve[:51].tolist() == [1.0] * 51
    assert curve[51:].tolist() == [0.0] * 50


def test_the_area_under_a_roc_curve_is_the_roc_auc() -> None:
    findings = classification(datums=2_000)
    for label in findings.labels:
        curve = roc_curves(findings)[label.name]
        area = (curve[1:] + curve[:-1]).mean() / 2
        assert area == pytest.approx(label.values["roc_auc"], abs=0.01)


def test_the_confusion_shows_shares_of_rows_and_says_counts() -> None:
    spec = figures(segmentation())["confusion"]
    heat = spec["data"][0]
    assert heat["y"] == heat["x"] == ["c", "r", "background"]
    assert heat["customdata"][1] == [2, 3, 1]  # of 6 road pixels 3 are right
    assert heat["z"][1] == [0.3333, 0.5, 0.1667]


def test_accuracies_have_bars_within_which_all_of_them_lie_together() -> None:
    findings = classification()
    accuracy = figures(findings)["reliability"]["data"][-1]
    bands = findings.overall("reliability_bands")
    assert bands is not None
    lows = [low for low in bands.value["low"] if low is not None]
    arms = accuracy["error_y"]["arrayminus"]
    assert np.subtract(accuracy["y"], arms) == pytest.approx(lows, abs=2e-4)
    assert accuracy["name"] == "accuracy; its bars hold together with 95%"


def test_the_confusion_of_sets_of_labels_shows_shares_of_datums() -> None:
    truth = np.array([[True, True, False], [True, False, False]])
    dataset = dataset_of_arrays(truth, np.array([[0.9, 0.8, 0.7], [0.9, 0.1, 0.1]]))
    parameters = {"multi_label": True}
    evaluation = velour.evaluate(dataset, "image-classification", parameters=parameters, save=False)
    heat = figures(find(evaluation, dataset))["confusion"]["data"][0]
    assert heat["y"] == ["000", "001", "002"]
    assert heat["x"][-1] == "missing"
    assert heat["customdata"][:2] == [[1.7, 0.0, 0.3, 0.0], [0.0, 0.7, 0.3, 0.0]]


def test_scores_of_right_and_wrong_predictions_add_up() -> None:
    findings = classification()
    right, wrong = figures(findings)["scores"]["data"]
    assert sum(right["y"]) == round(200 * findings.evaluation["accuracy"])
    assert sum(right["y"]) + sum(wrong["y"]) == 200


def test_figures_of_very_much_data_stay_small() -> None:
    """Sixty labels and thousands of places: a figure is looked at, not computed with."""
    findings = classification(60, 3_000)
    drawn = figures(findings)
    assert len(drawn["precision_recall"]["data"]) == LINES
    assert len(drawn["labels"]["data"][0]["y"]) == BARS
    assert len(drawn["confusion"]["data"][0]["z"]) == CELLS
    assert "of 60" in drawn["confusion"]["layout"]["title"]["text"]
    assert sum(len(json.dumps(spec)) for spec in drawn.values()) < 200_000


def test_a_map_shows_some_of_many_places_and_whatever_has_no_score() -> None:
    datums = [velour.Datum(str(at), location=(40 + at / 1e3, 8.0)) for at in range(POINTS + 500)]
    truths = [velour.GroundTruth(datum, []) for datum in datums]
    dataset = velour.Dataset.from_groundtruths(truths, "many").with_predictions([], "model")
    spec = figures(find(velour.evaluate(dataset, "object-detection", save=False), dataset))["map"]
    dots: dict[str, Any] = spec["data"][-1]
    assert len(dots["x"]) == POINTS
    assert set(dots["marker"]["color"]) == {None}
    assert (dots["y"][0], dots["y"][-1]) == (40.0, 42.499)


def test_labels_of_one_name_stay_apart_on_an_axis() -> None:
    """Bars of one name would lie on one another."""
    long = "x" * 60
    boxes = [annotation(TEN_BY_TEN, f"{long}{at}") for at in (1, 2)]
    dataset = scene((boxes, []))
    spec = figures(find(velour.evaluate(dataset, "object-detection", save=False), dataset))[
        "labels"
    ]
    names = spec["data"][0]["y"]
    assert len(set(names)) == 2
    assert all(len(name) <= 45 for name in names)
