"""Small graphs written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from titian.models import Card, with_card


def image_graph(*, bias: float = 0.0, classes: int = 2, nodes=(), inputs=(), domains=()):
    """Return a model whose logits are (0, 4 * mean of the image + bias, ...)."""
    weights = np.zeros((classes, 1), np.float32)
    weights[1] = 4
    offset = np.zeros(classes, np.float32)
    offset[1] = bias
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"], axis=1),
            helper.make_node("Gemm", ["flat", "weights", "offset"], ["logits"], transB=1),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
            *nodes,
        ],
        "tiny",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, "h", "w"]),
            *inputs,
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(offset, "offset"),
        ],
    )
    opsets = [helper.make_opsetid("", 18), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


BINARY = Card(input="image", classes=("no", "yes"), positive="yes", threshold=0.6)


def write(model, path: Path, card: Card | None = BINARY) -> Path:
    """Write a model with a card."""
    model = model if card is None else with_card(model, card)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A binary model of images."""
    return write(image_graph(), tmp_path / "tiny.onnx")
