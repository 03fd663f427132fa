"""Values of a column become few: bands of a numeric one, values of a text, and missing.

Bands hold about equally many cases. Their edges are the roundest numbers near the quantiles,
so that a reader meets ``[40,65)`` and not ``[39.7,64.2)``. A value that alone holds a band's
share of the cases (hours of 40, a gain of 0) is a band of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.errors import InputError, Problem
from titian.validation.slices.feature import MOST_VALUES, Feature
from titian.validation.slices.score import Floats, Ints

MISSING = "missing"
"""Name of the band of cases whose value is missing: searched like any other."""

BANDS = 5
"""Bands of a numeric column: with five, three conditions still leave 1 case in 125."""

SINGLE_VALUES = 10
"""A numeric column of at most this many different values is not banded."""

LEEWAY = 0.15
"""How far an edge may move from its quantile for a rounder number, in bands."""


def feature_of(name: str, values: NDArray[np.generic], *, bands: int = BANDS) -> Feature:
    """Make a feature of one column.

    Args:
        name: of the column.
        values: shape (n,), numbers (NaN is missing) or text (empty is missing); text that
            is a number in every cell is read as numbers.
        bands: how many a numeric column is cut into, from 2 on.

    Raises:
        InputError: T-V146, a text column of more values than `MOST_VALUES`.
    """
    if values.dtype.kind in "iuf":
        distinct, code = np.unique(values.astype(np.float64), return_inverse=True)
        return _numeric(name, code, distinct, bands)
    names, code = np.unique(values.astype(np.str_), return_inverse=True)
    return feature_of_codes(name, code, [str(text) for text in names], bands=bands)


def feature_of_codes(
    name: str, code: NDArray[np.integer[Any]], names: Sequence[str], *, bands: int = BANDS
) -> Feature:
    """Make a feature of a column of text, given as codes into its different texts.

    Raises:
        InputError: T-V146, see `feature_of`.
    """
    blank = [not text.strip() for text in names]
    numbers = np.full(len(names), np.nan)
    try:
        for place, text in enumerate(names):
            if not blank[place]:
                numbers[place] = float(text)
    except ValueError:
        return _named(name, code, names, blank)
    return _numeric(name, code, numbers, bands)


def _named(
    name: str, code: NDArray[np.integer[Any]], names: Sequence[str], blank: Sequence[bool]
) -> Feature:
    # The text "missing" and the empty cell are one band.
    texts = [MISSING if empty else text for text, empty in zip(names, blank, strict=True)]
    values = sorted(set(texts), key=lambda text: (text == MISSING, text))
    if len(values) > MOST_VALUES:
        raise InputError(
            Problem(
                code="T-V146",
                message=f"feature {name!r} has {len(values):,} different values (such as "
                f"{values[0]!r}); a feature that cases can be grouped by has at most "
                f"{MOST_VALUES}.",
                remedy="Group its values, write it as a number so that it is banded, or leave "
                "it out of --features.",
            )
        )
    place = {text: number for number, text in enumerate(values)}
    table = np.array([place[text] for text in texts], dtype=np.uint8)
    return Feature(name=name, code=table[code], values=tuple(values))


def _numeric(name: str, code: NDArray[np.integer[Any]], numbers: Floats, bands: int) -> Feature:
    """Band a column whose cases have the numbers[code]."""
    counts = np.bincount(code, minlength=len(numbers))
    there = ~np.isnan(numbers)
    distinct, place = np.unique(numbers[there], return_inverse=True)
    cases = np.bincount(place, weights=counts[there], minlength=len(distinct))
    band: list[int] = []
    values: list[str] = []
    for label, size in _bands_of(distinct, cases.astype(np.int64), bands):
        band += [len(values)] * size
        values.append(label)
    table = np.full(len(numbers), len(values), dtype=np.uint8)
    table[there] = np.asarray(band, dtype=np.uint8)[place]
    if counts[~there].any():
        values.append(MISSING)
    return Feature(name=name, code=table[code], values=tuple(values))


def _bands_of(distinct: Floats, counts: Ints, bands: int) -> Iterator[tuple[str, int]]:
    """Yield (name, how many of the distinct values are in it), rising."""
    if len(distinct) <= max(SINGLE_VALUES, bands):
        for value in distinct.tolist():
            yield _text(value), 1
        return
    share = counts.sum() / bands
    alone = (counts >= share) | ~np.isfinite(distinct)
    start = 0
    while start < len(distinct):
        if alone[start]:
            yield _text(float(distinct[start])), 1
            start += 1
            continue
        end = start + 1
        while end < len(distinct) and not alone[end]:
            end += 1
        below = float(distinct[start - 1]) if start else -math.inf
        above = float(distinct[end]) if end < len(distinct) else math.inf
        yield from _cut(distinct[start:end], counts[start:end], share, below, above)
        start = end


def _cut(
    distinct: Floats, counts: Ints, share: float, below: float, above: float
) -> Iterator[tuple[str, int]]:
    """Cut a run of values without a frequent one into bands of about `share` cases.

    Args:
        distinct: the values, rising.
        counts: cases of each.
        share: cases that a band is to hold.
        below: the frequent value before the run, which its first edge stays above.
        above: the frequent value after it.
    """
    least, most = float(distinct[0]), float(distinct[-1])
    if least == most:
        yield _text(least), 1
        return
    reached = np.cumsum(counts)
    parts = min(max(round(reached[-1] / share), 1), len(distinct))
    edges: list[float] = []
    for part in range(1, parts):
        aims = (part + np.array([-LEEWAY, 0.0, LEEWAY])) * reached[-1] / parts
        nearby = np.searchsorted(reached, aims, "right").clip(max=len(distinct) - 1)
        low, middle, high = distinct[nearby]
        edge = roundest(float(low), float(high), float(middle))
        if edge > (edges[-1] if edges else least) and edge <= most:
            edges.append(edge)
    first = roundest(max(least - (most - least) / 10, below), least, least, low_open=True)
    # No value lies between the last one and a frequent one after it.
    last = most if above < math.inf else roundest(most, most + (most - least) / 10, most)
    bounds = [min(first, least), *edges, last]
    places = [0, *np.searchsorted(distinct, edges, "left").tolist(), len(distinct)]
    for number in range(len(bounds) - 1):
        size = places[number + 1] - places[number]
        closing = "]" if number == len(bounds) - 2 else ")"
        if size:
            yield f"[{_text(bounds[number])},{_text(bounds[number + 1])}{closing}", size


def roundest(low: float, high: float, near: float, *, low_open: bool = False) -> float:
    """Return the number of fewest digits in [low, high], and of those the one next to `near`.

    With `low_open` the number is above `low`.
    """
    if high <= low:
        return high
    digits = math.floor(math.log10(high - low)) + 1
    for exponent in range(digits, digits - 4, -1):
        for unit in (10.0, 5.0, 2.0, 1.0) if exponent == digits else (5.0, 2.0, 1.0):
            step = unit * 10.0**exponent / 10.0
            multiple = round(near / step)
            for candidate in (multiple, multiple - 1, multiple + 1):
                number = round(candidate * step, max(1 - exponent, 0))
                if low <= number <= high and not (low_open and number == low):
                    return number
    return near


def _text(number: float) -> str:
    """Return a number as a person writes it: 65, 0.5, 1e-07."""
    if math.isfinite(number) and number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return repr(number)
