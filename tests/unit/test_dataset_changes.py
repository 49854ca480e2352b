"""What differs between two versions of a dataset, in words."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from click.testing import CliRunner

import velour_plugin as velour
from velour_plugin.cli import main
from velour_plugin.domain.dataset_changes import DatasetChanges

BOX, OTHER = velour.BoundingBox(0, 0, 4, 4), velour.BoundingBox(0, 0, 4, 5)


def image(
    uid: str, boxes: Any = (BOX,), location: Any = None, label: str = "fire", **metadata: Any
) -> velour.GroundTruth:
    datum = velour.Datum(uid, metadata, location)
    label_of = velour.Label("class", label)
    return velour.GroundTruth(datum, [velour.Annotation([label_of], box) for box in boxes])


def fires(*images: velour.GroundTruth, **metadata: Any) -> velour.Dataset:
    return velour.Dataset.from_groundtruths(images, "fires", metadata)


PLAIN = fires(image("1"), image("2"), image("3", hour=1, night=True))


@pytest.mark.parametrize(
    ("after", "sentences"),
    [
        (PLAIN, []),
        (fires(image("3", hour=1, night=True), image("9"), image("2"), image("1")), []),
        (
            fires(image("1", hour=1), image("2"), image("3", hour=2)),
            ["metadata differ on 2 datums: hour, night", "all annotations are the same"],
        ),
        (
            fires(image("1"), image("2"), image("3", hour=1, night=1)),  # true is not 1
            ["metadata differ on 1 datum: night", "all annotations are the same"],
        ),
        (
            fires(image("1", [OTHER]), image("2", [BOX, BOX]), image("3", hour=1, night=True)),
            ["annotations differ on 2 datums: 1 only before, 2 only after"],
        ),
        (
            fires(image("1", []), image("2", location=(42, -71)), image("3", hour=1, night=True)),
            ["locations differ on 1 datum",
             "annotations differ on 1 datum: 1 only before, 0 only after"],
        ),
        (
            fires(image("1"), image("2"), image("3", hour=1, night=True), sensor="infrared"),
            ["the description differs in sensor", "all annotations are the same"],
        ),
        (
            fires(image("1"), image("2", label="smoke"), image("3", hour=1, night=True)),
            ["annotations differ on 1 datum: 1 only before, 1 only after",
             "the description differs in labels"],
        ),
    ],
)  # fmt: skip
def test_what_differs_is_said(after: velour.Dataset, sentences: list[str]) -> None:
    assert DatasetChanges.between(PLAIN, after).sentences == sentences
    reverse = DatasetChanges.between(after, PLAIN)
    assert len(reverse.sentences) == len(sentences)


def test_the_order_of_annotations_is_content_although_each_is_there() -> None:
    before, after = fires(image("1", [BOX, OTHER])), fires(image("1", [OTHER, BOX]))
    changes = DatasetChanges.between(before, after)
    assert (changes.annotated, changes.annotations_added) == (("1",), 0)


def test_many_keys_are_not_all_named() -> None:
    after = fires(image("1", **{f"key {n}": n for n in range(9)}))
    (sentence, _) = DatasetChanges.between(PLAIN, after).sentences
    assert sentence == "metadata differ on 1 datum: key 0, key 1, key 2, key 3, key 4, …"


def test_the_command_says_what_differs(sqlite_url: str) -> None:
    with velour.open_store(sqlite_url) as store:
        store.save_dataset(PLAIN)
        store.save_dataset(fires(image("1", [OTHER]), image("3", hour=2, night=True), image("4")))
        difference = store.diff("fires", 1, 2)
    assert difference.changes is not None
    assert difference.changes.metadata == {"hour": 1}
    command = ["datasets", "diff", "fires", "1", "2", "--store", sqlite_url]
    assert CliRunner().invoke(main, command).stdout.splitlines() == [
        "fires v1 to v2: 1 added, 1 removed, 2 changed, 0 unchanged",
        "metadata differ on 1 datum: hour",
        "annotations differ on 1 datum: 1 only before, 1 only after",
        "+ 4",
        "- 2",
        "~ 1",
        "~ 3",
    ]
    written = json.loads(CliRunner().invoke(main, [*command, "--json"]).stdout)
    assert written == json.loads(json.dumps(asdict(difference)))
