"""Is the integer reference ONNX Runtime? Every tensor of the network, value by value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.accelerator.quantization.network import Network
from titian.accelerator.quantization.reference import run_network
from titian.accelerator.quantization.requantisation import Int8s
from titian.accelerator.quantization.runtime import Runtime, all_tensors, describe, signed

#: Cases a call where the model leaves the number free.
BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many values were compared, and how many differ.

    Attributes:
        values: compared, of all layers.
        different: of those.
        first: the layer where a difference shows first; empty without one.
        runtime: what it was compared with.
    """

    values: int
    different: int
    first: str
    runtime: Runtime


def quantised_inputs(
    content: bytes,
    network: Network,
    feed: str,
    inputs: npt.NDArray[Any],
    *,
    batch: int | None = None,
) -> Int8s:
    """Return the 8-bit entry of the network for a model's inputs, as the host makes it."""
    size = batch or BATCH
    parts = [
        signed(
            all_tensors(content, {feed: inputs[i : i + size]}, [network.entry])[network.entry]
        ).reshape(-1, *network.shape)
        for i in range(0, len(inputs), size)
    ]
    return np.concatenate(parts)


def compare_with_runtime(
    content: bytes,
    network: Network,
    feed: str,
    inputs: npt.NDArray[Any],
    *,
    batch: int | None = None,
    level: str = "disabled",
    progress: Callable[[int, int], None] | None = None,
) -> Agreement:
    """Compare every tensor of the reference with ONNX Runtime's.

    Args:
        content: the quantised model.
        network: read from it.
        feed: name of the model's input.
        inputs: shape (n, ...), for that input.
        batch: cases a call, where the model fixes it.
        level: of ONNX Runtime's optimisation.
        progress: told of (cases compared, cases).
    """
    values = different = 0
    first = ""
    size = batch or BATCH
    for start in range(0, len(inputs), size):
        part = inputs[start : start + size]
        theirs = all_tensors(
            content, {feed: part}, [network.entry, *network.tensors], level=level
        )
        entry = signed(theirs[network.entry]).reshape(-1, *network.shape)
        ours = run_network(network, entry)
        for layer, tensor in zip(network.layers, network.tensors, strict=True):
            mine = ours[layer.result]
            wrong = int((mine != signed(theirs[tensor]).reshape(mine.shape)).sum())
            values += mine.size
            different += wrong
            if wrong and not first:
                first = layer.name
        if progress is not None:
            progress(min(start + size, len(inputs)), len(inputs))
    return Agreement(values=values, different=different, first=first, runtime=describe(level))
