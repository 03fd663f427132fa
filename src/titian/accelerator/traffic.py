"""Numbers moved: on-chip accesses and external traffic of each layer, in closed form.

Operands and results are int8, partial sums int32. Every function broadcasts: layers along one
axis, memories or arrays along others.

On chip, an operand is read once for every tile that needs it. From external memory, each
operand is read at least once; how often more depends on what half of the double buffers
holds, and the cheapest of three orders is taken:

- inputs resident: a block of inputs stays while all weights pass; weights pass once a block;
- weights resident: likewise with the roles changed;
- nothing resident: each operand is read once for every tile that needs it.

Partial sums that do not fit the output memory are written out and read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from titian.accelerator.timing import Dataflow, folds
from titian.accelerator.workload.layers import Sizes

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]

PARTIAL_SUM_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Accesses:
    """Bytes read from and written to on-chip memories by the array; one row a layer."""

    input_reads: Integers
    weight_reads: Integers
    output_reads: Integers
    output_writes: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Bytes to and from external memory; one row a layer.

    Attributes:
        inputs: of the first operand.
        weights: of the second operand.
        outputs: results written.
        spilled: partial sums written out and read back.
    """

    inputs: Floats
    weights: Floats
    outputs: Floats
    spilled: Floats

    @property
    def total(self) -> Floats:
        """All bytes."""
        return self.inputs + self.weights + self.outputs + self.spilled


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """How often a dataflow passes each operand; one row a layer.

    Attributes:
        input_passes: tiles that read the same input.
        weight_passes: tiles that read the same weight.
        sum_passes: tiles that add to the same output.
        open_sums: partial sums under way at a time, of one repeat.
        first_bytes: operands of the first tile, which nothing hides.
    """

    input_passes: Integers
    weight_passes: Integers
    sum_passes: Integers
    open_sums: Integers
    first_bytes: Integers


def tiling(size: Sizes, *, rows: int, cols: int, dataflow: Dataflow) -> Tiling:
    """Return how often each operand passes on an array of `rows` x `cols`."""
    one = np.ones_like(size.m)
    match dataflow:
        case "os":
            return Tiling(
                input_passes=folds(size.n, cols),
                weight_passes=folds(size.m, rows),
                sum_passes=one,
                open_sums=one * 0,
                first_bytes=size.k * (np.minimum(size.m, rows) + np.minimum(size.n, cols)),
            )
        case "ws":
            return Tiling(
                input_passes=folds(size.n, cols),
                weight_passes=one,
                sum_passes=folds(size.k, rows),
                open_sums=size.m * np.minimum(size.n, cols),
                first_bytes=np.minimum(size.k, rows) * (np.minimum(size.n, cols) + 1),
            )
        case "is":
            return Tiling(
                input_passes=one,
                weight_passes=folds(size.m, cols),
                sum_passes=folds(size.k, rows),
                open_sums=size.n * np.minimum(size.m, cols),
                first_bytes=np.minimum(size.k, rows) * (np.minimum(size.m, cols) + 1),
            )


def accesses(size: Sizes, tiles: Tiling) -> Accesses:
    """Return what the array reads from and writes to on-chip memories.

    Reads count the window of every output anew, as the array receives it. One result is
    written for each output; SCALE-Sim 3.0.0 counts rows + columns more on output-stationary
    arrays, which is not repeated here.
    """
    products = size.m * size.k * size.repeat
    between = tiles.sum_passes - 1
    return Accesses(
        input_reads=products * tiles.input_passes,
        weight_reads=size.k * size.n * size.repeat * tiles.weight_passes,
        output_reads=size.outputs * between * PARTIAL_SUM_BYTES,
        output_writes=size.outputs * (between * PARTIAL_SUM_BYTES + 1),
    )


def external(
    size: Sizes,
    tiles: Tiling,
    *,
    input_half: float | Floats,
    weight_half: float | Floats,
    output_half: float | Floats,
) -> Traffic:
    """Return the bytes to and from external memory.

    Args:
        size: the layers.
        tiles: how often operands pass.
        input_half: bytes of inputs that half of their memory holds.
        weight_half: the same for weights.
        output_half: the same for partial sums.
    """
    inputs, weights = size.inputs.astype(np.float64), size.weights.astype(np.float64)
    # Groups and heads share no operand; a block is counted within each.
    input_blocks = np.ceil(inputs / size.repeat / input_half)
    weight_blocks = np.ceil(weights / size.repeat / weight_half)
    # An operand can stay only where the memory holds what one pass over the other needs.
    inputs_stay = np.where(
        input_blocks <= tiles.weight_passes, inputs + weights * input_blocks, np.inf
    )
    weights_stay = np.where(
        weight_blocks <= tiles.input_passes, inputs * weight_blocks + weights, np.inf
    )
    streamed = inputs * tiles.input_passes + weights * tiles.weight_passes
    first = (inputs_stay <= weights_stay) & (inputs_stay <= streamed)
    second = ~first & (weights_stay <= streamed)
    input_times = np.where(first, 1.0, np.where(second, weight_blocks, tiles.input_passes))
    weight_times = np.where(first, input_blocks, np.where(second, 1.0, tiles.weight_passes))
    spilling = (tiles.sum_passes > 1) & (tiles.open_sums * PARTIAL_SUM_BYTES > output_half)
    spilled = 2.0 * PARTIAL_SUM_BYTES * size.outputs * (tiles.sum_passes - 1)
    shape = np.broadcast(input_times, spilling).shape
    return Traffic(
        inputs=np.broadcast_to(inputs * input_times, shape),
        weights=np.broadcast_to(weights * weight_times, shape),
        outputs=np.broadcast_to(size.outputs.astype(np.float64), shape),
        spilled=np.broadcast_to(np.where(spilling, spilled, 0.0), shape),
    )


def stall_cycles(
    cycles: Integers,
    total_bytes: Floats,
    first_bytes: Integers,
    bytes_per_cycle: float | Floats,
) -> Floats:
    """Return cycles in which the array waits for external memory.

    Double buffering hides traffic behind computation; what takes longer is seen, and so is
    the first tile of each layer.
    """
    moving = np.ceil(total_bytes / bytes_per_cycle)
    return np.asarray(np.maximum(moving - cycles, 0.0) + np.ceil(first_bytes / bytes_per_cycle))
