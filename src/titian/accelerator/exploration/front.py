"""The exact Pareto front of points with three objectives, all to be small.

A point is beaten when another is no worse in every objective and better in one. Of points
that are equal in all three, the first is kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

OBJECTIVES: Final = 3
BINS: Final = 512


def front_of(points: Floats) -> Integers:
    """Return the places of the points that no other beats, in order of the first objective.

    Points are swept by the first objective; a staircase holds the best third objective for
    each second one so far. A swept point is beaten if and only if the staircase's step at or
    before its second objective is no higher than its third: all points on the staircase are
    no worse in the first objective. O(n log n) comparisons.

    Args:
        points: shape (n, 3), finite.
    """
    order = np.lexsort((points[:, 2], points[:, 1], points[:, 0]))
    seconds: list[float] = []
    thirds: list[float] = []
    kept: list[int] = []
    for place, (second, third) in zip(
        order.tolist(), points[order][:, 1:].tolist(), strict=True
    ):
        step = bisect_right(seconds, second) - 1
        if step >= 0 and thirds[step] <= third:
            continue
        kept.append(place)
        begin = bisect_left(seconds, second)
        end = begin
        while end < len(seconds) and thirds[end] >= third:
            end += 1
        seconds[begin:end] = [second]
        thirds[begin:end] = [third]
    return np.asarray(kept, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Sieve:
    """A fast test that only ever drops points that a front beats.

    The first two objectives are cut into bins. A point is dropped when some point of the front
    lies below the lower edge of its bin in both and is no worse in the third: that point is
    strictly better in the first two, so the dropped one is beaten. Others may be beaten too;
    `front_of` decides about them.
    """

    first_edges: Floats
    second_edges: Floats
    lowest: Floats

    @staticmethod
    def of(front: Floats) -> Sieve:
        """Return the sieve of a front of shape (n, 3)."""
        edges = [
            np.unique(np.quantile(front[:, axis], np.linspace(0, 1, BINS))) for axis in (0, 1)
        ]
        # Bin b holds values above edge b-1 up to edge b.
        places = [np.searchsorted(edges[axis], front[:, axis], side="left") for axis in (0, 1)]
        lowest = np.full((len(edges[0]) + 2, len(edges[1]) + 2), np.inf)
        np.minimum.at(lowest, (places[0] + 1, places[1] + 1), front[:, 2])
        lowest = np.minimum.accumulate(np.minimum.accumulate(lowest, axis=0), axis=1)
        return Sieve(edges[0], edges[1], lowest)

    def passes(self, first: Floats, second: Floats, third: Floats) -> Flags:
        """Tell which points may belong to the front."""
        a = np.searchsorted(self.first_edges, first, side="left")
        b = np.searchsorted(self.second_edges, second, side="left")
        return np.asarray(self.lowest[a, b] > third)


def beaten(bound: Floats, front: Floats) -> bool:
    """Tell whether a point of the front beats whatever `bound` is a lower bound of.

    If q <= bound in every objective and q < bound in one, then for each point p >= bound also
    q <= p everywhere and q < p somewhere: q beats all of them.
    """
    if not len(front):
        return False
    return bool(np.any(np.all(front <= bound, axis=1) & np.any(front < bound, axis=1)))
