"""Digests name content for good: how they are computed may change, what they are may not."""

from __future__ import annotations

import hashlib

import pytest

from velour_plugin.domain.encoding.canonical import canonical_json, digest
from velour_plugin.domain.encoding.digests import Digest
from velour_plugin.domain.metadata import encode_metadata


def by_hand(*parts: str) -> str:
    """Each part after its length in eight bytes, the lowest first."""
    spelled = (part.encode() for part in parts)
    whole = b"".join(len(data).to_bytes(8, "little") + data for data in spelled)
    return hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize(
    "parts",
    [
        (),
        ("", "a", "bc"),
        ("ü", "x"),
        tuple(f"{number:064x}" for number in range(3_000)),
        (*(f"{number:03d}" for number in range(999)), "ü23"),
        ("ü", *(f"{number % 10}" for number in range(2_000))),
        tuple(str(number) for number in range(2_000)),
    ],
    ids=["none", "few", "unicode", "digests", "almost many", "of one length in text", "many"],
)
def test_parts_are_named_alike_at_once_and_in_turn(parts: tuple[str, ...]) -> None:
    in_turn = Digest()
    for part in parts:
        in_turn.add(part)
    assert digest(*parts) == Digest(*parts).hex == in_turn.hex == by_hand(*parts)


def test_numbers_are_spelled_as_they_are() -> None:
    metadata = {"b": 1.0, "a": -0.0, "c": 2.0**60, "e": 0.1, "d": 10**20, "f": True}
    assert list(encode_metadata(metadata)) == sorted(metadata)
    expected = '{"a":0,"b":1,"c":1152921504606846976,"d":100000000000000000000,"e":0.1,"f":true}'
    assert canonical_json(encode_metadata(metadata)) == expected
