"""The integer network: what the accelerator computes, and nothing else.

Every tensor is signed 8-bit here. A model whose activations are unsigned is the same network
with its zero points 128 lower, and `Network.unsigned` says that its file stores them so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from titian.accelerator.quantization.requantisation import Float32s, Int8s, Int32s

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How a kernel moves over an image.

    Attributes:
        kernel: (height, width).
        strides: (vertical, horizontal).
        pads: (top, left, bottom, right), filled with the input's zero point.
        dilations: (vertical, horizontal).
    """

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Return how many places the kernel takes on an image, down and across."""
        tall = self.dilations[0] * (self.kernel[0] - 1) + 1
        wide = self.dilations[1] * (self.kernel[1] - 1) + 1
        return (
            (height + self.pads[0] + self.pads[2] - tall) // self.strides[0] + 1,
            (width + self.pads[1] + self.pads[3] - wide) // self.strides[1] + 1,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Convolution:
    """A convolution with its requantisation; a matrix product is one over the whole image.

    Attributes:
        name: of the node.
        source: the tensor that is read.
        result: the tensor that is written.
        shape: (channels, height, width) read.
        window: how the kernel moves.
        weights: shape (filters, channels / groups, kernel height, kernel width).
        bias: shape (filters,), in units of input scale times weight scale.
        groups: into which channels and filters are divided.
        scales: combined scales, shape (filters,).
        x_zero: zero point of the input.
        y_zero: zero point of the output.
    """

    name: str
    source: str
    result: str
    shape: Shape
    window: Window
    weights: Int8s = field(repr=False)
    bias: Int32s = field(repr=False)
    groups: int
    scales: Float32s = field(repr=False)
    x_zero: int
    y_zero: int

    @property
    def output(self) -> Shape:
        """(filters, height, width) written."""
        return (len(self.weights), *self.window.output(*self.shape[1:]))

    @property
    def products(self) -> int:
        """Multiplications for one input."""
        return prod(self.output) * prod(self.weights.shape[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool:
    """The largest value under each place of the window."""

    name: str
    source: str
    result: str
    shape: Shape
    window: Window

    @property
    def output(self) -> Shape:
        """(channels, height, width) written."""
        return (self.shape[0], *self.window.output(*self.shape[1:]))


Layer = Convolution | MaxPool


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Layers in an order in which they can run.

    Attributes:
        entry: name of the 8-bit tensor that enters.
        exit: name of the 8-bit tensor that leaves.
        shape: (channels, height, width) of the entry.
        layers: each reads the entry or an earlier layer's result.
        entry_tensor: name in the file of the quantised entry.
        tensors: for each layer's result the name in the file that holds the same values.
        unsigned: names in the file whose values are stored 128 higher.
    """

    entry: str
    exit: str
    shape: Shape
    layers: tuple[Layer, ...]
    tensors: tuple[str, ...]
    unsigned: frozenset[str] = frozenset()

    @property
    def output(self) -> Shape:
        """(channels, height, width) of the exit."""
        return next(x.output for x in self.layers if x.result == self.exit)
