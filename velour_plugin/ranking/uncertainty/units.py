"""Units of resampling: datums, or groups of datums that are not independent of each other.

What lies in one image is not independent, so that datums are the least unit (Everingham et al.
2010). Where datums are not independent either, as frames of a video, a unit is a group of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST_LEFT_OUT = 200
"""Blocks of units that are left out in turn, at most: a fifth of the usual 1,000 resamples. A
standard error is off by about 5 % then, which Student's distribution accounts for."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Which datums are drawn together, and of which strata as many are drawn as there are.

    Args:
        of_datum: ``(datums,)`` whole numbers: the unit of each datum, in 0 … ``count`` - 1.
        strata: ``(count,)`` whole numbers: the stratum of each unit, as the number of a dataset.
    """

    of_datum: NDArray[np.intp]
    strata: NDArray[np.intp]

    @classmethod
    def of_datums(cls, *strata: int) -> Units:
        """Make each datum a unit; of several strata, such as datasets, name the sizes in order."""
        numbers = np.repeat(np.arange(len(strata)), strata)
        return cls(np.arange(len(numbers)), numbers)

    @classmethod
    def of_groups(cls, *strata: ArrayLike) -> Units:
        """Make each group of datums a unit.

        Args:
            strata: of each stratum, in order, ``(datums,)`` any numbers: datums that have the same
                one are a group.
        """
        groups = [np.unique(np.asarray(numbers), return_inverse=True) for numbers in strata]
        sizes = [len(names) for names, _ in groups]
        starts = np.cumsum([0, *sizes])
        of_datum = [start + inverse for start, (_, inverse) in zip(starts, groups, strict=False)]
        return cls(
            np.concatenate(of_datum).astype(np.intp) if of_datum else np.empty(0, np.intp),
            np.repeat(np.arange(len(sizes)), sizes),
        )

    def among(self, chosen: NDArray[np.bool_]) -> Units:
        """Return the units of some of the datums: ``(datums,)`` bool chooses them."""
        units, of_datum = np.unique(self.of_datum[chosen], return_inverse=True)
        return Units(of_datum.astype(np.intp), self.strata[units])

    @property
    def count(self) -> int:
        """How many units there are."""
        return len(self.strata)

    @property
    def are_datums(self) -> bool:
        """Whether every unit is one datum, the units in the order of the datums."""
        return self.count == len(self.of_datum)

    def weights(self, resamples: int, seed: int) -> NDArray[np.int64]:
        """Draw bootstrap resamples of the units: how often each datum stands in each of them.

        Args:
            resamples: how many to draw.
            seed: the same one draws the same.

        Returns:
            ``(resamples, datums)`` whole numbers; datums of one unit have the same, and each
            stratum keeps its number of units.

        Source: Davison and Hinkley 1997, Bootstrap Methods and their Application, 3.2 (strata)
        and 3.8 (groups).
        """
        random = np.random.default_rng(seed)
        drawn = np.empty((resamples, self.count), np.int64)
        for stratum in range(int(self.strata.max(initial=-1)) + 1):
            members = np.flatnonzero(self.strata == stratum)
            if len(members):
                shares = np.full(len(members), 1 / len(members))
                drawn[:, members] = random.multinomial(len(members), shares, size=resamples)
        return drawn if self.are_datums else drawn[:, self.of_datum]

    def left_out(self, most: int = MOST_LEFT_OUT) -> NDArray[np.int64]:
        """Return weightings that leave out each unit in turn, or each of ``most`` blocks of units.

        Blocks are of units at random, the same number of each stratum as far as possible, so that
        each is a small sample of the whole.

        Returns:
            ``(blocks, datums)`` of 0 and 1.
        """
        blocks = min(self.count, most)
        mixed = np.random.default_rng(0).permutation(self.count)
        mixed = mixed[np.argsort(self.strata[mixed], kind="stable")]
        block_of = np.empty(self.count, np.intp)
        block_of[mixed] = np.arange(self.count) % max(blocks, 1)
        stays = block_of[self.of_datum] != np.arange(blocks)[:, None]
        return np.asarray(stays, np.int64)


_BITS = 60
"""Of a number that says which units are exchanged; nobody draws as many."""


class Exchanges:
    """Which datums of two runs are exchanged in the permutations of a test: whole units.

    Args:
        units: what is exchanged.
        draws: how many random exchanges to draw; where there are not more different ones at all,
            each of these is made once.
        seed: of the random exchanges.
        chosen: ``(all,)`` bool, the datums that the units are of; ``None`` for all.

    Attributes:
        count: how many exchanges there are, besides that of nothing.
        are_all: whether they are all that differ: exchanging the rest instead tells the same.

    Source: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses; of groups, Gail
    et al. 1996, Statistics in Medicine 15.
    """

    def __init__(
        self, units: Units, draws: int, seed: int, chosen: NDArray[np.bool_] | None = None
    ) -> None:
        self.units = units
        self.chosen = np.ones(len(units.of_datum), bool) if chosen is None else chosen
        different = 2 ** min(max(0, units.count - 1), _BITS) - 1
        self.are_all = different <= draws
        self.count = different if self.are_all else draws
        self._random = np.random.default_rng(seed)
        self._next = 1

    @property
    def least_p(self) -> float:
        """The smallest p-value that they can give."""
        return 1 / (self.count + 1)

    def draw(self, some: int) -> NDArray[np.bool_]:
        """Return the next ``(some, all)`` exchanges: which datums are exchanged."""
        exchanged = np.zeros((some, len(self.chosen)), bool)
        exchanged[:, self.chosen] = self._of_units(some)[:, self.units.of_datum]
        return exchanged

    def _of_units(self, some: int) -> NDArray[np.bool_]:
        if not self.are_all:
            return self._random.random((some, self.units.count)) < 0.5
        numbers = np.arange(self._next, self._next + some)
        self._next += some
        # bit i of a number is unit i; the last unit stays, as the others exchanged are the mirror
        exchanged: NDArray[np.bool_] = (numbers[:, None] >> np.arange(self.units.count)) & 1 == 1
        return exchanged
