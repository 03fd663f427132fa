"""Layers as matrix products, the form in which every schedule is stated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What a depthwise convolution slides over; sizes in pixels, padding included."""

    height: int
    width: int
    channels: int
    kernel: int
    stride: int
    batch: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """`repeat` independent products of (m x k) by (k x n).

    Attributes:
        name: of the node or the topology's row.
        operator: such as ``Conv``.
        m: output pixels (rows of the product), batch included.
        k: products a sum; a convolution's window.
        n: filters (columns of the product).
        repeat: groups of a convolution, heads of attention, steps of a recurrence.
        inputs: distinct numbers read as the first operand, of all repeats together.
        weights: distinct numbers read as the second operand, likewise.
        image: of a depthwise convolution with a square kernel; None otherwise.
    """

    name: str
    operator: str
    m: int
    k: int
    n: int
    repeat: int = 1
    inputs: int
    weights: int
    image: Image | None = None

    @property
    def outputs(self) -> int:
        """Numbers written, of all repeats together."""
        return self.m * self.n * self.repeat

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.k * self.n * self.repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorWork:
    """Pooling and elementwise work: `operations` on a row of lanes beside the array."""

    name: str
    operator: str
    operations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A node that the accelerator does not compute; the host must.

    Attributes:
        name: of the node.
        operator: such as ``Softmax``.
        operations: one for each number that it writes; None where its shape is not known.
        reason: why.
    """

    name: str
    operator: str
    operations: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Everything that one call of a model asks for.

    Attributes:
        name: of the file.
        layers: matrix products in the model's order.
        vector: pooling and elementwise work in the model's order.
        elsewhere: what stays with the host.
        notes: what a reader must know.
    """

    name: str
    layers: tuple[Layer, ...]
    vector: tuple[VectorWork, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def accelerated_share(self) -> float | None:
        """Operations on the accelerator over all; None where some cannot be counted.

        A multiply-accumulate is two operations.
        """
        rest = [item.operations for item in self.elsewhere]
        if any(operations is None for operations in rest):
            return None
        inside = 2 * self.macs + sum(item.operations for item in self.vector)
        whole = inside + sum(operations or 0 for operations in rest)
        return inside / whole if whole else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Columns of int64, one row a layer: what the closed forms take."""

    m: Integers
    k: Integers
    n: Integers
    repeat: Integers
    inputs: Integers
    weights: Integers

    @property
    def outputs(self) -> Integers:
        """Numbers written, of all repeats together."""
        return self.m * self.n * self.repeat

    @property
    def macs(self) -> Integers:
        """Multiply-accumulates."""
        return self.m * self.k * self.n * self.repeat


def sizes(layers: tuple[Layer, ...]) -> Sizes:
    """Return the layers' sizes as columns."""
    rows = np.array(
        [(x.m, x.k, x.n, x.repeat, x.inputs, x.weights) for x in layers], dtype=np.int64
    ).reshape(-1, 6)
    m, k, n, repeat, inputs, weights = rows.T
    return Sizes(m=m, k=k, n=n, repeat=repeat, inputs=inputs, weights=weights)
