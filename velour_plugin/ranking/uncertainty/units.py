"""Units of resampling: datums, or groups of datums that are not independent of each other.

What lies in one image is not independent, so that datums are the least unit (Everingham et al.
2010). Where datums are not independent either, as frames of a video, a unit is a group of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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

    def left_out(self, most: int) -> NDArray[np.int64]:
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
        block_of[mixed] = np.arange(self.count) % blocks
        stays = block_of[self.of_datum] != np.arange(blocks)[:, None]
        return np.asarray(stays, np.int64)
