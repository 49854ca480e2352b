"""SpaceNet summaries: buildings in pixels and on Earth, and a model's proposals."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
import shapely

import velour_plugin as velour
from velour_plugin.errors import BadDataset, InvalidInput

TRUTH = """ImageId,BuildingId,PolygonWKT_Pix,PolygonWKT_Geo
AOI_2_Vegas_img1,0,"POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))","POLYGON ((-115 36, -113 36, -113 38, -115 38, -115 36))"
AOI_2_Vegas_img1,1,"POLYGON Z ((5 5 0, 9 5 0, 9 9 0, 5 5 0))","POLYGON EMPTY"
AOI_5_Khartoum_img2,0,POLYGON EMPTY,POLYGON EMPTY
"""  # noqa: E501
PROPOSALS = """ImageId,BuildingId,PolygonWKT_Pix,Confidence
AOI_2_Vegas_img1,0,"POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))",300
AOI_2_Vegas_img1,1,"POLYGON ((5 5, 9 5, 9 9, 5 5))",150.0
AOI_5_Khartoum_img2,0,POLYGON EMPTY,1
"""


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return written(tmp_path / "truth.csv", TRUTH)


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def read(path: Path, **options: object) -> velour.Dataset:
    return velour.read_dataset(path, format="spacenet", **options)  # type: ignore[arg-type]


def test_a_row_is_a_building(truth: Path) -> None:
    vegas, khartoum = read(truth, name="sn2").groundtruths
    assert vegas.datum.uid == "AOI_2_Vegas_img1"
    assert vegas.datum.metadata == {"height": 650, "width": 650, "area_of_interest": "AOI_2_Vegas"}
    assert [item.labels[0].name for item in vegas.annotations] == [("class", "building")] * 2
    assert [item.polygon.area for item in vegas.annotations if item.polygon] == [16.0, 8.0]
    assert khartoum.annotations == ()


def test_an_image_lies_where_its_buildings_do(truth: Path) -> None:
    vegas, khartoum = read(truth).datums
    assert vegas.location.equals_exact(shapely.Point(-114, 37), 0.003)  # on the sphere
    assert khartoum.location is None


def test_a_table_may_know_the_place_better(truth: Path, tmp_path: Path) -> None:
    table = written(tmp_path / "m.csv", "uid,lat,lon,sensor\nAOI_5_Khartoum_img2,15.5,32.56,WV3\n"
                    "AOI_2_Vegas_img1,,,WV2\n")  # fmt: skip
    vegas, khartoum = read(truth, metadata=table).datums
    assert khartoum.location == shapely.Point(32.56, 15.5)
    assert khartoum.metadata["sensor"] == "WV3"
    assert vegas.location.equals_exact(shapely.Point(-114, 37), 0.003)  # on the sphere


def test_a_table_about_other_images_is_refused(truth: Path, tmp_path: Path) -> None:
    table = written(tmp_path / "m.csv", "uid,sensor\nsomewhere,WV3\n")
    with pytest.raises(BadDataset, match="none of its 1 records is about a datum"):
        read(truth, metadata=table)


@pytest.mark.parametrize(("highest", "expected"), [("300", [1.0, 0.5]), ("600", [0.5, 0.25])])
def test_confidences_are_shares_of_the_largest(
    truth: Path, tmp_path: Path, highest: str, expected: list[float]
) -> None:
    """300 and 150 of 300; of 600 where the empty image has that."""
    text = PROPOSALS.replace("EMPTY,1\n", f"EMPTY,{highest}\n")
    dataset = read(truth).with_predictions(written(tmp_path / "p.csv", text), "xd_xd")
    vegas, khartoum = dataset.predicted
    assert [item.labels[0].score for item in vegas.annotations] == expected
    assert khartoum.annotations == ()


def test_confidences_that_are_shares_stay_as_they_are(truth: Path, tmp_path: Path) -> None:
    text = PROPOSALS.replace(",300", ",0.5").replace(",150.0", ",0.25")
    dataset = read(truth).with_predictions(written(tmp_path / "p.csv", text), "xd_xd")
    assert dataset.predictions is not None
    assert dataset.predictions.score.tolist() == [0.5, 0.25]


def test_proposals_fit_a_part_of_the_dataset(truth: Path, tmp_path: Path) -> None:
    """What is said of images that were left out is left out."""
    vegas = read(truth).subset(np.array([True, False]))
    (message,) = vegas.with_predictions(written(tmp_path / "p.csv", PROPOSALS), "m").predicted
    assert len(message.annotations) == 2


@pytest.mark.parametrize(
    ("old", "new", "message", "rule"),
    [
        ("PolygonWKT_Geo", "Geo", "lacks the columns PolygonWKT_Geo", "a SpaceNet summary"),
        ("ImageId,B", "Image,B", "lacks the columns ImageId", "a SpaceNet summary"),
        ("POLYGON ((0 0, 4 0", "POLYGON ((0 0, 4 zero", "'AOI_2_Vegas_img1': ", "Expected number"),
        ("POLYGON EMPTY,POLYGON EMPTY", "POINT (1 2),POLYGON EMPTY",
         "'AOI_5_Khartoum_img2': 'POINT (1 2)'", "is no polygon"),
        (",POLYGON EMPTY,POLYGON EMPTY", ",,", "'AOI_5_Khartoum_img2': ''", "is no polygon"),
        (",POLYGON EMPTY,POLYGON EMPTY", f",{'GEOMETRYCOLLECTION(' * 50_000},POLYGON EMPTY",
         "'GEOMETRYCOLLECTION(GEOMETRY", "is no polygon"),
        ("EMPTY,POLYGON EMPTY", "EMPTY,POLYGON EMPTY,1,2", "line 4: 6 cells for 4", "quote cells"),
        ("PolygonWKT_Geo", "PolygonWKT_Pix", "two columns 'PolygonWKT_Pix'", "a name of its own"),
        ("AOI_5_Khartoum_img2,", ",", "datum uid ''", "non-empty string"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_truth_is_named(
    tmp_path: Path, old: str, new: str, message: str, rule: str
) -> None:
    assert TRUTH.count(old) == 1
    path = written(tmp_path / "truth.csv", TRUTH.replace(old, new))
    with pytest.raises(BadDataset) as refusal:
        read(path)
    assert message in str(refusal.value)
    assert rule in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "message", "rule"),
    [
        ("Confidence", "Score", "lacks the columns Confidence", "a SpaceNet summary"),
        (",300", ",-3", "Confidence '-3'", "a finite number >= 0"),
        (",300", ",nan", "Confidence 'nan'", "a finite number >= 0"),
        (",300", ",inf", "Confidence 'inf'", "a finite number >= 0"),
        (",300", ",sure", "Confidence 'sure'", "a finite number >= 0"),
        (",300", ",", "Confidence ''", "a finite number >= 0"),
        (",300", ",true", "Confidence 'true'", "a finite number >= 0"),
        ("AOI_5_Khartoum_img2", "AOI_4_Shanghai_img3", "'AOI_4_Shanghai_img3'", "not in dataset"),
    ],
)
def test_a_mistake_in_the_proposals_is_named(
    truth: Path, tmp_path: Path, old: str, new: str, message: str, rule: str
) -> None:
    path = written(tmp_path / "p.csv", PROPOSALS.replace(old, new))
    with pytest.raises(BadDataset) as refusal:
        read(truth).with_predictions(path, "m")
    assert message in str(refusal.value)
    assert rule in str(refusal.value)


def test_a_file_that_cannot_be_read_is_named(truth: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.csv' cannot be read"):
        read(tmp_path / "absent.csv")
    with pytest.raises(InvalidInput, match=r"absent\.csv' cannot be read"):
        read(truth).with_predictions(tmp_path / "absent.csv", "m")
    path = tmp_path / "latin.csv"
    path.write_bytes(TRUTH.replace("Vegas", "Végas").encode("latin-1"))
    with pytest.raises(BadDataset, match=r"latin\.csv' is no text in UTF-8: .* save it as UTF-8"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_at_the_beginning_is_no_part_of_a_name(
    truth: Path, tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "marked.csv"
    path.write_bytes(TRUTH.encode(encoding))
    assert read(path, name="truth").digest == read(truth).digest


def test_a_gzipped_file_is_unpacked(truth: Path, tmp_path: Path) -> None:
    packed = tmp_path / "truth.csv.gz"
    packed.write_bytes(gzip.compress(TRUTH.encode()))
    assert (read(packed).digest, read(packed).name) == (read(truth).digest, "truth")


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_counted(
    truth: Path, tmp_path: Path, separator: str, name: str
) -> None:
    rows = csv.reader(TRUTH.splitlines())
    with open(tmp_path / "other.csv", "w", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    with pytest.warns(velour.ReadingWarning, match=f"1 tables separated by {name}"):
        assert read(tmp_path / "other.csv").digest == read(truth).digest


def test_an_outline_may_have_many_points(truth: Path, tmp_path: Path) -> None:
    """More letters than the csv module reads in a cell unless it is told to."""
    ring = ", ".join(f"{x} 0" for x in range(40_000))
    path = written(tmp_path / "long.csv", TRUTH.replace("0 0, 4 0", f"{ring}, 4 0"))
    assert len(read(path).truth) == 2


def test_what_finds_no_building_is_said_aloud(truth: Path, tmp_path: Path) -> None:
    header, *_ = PROPOSALS.splitlines()
    with pytest.warns(velour.ReadingWarning, match="1 empty predictions"):
        read(truth).with_predictions(written(tmp_path / "p.csv", header + "\n"), "m")
    with pytest.raises(BadDataset, match="has no row: expected one for each building"):
        read(written(tmp_path / "t.csv", TRUTH.splitlines()[0]))
