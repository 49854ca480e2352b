"""Facts and tags beside datums, on SQLite and on PostGIS: written, asked for, never in a digest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

import velour_plugin as velour
from velour_plugin.errors import BadFilter, InvalidInput, UnknownName, VelourError
from velour_plugin.filters import parse_filter
from velour_plugin.store import Store, upgrade_store


def boat(value: str = "boat", key: str = "class", **options: Any) -> velour.Annotation:
    score = options.pop("score", None)
    label = velour.Label(key, value, score)
    return velour.Annotation([label], velour.BoundingBox.from_xywh(0, 0, 10, 10), **options)


def sea(*extra: velour.GroundTruth) -> velour.Dataset:
    """Image 0 is empty, 1 shows a boat, 2 two boats and a swimmer, 3 a red one of no class."""
    shown = [[], [boat()], [boat(), boat(), boat("swimmer")], [boat("red", "color")]]
    truths = [
        velour.GroundTruth(velour.Datum(str(number), {"hour": number}), annotations)
        for number, annotations in enumerate(shown)
    ]
    return velour.Dataset.from_groundtruths([*truths, *extra], "sea")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store of each kind that holds the sea and what is said of it."""
    upgrade_store(store_url)
    with velour.open_store(store_url) as opened:
        opened.save_dataset(sea())
        yield opened


def quality(revision: str = "1", **values: Any) -> velour.Facts:
    return velour.Facts("quality", revision, values or {"blur": {"0": 0.2, "1": 0.7}})


def selected(store: Store, where: str, dataset: str = "sea") -> list[str]:
    version = store.versions(dataset)[0]
    return list(store.select_datums(version, parse_filter(where)).uids)


# Facts


def test_facts_come_back_as_they_were_written(store: Store) -> None:
    values = {
        "blur": {"0": 0.25, "1": np.float64(7)},
        "kind": {"0": "sharp"},
        "near": {"2": ["0", "1"]},
        "two words. and a dot": {"1": "'; DROP TABLE facts; --"},
    }
    assert store.write_facts("sea", quality(**values)) == 6
    assert store.facts("sea") == {
        "0": {"fact.quality.blur": 0.25, "fact.quality.kind": "sharp"},
        "1": {
            "fact.quality.blur": 7.0,
            "fact.quality.two words. and a dot": "'; DROP TABLE facts; --",
        },
        "2": {"fact.quality.near": ("0", "1")},
    }
    assert store.facts(sea()) == store.facts("sea", source="quality")
    assert store.facts("sea", source="other") == {}


def test_a_source_that_writes_again_replaces_what_it_said(store: Store) -> None:
    """Other sources stay; what it no longer says is gone."""
    store.write_facts("sea", quality())
    store.write_facts("sea", velour.Facts("weather", "1", {"rain": {"0": "yes"}}))
    store.write_facts("sea", quality("2", blur={"2": 0.9}))
    assert store.facts("sea") == {
        "0": {"fact.weather.rain": "yes"},
        "2": {"fact.quality.blur": 0.9},
    }


def test_versions_share_the_facts_of_the_datums_that_they_share(store: Store) -> None:
    """A datum whose annotations changed is another, of which nothing has been said yet."""
    store.write_facts("sea", quality(blur={"0": 0.2, "1": 0.7}))
    changed = velour.GroundTruth(velour.Datum("1", {"hour": 1}), [boat("swimmer")])
    store.add_datums(velour.Dataset.from_groundtruths([changed], "sea"))
    assert store.facts("sea") == {"0": {"fact.quality.blur": 0.2}}
    assert store.facts("sea", version=1).keys() == {"0", "1"}
    store.write_facts("sea", quality("2", blur={"1": 0.1}))
    assert store.facts("sea", version=1) == {}


def test_facts_change_no_digest(store: Store) -> None:
    before = store.versions("sea")
    store.write_facts("sea", quality())
    store.tag("sea", "night")
    assert store.load_dataset("sea").digest == sea().digest
    assert store.save_dataset(sea()) == before[0]
    assert store.versions("sea") == before


def test_facts_of_a_source_are_deleted(store: Store) -> None:
    store.write_facts("sea", quality())
    assert store.delete_facts("sea", "quality") == 2
    assert store.facts("sea") == {}
    with pytest.raises(UnknownName, match="unknown source of facts about 'sea' 'quality'"):
        store.delete_facts("sea", "quality")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("fact.quality.blur > 0.5", "1"),
        ("NOT fact.quality.blur > 0.5", "0"),
        ("fact.quality.blur IS NULL", "23"),
        ("fact.quality.blur * 10 BETWEEN 1 AND 3", "0"),
        ("fact.quality.blur IN (0.7, 9)", "1"),
        ("fact.quality.blur = 'sharp'", ""),  # of another kind: unknown, as for metadata
        ("fact.quality.kind LIKE 's%' AND hour < 3", "0"),
        ("CASEI(fact.quality.kind) = CASEI('SHARP')", "0"),
        ("'0' IN (fact.quality.near)", "2"),
        ("NOT '9' IN (fact.quality.near)", "2"),
        ("A_CONTAINS(fact.quality.near, ('0', '1'))", "2"),
        ('"fact.quality.two words" = 1', "3"),
    ],
)
def test_a_filter_asks_for_facts(store: Store, where: str, expected: str) -> None:
    store.write_facts("sea", quality(
        blur={"0": 0.2, "1": 0.7}, kind={"0": "sharp"}, near={"2": ["0", "1"]},
        **{"two words": {"3": 1}},
    ))  # fmt: skip
    assert "".join(selected(store, where)) == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            "fact.quality.blurr > 1",
            "unknown property 'fact.quality.blurr': did you mean 'fact.qual",
        ),
        ("fact.qualty.blur > 1", r"did you mean 'fact.quality.blur'\?.*named at column 1"),
        ("hour > 1 AND fact.blur > 1", "facts are named fact.SOURCE.NAME(.|\n)*column 14"),
        ("fact.quality.blur = TRUE", "fact.quality.blur is a number, a string or a list"),
        ("fact.quality.blur > DATE('2026-07-01')", "fact.quality.blur is a number, a string"),
        ("S_WITHIN(fact.quality.blur, POINT(1 1))", "takes a property that is a place"),
        ("fact.tags = 'night'", r"a list of strings .*'x' IN \(fact.tags\)"),
        ("fact.tags LIKE 'n%'", "fact.tags is a list of strings"),
        ("A_CONTAINS(fact.tags, (1, 2))", "fact.tags is a list of strings and 1 is a number"),
        ("3 IN (datum.labels)", "3 is a number and datum.labels is a list of strings"),
        ("datum.label = 'x'", r"did you mean 'datum.labels'\?.*metadata.datum.label"),
        ("datum.truths = 'x'", "datum.truths is a number and 'x' is a string"),
    ],
)
def test_what_facts_cannot_answer_is_refused(store: Store, where: str, message: str) -> None:
    store.write_facts("sea", quality())
    with pytest.raises(VelourError, match=message):
        selected(store, where)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: velour.Facts("a.b", "1", {}), "fact source 'a.b': expected a word"),
        (lambda: velour.Facts("tags", "1", {}), "use store.tag"),
        (lambda: velour.Facts("a", "", {}), "fact revision ''"),
        (lambda: velour.Facts("a", "1", {"": {}}), "fact name ''"),
        (lambda: velour.Facts("a", "1", {"b": {"0": True}}), "fact.a.b True: a fact is a finite"),
        (lambda: velour.Facts("a", "1", {"b": {"0": float("nan")}}), "fact.a.b nan"),
        (lambda: velour.Facts("a", "1", {"b": {"0": [None]}}), "fact.a.b None"),
        (lambda: velour.Facts("a", "1", {"b": {"0": "\x00"}}), "without U"),
    ],
)
def test_facts_that_no_store_could_hold_are_refused(made: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        made()


def test_facts_about_a_datum_that_does_not_exist_are_refused_and_nothing_is_written(
    store: Store,
) -> None:
    store.write_facts("sea", quality())
    with pytest.raises(UnknownName, match="unknown datum of sea v1 '9'"):
        store.write_facts("sea", quality("2", blur={"0": 1, "9": 1}))
    assert store.facts("sea")["0"] == {"fact.quality.blur": 0.2}
    with pytest.raises(UnknownName, match="unknown dataset 'see': did you mean 'sea'"):
        store.write_facts("see", quality())


def test_metadata_called_like_a_fact_is_asked_for_by_its_longer_name(store: Store) -> None:
    metadata = {"fact": {"x": {"y": 1}}, "datum.truths": 7}
    truth = velour.GroundTruth(velour.Datum("1", metadata))
    store.save_dataset(velour.Dataset.from_groundtruths([truth], "old"))
    assert selected(store, "metadata.fact.x.y = 1", "old") == ["1"]
    assert selected(store, "metadata.datum.truths = 7 AND datum.truths = 0", "old") == ["1"]


# Tags


def test_datums_are_tagged_by_uid_or_filter_and_asked_for_by_tag(store: Store) -> None:
    assert store.tag("sea", "night", where="hour >= 2") == 2
    assert store.tag("sea", "night", uids=["3", "0"]) == 1
    assert selected(store, "'night' IN (fact.tags)") == ["0", "2", "3"]
    assert selected(store, "NOT 'night' IN (fact.tags)") == ["1"]
    assert store.tag("sea", "all") == 4
    assert selected(store, "A_CONTAINS(fact.tags, ('all', 'night'))") == ["0", "2", "3"]
    assert selected(store, "fact.tags IS NULL") == []
    assert store.untag("sea", "night", where="'all' IN (fact.tags) AND hour > 2") == 1
    assert store.facts("sea")["0"] == {"fact.tags": ("night", "all")}
    assert selected(store, "'night' IN (fact.tags)") == ["0", "2"]


def test_a_tag_that_nothing_has_is_not_taken_away(store: Store) -> None:
    store.tag("sea", "night", uids=["1"])
    assert store.untag("sea", "night", uids=["2"]) == 0
    with pytest.raises(UnknownName, match="unknown tag 'nigth': did you mean 'night'"):
        store.untag("sea", "nigth")
    with pytest.raises(UnknownName, match="unknown datum of sea v1 '9'"):
        store.tag("sea", "night", uids=["9"])
    with pytest.raises(InvalidInput, match="tag '': expected a non-empty string"):
        store.tag("sea", "")
    with pytest.raises(InvalidInput, match="uids and where"):
        store.tag("sea", "night", uids=["1"], where="hour = 1")
    assert store.facts("sea") == {"1": {"fact.tags": ("night",)}}


# What ground truth shows


def test_images_with_a_boat_and_no_swimmer_can_be_asked_for(store: Store) -> None:
    where = "'boat' IN (datum.labels) AND NOT 'swimmer' IN (datum.labels)"
    assert selected(store, where) == ["1"]
    assert selected(store, "A_OVERLAPS(datum.labels, ('swimmer', 'color=red'))") == ["2", "3"]
    assert selected(store, "'class=red' IN (datum.labels)") == []
    assert selected(store, "datum.truths >= 1 AND datum.truths < 3") == ["1", "3"]
    assert selected(store, "hour = datum.truths + 2") == ["3"]


def test_an_annotation_of_two_labels_is_one_truth(store: Store) -> None:
    both = velour.Annotation(
        [velour.Label("class", "boat"), velour.Label("color", "red")],
        velour.BoundingBox(0, 0, 1, 1),
    )
    store.save_dataset(sea(velour.GroundTruth(velour.Datum("4"), [both, boat()])))
    assert selected(store, "datum.truths = 2") == ["4"]


def test_a_filter_on_ground_truth_is_one_statement_that_looks_up_an_index(store: Store) -> None:
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        statements.append((statement, values))

    event.listen(store.engine, "before_cursor_execute", note)
    selected(store, "'boat' IN (datum.labels) AND datum.truths = 1")
    asked = [(text, values) for text, values in statements if "annotations" in text]
    assert len(asked) == 1
    if store.backend.name == "sqlite":
        with store.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0][0]}", asked[0][1])
            steps = [row[-1] for row in plan if "annotations" in row[-1]]
        assert steps
        assert all("COVERING INDEX ix_annotations_datum_id (datum_id=?" in one for one in steps)


# Evaluations


def found(model: str = "all") -> velour.Dataset:
    """A model that finds one boat wherever there is any, and two on the empty image."""
    predictions = [
        velour.Prediction(velour.Datum(str(uid)), [boat(score=0.9)] * count)
        for uid, count in enumerate([2, 1, 1, 0])
    ]
    return sea().with_predictions(predictions, velour.Model(model, {"backbone": "swin"}))


def test_an_evaluation_on_facts_is_of_the_same_datums_forever(store: Store) -> None:
    """Its certificate names the datums, as facts may change tomorrow."""
    store.tag("sea", "night", uids=["1", "2"])
    asked = {"task": "object-detection", "where": "'night' IN (fact.tags) AND hour < 3"}
    first = velour.evaluate(found(), **asked, store=store)
    assert first.ledger.datums == ("1", "2")
    assert '"property":"uid"' in str(first.certificate.filter)
    assert "fact" not in str(first.certificate.filter)
    assert velour.evaluate(found(), **asked, store=store).id == first.id
    store.untag("sea", "night", uids=["1"])
    second = velour.evaluate(found(), **asked, store=store)
    assert second.ledger.datums == ("2",)
    assert second.id != first.id


def test_facts_without_a_store_are_refused(store: Store) -> None:
    with pytest.raises(BadFilter, match=r"fact.tags \(at column 13\) is a fact, and facts are in"):
        velour.evaluate(found(), "object-detection", where="'night' IN (fact.tags)", save=False)
    with pytest.raises(InvalidInput, match="selects none of the datums of 'sea'"):
        velour.evaluate(found(), "object-detection", where="'night' IN (fact.tags)", store=store)
    with pytest.raises(UnknownName, match=r"fact.q.blur"):
        velour.evaluate(found(), "object-detection", where="fact.q.blur > 1", store=store)
    with pytest.raises(BadFilter, match=r"datum.predictions would select other datums"):
        velour.evaluate(found(), "object-detection", where="datum.predictions > 1", store=store)


def test_labels_of_datums_narrow_an_evaluation_in_memory() -> None:
    where = "'swimmer' IN (datum.labels) OR datum.truths = 0"
    assert velour.evaluate(found(), "object-detection", where=where, save=False).ledger.datums == (
        "0",
        "2",
    )


def test_rankings_and_slices_select_by_facts_labels_and_predictions(store: Store) -> None:
    velour.evaluate(found(), "object-detection", store=store)
    store.tag("sea", "night", uids=["1", "2"])

    def datums(where: str) -> int:
        board = velour.rank("mAP", dataset="sea", where=where, resamples=0, store=store)
        return board.datums

    assert datums("'night' IN (fact.tags)") == 2
    assert datums("'night' IN (fact.tags) AND 'swimmer' IN (datum.labels)") == 1
    assert datums("'night' IN (fact.tags) AND annotation.area > 1") == 2  # matched again
    assert datums("datum.predictions = 1") == 2
    assert datums("datum.predictions > datum.truths") == 1
    assert datums("datum.predictions < datum.truths OR 'night' IN (fact.tags)") == 3
    cut = {"seen": {"none": "datum.predictions = 0", "tagged": "'night' IN (fact.tags)"}}
    found_slices = velour.slices("all", by=cut, metric="mAP", store=store, resamples=0)
    assert [(row.slice, row.datums) for row in found_slices] == [("none", 1), ("tagged", 2)]


def test_predictions_of_several_runs_select_only_when_they_are_intersected(store: Store) -> None:
    velour.evaluate(found(), "object-detection", store=store)
    other = sea().with_predictions(
        [velour.Prediction(velour.Datum(uid), [boat(score=0.5)]) for uid in "013"], "other"
    )
    velour.evaluate(other, "object-detection", store=store)
    asked = {"dataset": "sea", "where": "datum.predictions = 1", "resamples": 0, "store": store}
    with pytest.raises(BadFilter, match="predictions of one run, and 2 runs are compared"):
        velour.rank("mAP", **asked)
    with pytest.raises(BadFilter, match="2 runs are compared"):
        velour.compare("all", "other", where="datum.predictions = 1", store=store)
    board = velour.rank("mAP", **asked, on_mismatch="intersect")
    assert {row.datums for row in board} == {1}  # image 1: all has 1 on 1 and 2, other on 0, 1, 3
    assert velour.rank("mAP", **asked, runs=["other"]).datums == 3


def test_what_starts_like_a_property_of_datums_is_still_refused_when_no_datum_has_it() -> None:
    where = "uid.x = 1 OR 'boat' IN (datum.labels)"
    with pytest.raises(UnknownName, match=r"unknown property 'uid.x'"):
        velour.evaluate(found(), "object-detection", where=where, save=False)
