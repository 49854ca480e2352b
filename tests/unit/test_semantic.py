"""Semantic segmentation on images that are small enough to count."""

from __future__ import annotations

import json

import numpy as np
import pytest
from velour_evaluators.semantic.evaluator import SemanticSegmentation

from tests.label_maps import (
    annotations,
    dataset,
    dataset_of,
    drawn,
    ledger_of,
    mask,
    scores,
)
from velour_plugin.domain.annotations import Annotation, Datum, GroundTruth
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.geometry import BoundingBox, MultiPolygon, Polygon
from velour_plugin.domain.labels import Label
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName

LOWER_HALF = Polygon([(0, 1), (3, 1), (3, 2), (0, 2)])


def test_scores_follow_from_counting_pixels():
    """Of 6 road pixels 5 are right, of 2 car pixels 1 is, and one road pixel is called car."""
    result = scores(ledger_of(dataset({"a": ("rrrc rrrc", "rrrc rrcr")})))
    assert result["IoU", "r"] == 5 / 7
    assert result["IoU", "c"] == 1 / 3
    assert result["mIoU"] == pytest.approx((5 / 7 + 1 / 3) / 2)
    assert result["Dice", "r"] == result["f1", "r"] == 10 / 12
    assert result["mDice"] == pytest.approx((10 / 12 + 2 / 4) / 2)
    assert result["precision", "c"] == result["recall", "c"] == 1 / 2
    assert result["pixel_accuracy"] == 6 / 8
    assert result["mean_accuracy"] == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert result["fwIoU"] == pytest.approx((6 * 5 / 7 + 2 * 1 / 3) / 8)


def test_counts_of_datums_are_summed_before_they_are_divided():
    """1 of 1 pixels in one image and 1 of 3 in the other are 2 of 4, not two thirds."""
    result = scores(ledger_of(dataset({"a": ("r", "r"), "b": ("rrr", "r..")})))
    assert result["IoU", "r"] == 2 / 4


def test_headline_metrics_come_first_and_in_order():
    """People rank by the first of them."""
    ledger = ledger_of(dataset({"a": ("rc", "rc")}))
    names = [metric.name for metric in SemanticSegmentation().measure(ledger)]
    assert names[:7] == [
        "mIoU",
        "mDice",
        "pixel_accuracy",
        "fwIoU",
        "mean_accuracy",
        "boundary_iou",
        "boundary_f1",
    ]


def test_everything_right_is_one_everywhere():
    """There is nothing better."""
    result = scores(ledger_of(dataset({"a": ("rrrc rrcc .ccc", "rrrc rrcc .ccc")})))
    assert set(result.values()) == {1.0}


def test_a_label_without_truth_has_no_iou_and_is_in_no_mean():
    """The tree that was predicted on the road lowers the road, and only the road."""
    result = scores(ledger_of(dataset({"a": ("rrrr", "rrrt")})))
    assert result["IoU", "t"] is None
    assert result["Dice", "t"] is None
    assert result["recall", "t"] is None
    assert result["boundary_iou", "t"] is None
    assert result["boundary_f1", "t"] is None
    assert result["precision", "t"] == 0.0
    assert result["mIoU"] == result["IoU", "r"] == 3 / 4


def test_a_label_that_is_never_predicted_has_no_precision():
    """Nothing said is not the same as everything said being wrong."""
    result = scores(ledger_of(dataset({"a": ("rc", "rr")})))
    assert result["precision", "c"] is None
    assert result["IoU", "c"] == result["recall", "c"] == result["boundary_f1", "c"] == 0.0


def test_background_is_no_label_but_what_is_predicted_there_is_wrong():
    """1 right, 1 missed, 1 invented; on the fourth pixel both sides agree that nothing is there."""
    result = scores(ledger_of(dataset({"a": ("rr..", "r.r.")})))
    assert result["IoU", "r"] == result["mIoU"] == 1 / 3
    assert result["pixel_accuracy"] == 2 / 4
    assert ("IoU", ".") not in result


def test_a_datum_without_prediction_is_missed():
    """A model that says nothing is wrong about everything there is."""
    result = scores(ledger_of(dataset_of({"a": (annotations("rr"), [])})))
    assert result["mIoU"] == result["pixel_accuracy"] == 0.0


def test_an_empty_image_counts_only_where_the_dataset_knows_its_size():
    """A model must not gain accuracy by naming the size of an image that nobody else knows."""
    blank: tuple[list[Annotation], list[Annotation]] = ([], [])
    invented: tuple[list[Annotation], list[Annotation]] = ([], annotations("r..."))
    assert scores(ledger_of(dataset_of({"a": blank})))["pixel_accuracy"] is None
    assert scores(ledger_of(dataset_of({"a": invented})))["pixel_accuracy"] == 0.0
    known = ledger_of(dataset_of({"a": invented, "b": blank}, height=1, width=4))
    assert scores(known)["pixel_accuracy"] == 7 / 8


def test_ignored_pixels_do_not_count_whatever_is_predicted_there():
    """3 pixels are left, of which 2 are right; saying 'void' elsewhere is saying nothing."""
    ledger = ledger_of(dataset({"a": ("rrrvv", "rrvrc")}), ignore_label="v")
    result = scores(ledger)
    assert result["IoU", "r"] == result["pixel_accuracy"] == 2 / 3
    assert result["precision", "c"] is None
    assert ("IoU", "v") not in result


def test_ignoring_a_key_and_value_leaves_the_other_keys_alone():
    """The value alone means every key that has it."""
    both = annotations("rv") + annotations("rv", "other")
    predictions = dataset_of({"a": (both, both)})
    pair = scores(ledger_of(predictions, ignore_label=("class", "v")))
    assert pair["other/mIoU"] == 1.0
    assert ledger_of(predictions, ignore_label=("class", "v")).labels == (
        ("class", "r"),
        ("other", "r"),
        ("other", "v"),
    )
    assert ledger_of(predictions, ignore_label="v").labels == (("class", "r"), ("other", "r"))


def test_keys_are_evaluated_separately_and_the_first_has_no_prefix():
    """One pixel is a road by its class, and wet by its state."""
    truth = annotations("rr") + annotations("wd", "state")
    predictions = annotations("rr") + annotations("ww", "state")
    ledger = ledger_of(dataset_of({"a": (truth, predictions)}))
    result = scores(ledger)
    assert result["mIoU"] == 1.0
    assert result["state/mIoU"] == pytest.approx((1 / 2 + 0) / 2)
    assert result["state/pixel_accuracy"] == 1 / 2
    keys = [metric.parameters.get("key") for metric in SemanticSegmentation().details(ledger)]
    assert keys == [None, "state"]


def test_annotations_of_one_label_are_joined():
    """Overlap among them counts once."""
    truth = [mask("##..", "r"), mask(".##.", "r")]
    assert scores(ledger_of(dataset_of({"a": (truth, annotations("rrr."))})))["mIoU"] == 1.0


def test_two_true_labels_on_one_pixel_are_refused():
    """The message says where, which and how many."""
    truth = [mask("###.", "r"), mask("...#", "t"), mask(".###", "c")]
    with pytest.raises(BadDataset, match=r"class='r' in the ground truth of datum 'a' shares 2"):
        ledger_of(dataset_of({"a": (truth, [])}))


def test_of_two_predicted_labels_the_higher_score_wins_a_pixel():
    """Whatever the order in which they were given."""
    predictions = [mask("##", "r", 0.9), mask(".#", "c", 0.6)]
    for predicted in (predictions, predictions[::-1]):
        ledger = ledger_of(dataset_of({"a": (annotations("rr"), predicted)}))
        assert scores(ledger)["mIoU"] == 1.0


def test_of_two_predicted_labels_without_scores_the_later_wins_a_pixel():
    """The order of a datum's annotations is content."""
    predictions = [mask("##", "r"), mask(".#", "c")]
    ledger = ledger_of(dataset_of({"a": (annotations("rc"), predictions)}))
    assert scores(ledger)["mIoU"] == 1.0


def test_polygons_are_rasterised_at_the_size_in_the_metadata():
    """The lower row of 2 x 3 pixels, alone or as the only part of a multipolygon."""
    truth = [Annotation([Label("class", "r")], polygon=LOWER_HALF)]
    parts = [Annotation([Label("class", "r")], multipolygon=MultiPolygon([LOWER_HALF]))]
    for predictions in (annotations("... rrr"), parts):
        ledger = ledger_of(dataset_of({"a": (truth, predictions)}, height=2, width=3))
        assert scores(ledger)["mIoU"] == 1.0


def test_polygons_are_rasterised_at_the_size_of_a_mask_of_the_same_datum():
    """One mask is enough to know how large the image is."""
    truth = [Annotation([Label("class", "r")], polygon=LOWER_HALF)]
    ledger = ledger_of(dataset_of({"a": (truth, annotations("... rrr"))}))
    assert scores(ledger)["mIoU"] == 1.0


def test_polygons_of_an_image_of_unknown_size_are_refused():
    """A guess would be a number without a meaning."""
    truth = [Annotation([Label("class", "r")], polygon=LOWER_HALF)]
    with pytest.raises(BadDataset, match=r"datum 'a' .* no known size: give it the metadata"):
        ledger_of(dataset_of({"a": (truth, [])}))


def test_a_mask_of_another_size_than_the_truth_is_refused():
    """Both sizes and the datum are named."""
    predictions = dataset({"a": ("rr", "rrr")})
    with pytest.raises(BadDataset, match=r"prediction of datum 'a' has 1x3 pixels.* 1x2 by class"):
        ledger_of(predictions)


def test_a_mask_of_another_size_than_its_image_is_refused():
    """The metadata is believed first."""
    with pytest.raises(BadDataset, match=r"datum 'a' has 1x2 pixels, .* 4x2 by its metadata"):
        ledger_of(dataset({"a": ("rr", "rr")}, height=4, width=2))


@pytest.mark.parametrize("size", [{"height": 4}, {"height": 0, "width": 3}, {"width": "3"}])
def test_a_size_that_cannot_be_is_refused(size):
    """Half a size is none."""
    with pytest.raises(BadDataset, match="expected two whole numbers of pixels > 0"):
        ledger_of(dataset({"a": ("rr", "rr")}, **size))


def test_an_enormous_image_is_refused():
    """A billion rows are a mistake, not an image."""
    truth = [Annotation([Label("class", "r")], polygon=LOWER_HALF)]
    with pytest.raises(BadDataset, match="cut it into tiles"):
        ledger_of(dataset_of({"a": (truth, [])}, height=10**9, width=10**9))


def test_boxes_are_refused():
    """A box does not say which of its pixels belong to the label."""
    box = Annotation([Label("class", "r")], bounding_box=BoundingBox(0, 0, 2, 1))
    with pytest.raises(BadDataset, match="class='r' in the ground truth of datum 'a' has no mask"):
        ledger_of(dataset_of({"a": ([box], annotations("rr"))}))


def test_a_dataset_without_predictions_is_refused():
    """There is nothing to judge."""
    alone = Dataset.from_groundtruths([GroundTruth(Datum("a"), annotations("rr"))], "alone")
    with pytest.raises(BadDataset, match="no predictions"):
        ledger_of(alone)


def test_nothing_on_either_side_is_undefined():
    """No pixel, no number."""
    result = scores(ledger_of(dataset_of({"a": ([], [])})))
    assert set(result.values()) == {None}


def test_boundary_scores_follow_from_counting_the_contour():
    """A 3 x 3 square moved by one: contours of 8 pixels that share 4, all within one step."""
    moved = dataset({"a": ("..... .rrr. .rrr. .rrr. .....", "..... rrr.. rrr.. rrr.. .....")})
    result = scores(ledger_of(moved, boundary_width=1))
    assert result["boundary_iou"] == 4 / 12
    assert result["boundary_f1"] == 1.0


def test_a_wide_band_is_the_whole_label():
    """Then boundary IoU is IoU."""
    pair = dataset({"a": ("rrrrrc rrrrcc rrrccc", "rrrrcc rrrccc rrcccc")})
    result = scores(ledger_of(pair, boundary_width=99))
    assert result["boundary_iou", "r"] == result["IoU", "r"]
    assert result["boundary_iou", "c"] == result["IoU", "c"]


def test_the_band_may_be_a_share_of_the_diagonal():
    """30 x 40 pixels have a diagonal of 50, and 4 % of it are 2 pixels."""
    truth = np.full((30, 40), ord("r"), np.uint8)
    predictions = truth.copy()
    predictions[:, :7] = ord("c")
    pair = dataset({"a": (truth, predictions)})
    share, pixels = (scores(ledger_of(pair, boundary_width=width)) for width in (0.04, 2))
    assert share == pixels != scores(ledger_of(pair, boundary_width=0.02))


def test_ignored_pixels_make_no_boundary_between_right_and_wrong():
    """The model may draw into the ignored column or not: outside of it nothing changes."""
    truth = "rrrvccc rrrvccc rrrvccc"
    inside, outside = "rrrrccc rrrrccc rrrrccc", "rrrxccc rrrcccc rrr.ccc"
    for predictions in (inside, outside):
        ledger = ledger_of(dataset({"a": (truth, predictions)}), ignore_label="v", boundary_width=1)
        result = scores(ledger)
        assert result["boundary_iou"] == result["boundary_f1"] == result["mIoU"] == 1.0


def test_boundaries_can_be_left_out():
    """They take most of the time; without them their scores are undefined."""
    result = scores(ledger_of(dataset({"a": ("rc", "rr")}), boundary_width=None))
    assert result["boundary_iou"] is None
    assert result["boundary_f1", "r"] is None
    assert result["mIoU"] == 1 / 4


def test_the_confusion_matrix_names_the_worst_datums():
    """Rows are true, columns predicted, the last of both is the background."""
    predictions = {"a": ("rr.", "rc."), "b": ("rrr", "ccr"), "c": ("r.", "rr")}
    ledger = ledger_of(dataset(predictions), examples=1)
    (metric,) = SemanticSegmentation().details(ledger)
    assert metric.name == "confusion_matrix"
    assert metric.value["labels"] == ["r", "c", None]
    assert metric.value["matrix"] == [[3, 3, 0], [0, 0, 0], [1, 0, 1]]
    assert metric.value["examples"] == [
        {"truth": "r", "predicted": "c", "datums": [{"datum": "b", "pixels": 2}]},
        {"truth": None, "predicted": "r", "datums": [{"datum": "c", "pixels": 1}]},
    ]


def test_the_confusion_matrix_of_chosen_datums_shows_what_occurs_there():
    """Labels of the others are left out."""
    ledger = ledger_of(dataset({"a": ("rr", "rc"), "b": ("t", "t")}), examples=0)
    (metric,) = SemanticSegmentation().details(ledger, np.array([False, True]), np.array([1, 3]))
    assert metric.value == {"labels": ["t", None], "matrix": [[3, 0], [0, 0]], "examples": []}


def test_the_ledger_counts_pairs_of_labels_by_datum():
    """-1 is the background; labels are positions in the ledger's own list."""
    counts = ledger_of(dataset({"a": ("rr", "rc"), "b": ("c.", "..")})).tables["counts"]
    rows = np.stack([counts[name] for name in ("datum", "key", "truth", "predicted", "pixels")])
    assert rows.T.tolist() == [
        [0, 0, 1, 0, 1],
        [0, 0, 1, 1, 1],
        [1, 0, -1, -1, 1],
        [1, 0, 0, -1, 1],
    ]
    assert counts["pixels"].dtype == np.int64


def test_three_hundred_labels_in_one_image():
    """More than fit into a byte."""
    image = np.arange(300).reshape(20, 15) + 200
    predictions = image.copy()
    predictions[0, 0] = 499
    result = scores(ledger_of(dataset({"a": (image, predictions)}), boundary_width=1))
    assert result["pixel_accuracy"] == 299 / 300
    assert result["mIoU"] == pytest.approx((298 + 1 / 2) / 300)


def test_metrics_and_details_are_json():
    """No NaN, no numpy number."""
    ledger = ledger_of(dataset({"a": ("rr..", "rct.")}))
    evaluator = SemanticSegmentation()
    for metric in evaluator.measure(ledger) + evaluator.details(ledger):
        json.dumps(metric.to_dict(), allow_nan=False)
    json.dumps(dict(ledger.parameters))


def test_parameters_are_completed():
    """What is not given is documented, and JSON."""
    assert SemanticSegmentation().parameters({}) == {
        "ignore_label": None,
        "boundary_width": 0.02,
        "examples": 5,
    }
    given = {"ignore_label": ("class", "void"), "boundary_width": 3.0, "examples": np.int64(2)}
    complete = SemanticSegmentation().parameters(given)
    assert json.dumps(complete) == (
        '{"ignore_label": ["class", "void"], "boundary_width": 3, "examples": 2}'
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ignore_label", 25.5),
        ("ignore_label", ""),
        ("ignore_label", ("a", "b", "c")),
        ("ignore_label", ("class", None)),
        ("boundary_width", 0),
        ("boundary_width", -0.1),
        ("boundary_width", 1.5),
        ("boundary_width", float("nan")),
        ("boundary_width", float("inf")),
        ("boundary_width", True),
        ("boundary_width", "wide"),
        ("examples", -1),
        ("examples", 1.5),
        ("examples", None),
    ],
)
def test_a_parameter_that_breaks_its_rule_is_refused(name, value):
    """The message names the value and what would do."""
    with pytest.raises(InvalidInput, match=rf"^{name} .*: expected"):
        SemanticSegmentation().parameters({name: value})


def test_an_unknown_parameter_is_refused():
    """With the nearest name that exists."""
    with pytest.raises(UnknownName, match="ignore_label"):
        SemanticSegmentation().parameters({"ignored_label": "void"})


def test_letters_are_pixels():
    """The tests above can be read: rows are rows."""
    assert drawn("ab ..").shape == (2, 2)
