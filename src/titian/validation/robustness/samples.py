"""The cases that are attacked: checked before any model sees them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

NORMS: Final = ("inf", "2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Inputs and true classes.

    Attributes:
        x: shape (n, ...), finite.
        y: shape (n,), classes counted from 0.
        target: shape (n,), the class an adversary wants; None where none is stated.
    """

    x: Floats
    y: Ints
    target: Ints | None = None

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.y)


def read_samples(path: Path) -> Samples:
    """Read the arrays `x`, `y` and, where it is there, `target` of an ``.npz`` file.

    Raises:
        InputError: T-S200 to T-S203; all that is wrong is told.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in ("x", "y", "target") if name in held.files}
            names = list(held.files)
    except (OSError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            Problem(
                code="T-S200",
                message=f"{path.name} holds no plain arrays by name ({reason.rstrip('.')}).",
                remedy="Write it with numpy.savez(FILE, x=inputs, y=classes).",
            )
        ) from error
    missing = [name for name in ("x", "y") if name not in arrays]
    if missing:
        raise InputError(
            Problem(
                code="T-S201",
                message=f"{path.name} lacks {' and '.join(missing)}; it holds {sorted(names)}.",
                remedy="Write it with numpy.savez(FILE, x=inputs, y=classes).",
            )
        )
    return make_samples(arrays["x"], arrays["y"], target=arrays.get("target"))


def make_samples(
    x: npt.NDArray[Any], y: npt.NDArray[Any], *, target: npt.NDArray[Any] | None = None
) -> Samples:
    """Check arrays and make samples of them.

    Raises:
        InputError: T-S201 shapes, T-S202 NaN or infinity, T-S203 classes.
    """
    problems = []
    if x.dtype.kind not in "fiu" or x.ndim < 2 or 0 in x.shape:
        problems.append(_odd_shape(f"x is {x.dtype} of shape {x.shape}; numbers (n, ...)"))
    if y.ndim != 1 or len(y) != len(x):
        problems.append(_odd_shape(f"y has shape {y.shape}; x has {len(x)} cases: ({len(x)},)"))
    if target is not None and target.shape != y.shape:
        problems.append(_odd_shape(f"target has shape {target.shape}; that of y, {y.shape}"))
    if x.dtype.kind == "f":
        odd = np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(axis=1))
        if odd.size:
            problems.append(
                Problem(
                    code="T-S202",
                    message=f"x holds NaN or infinity in {odd.size} of {len(x)} cases "
                    f"(first: case {odd[0]}); an adversary's ball needs a centre.",
                    remedy="Leave these cases out, or fill them as the model's pipeline does.",
                )
            )
    for name, classes in (("y", y), ("target", target)):
        if classes is not None and not _are_classes(classes):
            problems.append(
                Problem(
                    code="T-S203",
                    message=f"{name} is {classes.dtype} from {classes.min()} to "
                    f"{classes.max()}; classes are whole numbers from 0."
                    if classes.size and classes.dtype.kind in "fiub"
                    else f"{name} is {classes.dtype}; classes are whole numbers from 0.",
                    remedy="Number the classes in the order of the model's outputs.",
                )
            )
    if target is not None and target.shape == y.shape and (target == y).any():
        problems.append(
            Problem(
                code="T-S203",
                message=f"target is the true class in {int((target == y).sum())} cases.",
                remedy="Name a wrong class for each case.",
            )
        )
    if problems:
        raise InputError(*problems)
    return Samples(
        x=np.ascontiguousarray(x, dtype=np.float32),
        y=y.astype(np.int64),
        target=None if target is None else target.astype(np.int64),
    )


def require_range(samples: Samples, stated: tuple[float, float] | None) -> tuple[float, float]:
    """Return the valid range, where the cases lie in it.

    Raises:
        InputError: T-S204, no range or an odd one; T-S205, cases outside of it.
    """
    if stated is None:
        raise InputError(
            Problem(
                code="T-S204",
                message="the model declares no input range, and none is stated; without one "
                "an attack may leave what a sensor can give.",
                remedy="Add --range LO HI, such as --range 0 1 for images scaled to that.",
            )
        )
    low, high = stated
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(
            Problem(
                code="T-S204",
                message=f"the range is {low:g} to {high:g}; the first is below the second.",
                remedy="Give the least and the greatest valid value: --range 0 1.",
            )
        )
    flat = samples.x.reshape(len(samples), -1)
    outside = np.flatnonzero(
        (flat.min(axis=1) < np.float32(low)) | (flat.max(axis=1) > np.float32(high))
    )
    if outside.size:
        raise InputError(
            Problem(
                code="T-S205",
                message=f"{outside.size} of {len(samples)} cases leave the range {low:g} to "
                f"{high:g} (first: case {outside[0]}; x goes from {flat.min():g} to "
                f"{flat.max():g}).",
                remedy="State the range that the data have, or scale the data as the model "
                "expects them.",
            )
        )
    return float(low), float(high)


def _are_classes(values: npt.NDArray[Any]) -> bool:
    if values.dtype.kind not in "fiub" or not values.size:
        return False
    return bool((values == np.floor(values)).all() and values.min() >= 0)


def _odd_shape(what: str) -> Problem:
    return Problem(
        code="T-S201",
        message=f"{what} is the rule.",
        remedy="Write it with numpy.savez(FILE, x=inputs, y=classes).",
    )
