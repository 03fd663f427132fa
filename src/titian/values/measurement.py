"""A number with unit, n, confidence interval, method and subgroup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ALL_GROUPS = "all groups"
"""A column's value in the subgroup of a gap: it is about all groups of that column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided confidence interval; ``alpha`` is one minus its nominal coverage."""

    alpha: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What was measured, on how many, and how sure we are.

    Attributes:
        name: measure id, such as ``sensitivity``.
        subgroup: {column: value}, bands written ``[40,65)``; None for all cases.
        value: the estimate; None when it is unknown.
        n: the measure's denominator (for sensitivity the positives); cases otherwise.
        unit: ``1`` for a proportion, ``nat``, ``s``, ...
        method: how the interval was made, such as ``Wilson`` or ``BCa bootstrap by subject``.
        intervals: the interval at the project's alpha first; then, for a family of m rows,
            at alpha/2 ... alpha/m, so that Holm's correction needs nothing but this record.
            Empty when the interval is unknown.
        reason: why value or interval is unknown; empty otherwise.
    """

    name: str
    value: float | None
    n: int
    unit: str = "1"
    method: str = ""
    subgroup: Mapping[str, str] | None = None
    intervals: tuple[Interval, ...] = field(default=())
    reason: str = ""

    @property
    def low(self) -> float | None:
        """Lower end of the interval at the project's alpha."""
        return self.intervals[0].low if self.intervals else None

    @property
    def high(self) -> float | None:
        """Upper end of the interval at the project's alpha."""
        return self.intervals[0].high if self.intervals else None
