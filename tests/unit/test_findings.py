"""What is worth showing of an evaluation, counted by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import velour_plugin as velour
from tests.classification_data import dataset_of
from tests.label_maps import dataset as drawn_dataset
from tests.pictures import harbour, predicted
from tests.scenes import ELSEWHERE, TEN_BY_TEN, annotation, scene
from velour_plugin.errors import UnknownName
from velour_plugin.report import findings as findings_module
from velour_plugin.report import intervals as report_intervals
from velour_plugin.report.findings import Findings, find, usual_cuts

HIT = annotation(TEN_BY_TEN, score=0.9)
FALSE = annotation(ELSEWHERE, score=0.8)
WEAK = annotation(ELSEWHERE, score=0.3)


def findings_of(dataset: velour.Dataset, task: str = "object-detection") -> Findings:
    return find(velour.evaluate(dataset, task, save=False), dataset)


def columns(findings: Findings) -> dict[str, list[float | None]]:
    return {
        name: [None if math.isnan(value) else float(value) for value in values]
        for name, values in findings.by_datum.items()
    }


def test_detection_counts_false_and_missed_objects_of_each_image() -> None:
    """Found; found and one false; missed, as what scores 0.3 does not count; nothing at all."""
    truth = annotation(TEN_BY_TEN)
    images = (([truth], [HIT]), ([truth], [HIT, FALSE]), ([truth], [WEAK]), ([], []))
    found = findings_of(scene(*images))
    assert columns(found) == {
        "score": [1.0, 2 / 3, 0.0, None],
        "errors": [0.0, 1.0, 1.0, 0.0],
        "false": [0.0, 1.0, 0.0, 0.0],
        "missed": [0.0, 0.0, 1.0, 0.0],
    }
    assert found.worst == [2]  # a false detection below all true ones costs nothing


def test_slices_may_be_of_what_the_ground_truth_of_a_datum_shows() -> None:
    """Of the evaluated images, which are not the first: two show something, one nothing."""
    truth = annotation(TEN_BY_TEN)
    dataset = scene(([truth], [HIT]), ([truth], [HIT]), ([truth], [WEAK]), ([], []))
    evaluation = velour.evaluate(
        dataset, "object-detection", where=f"uid <> '{dataset.uids[0]}'", save=False
    )
    cut = {"shown": {"some": "datum.truths > 0", "none": "datum.truths = 0"}}
    slices = find(evaluation, dataset, [cut]).slices
    assert [(row.name, row.datums) for row in slices] == [("some", 2), ("none", 1)]


def test_crowds_are_neither_missed_nor_found() -> None:
    crowd = annotation(TEN_BY_TEN, is_crowd=True)
    found = findings_of(scene(([crowd, annotation(ELSEWHERE)], [HIT]), ([crowd], [])))
    assert columns(found)["errors"] == [1.0, 0.0]
    assert columns(found)["score"] == [0.0, None]


def test_classification_says_which_datums_are_wrong() -> None:
    truths = {"a": "cat", "b": "cat", "c": "dog"}
    scores = {
        "a": {"cat": 0.4, "dog": 0.6},
        "b": {"cat": 0.1, "dog": 0.9},
        "c": {"cat": 0.2, "dog": 0.8},
    }
    found = findings_of(dataset_of(truths, scores), "image-classification")
    assert columns(found)["score"] == [0.0, 0.0, 1.0]
    assert columns(found)["errors"] == [1.0, 1.0, 0.0]
    assert columns(found)["log_loss"] == pytest.approx([-math.log(p) for p in (0.4, 0.1, 0.8)])
    assert [found.datums[index].uid for index in found.worst] == [
        "a",
        "b",
    ]  # which cost the same accuracy


def test_segmentation_counts_wrong_pixels_of_each_image() -> None:
    found = findings_of(
        drawn_dataset({"a": ("rrrc", "rrrr"), "b": ("rc", "cr")}), "semantic-segmentation"
    )
    assert columns(found) == {"score": [0.75, 0.0], "errors": [1.0, 2.0], "pixels": [4.0, 2.0]}


def test_a_slice_is_measured_as_its_datums_alone_would_be() -> None:
    dataset = predicted(harbour(), "small")
    found = find(velour.evaluate(dataset, "object-detection", save=False), dataset, ["port"])
    boston, halifax = found.slices
    alone = velour.evaluate(dataset, "object-detection", where="port = 'Boston'", save=False)["mAP"]
    assert (boston.by, boston.name, boston.datums) == ("port", "Boston", 20)
    assert boston.value == alone
    assert halifax.name == "Halifax"
    assert boston.difference == pytest.approx(alone - found.evaluation["mAP"])


def test_a_filtered_evaluation_shows_its_own_datums_only() -> None:
    dataset = predicted(harbour(), "small")
    evaluation = velour.evaluate(
        dataset, "object-detection", where="time_of_day = 'night'", save=False
    )
    found = find(evaluation, dataset)
    assert {datum.metadata["time_of_day"] for datum in found.datums} == {"night"}
    assert {part.by for part in found.slices} == {"port"}
    assert len(found.locations) == len(found.datums) == 20


def test_labels_come_by_how_many_datums_show_them() -> None:
    found = findings_of(predicted(harbour(), "small"))
    shown = [label.datums for label in found.labels]
    assert shown == sorted(shown, reverse=True)
    assert next(iter(found.labels[0].values)) == found.label_metric == "AP_50"


def test_properties_of_few_values_are_sliced_by_and_no_others() -> None:
    datums = [
        velour.Datum(
            str(at),
            {
                "time": ("day", "night")[at % 2],
                "rainy": at % 3 == 0,
                "lane": at % 4,
                "file_name": f"{at}.jpg",
                "wind": at / 3,
                "always": "here",
                "height": (480, 640)[at % 2],
            },
        )
        for at in range(30)
    ]
    assert usual_cuts(datums) == ["time", "rainy", "lane"]


def test_a_slice_by_what_nobody_has_is_refused() -> None:
    dataset = predicted(harbour(), "small")
    with pytest.raises(UnknownName, match="port"):
        find(velour.evaluate(dataset, "object-detection", save=False), dataset, ["prot"])


def test_places_are_longitude_and_latitude() -> None:
    datums = [velour.Datum("1", location=(42.36, -71.03)), velour.Datum("2")]
    truths = [velour.GroundTruth(datum, [annotation(TEN_BY_TEN)]) for datum in datums]
    dataset = velour.Dataset.from_groundtruths(truths, "fires").with_predictions([], "model")
    places = findings_of(dataset).locations
    assert places[0].tolist() == pytest.approx([-71.03, 42.36])
    assert np.isnan(places[1]).all()


@pytest.mark.parametrize("model", ["small", "large"])
def test_the_worst_datums_are_those_of_velour_worst(model: str, tmp_path: Path) -> None:
    dataset, store = predicted(harbour(), model), f"sqlite:///{tmp_path / 'velour.db'}"
    evaluation = velour.evaluate(dataset, "object-detection", store=store)
    found = find(evaluation, dataset)
    rows = [row for row in velour.worst(model, store=store).rows if row.cost > 0]
    assert len(rows) > 3
    assert [found.datums[index].uid for index in found.worst] == [row.uid for row in rows]
    assert [found.costs[index] for index in found.worst] == [row.cost for row in rows]


def test_of_many_datums_those_with_most_errors_are_left_out_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = predicted(harbour(), "small")
    evaluation = velour.evaluate(dataset, "object-detection", save=False)
    every = find(evaluation, dataset)
    monkeypatch.setattr(findings_module, "LEFT_OUT", 12)
    some = find(evaluation, dataset)
    computed = ~np.isnan(some.costs)
    assert computed.sum() == 12
    assert (some.costs[computed] == every.costs[computed]).all()
    assert some.by_datum["errors"][computed].min() >= some.by_datum["errors"][~computed].max()


@pytest.mark.parametrize("task", ["object-detection", "image-classification"])
def test_intervals_are_those_of_rank(task: str, tmp_path: Path) -> None:
    """Of detection by resampling; accuracy is a share of datums and has Wilson's."""
    store = f"sqlite:///{tmp_path / 'velour.db'}"
    if task == "object-detection":
        dataset = predicted(harbour(), "small")
    else:
        truths = {str(number): "cat" if number % 3 else "dog" for number in range(30)}
        scores = {uid: {"cat": 0.4 + int(uid) / 60, "dog": 0.6 - int(uid) / 60} for uid in truths}
        dataset = dataset_of(truths, scores).with_model("small")
    evaluation = velour.evaluate(dataset, task, store=store)
    found = find(evaluation, dataset)
    defined = [name for name, value in evaluation.headline.items() if value is not None]
    assert set(found.intervals) <= set(defined)
    assert len(found.intervals) > 5
    for metric in defined:
        (row,) = velour.rank(metric, dataset.name, store=store).rows
        known = found.intervals.get(metric)
        assert (known and known.ends) == row.interval


def test_few_datums_have_no_intervals_and_those_of_long_ledgers_are_from_fewer_resamples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = predicted(harbour(), "small")
    few = velour.evaluate(dataset, "object-detection", where="uid IN ('000', '001')", save=False)
    assert (find(few, dataset).intervals, find(few, dataset).resamples) == ({}, 0)
    usual = findings_of(dataset)
    assert usual.resamples == 200  # half-samples
    assert any(part.ends for part in usual.slices)
    monkeypatch.setattr(report_intervals, "ROWS", 1)
    long = findings_of(dataset)
    assert long.resamples == 200
    assert long.intervals.keys() == usual.intervals.keys()
    assert not any(part.ends for part in long.slices)


def test_intervals_may_be_left_out() -> None:
    dataset = predicted(harbour(), "small")
    evaluation = velour.evaluate(dataset, "object-detection", save=False)
    found = find(evaluation, dataset, intervals=False)
    assert (found.intervals, found.resamples) == ({}, 0)
    assert not any(part.ends for part in found.slices)


def test_whole_groups_are_drawn_where_a_dataset_declares_them(tmp_path: Path) -> None:
    dataset = predicted(harbour(), "small").with_groups("location:0.05")
    with velour.open_store(f"sqlite:///{tmp_path / 'velour.db'}") as store:
        evaluation = velour.evaluate(dataset, "object-detection", store=store)
        (row,) = velour.rank("mAP", dataset.name, groups="location:0.05", store=store)
    assert find(evaluation, dataset).intervals["mAP"].ends == row.interval
    assert find(evaluation, dataset.with_groups(())).intervals["mAP"].ends != row.interval
