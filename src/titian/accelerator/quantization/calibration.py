"""The arrays that a model is calibrated and simulated with: one npz file, checked."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem

LABELS = "y"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Inputs of a model, with labels where the file holds them.

    Attributes:
        inputs: in the element type that the model's input has; shape (n, ...).
        labels: shape (n,), or None.
    """

    inputs: npt.NDArray[Any]
    labels: npt.NDArray[Any] | None


def read_samples(path: Path, model: Any, *, name: str) -> Samples:  # noqa: ANN401
    """Read the array for the model's one input.

    The array bears the input's name, or ``x``, or is the only one beside ``y``.

    Args:
        path: of the npz file.
        model: an ``onnx.ModelProto``.
        name: how messages name the model.

    Raises:
        InputError: T-C107 the file cannot be read or holds no such array; T-C108 its shape
            is not the model's; T-C109 a value is not finite; T-C110 `y` does not match;
            T-C111 the model has several inputs.
    """
    from onnx import helper

    weights = {x.name for x in model.graph.initializer}
    inputs = [x for x in model.graph.input if x.name not in weights]
    if len(inputs) != 1:
        shown = ", ".join(repr(x.name) for x in inputs)
        raise _wrong(
            "T-C111",
            f"{name} has {len(inputs)} inputs ({shown}); a design has one.",
            "Export the model with one input.",
        )
    entry = inputs[0]
    arrays = _read(path)
    named = [key for key in (entry.name, "x", "X") if key in arrays]
    others = [key for key in arrays if key != LABELS]
    if not named and len(others) != 1:
        raise _wrong(
            "T-C107",
            f"{path.name} holds {', '.join(map(repr, arrays)) or 'nothing'}; the model's input "
            f"is {entry.name!r}.",
            f"Save it with numpy.savez({path.name!r}, {entry.name}=..., y=...).",
        )
    values = arrays[(named or others)[0]]
    tensor = entry.type.tensor_type
    dims = [d.dim_value if d.HasField("dim_value") else 0 for d in tensor.shape.dim]
    fits = len(dims) == values.ndim and all(
        not want or want == have for want, have in zip(dims[1:], values.shape[1:], strict=True)
    )
    if not fits or not len(values) or not np.issubdtype(values.dtype, np.number):
        shape = ", ".join(str(d) if d else "?" for d in dims[1:])
        raise _wrong(
            "T-C108",
            f"{path.name}: the array for {entry.name!r} has shape {values.shape} and type "
            f"{values.dtype}; {name} takes numbers of shape (n, {shape}) with n at least 1.",
            "Give data as they enter the model, one case a row.",
        )
    if dims[0] and len(values) % dims[0]:
        raise _wrong(
            "T-C108",
            f"{path.name}: {len(values)} cases; {name} takes {dims[0]} at a time.",
            f"Give a multiple of {dims[0]} cases, or export with a free batch size.",
        )
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise _wrong(
            "T-C109",
            f"{path.name}: case {row} of {entry.name!r} holds NaN or infinity, which no 8-bit "
            "range can hold.",
            "Leave such cases out, or fill them as the model's training did.",
        )
    labels = arrays.get(LABELS)
    if labels is not None and (
        labels.shape != (len(values),) or not np.issubdtype(labels.dtype, np.integer)
    ):
        raise _wrong(
            "T-C110",
            f"{path.name}: 'y' has shape {labels.shape} and type {labels.dtype}; labels are "
            f"integers of shape ({len(values)},), counted from 0.",
            "Save one class number a case.",
        )
    kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return Samples(inputs=np.ascontiguousarray(values.astype(kind)), labels=labels)


def batch_of(model: Any) -> int | None:  # noqa: ANN401 - onnx ships no types
    """Return the number of cases a call where the model fixes it."""
    weights = {x.name for x in model.graph.initializer}
    entry = next(x for x in model.graph.input if x.name not in weights)
    dims = entry.type.tensor_type.shape.dim
    return int(dims[0].dim_value) if dims and dims[0].dim_value > 0 else None


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            if isinstance(stored, np.ndarray):
                return {"x": stored}
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or ["empty"])[0][:160].rstrip(". ")
        raise _wrong(
            "T-C107",
            f"{path.name} cannot be read as an npz file ({reason}).",
            "Save arrays of numbers with numpy.savez.",
        ) from error


def _wrong(code: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(code=code, message=message, remedy=remedy))
