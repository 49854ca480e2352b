"""The compiled kernel never reads or writes out of bounds, whatever the arrays say."""

from __future__ import annotations

import os

import pytest

from tests.sanitizer.run import attack


def test_hostile_arrays_are_refused_within_bounds() -> None:
    """Some seconds of attacks under AddressSanitizer and UBSan; more with VELOUR_ATTACK_SECONDS."""
    result = attack(float(os.environ.get("VELOUR_ATTACK_SECONDS", "8")))
    if isinstance(result, str):
        pytest.skip(f"the sanitizers cannot run: {result}")
    assert result.returncode == 0, result.stderr[-6000:]
    calls, refused = (int(word) for word in result.stdout.split() if word.isdecimal())
    assert 0 < refused < calls
