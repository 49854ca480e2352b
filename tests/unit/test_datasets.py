"""A dataset is named by all of its content, and by nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

import velour_plugin as velour
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.order import natural_order
from velour_plugin.errors import BadAnnotation, BadDataset, BadGeometry, BadMetadata

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
HOLE = [(1, 1), (3, 1), (3, 3), (1, 3)]
MASK = np.eye(3, dtype=bool)

REGIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "box": {"bounding_box": velour.BoundingBox(1, 2, 3, 4)},
    "point": {"bounding_box": velour.BoundingBox(1, 2, 1, 2)},
    "polygon": {"polygon": velour.Polygon(SQUARE)},
    "polygon with a hole": {"polygon": velour.Polygon([SQUARE, HOLE])},
    "polygon without area": {"polygon": velour.Polygon([(0, 0), (1, 1), (2, 2)])},
    "multipolygon": {"multipolygon": velour.MultiPolygon([[SQUARE], [[(9, 9), (8, 9), (8, 8)]]])},
    "raster": {"raster": velour.Raster(MASK)},
    "empty raster": {"raster": velour.Raster(~MASK & MASK)},
    "full raster": {"raster": velour.Raster(MASK | ~MASK)},
    "box and polygon": {
        "bounding_box": velour.BoundingBox.from_xywh(0.1, 0, 0.2, 4),
        "polygon": velour.Polygon(SQUARE),
    },
}
MORE = {"is_crowd": True, "area": 2.5, "metadata": {"a": [1]}, "embedding": [0.5, -1.0]}
BOX = REGIONS["box"]["bounding_box"]


def label(value: str = "fire", score: float | None = None, key: str = "class") -> velour.Label:
    return velour.Label(key, value, score)


def annotation(**changed: Any) -> velour.Annotation:
    predictions: dict[str, Any] = {
        "labels": [label()],
        "bounding_box": BOX,
        "metadata": {"seen": "late"},
        "area": 3.0,
    }
    return velour.Annotation(**{**predictions, **changed})


def datum(**changed: Any) -> velour.Datum:
    predictions: dict[str, Any] = {
        "uid": "1",
        "metadata": {"hour": 20},
        "location": (42.36, -71.03),
    }
    return velour.Datum(**{**predictions, **changed})


def dataset(
    *annotations: velour.Annotation, first: velour.Datum | None = None, **options: Any
) -> velour.Dataset:
    """Two datums; what is said is said of the first."""
    truths = [
        velour.GroundTruth(first or datum(), annotations or (annotation(),)),
        velour.GroundTruth(velour.Datum("2"), [annotation()]),
    ]
    return velour.Dataset.from_groundtruths(truths, options.pop("name", "fires"), **options)


CHANGES: dict[str, velour.Dataset] = {
    "uid": dataset(first=datum(uid="3")),
    "metadata value": dataset(first=datum(metadata={"hour": 21})),
    "metadata type": dataset(first=datum(metadata={"hour": "20"})),
    "metadata key": dataset(first=datum(metadata={"time": 20})),
    "one more metadatum": dataset(first=datum(metadata={"hour": 20, "wind": None})),
    "location": dataset(first=datum(location=(42.36, np.nextafter(-71.03, 0)))),
    "no location": dataset(first=datum(location=None)),
    "location's type": dataset(first=datum(location=shapely.MultiPoint([(-71.03, 42.36)]))),
    "box": dataset(annotation(bounding_box=velour.BoundingBox(1, 2, 3, 4.000000000000001))),
    "no box": dataset(annotation(bounding_box=None)),
    "label value": dataset(annotation(labels=[label("smoke")])),
    "label key": dataset(annotation(labels=[label(key="kind")])),
    "one more label": dataset(annotation(labels=[label(), label("smoke")])),
    "order of labels": dataset(annotation(labels=[label("smoke"), label()])),
    "two annotations, not two labels": dataset(annotation(), annotation(labels=[label("smoke")])),
    "area": dataset(annotation(area=3.0000000000000004)),
    "no area": dataset(annotation(area=None)),
    "crowd": dataset(annotation(is_crowd=True)),
    "shape": dataset(annotation(polygon=velour.Polygon(SQUARE))),
    "hole": dataset(annotation(polygon=velour.Polygon([SQUARE, HOLE]))),
    "kind of shape": dataset(annotation(multipolygon=velour.MultiPolygon([[SQUARE]]))),
    "raster": dataset(annotation(raster=velour.Raster(MASK))),
    "transposed raster": dataset(annotation(raster=velour.Raster(np.ones((2, 3))))),
    "raster of that shape": dataset(annotation(raster=velour.Raster(np.ones((3, 2))))),
    "annotation metadata": dataset(annotation(metadata={"seen": "early"})),
    "no annotation metadata": dataset(annotation(metadata={})),
    "embedding": dataset(annotation(embedding=[1, 2])),
    "longer embedding": dataset(annotation(embedding=[1, 2, 0])),
    "embedding of the first": dataset(annotation(embedding=[1]), annotation()),
    "embedding of the second": dataset(annotation(), annotation(embedding=[1])),
    "one more annotation": dataset(annotation(), annotation()),
    "dataset metadata": dataset(metadata={"licence": "MIT"}),
    "a label that no datum shows": dataset(labels=["fire", "smoke"]),
}
CHANGES["the annotation of another datum"] = velour.Dataset.from_groundtruths(
    [
        velour.GroundTruth(datum()),
        velour.GroundTruth(velour.Datum("2"), [annotation(), annotation()]),
    ],
    "fires",
)


def test_any_single_change_makes_another_dataset() -> None:
    """And no two of the changes make the same one."""
    digests = {name: data.digest for name, data in CHANGES.items()} | {"": dataset().digest}
    names: dict[str, list[str]] = {}
    for name, digest in digests.items():
        names.setdefault(digest, []).append(name)
    assert [same for same in names.values() if len(same) > 1] == []


def test_what_is_no_change_of_content_is_none() -> None:
    """The same numbers in other types, the same place in other words, another name."""
    same = [
        dataset(first=datum(metadata={"hour": 20.0})),
        dataset(first=datum(metadata={"hour": np.int64(20)})),
        dataset(first=datum(location=shapely.Point(-71.03, 42.36))),
        dataset(annotation(bounding_box=velour.BoundingBox.from_xywh(1, 2, 2, 2))),
        dataset(annotation(bounding_box=velour.BoundingBox(1.0, 2, 3, np.float32(4)))),
        dataset(name="forest"),
    ]
    assert {data.digest for data in same} == {dataset().digest}


def test_negative_zero_is_zero() -> None:
    boxes = [velour.BoundingBox(zero, 0, 1, 1) for zero in (0.0, -0.0)]
    assert len({dataset(annotation(bounding_box=box)).digest for box in boxes}) == 1


def many(count: int = 30_000, **changed: Any) -> velour.Dataset:
    """Row 20,000 is what ``changed`` says of it."""
    columns = {
        "label": np.zeros(count, int),
        "box": np.tile([1.0, 2, 3, 4], (count, 1)),
        "area": np.full(count, 12.0),
        "crowd": np.zeros(count, bool),
    }
    for name, value in changed.items():
        columns[name][20_000] = value
    table = AnnotationTable.from_columns(
        [("class", "fire"), ("class", "smoke")], np.arange(count) // 100, **columns
    )
    return velour.Dataset.from_table("many", [velour.Datum(str(n)) for n in range(300)], table)


def test_row_twenty_thousand_matters() -> None:
    """Where MLflow's own digest does not look."""
    whole = many().digest
    assert whole == many().digest
    for change in ({"label": 1}, {"box": [1.0, 2, 3, 5]}, {"area": 13.0}, {"crowd": True}):
        assert many(**change).digest != whole


def test_the_order_of_datums_does_not_matter() -> None:
    truths = [
        velour.GroundTruth(velour.Datum(uid), [annotation(area=float(number))])
        for number, uid in enumerate(["10", "9", "b", "a", "-1"])
    ]
    digests = set()
    for seed in range(5):
        random.Random(seed).shuffle(truths)
        data = velour.Dataset.from_groundtruths(truths, "fires")
        assert data.uids == ("-1", "9", "10", "a", "b")
        digests.add((data.digest, data.content_digests.groundtruth, data.content_digests.datums))
    assert len(digests) == 1


def test_the_order_of_columns_that_are_of_different_datums_does_not_matter() -> None:
    """COCO files list annotations in any order; within an image it is content."""
    datums = [velour.Datum("1"), velour.Datum("2")]
    digests = [
        velour.Dataset.from_table("fires", datums, table(places, areas)).digest
        for places, areas in (
            ([0, 0, 1], [1.0, 2, 3]),
            ([0, 1, 0], [1.0, 3, 2]),
            ([0, 0, 1], [2.0, 1, 3]),
        )
    ]
    assert digests[0] == digests[1] != digests[2]


def table(places: Sequence[int], areas: Sequence[float]) -> AnnotationTable:
    return AnnotationTable.from_columns(
        [("class", "fire")], np.array(places), np.zeros(len(places), int), area=np.array(areas)
    )


def test_a_datum_is_named_by_itself_alone() -> None:
    """What is said of others changes neither its digest nor that of a part of the dataset."""
    plain, second = dataset(), np.array([False, True])
    for change in (
        {"raster": velour.Raster(MASK)},
        {"embedding": [1, 2]},
        {"metadata": {}},
        {"labels": [label("smoke")]},
    ):
        changed = dataset(annotation(**change))
        ours, theirs = (list(data.fingerprints.contents) for data in (plain, changed))
        assert ours[0] != theirs[0]
        assert ours[1] == theirs[1]
        part = changed.subset(second)
        again = velour.Dataset.from_groundtruths(part.groundtruths, "fires")
        assert list(part.fingerprints.contents) == list(again.fingerprints.contents)


def test_what_is_true_and_what_it_is_true_of_have_digests_of_their_own() -> None:
    data = dataset()
    other_truth = dataset(annotation(labels=[label("smoke")]))
    other_datum = dataset(first=datum(metadata={"hour": 21}))
    assert other_truth.content_digests.datums == data.content_digests.datums
    assert other_truth.content_digests.groundtruth != data.content_digests.groundtruth
    assert other_datum.content_digests.datums != data.content_digests.datums
    assert other_datum.content_digests.groundtruth == data.content_digests.groundtruth


def test_predictions_have_a_digest_that_their_order_does_not_change() -> None:
    predictions = [velour.Prediction(datum(uid=uid), [annotation()]) for uid in ("1", "2")]
    data = dataset()
    forward, backward = (
        data.with_predictions(way, "m") for way in (predictions, predictions[::-1])
    )
    assert forward.predictions_digest == backward.predictions_digest
    other = data.with_predictions([predictions[0]], "m")
    assert other.predictions_digest != forward.predictions_digest
    assert forward.digest == data.digest


def test_numbers_come_before_names_and_by_size() -> None:
    assert sorted(["10", "b", "9", "a", "-2", "1.5", "007"], key=natural_order) == [
        "-2", "007", "9", "10", "1.5", "a", "b",
    ]  # fmt: skip


def test_equal_numbers_are_different_datums() -> None:
    """Leading zeros are part of a name."""
    truths = [velour.GroundTruth(velour.Datum(uid)) for uid in ("7", "007", "07")]
    assert velour.Dataset.from_groundtruths(truths, "zeros").uids == ("007", "07", "7")


@pytest.mark.parametrize("between", [(), ("2",)])
def test_a_datum_occurs_once(between: Sequence[str]) -> None:
    datums = [velour.Datum(uid) for uid in ("1", *between, "1")]
    with pytest.raises(BadDataset, match=r"'1' occurs twice in dataset 'fires'"):
        velour.Dataset.from_groundtruths(map(velour.GroundTruth, datums), "fires")
    with pytest.raises(BadDataset, match=r"'1' occurs twice in dataset 'fires'"):
        velour.Dataset.from_table("fires", datums, table([], []))


def test_a_dataset_needs_a_name_and_a_datum() -> None:
    with pytest.raises(BadDataset, match="'fires' has no datum: there is nothing to evaluate"):
        velour.Dataset.from_groundtruths([], "fires")
    for name in ("", None, 7):
        with pytest.raises(BadDataset, match=f"name {name!r}: expected a non-empty string"):
            dataset(name=name)
    with pytest.raises(BadMetadata, match="'licence' is a set"):
        dataset(metadata={"licence": {"MIT"}})


@pytest.mark.parametrize("items", [None, 7, "fires", [None], [datum()], [annotation()]])
def test_objects_of_another_kind_are_refused(items: Any) -> None:
    with pytest.raises(BadDataset, match=r"expected a velour\.GroundTruth"):
        velour.Dataset.from_groundtruths(items, "fires")
    if not isinstance(items, str):  # which is a path
        with pytest.raises(BadDataset, match=r"expected a velour\.Prediction"):
            dataset().with_predictions(items, "m")


@pytest.mark.parametrize("labels", [[["fire"]], [("class",)], [(7, "fire")], [("class", ["x"])]])
def test_labels_of_another_kind_are_refused(labels: Any) -> None:
    with pytest.raises(BadAnnotation, match=r"expected its value, as 'fire', or a pair"):
        velour.Dataset.from_groundtruths([velour.GroundTruth(datum())], "fires", labels=labels)


def test_labels_are_values_or_pairs() -> None:
    bare, pair = (
        velour.Dataset.from_groundtruths([velour.GroundTruth(datum())], "fires", labels=[label])
        for label in ("fire", ("class", "fire"))
    )
    assert bare.truth.labels == pair.truth.labels == (("class", "fire"),)


@pytest.mark.parametrize("metadata", [7, "hour", ["hour"]])
def test_metadata_of_another_kind_is_refused(metadata: Any) -> None:
    with pytest.raises(BadMetadata, match="expected names and values"):
        datum(metadata=metadata)
    with pytest.raises(BadMetadata, match="expected names and values"):
        annotation(metadata=metadata)
    with pytest.raises(BadMetadata, match="expected names and values"):
        dataset(metadata=metadata)
    with pytest.raises(BadMetadata, match="expected names and values"):
        velour.build_dataset("fires", metadata)


@pytest.mark.parametrize("annotations", [None, 7, "fire", [label()], [None]])
def test_annotations_of_another_kind_are_refused(annotations: Any) -> None:
    with pytest.raises(BadAnnotation, match=r"expected velour\.Annotation only"):
        velour.GroundTruth(datum(), annotations)
    with pytest.raises(BadAnnotation, match=r"expected velour\.Annotation only"):
        velour.Prediction(datum(), annotations)


@pytest.mark.parametrize("labels", [None, 7, "fire", [None], []])
def test_an_annotation_has_labels(labels: Any) -> None:
    with pytest.raises(BadAnnotation, match=r"expected at least one velour\.Label"):
        velour.Annotation(labels)


@pytest.mark.parametrize("chosen", [[True], [True] * 3, [[True, False]], True])
def test_a_choice_is_of_each_datum(chosen: Any) -> None:
    with pytest.raises(BadDataset, match=r"expected \(2,\), true or false for each datum"):
        dataset().subset(chosen)


@pytest.mark.parametrize("place", [-1, 2])
def test_a_column_names_datums_that_exist(place: int) -> None:
    with pytest.raises(BadDataset, match=f"number {place}: expected 0 to 1"):
        velour.Dataset.from_table(
            "fires", [velour.Datum("1"), velour.Datum("2")], table([0, place], [1, 1])
        )
    with pytest.raises(BadDataset, match=f"number {place}: expected 0 to 1"):
        dataset().with_predictions(table([0, place], [1, 1]), "m")


def test_columns_are_checked_as_objects_are() -> None:
    fire, one = [("class", "fire")], np.zeros(1, int)
    with pytest.raises(BadAnnotation, match=r"score .*1\.5.* in row 0: .*sigmoid"):
        AnnotationTable.from_columns(fire, one, one, score=np.array([1.5]))
    with pytest.raises(BadGeometry, match=r"box \[0\.0, 0\.0, -1\.0, 1\.0\] in row 0: .*pixels"):
        AnnotationTable.from_columns(fire, one, one, box=np.array([[0, 0, -1, 1]]))
    for wrong in (1, -1):
        with pytest.raises(BadAnnotation, match=rf"label .*{wrong}.* in row 0: .*of the 1 labels"):
            AnnotationTable.from_columns(fire, one, one + wrong)


def test_a_subset_keeps_what_is_said_of_its_datums() -> None:
    data = dataset(annotation(area=7)).with_predictions(
        [velour.Prediction(velour.Datum("2"), [annotation(area=9)])], "m"
    )
    second = data.subset(np.array([False, True]))
    assert second.uids == ("2",)
    assert [truth.annotations[0].area for truth in second.groundtruths] == [3.0]
    assert [predictions.annotations[0].area for predictions in second.predicted] == [9.0]
    assert (second.model, second.name) == ("m", "fires")
    assert data.subset(np.array([True, True])).digest == data.digest
    assert len(data.subset(np.array([False, False]))) == 0


def test_a_prediction_is_for_a_datum_of_the_dataset_and_for_each_at_most_once() -> None:
    data = dataset()
    with pytest.raises(BadDataset, match="datum '7', which is not in dataset 'fires'"):
        data.with_predictions([velour.Prediction(velour.Datum("7"))], "m")
    twice = [velour.Prediction(velour.Datum("1"))] * 2
    with pytest.raises(BadDataset, match="'1' is predicted twice: put it all in one Prediction"):
        data.with_predictions(twice, "m")


def test_a_datum_without_prediction_is_one_on_which_nothing_was_found() -> None:
    predictions = dataset().with_predictions([velour.Prediction(datum(), [annotation()])], "m")
    assert [len(prediction.annotations) for prediction in predictions.predicted] == [1, 0]


def test_a_dataset_that_came_from_no_file_reads_none() -> None:
    with pytest.raises(BadDataset, match=r"'results\.json': this dataset came from no file"):
        dataset().with_predictions("results.json", "m")


@pytest.mark.parametrize("model", [None, 7, "nul\x00"])
def test_a_model_has_a_name(model: Any) -> None:
    with pytest.raises(BadDataset, match="expected its name") as refusal:
        dataset().with_predictions([], model)
    assert repr(model) in str(refusal.value)


def test_without_predictions_there_is_nothing_predicted() -> None:
    assert list(dataset().predicted) == []
    with pytest.raises(BadDataset, match="has no predictions: use with_predictions"):
        dataset().predictions_digest  # noqa: B018


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("more", [{}, MORE])
def test_objects_come_back_from_columns(region: str, more: dict[str, Any]) -> None:
    """Two labels on the region, one with a score, beside a datum with nothing."""
    predictions = velour.Annotation([label(score=0.5), label("smoke")], **REGIONS[region], **more)
    data = dataset().with_predictions(
        [velour.Prediction(datum(), [predictions, annotation()])], "m"
    )
    first, second = data.predicted
    assert first.annotations == (predictions, annotation())
    assert second.annotations == ()
    again = data.with_predictions([first, second], "m")
    assert again.predictions_digest == data.predictions_digest


def test_all_regions_together_come_back() -> None:
    """Columns hold boxes, polygons and rasters side by side."""
    predictions = [velour.Annotation([label()], **region) for region in REGIONS.values()]
    data = dataset(*predictions)
    assert next(data.groundtruths).annotations == tuple(predictions)
    again = velour.Dataset.from_groundtruths(data.groundtruths, "fires")
    assert again.digest == data.digest


def test_corners_come_back_within_a_rounding_and_the_digest_exactly() -> None:
    """Columns hold sizes: 0.1 + (0.7 - 0.1) need not be 0.7."""
    rng = np.random.default_rng(0)
    corners = np.sort(rng.random((200, 2, 2)), axis=1).reshape(-1, 4)
    data = dataset(*(annotation(bounding_box=velour.BoundingBox(*four)) for four in corners))
    back = next(data.groundtruths).annotations
    boxes = [item.bounding_box for item in back]
    assert all(boxes)
    ours = [(box.xmin, box.ymin, box.xmax, box.ymax) for box in boxes if box]
    assert np.array(ours) == pytest.approx(corners, rel=1e-15)
    assert velour.Dataset.from_groundtruths(data.groundtruths, "x").digest == data.digest


def test_a_dataset_says_what_it_is() -> None:
    data = dataset().with_predictions([], "yolo")
    assert repr(data).startswith(
        "<Dataset 'fires': 2 datums, 2 labels of 1 classes, predictions by 'yolo', "
    )
    assert replace(data, predictions=None).digest[:12] in repr(data)
