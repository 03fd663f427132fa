"""Cycles in closed form, for whole arrays of layers and machines at once.

Words: a layer is `m` output pixels, `k` products per output (the window) and `n` filters; a
machine is an array of `rows` x `cols` multiply-accumulate units. Every function takes integers
or integer arrays that broadcast, and returns int64 cycles without memory stalls.

Two machines:

- ``scalesim``: the schedule of SCALE-Sim 3.0.0 (Samajdar et al., ISPASS 2020; formulas checked
  against its cycle reports, see ``benchmarks/accelerator_cost.py``).
- ``titian``: the timing of the designs in ``titian.accelerator.rtl``. Whoever changes a design
  changes its function here; a test holds the two together.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

Integers: TypeAlias = npt.NDArray[np.int64]
Counts: TypeAlias = int | npt.NDArray[np.integer]
Dataflow: TypeAlias = Literal["os", "ws", "is"]
Machine: TypeAlias = Literal["scalesim", "titian"]

DATAFLOWS: Final[tuple[Dataflow, ...]] = get_args(Dataflow)
MACHINES: Final[tuple[Machine, ...]] = get_args(Machine)
BUILT: Final[tuple[Dataflow, ...]] = ("os",)
"""Dataflows of ours whose circuit exists; the cycles of the others state a plan."""


def folds(length: Counts, size: Counts) -> Integers:
    """Return how many tiles of `size` cover `length`: the quotient, rounded up."""
    return -(-_int64(length) // _int64(size))


# SCALE-Sim ---------------------------------------------------------------------------------


def scalesim_cycles(
    m: Counts, k: Counts, n: Counts, *, rows: Counts, cols: Counts, dataflow: Dataflow
) -> Integers:
    """Return the cycles of one matrix product as SCALE-Sim 3.0.0 counts them.

    Each tile pays for skewing its operands in and its results out; nothing overlaps between
    tiles. The last cycle of the layer is not counted.
    """
    m, k, n, rows, cols = (_int64(value) for value in (m, k, n, rows, cols))
    match dataflow:
        case "os":
            return folds(m, rows) * folds(n, cols) * (k + rows + cols - 2) - 1
        case "ws":
            return folds(k, rows) * folds(n, cols) * (m + 2 * rows + cols - 2) - 1
        case "is":
            return folds(k, rows) * folds(m, cols) * (n + 2 * rows + cols - 2) - 1


# Our own RTL -------------------------------------------------------------------------------
# Everything between this line and the next rule is the timing of titian.accelerator.rtl and
# is changed together with it.


#: Of each layer: its descriptor's fetch (31) and the depth of the pipelines (11).
TITIAN_OS_OVERHEAD: Final = 42


def titian_os_cycles(
    m: Counts, k: Counts, n: Counts, *, rows: Counts, cols: Counts
) -> Integers:
    """Return the cycles of one layer on the output-stationary array, from descriptor to memory.

    A fold of `rows` pixels and `cols` filters takes ``max(rows, cols)`` slots for each word of
    `cols` channels, or as long as the drain of the fold before it, a sum a cycle. Only the
    last drain is seen. The array reads whole words: for a convolution whose channels are no
    multiple of `cols`, give `k` with the channels rounded up, and the cycles are exact.
    """
    m, k, n, rows, cols = (_int64(value) for value in (m, k, n, rows, cols))
    slots = folds(k, cols) * np.maximum(rows, cols)
    drain = rows * cols
    tiles = folds(m, rows) * folds(n, cols)
    # With more rows than columns the last weight passes before the last slot.
    last = slots - np.maximum(rows - cols, 0) + drain
    return _int64(TITIAN_OS_OVERHEAD + (tiles - 1) * np.maximum(slots, drain) + last)


def titian_ws_cycles(
    m: Counts, k: Counts, n: Counts, *, rows: Counts, cols: Counts
) -> Integers:
    """Return the cycles of one matrix product on the double-buffered weight-stationary array.

    The weights of the next tile shift in behind those in use, so that a tile lasts as long as
    the longer of the two; the first load and the last drain are seen once.
    """
    m, k, n, rows, cols = (_int64(value) for value in (m, k, n, rows, cols))
    tiles = folds(k, rows) * folds(n, cols)
    return tiles * np.maximum(m, rows) + 2 * rows + cols - 2


def titian_depthwise_cycles(
    height: Counts,
    width: Counts,
    channels: Counts,
    *,
    kernel: Counts,
    stride: Counts,
    lanes: Counts,
) -> Integers:
    """Return the cycles of a depthwise convolution on the line-buffer engine.

    Args:
        height: of the padded input, in pixels.
        width: of the padded input, in pixels.
        channels: each convolved with its own kernel.
        kernel: side of the square kernel.
        stride: in both directions.
        lanes: channels at work at the same time.
    """
    height, width, channels, lanes = (_int64(v) for v in (height, width, channels, lanes))
    del kernel, stride  # every input pixel passes once, whatever is computed from it
    return folds(channels, lanes) * height * width


def titian_vector_cycles(operations: Counts, *, cols: Counts) -> Integers:
    """Return the cycles of pooling and elementwise work: one lane beside each column."""
    return folds(operations, cols)


# -------------------------------------------------------------------------------------------


def cycles(
    m: Counts,
    k: Counts,
    n: Counts,
    *,
    rows: Counts,
    cols: Counts,
    dataflow: Dataflow,
    machine: Machine = "titian",
) -> Integers:
    """Return stall-free cycles of one matrix product on either machine.

    There is no input-stationary design of our own: the roles of `m` and `n` change places on
    the weight-stationary one, which is what input-stationary means.
    """
    if machine == "scalesim":
        return scalesim_cycles(m, k, n, rows=rows, cols=cols, dataflow=dataflow)
    match dataflow:
        case "os":
            return titian_os_cycles(m, k, n, rows=rows, cols=cols)
        case "ws":
            return titian_ws_cycles(m, k, n, rows=rows, cols=cols)
        case "is":
            return titian_ws_cycles(n, k, m, rows=rows, cols=cols)


def _int64(value: Counts) -> Integers:
    return np.asarray(value, dtype=np.int64)
