"""What a comparison shows of margins, and what it can show at all."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10

from velour_plugin.answers import MarginTest
from velour_plugin.errors import InvalidInput
from velour_plugin.ranking.comparing.pair import Pair
from velour_plugin.ranking.comparing.paired_difference import PairedDifference
from velour_plugin.ranking.comparing.permutation_test import Tested
from velour_plugin.ranking.uncertainty.power import (
    POWER,
    detectable_difference,
    units_for_difference,
)

SMALL = 0.02
"""The difference that datums are counted for where none was named: two points of a share."""


def margin_tests(
    pair: Pair, tested: Tested, margins: Mapping[str, float | None]
) -> list[MarginTest]:
    """Test whether a difference keeps margins.

    Args:
        pair: the runs.
        tested: their difference over all datums.
        margins: by what is asked, ``no_worse`` or ``min_lead``; ``None`` where it is not.

    Raises:
        InvalidInput: no two values of the metric are as far apart.
    """
    return [
        _margin_test(pair, tested.paired, about, margin)
        for about, margin in margins.items()
        if margin is not None
    ]


def _margin_test(
    pair: Pair, paired: PairedDifference | None, about: str, margin: float
) -> MarginTest:
    if pair.span is not None and margin >= pair.span:
        raise InvalidInput(
            f"{about} {margin:g}: values of {pair.metric} differ by {pair.span:g} at most; name "
            f"a smaller margin, such as {SMALL:g}."
        )
    if paired is None:
        return MarginTest(about, margin, None, None, is_shown=False)
    sign = -1 if pair.evaluator.prefers_lower(pair.metric) else 1
    gain = paired if sign > 0 else paired.mirrored()
    p = gain.p_above(margin if about == "min_lead" else -margin)
    bound = sign * gain.low(pair.confidence)
    return MarginTest(about, margin, p, bound, is_shown=p <= 1 - pair.confidence)


def margin_sentence(pair: Pair, test: MarginTest) -> str:
    """Say what was shown of a margin, and how surely."""
    shown = "shown" if test.is_shown else "not shown"
    claim = (
        f"no worse than by {test.margin:g}"
        if test.about == "no_worse"
        else f"better by more than {test.margin:g}"
    )
    if test.p is None or test.bound is None:
        return f"The second run is {shown} to be {claim}: too few datums decide the difference."
    side = "most" if pair.evaluator.prefers_lower(pair.metric) else "least"
    return (
        f"The second run is {shown} to be {claim}: the difference is at {side} {test.bound:+.4f} "
        f"with {100 * pair.confidence:.4g}% confidence, one-sided p {test.p:.4f}."
    )


def detectable(pair: Pair, tested: Tested) -> float | None:
    """Return the smallest true difference that is found with the usual power, if it is known."""
    error = _error(tested)
    return None if error is None else detectable_difference(error, 1 - pair.confidence)


def power_sentence(pair: Pair, tested: Tested, difference: float | None) -> str | None:
    """Say which difference these data can show, and how many datums another would need.

    Args:
        pair: the runs.
        tested: their difference over all datums.
        difference: the other one, > 0; :data:`SMALL` of metrics from 0 to 1 when left out.
    """
    error, smallest = _error(tested), detectable(pair, tested)
    if error is None or smallest is None:
        return None
    level = 1 - pair.confidence
    line = (
        f"Power: a true difference of {smallest:.2g} is found in {POWER:.0%} of such comparisons "
        f"at level {level:.2g}"
    )
    if difference is None and pair.span == 1:
        difference = SMALL
    if difference is None:
        return f"{line}."
    needed = units_for_difference(error, pair.count(tested.part), difference, level)
    return f"{line}; one of {difference:g} would need about {_two_digits(needed):,} {pair.unit}."


def _error(tested: Tested) -> float | None:
    """The standard error of a difference; ``None`` where it is unknown, or no datum differs."""
    return (tested.paired.standard_error or None) if tested.paired is not None else None


def _two_digits(number: int) -> int:
    """A whole number, rounded to two digits.

    >>> _two_digits(8837)
    8800
    """
    return round(number, 1 - floor(log10(number)))
