"""Metadata and places: every type comes back as it went, and what has no spelling is refused."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely

import velour_plugin as velour
from velour_plugin.domain.metadata import (
    checked_location,
    decode_metadata,
    encode_metadata,
    is_all_plain,
)
from velour_plugin.errors import BadGeometry, BadMetadata

NAN = float("nan")
NOON = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)
BOSTON = shapely.Point(-71.03, 42.36)

EVERY_TYPE: dict[str, Any] = {
    "nothing": None,
    "true": True,
    "whole": 7,
    "large": 2**62 + 1,
    "share": 0.1,
    "tiny": 5e-324,
    "huge": 1e300,
    "text": 'Zürich "quoted" 100% \\ 火',
    "moment": NOON,
    "day": dt.date(2024, 6, 1),
    "hour": dt.time(23, 59, 59, 5),
    "lasting": dt.timedelta(days=1, microseconds=5),
    "place": BOSTON,
    "area": shapely.box(0, 0, 1, 1),
    "list": [1, "a", None, [True]],
    "nested": {"a key": {"deeper": [{"moment": NOON}]}},
}


def through_json(metadata: dict[str, Any]) -> dict[str, Any]:
    return decode_metadata(json.loads(json.dumps(encode_metadata(metadata), allow_nan=False)))


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_a_value_of_every_type_comes_back(name: str) -> None:
    back = through_json({name: EVERY_TYPE[name]})
    assert back == {name: EVERY_TYPE[name]}


def test_a_moment_is_an_instant_whatever_its_zone() -> None:
    in_boston = NOON.astimezone(dt.timezone(dt.timedelta(hours=-4)))
    without_zone = NOON.replace(tzinfo=None)
    assert (
        encode_metadata({"at": in_boston})
        == encode_metadata({"at": NOON})
        == encode_metadata({"at": without_zone})
    )


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [
        (np.int64(7), 7),
        (np.uint8(7), 7),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("fire"), "fire"),
        (np.array(7), 7),
        (np.datetime64("2024-06-01T12:00:00", "ns"), NOON),
        (np.datetime64("2024-06-01T12:00", "m"), NOON),
        (np.timedelta64(90, "s"), dt.timedelta(seconds=90)),
        (np.timedelta64(90, "ns"), dt.timedelta(0)),
        (pd.Timestamp(NOON), NOON),
        (pd.Timedelta(seconds=90), dt.timedelta(seconds=90)),
    ],
)
def test_scalars_of_numpy_and_pandas_are_plain_values(scalar: Any, plain: Any) -> None:
    assert encode_metadata({"x": scalar}) == encode_metadata({"x": plain})
    assert type(encode_metadata({"x": scalar})["x"]) is type(encode_metadata({"x": plain})["x"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (NAN, "nan"),
        (float("-inf"), "-inf"),
        (np.float32("nan"), "nan"),
        (pd.NaT, "NaT"),
        (np.datetime64("NaT"), "nan"),
        (10**400, "10000"),
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (1j, "complex"),
        (np.array([1, 2]), "ndarray"),
        (object(), "object"),
        ([1, NAN], "nan"),
        ({"deep": {"er": NAN}}, "'x.deep.er'"),
        ("nul\x00", "U+0000"),
        ("half \ud800", "U+0000"),
        (shapely.Point(NAN, 1), "finite"),
        ({"type": "Point", "coordinates": "nowhere"}, "nowhere"),
    ],
)
def test_a_value_that_no_filter_could_ask_for_is_refused(value: Any, message: str) -> None:
    with pytest.raises(BadMetadata) as refusal:
        velour.Datum("1", {"x": value})
    assert "'x" in str(refusal.value)
    assert message in str(refusal.value)


@pytest.mark.parametrize("key", ["", 7, None, "$datetime", "nul\x00"])
def test_a_key_is_text(key: Any) -> None:
    for metadata in ({key: 1}, {"nested": {key: 1}}):
        with pytest.raises(BadMetadata, match="expected a non-empty string") as refusal:
            encode_metadata(metadata)
        assert repr(key) in str(refusal.value)


def test_annotations_have_metadata_too() -> None:
    with pytest.raises(BadMetadata, match="'seen' is nan"):
        velour.Annotation(velour.Label("class", "fire"), metadata={"seen": NAN})


@pytest.mark.parametrize(
    "given",
    [
        (42.36, -71.03),
        [42.36, -71.03],
        np.array([42.36, -71.03]),
        {"type": "Point", "coordinates": [-71.03, 42.36]},
        {"type": "Point", "coordinates": [-71.03, 42.36, 15.0]},
        BOSTON,
        shapely.Point(-71.03, 42.36, 15.0),
    ],
)
def test_every_spelling_of_a_place_is_the_same_place(given: Any) -> None:
    """A pair is latitude first, as people say it; GeoJSON and shapely are longitude first."""
    assert checked_location(given) == BOSTON
    assert velour.Datum("1", location=given).location == BOSTON


@pytest.mark.parametrize(
    "given",
    [
        (-71.03, 142.36, 7),
        (91, 0),
        (-91, 0),
        (0, 181),
        (142.36, -71.03),
        (NAN, 0),
        (0, float("inf")),
        ("north", "west"),
        "42.36,-71.03",
        7,
        {"type": "Place"},
        {"type": "Point", "coordinates": [NAN, 1]},
        {"type": "Point", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        shapely.Point(),
        shapely.Point(NAN, 1),
        shapely.Point(-71.03, 95.0),
    ],
)
def test_a_place_that_is_not_on_earth_is_refused(given: Any) -> None:
    with pytest.raises(BadGeometry, match="location") as refusal:
        velour.Datum("1", location=given)
    assert repr(given) in str(refusal.value)
    hints = ("longitude", "leave it out")
    assert any(hint in str(refusal.value) for hint in hints)


def test_metatypes_say_what_filters_ask_for() -> None:
    frame = velour.VideoFrameMetadata(velour.ImageMetadata(480, 640), 0)
    assert frame.to_metadata() == {"height": 480, "width": 640, "frame": 0}


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "480", None])
def test_an_image_has_whole_pixels(size: Any) -> None:
    with pytest.raises(BadMetadata, match="whole number of pixels > 0") as refusal:
        velour.ImageMetadata(480, size)
    assert f"width {size!r}" in str(refusal.value)


@pytest.mark.parametrize("frame", [-1, 0.5, True, None])
def test_frames_are_counted_from_zero(frame: Any) -> None:
    with pytest.raises(BadMetadata, match=f"frame {frame!r}: expected a whole number >= 0"):
        velour.VideoFrameMetadata(velour.ImageMetadata(480, 640), frame)


@pytest.mark.parametrize(
    "odd",
    [
        *(float("nan"), float("inf"), 2**53, -(2.0**53), "\ud800", "a\x00", [1], {"a": 1}),
        *(np.int64(1), dt.date(2024, 6, 1), b"a", object()),
    ],
)
def test_metadata_of_many_is_plain_where_nothing_is_odd(odd: Any) -> None:
    """What is plain is taken as it is, and what is not is looked at by itself."""
    plain: list[dict[str, Any]] = [{"name": "a", "width": 640}, {}, {"fine": True, "none": None}]
    assert is_all_plain(plain)
    assert [encode_metadata(known) for known in plain] == plain
    assert not is_all_plain([*plain, {"name": odd}])


@pytest.mark.parametrize("key", ["", "$a", "a\x00", 1, None])
def test_metadata_of_many_with_a_bad_key_is_not_plain(key: Any) -> None:
    assert not is_all_plain([{"name": 1}, {key: 1}])
