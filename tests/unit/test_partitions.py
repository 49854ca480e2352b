"""Datums of a part come back as they were written."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

import velour_plugin as velour
from velour_plugin.errors import BadDataset, InvalidInput

PLACES = [
    velour.Datum("1", {"hour": 20, "tags": ["a", {"b": None}]}, (42.36, -71.03)),
    velour.Datum("2", {"at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "text": '},{"x":1'}),
    velour.Datum("10"),
]


@pytest.mark.parametrize("datums", [PLACES, PLACES[1:], PLACES[2:], PLACES[:1]])
def test_metadata_and_places_are_kept(datums: list[velour.Datum], tmp_path: Path) -> None:
    """Where some datums have none, or all of them."""
    dataset = velour.Dataset.from_groundtruths(map(velour.GroundTruth, datums), "places")
    dataset = dataset.with_predictions([], "model")

    (part,) = velour.PartitionedDataset.write(tmp_path, [dataset])

    assert list(part.datums) == datums
    assert part.content_digests == dataset.content_digests


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    dataset = velour.Dataset.from_groundtruths(map(velour.GroundTruth, PLACES), "places")
    parts = velour.PartitionedDataset.write(tmp_path, [dataset.with_predictions([], "model")])
    file = tmp_path / parts.parts[0] / "datums.parquet"
    file.unlink()

    with pytest.raises(InvalidInput, match=r"datums\.parquet.*cannot be read"):
        parts.part(0)


@pytest.mark.parametrize("wrong", ["text", "truth.parquet"])
def test_a_file_without_datums_is_refused_by_name(wrong: str, tmp_path: Path) -> None:
    dataset = velour.Dataset.from_groundtruths(map(velour.GroundTruth, PLACES), "places")
    parts = velour.PartitionedDataset.write(tmp_path, [dataset.with_predictions([], "model")])
    folder = tmp_path / parts.parts[0]
    content = b"text" if wrong == "text" else (folder / wrong).read_bytes()
    (folder / "datums.parquet").write_bytes(content)

    with pytest.raises(
        BadDataset, match=r"datums\.parquet': this (is no parquet|holds no datums).* again"
    ):
        parts.part(0)
