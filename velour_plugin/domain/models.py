"""Models that are evaluated: name, metadata and location."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from velour_plugin.domain.metadata import checked_location, encode_metadata
from velour_plugin.domain.storable_text import LONGEST_NAME, is_name
from velour_plugin.errors import InvalidInput
from velour_plugin.helpers.libraries import shapely
from velour_plugin.helpers.representation import shortened


@dataclass(frozen=True, slots=True)
class Model:
    """A model; filters use its metadata as ``model.metadata.NAME``.

    Args:
        name: the name that its predictions are evaluated under.
        metadata: names and values (see :mod:`velour_plugin.domain.metadata`).
        location: where it is for: ``(latitude, longitude)``, GeoJSON, or shapely, in WGS84.

    Raises:
        InvalidInput: the name is not a non-empty string.
        BadMetadata, BadGeometry: metadata or location break their rules.

    >>> Model("yolo-s", {"backbone": "swin"}).metadata["backbone"]
    'swin'
    """

    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    location: shapely.Geometry | Any | None = None

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise InvalidInput(
                f"model {shortened(self.name)}: expected its name, a non-empty string without "
                f"U+0000, of at most {LONGEST_NAME:,} bytes."
            )
        encode_metadata(self.metadata)
        object.__setattr__(self, "location", checked_location(self.location))


def metadata_value(text: str) -> Any:
    """Read a value from a command line or a tag: JSON where the text is JSON, else the text.

    >>> metadata_value("50"), metadata_value("true"), metadata_value("swin"), metadata_value('"50"')
    (50, True, 'swin', '50')
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are texts here: metadata has no such numbers
