"""The integer reference: the network in numpy, to which RTL and ONNX Runtime are compared.

Sums are formed by double-precision matrix products, which are exact here: every partial sum
is an integer far below 2^53. They wrap at 32 bits as an accumulator does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from titian.accelerator.quantization.network import Convolution, MaxPool, Network, Window
from titian.accelerator.quantization.requantisation import LOWEST, Int8s, Int32s, requantise


def run_network(network: Network, inputs: Int8s) -> dict[str, Int8s]:
    """Return every tensor of the network.

    Args:
        network: the layers.
        inputs: shape (n, channels, height, width).
    """
    tensors = {network.entry: inputs}
    for layer in network.layers:
        source = tensors[layer.source].reshape(len(inputs), *layer.shape)
        match layer:
            case Convolution():
                tensors[layer.result] = convolve(layer, source)
            case MaxPool():
                tensors[layer.result] = max_pool(layer, source)
    return tensors


def convolve(layer: Convolution, inputs: Int8s) -> Int8s:
    """Return the layer's 8-bit output, shape (n, filters, height, width)."""
    scales = layer.scales[None, :, None, None]
    return requantise(accumulate(layer, inputs), scales, layer.y_zero)


def accumulate(layer: Convolution, inputs: Int8s) -> Int32s:
    """Return the layer's 32-bit sums, bias included, shape (n, filters, height, width)."""
    filters, height, width = layer.output
    centred = inputs.astype(np.float64) - layer.x_zero
    windows = _windows(centred, layer.window, 0.0)
    n, per = len(inputs), layer.shape[0] // layer.groups
    # (n, groups, pixels, products) times (groups, products, filters)
    columns = windows.reshape(n, layer.groups, per, height * width, -1)
    columns = columns.transpose(0, 1, 3, 2, 4).reshape(n, layer.groups, height * width, -1)
    weights = layer.weights.astype(np.float64).reshape(
        layer.groups, filters // layer.groups, -1
    )
    sums = columns @ weights.transpose(0, 2, 1)
    whole = sums.transpose(0, 1, 3, 2).reshape(n, filters, height, width).astype(np.int64)
    whole += layer.bias.astype(np.int64)[None, :, None, None]
    return np.asarray(whole & 0xFFFFFFFF, np.uint32).view(np.int32)


def max_pool(layer: MaxPool, inputs: Int8s) -> Int8s:
    """Return the largest values, shape (n, channels, height, width)."""
    windows = _windows(inputs, layer.window, LOWEST)
    return np.asarray(windows.max(axis=-1), np.int8)


def _windows(images: npt.NDArray[Any], window: Window, fill: float) -> npt.NDArray[Any]:
    """Return shape (n, channels, height, width, kernel) of what lies under each place."""
    top, left, bottom, right = window.pads
    padded = np.pad(
        images, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill
    )
    tall = window.dilations[0] * (window.kernel[0] - 1) + 1
    wide = window.dilations[1] * (window.kernel[1] - 1) + 1
    views = np.lib.stride_tricks.sliding_window_view(padded, (tall, wide), axis=(2, 3))
    views = views[
        :, :, :: window.strides[0], :: window.strides[1],
        :: window.dilations[0], :: window.dilations[1],
    ]  # fmt: skip
    return views.reshape(*views.shape[:4], -1)
