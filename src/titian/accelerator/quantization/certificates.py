"""A cheap requantiser with a proof: ``(acc * M + off) >> sh``, checked for all 2^32 sums.

Requantisation is monotone in the sum, so it is known once the 255 sums are known at which
the answer steps up. An affine map steps up at the same sums if and only if its `off` lies
between a lower bound and an upper bound that each threshold contributes; the bounds of all
255 thresholds are intersected here. What is left is a certificate, and where nothing is left
no certificate exists for that M and sh, and the exact unit computes that channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.accelerator.quantization.requantisation import (
    HIGHEST,
    LOWEST,
    Float32s,
    Int8s,
    Int32s,
    Int64s,
    combined_scales,
    requantise,
)

THRESHOLDS = HIGHEST - LOWEST
FIRST_SUM, LAST_SUM = -(2**31), 2**31 - 1
#: Widths of M that are tried, cheapest first; 18 is one side of an FPGA's multiplier.
WIDTHS_BITS = (16, 18, 24)
#: The widest shift; sums, M and off then fit into 63 bits with their signs.
WIDEST_SHIFT = 52
#: How many steps of the narrowest multiplier a scale may be moved by.
REACH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """``(acc * multiplier + offset) >> shift``, clipped, then plus the zero point.

    Attributes:
        multiplier: M, not negative, of at most `bits` bits.
        offset: off, of at most `WIDEST_SHIFT` + 1 bits with its sign.
        shift: sh, 0 to `WIDEST_SHIFT`.
        bits: width of M.
    """

    multiplier: int
    offset: int
    shift: int
    bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What is proved of one channel.

    Attributes:
        channel: counted from 0.
        scale: the combined scale.
        affine: the certified map; None where the exact unit is needed.
        thresholds: how many steps were checked; 255 less those no 32-bit sum reaches.
    """

    channel: int
    scale: float
    affine: Affine | None
    thresholds: int


def thresholds(scales: Float32s, zero_point: int) -> Int64s:
    """Return the smallest sum that reaches each answer above the lowest.

    Args:
        scales: combined scales, shape (channels,).
        zero_point: of the output.

    Returns:
        Shape (channels, 255): for the answers -127 ... 127; 2^31 where no sum reaches it,
        and -2^31 where every sum does.
    """
    answers = np.arange(LOWEST + 1, HIGHEST + 1)
    column = np.asarray(scales, np.float32)[:, None]
    low = np.full((len(scales), THRESHOLDS), FIRST_SUM, np.int64)
    high = np.full_like(low, LAST_SUM + 1)
    while (low < high).any():
        middle = (low + high) >> 1
        inside = np.minimum(middle, LAST_SUM).astype(np.int32)
        reached = requantise(inside, column, zero_point) >= answers
        searching = low < high
        high = np.where(searching & reached, middle, high)
        low = np.where(searching & ~reached, middle + 1, low)
    return low


def certify(scales: Float32s, zero_point: int) -> tuple[Certificate, ...]:
    """Find an affine map for each channel, and prove it by the channel's thresholds."""
    steps = thresholds(scales, zero_point)
    goals = np.arange(LOWEST + 1, HIGHEST + 1) - zero_point
    return tuple(
        Certificate(
            channel=channel,
            scale=float(scale),
            affine=_search(float(scale), steps[channel], goals),
            thresholds=int(((steps[channel] > FIRST_SUM) & (steps[channel] <= LAST_SUM)).sum()),
        )
        for channel, scale in enumerate(scales)
    )


def holds(affine: Affine, scale: float, zero_point: int) -> bool:
    """Check a certificate anew: both sides of every threshold, and both extreme sums.

    The affine map is monotone too, so that nothing between two thresholds can differ.
    """
    at = thresholds(np.asarray([scale], np.float32), zero_point)[0]
    probes = np.concatenate([at - 1, at, [FIRST_SUM, LAST_SUM]])
    sums = np.clip(probes, FIRST_SUM, LAST_SUM).astype(np.int32)
    wanted = requantise(sums, np.asarray([scale], np.float32), zero_point)
    return affine.multiplier >= 0 and np.array_equal(
        affine_requantise(sums, affine, zero_point), wanted
    )


def affine_requantise(acc: Int32s, affine: Affine, zero_point: int) -> Int8s:
    """Return what the cheap unit computes."""
    product = acc.astype(np.int64) * affine.multiplier + affine.offset
    return np.asarray(np.clip((product >> affine.shift) + zero_point, LOWEST, HIGHEST), np.int8)


def nudged_scales(
    w_scales: Float32s, x_scale: float, y_scale: float, zero_point: int
) -> Float32s:
    """Return weight scales close to those given whose combined scales have a narrow map.

    Quantised weights are free to choose their scale, so that almost every channel can have
    one that the cheapest unit computes exactly. A scale moves by at most `REACH` steps of a
    16-bit multiplier (2.6e-4 of itself) and stays where nothing better lies that near.

    Args:
        w_scales: shape (channels,).
        x_scale: of the input.
        y_scale: of the output.
        zero_point: of the output.
    """
    found = np.asarray(w_scales, np.float32).copy()
    combined = combined_scales(x_scale, found, y_scale).astype(np.float64)
    _, exponent = np.frexp(combined)
    shift = np.ldexp(1.0, WIDTHS_BITS[0] - exponent)
    nearest = np.rint(combined * shift)
    left = np.arange(len(found))
    for step in sorted(range(-REACH, REACH + 1), key=abs):
        goal = (nearest[left] + step) / shift[left]
        tried = _hit(goal, x_scale, y_scale)
        proved = [
            found.affine is not None and found.affine.bits == WIDTHS_BITS[0]
            for found in certify(combined_scales(x_scale, tried, y_scale), zero_point)
        ]
        found[left[proved]] = tried[proved]
        left = left[~np.asarray(proved, np.bool_)]
        if not left.size:
            break
    return found


def _hit(goal: npt.NDArray[np.float64], x_scale: float, y_scale: float) -> Float32s:
    """Return weight scales whose combined scale, after two roundings, is nearest the goal."""
    tried = np.asarray(goal * float(y_scale) / float(x_scale), np.float32)
    around = [tried]
    for towards in (np.float32(0.0), np.float32(np.inf)):
        neighbour = tried
        for _ in range(2):
            neighbour = np.nextafter(neighbour, towards)
            around.append(neighbour)
    choices = np.stack(around)
    flat = combined_scales(x_scale, choices.reshape(-1), y_scale).astype(np.float64)
    nearest = np.abs(flat.reshape(choices.shape) - goal).argmin(axis=0)
    return np.asarray(choices[nearest, np.arange(len(tried))], np.float32)


def _search(scale: float, steps: Int64s, goals: npt.NDArray[Any]) -> Affine | None:
    for bits in WIDTHS_BITS:
        shift = min(bits - 1 - int(np.floor(np.log2(scale))), WIDEST_SHIFT)
        if shift < 0:
            continue
        centre = round(scale * 2.0**shift)
        for multiplier in (centre, centre - 1, centre + 1):
            if not 0 <= multiplier < 2**bits:
                continue
            offset = _offset(multiplier, shift, steps, goals)
            if offset is not None:
                return Affine(multiplier=multiplier, offset=offset, shift=shift, bits=bits)
    return None


def _offset(multiplier: int, shift: int, steps: Int64s, goals: npt.NDArray[Any]) -> int | None:
    """Return an offset that every threshold allows, near the middle of what is left."""
    # A step that is taken by every sum bounds nothing from above, and one that none takes
    # must not be taken by the last sum. Products stay below 2^55, goals below 2^61.
    target = goals.astype(np.int64) << shift
    reached = steps <= LAST_SUM
    bounded = steps > FIRST_SUM
    low = (target - steps * multiplier)[reached]
    high = (target - (steps - 1) * multiplier)[bounded] - 1
    lowest = int(low.max()) if low.size else -(2**shift)
    highest = int(high.min()) if high.size else 2**shift
    if lowest > highest:
        return None
    return (lowest + highest) // 2
