"""Bad input is refused with a reason, or counted by a rule that is written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from velour_evaluators.detection.evaluator import InstanceSegmentation

import velour_plugin as velour
from tests.scenes import FOUND, TEN_BY_TEN, TRUE, annotation, match, measured, scene, values
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.errors import BadAnnotation, BadDataset, BadGeometry


def test_a_detection_without_a_score_is_refused() -> None:
    with pytest.raises(BadDataset, match="'0' has no score"):
        match(scene(([TRUE], [annotation(TEN_BY_TEN)])))


@pytest.mark.parametrize("score", [np.nan, np.inf, -0.1, 1.5, "high"])
def test_a_score_that_is_no_share_is_refused(score: Any) -> None:
    with pytest.raises(BadAnnotation, match="a score is a number in"):
        annotation(TEN_BY_TEN, score=score)


def test_a_column_of_scores_is_checked_too() -> None:
    with pytest.raises(BadAnnotation, match=r"score .*2\.0.* in row 1"):
        table([[0, 0, 1, 1]] * 2, score=np.array([0.5, 2.0]))


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_coordinate_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(BadGeometry, match="finite"):
        velour.BoundingBox(0, 0, bad, 1)
    with pytest.raises(BadGeometry, match="in row 1"):
        table([[0, 0, 1, 1], [0, 0, bad, 1]])


def test_a_box_without_area_overlaps_nothing_and_counts() -> None:
    point = velour.BoundingBox(5, 5, 5, 5)
    answer = measured(scene(([annotation(point)], [annotation(point, score=0.9)])))
    assert (answer["mAP"], answer["precision/fire"]) == (0.0, 0.0)


@pytest.mark.parametrize("given", [{}, {"area_ranges": {"all": (0, 1e10), "large": (9216, 1e10)}}])
def test_the_overall_range_drops_no_truth(given: dict[str, Any]) -> None:
    """COCO writes 1e10 where it means no bound: slides of 100,000 x 200,000 pixels are larger."""
    slide = velour.BoundingBox(0, 0, 1e5, 2e5)
    one_of_two = measured(scene(([annotation(slide), TRUE], [FOUND])), **given)
    assert one_of_two["mAR_100"] == 0.5
    found = measured(scene(([annotation(slide)], [annotation(slide, score=0.9)])), **given)
    assert (found["mAP"], found["mAP_large"]) == (pytest.approx(1.0), pytest.approx(1.0))


def test_a_range_with_a_bound_of_its_own_has_it() -> None:
    slide = velour.BoundingBox(0, 0, 1e5, 2e5)
    data = scene(([annotation(slide), TRUE], [FOUND]))
    assert measured(data, area_ranges={"all": (0, 1.5e10)})["mAR_100"] == 1.0
    assert measured(data, area_ranges={"all": (0, None)})["mAR_100"] == 0.5


def test_a_box_whose_area_overflows_is_no_match_and_no_warning() -> None:
    endless = velour.BoundingBox(0, 0, 1e200, 1e200)
    answer = measured(scene(([annotation(endless), TRUE], [FOUND])))
    assert answer["mAR_100"] == 0.5


def test_ids_do_not_matter_even_if_zero() -> None:
    """COCO's tool takes a match with the annotation of id 0 for none; rows here have no ids."""
    answer = measured(scene(([TRUE], [FOUND]), ([TRUE], [FOUND])))
    assert answer["mAR_100"] == 1.0


def test_a_hundred_thousand_labels() -> None:
    labels = [("class", f"{number:06}") for number in range(100_000)]
    rows = np.arange(0, 100_000, 500)
    box = np.tile([0.0, 0, 10, 10], (len(rows), 1))
    truth = AnnotationTable.from_columns(labels, np.zeros(len(rows)), rows, box=box)
    predictions = AnnotationTable.from_columns(
        labels, np.zeros(len(rows)), rows, box=box, score=np.full(len(rows), 0.5)
    )
    data = velour.Dataset.from_table("many", [velour.Datum("0")], truth)
    answer = measured(data.with_predictions(predictions, "model"))
    assert answer["mAP"] == pytest.approx(1.0)
    assert answer["AP/000500"] == pytest.approx(1.0)
    assert answer["AP/000001"] is None


def test_many_detections_of_an_image() -> None:
    """More than 65,535 of one image and label: the rank does not overflow."""
    box = np.tile([50.0, 50, 10, 10], (70_000, 1))
    box[-1] = [0, 0, 10, 10]
    score = np.linspace(1, 0.5, 70_000)
    predictions = AnnotationTable.from_columns(
        [("class", "fire")], np.zeros(70_000), np.zeros(70_000), box=box, score=score
    )
    data = scene(([TRUE], [])).with_predictions(predictions, "model")
    assert measured(data)["mAR_100"] == 0.0
    assert measured(data, max_detections=[65_535])["mAR_65535"] == 0.0


def test_a_mask_of_another_size_than_its_image_is_refused() -> None:
    mask = annotation(velour.Raster(np.ones((20, 20), bool)))
    with pytest.raises(BadDataset, match=r"mask of 20x20 .* image is 10x10"):
        match(scene(([mask], []), height=10, width=10), InstanceSegmentation)


def test_masks_of_two_sizes_on_one_image_are_refused() -> None:
    small, large = (velour.Raster(np.ones((size, size), bool)) for size in (10, 20))
    with pytest.raises(BadDataset, match="resize the mask"):
        match(
            scene(([annotation(small)], [annotation(large, score=0.9)])),
            InstanceSegmentation,
        )


def test_a_polygon_on_an_image_of_unknown_size_cannot_become_pixels() -> None:
    polygon = annotation(velour.Polygon(shapely.box(0, 0, 5, 5)))
    with pytest.raises(BadDataset, match="no known size"):
        match(scene(([polygon], [])), InstanceSegmentation, iou_type="raster")


@pytest.mark.parametrize("given", [{}, {"iou_type": "raster"}, {"iou_type": "polygon"}])
def test_a_box_is_no_instance(given: dict[str, Any]) -> None:
    square = velour.Polygon(shapely.box(0, 0, 10, 10))
    drawn, predicted = annotation(square), annotation(square, score=0.8)
    with pytest.raises(BadDataset, match=r"1 of 2 predictions .* on datum '1': .*object-detection"):
        match(scene(([drawn], [predicted]), ([drawn], [FOUND])), InstanceSegmentation, **given)
    with pytest.raises(BadDataset, match="1 of 1 ground truths"):
        match(scene(([TRUE], [FOUND])), InstanceSegmentation, **given)


def test_instances_are_compared_by_their_boxes_where_that_is_asked() -> None:
    ledger = match(scene(([TRUE], [FOUND])), InstanceSegmentation, iou_type="box")
    assert values(InstanceSegmentation().measure(ledger))["mAR_100"] == 1.0


def test_an_annotation_without_region_is_refused() -> None:
    whole = velour.Annotation([velour.Label("class", "fire")])
    with pytest.raises(BadDataset, match="has no region"):
        match(scene(([whole], [])))


def table(boxes: Any, score: Any = None) -> AnnotationTable:
    rows = np.zeros(len(boxes), int)
    return AnnotationTable.from_columns(
        [("class", "fire")], rows, rows, box=np.array(boxes, float), score=score
    )
