"""The ONNX graph of a trained network, with its preprocessing inside.

Written layer by layer: resize, normalise, convolutions with their batch normalisation
folded in, average, linear layer, temperature, softmax. The number of images, their height
and their width stay free.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from titian.models.session import resize_node
from titian.training.calibration import Calibration
from titian.training.network import Preprocessing

OPSET = 18
IR_VERSION = 8


def network_graph(
    network: Any,  # noqa: ANN401 - torch comes late
    preprocessing: Preprocessing,
    calibration: Calibration,
) -> Any:  # noqa: ANN401 - onnx ships no types
    """Return an ``onnx.ModelProto``: image -> probabilities.

    Args:
        network: from `build_network`, holding the weights to export.
        preprocessing: goes in front.
        calibration: goes behind.
    """
    from onnx import TensorProto, helper, numpy_helper
    from torch import nn

    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, values: npt.NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def node(operator: str, sources: list[str], target: str, **attributes: Any) -> str:  # noqa: ANN401
        nodes.append(helper.make_node(operator, sources, [target], name=target, **attributes))
        return target

    side = constant("size", np.asarray([preprocessing.size] * 2, np.int64))
    nodes.append(resize_node("image", "resized", sizes=side))
    mean = constant("mean", np.asarray(preprocessing.mean, np.float32))
    scale = constant("scale", np.asarray(preprocessing.scale, np.float32))
    value = node("Div", [node("Sub", ["resized", mean], "centred"), scale], "normalised")
    layers = list(network)
    for place, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            kernel, bias = _fold(layer, layers[place + 1])
            sources = [
                value,
                constant(f"kernel_{place}", kernel),
                constant(f"bias_{place}", bias),
            ]
            value = node(
                "Conv",
                sources,
                f"convolved_{place}",
                kernel_shape=list(layer.kernel_size),
                strides=list(layer.stride),
                pads=[*layer.padding, *layer.padding],
            )
        elif isinstance(layer, nn.ReLU):
            value = node("Relu", [value], f"rectified_{place}")
        elif isinstance(layer, nn.AdaptiveAvgPool2d):
            value = node("GlobalAveragePool", [value], "averaged")
        elif isinstance(layer, nn.Flatten):
            value = node("Flatten", [value], "flat", axis=1)
        elif isinstance(layer, nn.Linear):
            weights = constant("weights", layer.weight.detach().numpy())
            bias_name = constant("bias", layer.bias.detach().numpy())
            value = node("Gemm", [value, weights, bias_name], "logits", transB=1)
    tempered = node(
        "Mul",
        [value, constant("temperature_scale", np.asarray(calibration.scale, np.float32))],
        "tempered",
    )
    shift = constant("calibration_shift", np.asarray(calibration.shift, np.float32))
    node("Softmax", [node("Add", [tempered, shift], "calibrated")], "probabilities", axis=1)
    graph = helper.make_graph(
        nodes,
        "cnn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [
            helper.make_tensor_value_info(
                "probabilities", TensorProto.FLOAT, ["n", len(calibration.shift)]
            )
        ],
        constants,
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="titian",
    )


def _fold(
    convolution: Any,  # noqa: ANN401 - torch comes late
    normalisation: Any,  # noqa: ANN401
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return kernel and bias of a convolution that its batch normalisation follows."""

    def wide(tensor: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401
        return np.asarray(tensor.detach().numpy(), np.float64)

    gain = wide(normalisation.weight) / np.sqrt(
        wide(normalisation.running_var) + normalisation.eps
    )
    kernel = wide(convolution.weight) * gain[:, None, None, None]
    bias = wide(normalisation.bias) - wide(normalisation.running_mean) * gain
    return kernel.astype(np.float32), bias.astype(np.float32)
