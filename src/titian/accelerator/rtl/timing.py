"""How many cycles the designs take, in closed form, to the cycle.

A fold lasts as many slots as it has weights to pass, or as its drain needs if that is longer.
All but the last fold's drain is hidden behind the next fold; the constant holds the
descriptor's fetch and the depth of the pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

from titian.accelerator.rtl.descriptor import FIELDS
from titian.accelerator.timing import titian_os_cycles

#: From a layer's first fetched word to its first slot.
FETCH_CYCLES = len(FIELDS) + 2
#: From the last word read to the last maximum in memory.
POOL_DEPTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a layer's duration depends on.

    Attributes:
        pixels: of the output.
        kernel: places in the kernel.
        groups: of `cols` channels that a window runs over.
        folds: of `cols` filters, or channels.
        pool: maxima instead of sums.
    """

    pixels: int
    kernel: int
    groups: int
    folds: int
    pool: bool


def fold_slots(extent: Extent, *, rows: int, cols: int) -> int:
    """Return the slots in which a fold reads."""
    if extent.pool:
        return extent.kernel
    return extent.kernel * extent.groups * max(rows, cols)


def idle_slots(extent: Extent, *, rows: int, cols: int) -> int:
    """Return the slots that a fold waits for its drain."""
    if extent.pool:
        return 0
    return max(rows * cols - fold_slots(extent, rows=rows, cols=cols), 0)


def layer_cycles(extent: Extent, *, rows: int, cols: int) -> int:
    """Return a layer's cycles from its first descriptor word to its last result in memory."""
    used = fold_slots(extent, rows=rows, cols=cols)
    if extent.pool:
        return FETCH_CYCLES + extent.folds * extent.pixels * used + POOL_DEPTH
    return int(
        titian_os_cycles(
            extent.pixels,
            extent.kernel * extent.groups * cols,
            extent.folds * cols,
            rows=rows,
            cols=cols,
        )
    )
