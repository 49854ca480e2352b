"""What an evaluation is to read: a mapping of its headline metrics, and every metric by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import velour_plugin as velour
from tests.fires import fires
from velour_plugin.domain.evaluation import Metric
from velour_plugin.errors import BadAnnotation, UnknownName

EVALUATION = velour.evaluate(fires(["2", "10"]), "object-detection", save=False)
"""Two of four fires are detected."""


def measured(*metrics: Metric) -> velour.Evaluation:
    return replace(EVALUATION, metrics=metrics)


TWO_KEYS = measured(
    Metric("mAP", 0.5),
    Metric("mAP_50", None),
    Metric("AP", 0.25, velour.Label("class", "fire")),
    Metric("AP", 0.75, velour.Label("color", "red")),
    Metric("oLRP", 0.125),
    Metric("matrix", {"rows": []}),
)


def test_headline_metrics_are_a_mapping() -> None:
    assert isinstance(TWO_KEYS, Mapping)
    assert list(TWO_KEYS) == list(TWO_KEYS.keys()) == ["mAP", "mAP_50"]
    assert dict(TWO_KEYS) == TWO_KEYS.headline == {"mAP": 0.5, "mAP_50": None}
    assert list(TWO_KEYS.items()) == [("mAP", 0.5), ("mAP_50", None)]
    assert list(TWO_KEYS.values()) == [0.5, None]
    assert len(TWO_KEYS) == 2


def test_other_metrics_about_all_labels_are_read_by_name_as_well() -> None:
    assert TWO_KEYS["oLRP"] == 0.125
    assert "oLRP" in TWO_KEYS


@pytest.mark.parametrize("name", ["AP", "mIoU"])
def test_what_is_not_about_all_labels_is_not_in_the_mapping(name: str) -> None:
    assert "mAP" in TWO_KEYS
    assert name not in TWO_KEYS
    assert TWO_KEYS.get(name, 7.0) == 7.0
    with pytest.raises(KeyError):
        TWO_KEYS[name]


def test_an_evaluation_without_headline_metrics_is_kept_all_the_same(sqlite_url: str) -> None:
    """It is an empty mapping and still an evaluation: it is not computed twice."""
    with velour.open_store(sqlite_url) as store:
        store.save(measured(), fires(["2", "10"]))
        again = velour.evaluate(fires(["2", "10"]), "object-detection", store=store)
    assert (len(again), list(again.metrics)) == (0, [])


def test_evaluations_of_equal_numbers_are_two() -> None:
    twin = replace(TWO_KEYS)
    assert twin != TWO_KEYS
    assert twin.id == TWO_KEYS.id
    assert len({twin, TWO_KEYS}) == 2


@pytest.mark.parametrize(
    ("name", "label", "value"),
    [
        ("mAP", None, 0.5),
        ("mAP_50", None, None),
        ("matrix", None, {"rows": []}),
        ("AP", "fire", 0.25),
        ("AP", ("class", "fire"), 0.25),
        ("AP", ("color", "red"), 0.75),
        ("AP", velour.Label("color", "red", 0.9), 0.75),
    ],
)
def test_every_metric_has_a_value(name: str, label: Any, value: Any) -> None:
    assert TWO_KEYS.value(name, label=label) == value


def test_real_metrics_of_a_label_have_a_value() -> None:
    assert EVALUATION.value("AR_100", label="fire") == 0.5


def test_a_metric_of_labels_says_how_it_is_read() -> None:
    hint = r"unknown metric 'AP': read it with evaluation\.value\('AP', label='fire'\); known are"
    with pytest.raises(UnknownName, match=hint):
        TWO_KEYS["AP"]
    with pytest.raises(UnknownName, match=r"unknown metric 'AP': .*\('AP', label='fire'\)"):
        TWO_KEYS.value("AP")
    with pytest.raises(UnknownName, match=r"unknown metric 'mAP': .*evaluation\.value\('mAP'\)"):
        TWO_KEYS.value("mAP", label="fire")


def test_a_label_of_another_key_is_named_with_its_key() -> None:
    red = measured(Metric("AP", 0.75, velour.Label("color", "red")))
    with pytest.raises(UnknownName, match=r"label=\('color', 'red'\)\)"):
        red["AP"]


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="metric 'mAP_05': did you mean 'mAP_50'"):
        TWO_KEYS["mAP_05"]
    with pytest.raises(UnknownName, match="metric 'APP': did you mean 'AP'"):
        TWO_KEYS.value("APP", label="fire")
    with pytest.raises(UnknownName, match="unknown label 'fier': did you mean 'fire'"):
        TWO_KEYS.value("AP", label="fier")
    with pytest.raises(UnknownName, match=r"'red': .*known are: \('color', 'red'\), fire\."):
        TWO_KEYS.value("AP", label="red")


@pytest.mark.parametrize("label", [("fire",), ("class", "fire", 1), ["class", "fire"]])
def test_a_label_that_is_none_is_refused(label: Any) -> None:
    with pytest.raises(BadAnnotation, match=r"expected its value, as 'fire', or a pair"):
        TWO_KEYS.value("AP", label=label)


def test_it_shows_its_headline() -> None:
    evil = replace(TWO_KEYS, model="<script>")
    assert repr(TWO_KEYS).endswith(": mAP 0.5000, mAP_50 undefined>")
    assert '<td>mAP</td><td class="number">0.5000</td>' in evil._repr_html_()
    assert '<td>mAP_50</td><td class="number">–</td>' in evil._repr_html_()
    assert "<script>" not in evil._repr_html_()
