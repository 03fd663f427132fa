"""A network as the hardware reads it: descriptors and memory images.

Activations lie pixel by pixel, each pixel as words of `cols` neighbouring channels. Every
tensor has a place of its own, so that all of them can be read back and compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from titian.accelerator.quantization.certificates import Certificate, certify
from titian.accelerator.quantization.network import Convolution, Layer, MaxPool, Network, Shape
from titian.accelerator.quantization.requantisation import Int8s, mantissas
from titian.accelerator.rtl.descriptor import FIELDS, WORDS
from titian.accelerator.rtl.timing import Extent, idle_slots
from titian.errors import InputError, Problem

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a tensor lies.

    Attributes:
        address: of its first word.
        groups: words of a pixel.
        shape: (channels, height, width).
    """

    address: int
    groups: int
    shape: Shape

    @property
    def words(self) -> int:
        """How many words it takes."""
        return self.groups * self.shape[1] * self.shape[2]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """What the host loads, and where it finds the results.

    Attributes:
        rows: of the array.
        cols: of the array.
        descriptors: shape (layers * 32,).
        weights: shape (words, cols), signed bytes.
        parameters: shape (channels, 4), words of 32 bits, lowest first.
        places: of every tensor.
        extents: what each layer's duration depends on.
        certificates: of each convolution by name.
        activations: words in all.
    """

    rows: int
    cols: int
    descriptors: Words
    weights: Int8s
    parameters: Words
    places: dict[str, Place]
    extents: tuple[Extent, ...]
    certificates: dict[str, tuple[Certificate, ...]]
    activations: int


def compile_network(network: Network, *, rows: int, cols: int) -> Program:
    """Lay out a network for an array.

    Raises:
        InputError: T-C121, a number does not fit its field of the descriptor (all are named).
    """
    places: dict[str, Place] = {}
    top = 0

    def put(name: str, shape: Shape) -> None:
        nonlocal top
        places[name] = Place(address=top, groups=-(-shape[0] // cols), shape=shape)
        top += places[name].words

    put(network.entry, network.shape)
    descriptors, weights, parameters, extents = [], [], [], []
    certificates: dict[str, tuple[Certificate, ...]] = {}
    problems: list[Problem] = []
    weight_words = channels = 0
    for number, layer in enumerate(network.layers):
        put(layer.result, layer.output)
        source, result = places[layer.source], places[layer.result]
        extent = extent_of(layer, cols)
        extents.append(extent)
        fields = _fields(layer, extent, source, result, rows=rows, cols=cols)
        fields["last"] = int(number == len(network.layers) - 1)
        if isinstance(layer, Convolution):
            fields |= {"weight_address": weight_words, "parameter_address": channels}
            weights.append(_weights(layer, cols))
            certificates[layer.name] = certify(layer.scales, layer.y_zero)
            parameters.append(_parameters(layer, certificates[layer.name], cols))
            weight_words += len(weights[-1])
            channels += len(parameters[-1])
        descriptors.append(_encode(layer, fields, problems))
    if problems:
        raise InputError(*problems)
    return Program(
        rows=rows,
        cols=cols,
        descriptors=np.concatenate(descriptors),
        weights=np.concatenate(weights) if weights else np.zeros((0, cols), np.int8),
        parameters=np.concatenate(parameters) if parameters else np.zeros((0, 4), np.uint32),
        places=places,
        extents=tuple(extents),
        certificates=certificates,
        activations=top,
    )


def chunks_of(cols: int) -> int:
    """Return the 32-bit words that hold `cols` bytes, rounded up to a power of 2."""
    return 1 << (-(-cols // 4) - 1).bit_length()


def pack(values: Int8s, cols: int) -> Bytes:
    """Return tensors as words: shape (n, words, cols) from (n, channels, height, width)."""
    n, channels, height, width = values.shape
    groups = -(-channels // cols)
    padded = np.zeros((n, groups * cols, height, width), np.int8)
    padded[:, :channels] = values
    split = padded.reshape(n, groups, cols, height * width).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(split).reshape(n, -1, cols).view(np.uint8)


def unpack(words: Bytes, place: Place) -> Int8s:
    """Return shape (n, channels, height, width) from (n, words, cols)."""
    n, _, cols = words.shape
    channels, height, width = place.shape
    split = words.view(np.int8).reshape(n, height * width, place.groups * cols)
    whole = split.transpose(0, 2, 1).reshape(n, place.groups * cols, height, width)
    return np.ascontiguousarray(whole[:, :channels])


def depthwise(layer: Layer) -> bool:
    """Return whether each filter reads its own channel alone."""
    return isinstance(layer, MaxPool) or (
        1 < layer.groups == layer.shape[0] == len(layer.weights)
    )


def extent_of(layer: Layer, cols: int) -> Extent:
    """Return what the layer's duration depends on."""
    return Extent(
        pixels=prod(layer.output[1:]),
        kernel=prod(layer.window.kernel),
        groups=1 if depthwise(layer) else -(-layer.shape[0] // cols),
        folds=-(-layer.output[0] // cols),
        pool=isinstance(layer, MaxPool),
    )


def _fields(
    layer: Layer, extent: Extent, source: Place, result: Place, *, rows: int, cols: int
) -> dict[str, int]:
    """Return the descriptor's fields but for what depends on other layers."""
    window = layer.window
    step_y, step_x = window.strides
    across = layer.shape[2] * source.groups  # words of an image row
    corner = -window.pads[0] * across - window.pads[1] * source.groups
    out_width = layer.output[2]
    back = extent.groups - 1
    dilation_y, dilation_x = window.dilations
    fields = {
        "pool": int(extent.pool),
        "height": layer.shape[1],
        "width": layer.shape[2],
        "pixels": extent.pixels,
        "out_width": out_width,
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "groups": extent.groups,
        "folds": extent.folds,
        "stride_y": step_y,
        "stride_x": step_x,
        "dilation_y": dilation_y,
        "dilation_x": dilation_x,
        "first_y": -window.pads[0],
        "first_x": -window.pads[1],
        "first_address": source.address + corner,
        "pixel_step": step_x * source.groups,
        "row_step": step_y * across - (out_width - 1) * step_x * source.groups,
        "kernel_x_step": dilation_x * source.groups - back,
        "kernel_y_step": dilation_y * across
        - (window.kernel[1] - 1) * dilation_x * source.groups
        - back,
        "fold_step": int(depthwise(layer)),
        "weight_address": 0,
        "parameter_address": 0,
        "out_address": result.address,
        "out_groups": result.groups,
        "in_zero": 0,
        "out_zero": 0,
        "idle": idle_slots(extent, rows=rows, cols=cols),
    }
    if isinstance(layer, Convolution):
        fields |= {"in_zero": layer.x_zero, "out_zero": layer.y_zero}
    return fields


def _encode(layer: Layer, fields: dict[str, int], problems: list[Problem]) -> Words:
    words = np.zeros(WORDS, np.uint32)
    for place, (name, bits, sign) in enumerate(FIELDS):
        value = fields[name]
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign else (0, 2**bits - 1)
        if not low <= value <= high:
            problems.append(
                Problem(
                    code="T-C121",
                    message=f"layer {layer.name!r}: {name} is {value}; a descriptor holds "
                    f"{low} to {high}.",
                    remedy="Use a smaller image or kernel, or more columns.",
                )
            )
        words[place] = value & 0xFFFFFFFF
    return words


def _weights(layer: Convolution, cols: int) -> Int8s:
    """Return the words in the order in which the feeder asks for them.

    For each fold of filters, each place in the kernel, each group of channels and each channel
    in it: one weight for each of the fold's filters.
    """
    filters, per, tall, wide = layer.weights.shape
    folds = -(-filters // cols)
    if depthwise(layer):
        # Filter c of a fold reads channel c of its own group: a diagonal.
        spread = np.zeros((folds * cols, cols, tall, wide), np.int8)
        places = np.arange(filters)
        spread[places, places % cols] = layer.weights[:, 0]
        groups = 1
    else:
        groups = -(-layer.shape[0] // cols)
        spread = np.zeros((folds * cols, groups * cols, tall, wide), np.int8)
        share = filters // layer.groups
        for group in range(layer.groups):
            own = slice(group * share, (group + 1) * share)
            spread[own, group * per : (group + 1) * per] = layer.weights[own]
    split = spread.reshape(folds, cols, groups, cols, tall, wide)
    ordered = split.transpose(0, 4, 5, 2, 3, 1)  # fold, y, x, group, channel, filter
    return np.ascontiguousarray(ordered).reshape(-1, cols)


def _parameters(layer: Convolution, certificates: tuple[Certificate, ...], cols: int) -> Words:
    """Return 128 bits a channel; the zero point of the input is folded into the bias."""
    mantissa, exponent = mantissas(layer.scales)
    corrections = layer.weights.astype(np.int64).reshape(len(layer.weights), -1).sum(axis=1)
    biases = layer.bias.astype(np.int64) - layer.x_zero * corrections
    rows = []
    for channel, certificate in enumerate(certificates):
        affine = certificate.affine
        if affine is None:
            factors = (int(mantissa[channel]), 0, int(exponent[channel]), 1)
        else:
            factors = (affine.multiplier, affine.offset, affine.shift, 0)
        rows.append(_parameter_word(int(biases[channel]), *factors))
    rows += [_parameter_word(0, 0, 0, 0, 0)] * (-len(rows) % cols)
    return np.stack(rows)


def _parameter_word(bias: int, multiplier: int, offset: int, shift: int, exact: int) -> Words:
    whole = bias & 0xFFFFFFFF
    whole |= multiplier << 32
    whole |= (offset & (2**54 - 1)) << 56
    whole |= shift << 110
    whole |= exact << 117
    return np.asarray([(whole >> (32 * i)) & 0xFFFFFFFF for i in range(4)], np.uint32)
