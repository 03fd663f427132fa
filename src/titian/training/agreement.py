"""Does the exported graph answer what the framework answers, on tune cases?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from titian.errors import EnvironmentFault, Problem
from titian.models import OnnxModel, load_model
from titian.training.calibration import Scores
from titian.values import Control

#: Largest difference of a probability that float32 arithmetic is allowed to make.
LARGEST_DIFFERENCE = 1e-4

Ask = Callable[[OnnxModel], Scores]


def agreement(path: Path, reference: Scores, ask: Ask) -> float:
    """Return the largest absolute difference between the graph's answers and `reference`.

    Args:
        path: the exported model.
        reference: the framework's probabilities, shape (n, k).
        ask: puts the same cases to the loaded model.

    Raises:
        EnvironmentFault: T-T012, the difference is above `LARGEST_DIFFERENCE`.
    """
    difference = _difference(path, reference, ask)
    if not difference <= LARGEST_DIFFERENCE:
        raise EnvironmentFault(
            Problem(
                code="T-T012",
                message=(
                    f"the exported model differs from the trained one by {difference:.2g} in a "
                    f"probability of {len(reference)} tune cases; at most "
                    f"{LARGEST_DIFFERENCE:g} is rounding."
                ),
                remedy="Report this with the versions of torch, scikit-learn and onnxruntime.",
            )
        )
    return difference


def planted_weight(model: Any, path: Path, reference: Scores, ask: Ask) -> Control:  # noqa: ANN401
    """Move one weight of the exported graph and see whether the check notices.

    Args:
        model: the exported ``onnx.ModelProto`` with its card; not changed.
        path: where the changed copy may be written; removed afterwards.
        reference: as in `agreement`.
        ask: as in `agreement`.
    """
    from onnx import numpy_helper

    wrong = type(model)()
    wrong.CopyFrom(model)
    tensor = next(t for t in wrong.graph.initializer if t.name == "calibration_shift")
    values = numpy_helper.to_array(tensor).copy()
    values[-1] += np.float32(0.5)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    path.write_bytes(wrong.SerializeToString(deterministic=True))
    try:
        difference = _difference(path, reference, ask)
    finally:
        path.unlink()
    return Control(
        check="training.onnx_agreement",
        fault="one weight of the exported model is wrong by 0.5",
        found=difference > LARGEST_DIFFERENCE,
        detail=f"largest difference of a probability {difference:.2g}",
        false_alarm_rate=0.0,
    )


def _difference(path: Path, reference: Scores, ask: Ask) -> float:
    return float(np.max(np.abs(ask(load_model(path)) - reference)))
