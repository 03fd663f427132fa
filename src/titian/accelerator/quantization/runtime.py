"""ONNX Runtime as a reference: which one it was, and every tensor it computed."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem

#: ONNX Runtime is not one reference: levels fuse operators and so move roundings.
LEVELS: Final = ("disabled", "basic", "extended", "all")
#: Instructions that change how a processor multiplies 8-bit numbers.
TELLING_FLAGS: Final = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "amx_int8",
    "asimddp",
    "i8mm",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Which ONNX Runtime, on which processor, at which level of optimisation."""

    version: str
    level: str
    machine: str
    flags: tuple[str, ...]


def describe(level: str = "disabled") -> Runtime:
    """Return what a comparison must record beside its outcome."""
    import onnxruntime

    return Runtime(
        version=str(onnxruntime.__version__),
        level=level,
        machine=platform.machine(),
        flags=_flags(),
    )


def open_level(content: bytes, level: str = "disabled") -> Any:  # noqa: ANN401 - no types there
    """Open a session of one thread at a level of optimisation.

    Raises:
        InputError: T-C106, onnxruntime refuses the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = {
        "disabled": levels.ORT_DISABLE_ALL,
        "basic": levels.ORT_ENABLE_BASIC,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "all": levels.ORT_ENABLE_ALL,
    }[level]
    try:
        return onnxruntime.InferenceSession(
            content, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        reason = (str(error).strip().splitlines() or ["no message"])[0][:200]
        raise InputError(
            Problem(
                code="T-C106",
                message=f"onnxruntime cannot run the model: {reason.rstrip('. ')}.",
                remedy="Export the model again with operators that onnxruntime knows.",
            )
        ) from error


def all_tensors(
    content: bytes,
    feeds: Mapping[str, npt.NDArray[Any]],
    names: Sequence[str],
    *,
    level: str = "disabled",
) -> dict[str, npt.NDArray[Any]]:
    """Run a model and return inner tensors with its outputs.

    Args:
        content: the model.
        feeds: its inputs by name.
        names: tensors wanted beside the outputs. An optimised graph may still compute them
            apart; asking for them keeps them.
        level: one of `LEVELS`.
    """
    import onnx

    model = onnx.load_model_from_string(content)
    have = {value.name for value in model.graph.output}
    # A value without a type is one whose type the runtime infers.
    model.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in have
    )
    session = open_level(model.SerializeToString(), level)
    wanted = [*names, *(name for name in sorted(have) if name not in names)]
    return dict(zip(wanted, session.run(wanted, dict(feeds)), strict=True))


def signed(values: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """Return stored 8-bit values as signed ones."""
    if values.dtype == np.uint8:
        return np.asarray(values.astype(np.int16) - 128, np.int8)
    return np.asarray(values, np.int8)


def _flags() -> tuple[str, ...]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    lines = (x for x in text.splitlines() if x.startswith(("flags", "Features")))
    present = set(next(lines, "").split())
    return tuple(flag for flag in TELLING_FLAGS if flag in present)
