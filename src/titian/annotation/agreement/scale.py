"""What two different labels are apart: nominal, ordinal, interval and ratio scales.

Krippendorff's alpha uses squared distances (Krippendorff, *Content Analysis*, 4th ed., 2019,
ch. 12); the kappas and Gwet's coefficients use weights of agreement, 1 - distance / largest
distance (Cohen 1968; Gwet, *Handbook of Inter-Rater Reliability*, 4th ed., 2014, ch. 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from titian.annotation.consensus.votes import Floats
from titian.errors import InputError, Problem

Level = Literal["nominal", "ordinal", "interval", "ratio"]
LEVELS: tuple[str, ...] = get_args(Level)
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The classes on a scale.

    Attributes:
        level: one of `LEVELS`.
        names: classes, in the order of the scale.
        values: shape (classes,), a number per class: its rank where the level is ordinal, its
            place where it is nominal.
        place: shape (labels,), for each label given its class here; two labels of equal value
            ("1" and "1.0") are one class, but on the nominal scale.
    """

    level: str
    names: tuple[str, ...]
    values: Floats
    place: NDArray[np.int64]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.names)

    def ratio_distance(self) -> Floats:
        """Return ((c - k) / (c + k))^2 for each pair of classes; 0 where both are 0."""
        total = self.values[:, None] + self.values[None, :]
        apart = self.values[:, None] - self.values[None, :]
        share: Floats = np.divide(apart, total, out=np.zeros_like(total), where=total != 0)
        return share**2

    def weights(self) -> Floats:
        """Return the weight of agreement of each pair of classes, 1 on the diagonal.

        Nominal: identity. Ordinal: linear in ranks. Interval: quadratic in values. Ratio:
        quadratic in (c - k) / (c + k).
        """
        apart = np.abs(self.values[:, None] - self.values[None, :])
        match self.level:
            case "nominal":
                return np.eye(self.classes)
            case "ordinal":
                distance = apart
            case "interval":
                distance = apart**2
            case _:
                distance = self.ratio_distance()
        largest = float(distance.max(initial=0.0))
        found: Floats = 1.0 - distance / (largest or 1.0)
        return found


def scale_of(
    names: Sequence[str], level: str = "nominal", *, order: Sequence[str] | None = None
) -> Scale:
    """Put classes on a scale.

    Args:
        names: labels as they were written, each once.
        level: one of `LEVELS`; all but nominal need numbers, or an order where ordinal.
        order: the labels from low to high, for the ordinal scale; every label once, others
            may be named too.

    Raises:
        InputError: T-A202 no such level, T-A203 labels are no numbers, T-A204 ratios of
            negative numbers, T-A205 an order that lacks or repeats labels.
    """
    if level not in LEVELS:
        raise _refused(
            "T-A202",
            f"there is no level {level!r}; the levels are {', '.join(LEVELS)}.",
            "Name one of them.",
        )
    if order is not None:
        return _in_order(tuple(names), level, tuple(order))
    if level == "nominal":
        place = np.arange(len(names), dtype=np.int64)
        return Scale(
            level=level, names=tuple(names), values=place.astype(np.float64), place=place
        )
    numbers = [_number(name) for name in names]
    wrong = [name for name, value in zip(names, numbers, strict=True) if value is None]
    if wrong:
        raise _refused(
            "T-A203",
            f"{len(wrong)} labels are no finite numbers ({_some(wrong)}); "
            f"the level {level} needs numbers.",
            "Give the order of the labels (--order low,mid,high) and --level ordinal, or use "
            "--level nominal.",
        )
    values = np.asarray(numbers, dtype=np.float64)
    if level == "ratio" and (values < 0).any():
        below = [name for name, value in zip(names, values, strict=True) if value < 0]
        raise _refused(
            "T-A204",
            f"{len(below)} labels are below 0 ({_some(below)}); "
            "ratios are of numbers of at least 0.",
            "Use --level interval.",
        )
    distinct, place = np.unique(values, return_inverse=True)
    first = {value: name for name, value in reversed(list(zip(names, values, strict=True)))}
    return Scale(
        level=level,
        names=tuple(first[value] for value in distinct),
        values=np.arange(len(distinct), dtype=np.float64) if level == "ordinal" else distinct,
        place=place.astype(np.int64),
    )


def at_least_two(scale: Scale) -> Scale:
    """Return the scale with a second, empty class where it has only one."""
    if scale.classes > 1:
        return scale
    values = np.append(scale.values, scale.values[-1:] + 1.0)
    return replace(scale, names=(*scale.names, ""), values=values)


def _in_order(names: tuple[str, ...], level: str, order: tuple[str, ...]) -> Scale:
    absent = [name for name in names if name not in order]
    twice = sorted({name for name in order if order.count(name) > 1})
    reasons = []
    if level != "ordinal":
        reasons.append(f"an order was given with the level {level}; only ordinal reads one.")
    if absent:
        reasons.append(f"the order lacks {len(absent)} labels ({_some(absent)}).")
    if twice:
        reasons.append(f"the order names {_some(twice)} more than once.")
    if reasons:
        raise InputError(
            *(
                Problem(
                    code="T-A205",
                    message=reason,
                    remedy="Name every label once, from low to high, with --level ordinal.",
                )
                for reason in reasons
            )
        )
    used = [name for name in order if name in names]
    rank = {name: place for place, name in enumerate(used)}
    return Scale(
        level=level,
        names=tuple(used),
        values=np.arange(len(used), dtype=np.float64),
        place=np.asarray([rank[name] for name in names], dtype=np.int64),
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more


def _refused(code: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(code=code, message=message, remedy=remedy))
