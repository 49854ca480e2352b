"""Rough intervals: labels that few datums show, and the metric over the others."""

from __future__ import annotations

import numpy as np
import pytest

import velour_plugin as velour
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.plugins.installed import installed
from velour_plugin.ranking.uncertainty.bootstrap import measure_resampled
from velour_plugin.ranking.uncertainty.label_support import why_rough
from velour_plugin.ranking.uncertainty.measurement import Measurement
from velour_plugin.ranking.uncertainty.units import Units

LABELS = ["a"] * 8 + ["b"] * 6 + ["c"] * 2


def measured(
    metric: str, label: velour.Label | None = None, units: Units | None = None, resamples: int = 200
) -> Measurement:
    """Sixteen datums of three labels, of which ``c`` is rare; every fourth is wrong."""
    names = [("class", name) for name in "abc"]
    truth = np.array(["abc".index(name) for name in LABELS])
    datums = np.arange(len(LABELS))
    scores = np.full((len(LABELS), 3), 0.1)
    scores[datums, np.where(datums % 4 == 0, (truth == 0).astype(int), truth)] = 0.8
    dataset = velour.Dataset.from_table(
        "d",
        [velour.Datum(f"{index:02}") for index in datums],
        AnnotationTable.from_columns(names, datums, truth),
    ).with_predictions(
        AnnotationTable.from_columns(
            names, np.repeat(datums, 3), np.tile(np.arange(3), 16), score=scores.ravel()
        ),
        "m",
    )
    evaluator = installed().evaluator("image-classification")
    ledger = evaluator.match(dataset, evaluator.parameters({}))
    subject = (evaluator, ledger, np.ones(len(LABELS), bool))
    return measure_resampled(subject, metric, label, units=units, resamples=resamples, seed=0)


def test_a_label_of_two_datums_makes_a_mean_over_labels_rough() -> None:
    found = measured("f1_macro")
    interval = found.interval(0.95, (0.0, 1.0))

    assert found.rare == ("class=c",)
    assert len(found.support) == 3
    assert interval is not None
    assert interval.rough is not None
    assert interval.rough.startswith(
        "fewer than 5 datums show 1 of the 3 labels (class=c): the interval is probably too narrow"
    )


def test_beside_it_stands_the_mean_of_the_other_labels() -> None:
    found = measured("f1_macro")
    assert found.supported is not None
    assert len(found.supported.support) == 2
    each = [measured("f1", velour.Label("class", name)).value for name in ("a", "b")]
    assert found.supported.value == pytest.approx(np.mean(each))
    interval = found.supported.interval(0.95, (0.0, 1.0))
    assert interval is not None
    assert interval.rough is None
    assert interval.low < found.supported.value < interval.high


@pytest.mark.parametrize("metric", ["accuracy", "f1_weighted", "log_loss", "mcc"])
def test_what_is_over_all_datums_alike_is_not_rough(metric: str) -> None:
    found = measured(metric)
    assert found.rare == ()
    assert found.supported is None


def test_one_label_is_rough_by_its_own_datums_only() -> None:
    assert measured("f1", velour.Label("class", "a")).rare == ()
    rare = measured("f1", velour.Label("class", "c"))
    assert rare.rare == ("class=c",)
    interval = rare.interval(0.95, (0.0, 1.0))
    assert interval is not None
    assert interval.rough is not None
    assert interval.rough.startswith("fewer than 5 datums show class=c: ")


def test_groups_are_counted_where_groups_are_drawn() -> None:
    """Label b is shown by six datums, but by three groups."""
    found = measured("f1_macro", units=Units.of_groups(np.arange(16) // 2))
    assert found.rare == ("class=a", "class=b", "class=c")
    interval = found.interval(0.95, (0.0, 1.0))
    assert interval is not None
    assert "fewer than 5 groups show 3 of the 3 labels" in (interval.rough or "")
    assert found.supported is None


def test_without_resamples_nothing_is_rough() -> None:
    found = measured("f1_macro", resamples=0)
    assert (found.rare, found.supported) == ((), None)
    assert found.interval(0.95, (0.0, 1.0)) is None


def test_the_side_and_size_of_a_bias_that_is_not_small_are_said() -> None:
    spread = np.linspace(-0.1, 0.1, 101)
    even = why_rough(["x=a"], 4, "datums", 0.5, 0.5 + spread)
    high = why_rough(["x=a"], 4, "datums", 0.5, 0.55 + spread)
    low = why_rough(["x=a"], 4, "datums", 0.5, np.append(0.45 + spread, np.nan))

    assert even is not None
    assert even.endswith("by up to a third")
    assert high == f"{even}, and the value about 0.050 too high"
    assert low == f"{even}, and the value about 0.050 too low"


def test_many_labels_are_not_all_named() -> None:
    sentence = why_rough(list("abcd"), 9, "datums", 0.5, np.full(3, 0.5))
    assert sentence is not None
    assert "4 of the 9 labels (a, b, c, …)" in sentence
