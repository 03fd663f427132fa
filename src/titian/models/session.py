"""onnxruntime sessions whose answers do not depend on the number of cores.

One thread inside an operator, one operator at a time, on the CPU: the order of every sum
is then fixed by the model and the processor's instruction set alone. Parallel work is
done over cases instead, by the engine.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem

Floats = npt.NDArray[np.float32]


def open_session(content: bytes, *, name: str) -> Any:  # noqa: ANN401 - no types there
    """Open an inspected model.

    Raises:
        InputError: T-M002, onnxruntime refuses the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            content, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except session_faults() as error:
        raise InputError(
            Problem(
                code="T-M002",
                message=f"{name} cannot be run by onnxruntime: {first_line(error)}.",
                remedy="Export the model again with an opset that onnxruntime knows.",
            )
        ) from error


def run_session(session: Any, feeds: dict[str, Any], *, name: str) -> list[Any]:  # noqa: ANN401
    """Run a session.

    Raises:
        InputError: T-M006, the model refuses inputs of this shape.
    """
    try:
        return list(session.run(None, feeds))
    except session_faults() as error:
        shapes = ", ".join(f"{key} {value.shape}" for key, value in feeds.items())
        raise InputError(
            Problem(
                code="T-M006",
                message=f"{name} refuses its input ({shapes}): {first_line(error)}.",
                remedy="State the model's input in the `model:` block, or export it again.",
            )
        ) from error


def resize_images(images: Floats, size: tuple[int, int]) -> Floats:
    """Resize a batch of images, by the operator that a trained model holds inside.

    Args:
        images: shape (n, 1, h, w).
        size: (height, width) in pixels.

    Returns:
        Shape (n, 1, height, width); bilinear, with an antialiasing filter when shrinking.
    """
    resized: Floats = _resizer(size).run(None, {"image": images})[0]
    return resized


@lru_cache(maxsize=16)
def _resizer(size: tuple[int, int]) -> Any:  # noqa: ANN401 - no types there
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [resize_node("image", "resized", sizes="size")],
        "resize",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("resized", TensorProto.FLOAT, ["n", 1, *size])],
        [helper.make_tensor("size", TensorProto.INT64, [2], list(size))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return open_session(model.SerializeToString(), name="resize")


def resize_node(source: str, target: str, *, sizes: str) -> Any:  # noqa: ANN401
    """Return the one Resize operator that training and inference share (opset 18)."""
    from onnx import helper

    return helper.make_node(
        "Resize",
        [source, "", "", sizes],
        [target],
        mode="linear",
        antialias=1,
        axes=[2, 3],
        coordinate_transformation_mode="half_pixel",
    )


def session_faults() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises for a model or an input that it does not run."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
        state.NoSuchFile,
        state.EPFail,
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, without its full stop."""
    return str(error).strip().splitlines()[0].rstrip(". ")
