"""Axes: round ticks, and the map from values to pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear map of [low, high] to pixels [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[tuple[float, str]]:
        """Return (value, label) at multiples of 1, 2 or 5 times a power of ten."""
        raw = (self.high - self.low) / max(wanted, 1)
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(k * power for k in (1, 2, 5, 10) if k * power >= raw * 0.999)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        large = max(abs(self.low), abs(self.high)) >= 1e6
        return [
            (
                at * step,
                f"{at * step:.3g}" if large else f"{at * step:.{decimals}f}".replace("-", "−"),
            )
            for at in range(first, last + 1)
        ]


def extent(
    values: Iterable[float | None],
    given: tuple[float, float] | None = None,
    *,
    margin: float = 0.06,
) -> tuple[float, float]:
    """Return an axis' range: the given one, else that of the values with a margin.

    A range of proportions stays within [0, 1]; a single value gets room on both sides.
    """
    if given is not None and given[0] < given[1]:
        return given
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return (0.0, 1.0)
    low, high = min(known), max(known)
    if low == high:
        room = abs(low) * 0.1 or 0.5
        return (low - room, high + room)
    room = (high - low) * margin
    proportions = low >= 0 and high <= 1
    return (
        max(low - room, 0.0) if low >= 0 else low - room,
        min(high + room, 1.0) if proportions else high + room,
    )
