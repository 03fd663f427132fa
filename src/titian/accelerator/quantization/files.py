"""Model files as they come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from titian.accelerator.quantization.reading import FOREIGN
from titian.errors import InputError, Problem
from titian.models.inspection import parse_model, read_bytes


def open_model(path: Path, *, integer: bool = False) -> tuple[bytes, Any]:
    """Return a model's bytes and its inspected ``onnx.ModelProto``.

    Args:
        path: of the file.
        integer: also accept the integer operators of ONNX Runtime that are read here.

    Raises:
        InputError: see `titian.models.parse_model`.
    """
    import onnx

    content = read_bytes(path)
    try:
        return content, parse_model(content, name=path.name)
    except InputError as error:
        if not integer or any(problem.code != "T-M005" for problem in error.problems):
            raise
        model = onnx.load_model_from_string(content)
        foreign = {n.op_type for n in model.graph.node if n.domain not in ("", "ai.onnx")}
        if not foreign <= FOREIGN:
            raise
        return content, model


def write_model(path: Path, content: bytes) -> None:
    """Write a model file.

    Raises:
        InputError: T-C113, its folder does not exist, or it is a folder itself.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            Problem(
                code="T-C113",
                message=f"{path} cannot be written: "
                + ("it is a folder." if path.is_dir() else "its folder does not exist."),
                remedy="Name a file in a folder that exists.",
            )
        )
    path.write_bytes(content)
