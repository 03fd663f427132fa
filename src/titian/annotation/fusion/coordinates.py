"""Fusing numbers that several workers gave for the same things.

Each worker's number is the true one plus the worker's own shift plus noise, both in units of
the thing's size; noise is Student's t with few degrees of freedom, so that a slip does not
drag the result. Shifts and spreads are estimated with the fused numbers in turn (EM of the
t distribution; Lange, Little and Taylor, JASA 84, 1989), both drawn towards the crowd's.
A worker's spread is corrected for the worker's own part in the fused number, without which
the most heavily weighted worker would seem ever better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.fusion.result import Floats, Ints

ITERATIONS = 50
TOLERANCE = 1e-9
FREEDOM = 4.0  # of Student's t
SPREAD_STRENGTH = 3.0  # pseudo-numbers at the crowd's spread
SHIFT_STRENGTH = 10.0  # pseudo-numbers without a shift
LEAST_SPREAD = 1e-9  # in sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedNumbers:
    """Numbers brought together.

    Attributes:
        value: shape (things, numbers), the fused numbers.
        spread: shape (workers,), standard deviation of a worker's noise, in sizes.
        shift: shape (workers, numbers), what a worker adds, in sizes, against the crowd.
        weight: shape (n,), the weight of each row in its thing; sums to 1 within a thing.
    """

    value: Floats
    spread: Floats
    shift: Floats
    weight: Floats


def fuse(
    value: Floats, thing: Ints, worker: Ints, *, size: Floats, workers: int
) -> FusedNumbers:
    """Fuse rows of numbers, one row per worker and thing.

    Args:
        value: shape (n, numbers).
        thing: shape (n,), which thing a row is about, from 0, none left out.
        worker: shape (n,).
        size: shape (things, numbers) or (things, 1), above 0, in the numbers' unit.
        workers: number of workers.

    Returns:
        A thing with one row, or with equal rows, comes back exactly as given.
    """
    things = int(thing.max()) + 1 if len(thing) else 0
    numbers = value.shape[1]
    scale = np.broadcast_to(size, (things, numbers))[thing]
    shift = np.zeros((workers, numbers))
    centre = _medians(value, thing, things)
    if not len(thing):
        return FusedNumbers(
            value=centre, spread=np.zeros(workers), shift=shift, weight=np.zeros(0)
        )
    several = (np.bincount(thing, minlength=things)[thing] > 1).astype(np.float64)
    residual = (value - centre[thing]) / scale
    pooled = _pooled(residual, several)
    spread2 = np.full(workers, pooled)
    weight = np.zeros(len(thing))
    for _ in range(ITERATIONS):
        mean2 = (residual**2).mean(axis=1) / spread2[worker]
        robust = (FREEDOM + numbers) / (FREEDOM + numbers * mean2)
        raw = robust / spread2[worker]
        weight = raw / totals(raw, thing, things)[thing]
        moved = value - shift[worker] * scale
        fused = np.stack(
            [totals(weight * moved[:, k], thing, things) for k in range(numbers)],
            axis=1,
        )
        step = float(np.abs((fused - centre)[thing] / scale).max())
        centre = fused
        plain = (value - centre[thing]) / scale
        shift = _shifts(plain, worker, robust * several, workers)
        residual = plain - shift[worker]
        free = totals((1.0 - weight) * several, worker, workers)
        squares = totals(robust * (residual**2).mean(axis=1) * several, worker, workers)
        pooled = _typical(squares, free)
        spread2 = (squares + SPREAD_STRENGTH * pooled) / (free + SPREAD_STRENGTH)
        if step < TOLERANCE:
            break
    return FusedNumbers(
        value=_agreed(value, thing, centre), spread=np.sqrt(spread2), shift=shift, weight=weight
    )


def _agreed(value: Floats, thing: Ints, centre: Floats) -> Floats:
    """Return the fused numbers, exactly as given where all rows of a thing are equal."""
    low, high = np.full_like(centre, np.inf), np.full_like(centre, -np.inf)
    np.minimum.at(low, thing, value)
    np.maximum.at(high, thing, value)
    return np.where((low == high).all(axis=1, keepdims=True), low, centre)


def totals(weight: Floats, place: Ints, size: int) -> Floats:
    """Return the sum of the weights at each of `size` places."""
    found: Floats = np.bincount(place, weights=weight, minlength=size).astype(np.float64)
    return found


def _shifts(plain: Floats, worker: Ints, weight: Floats, workers: int) -> Floats:
    """Return each worker's mean deviation, drawn towards 0; the crowd's own mean is 0."""
    heavy = totals(weight, worker, workers)
    total = np.stack([totals(weight * column, worker, workers) for column in plain.T], axis=1)
    shift = total / (heavy + SHIFT_STRENGTH)[:, None]
    whole = float(heavy.sum())
    if whole > 0:
        shift = shift - (heavy @ shift) / whole
    return shift


def _typical(squares: Floats, free: Floats) -> float:
    """Return the geometric mean of the workers' variances, weighted by what they rest on.

    The arithmetic mean would be the careless worker's alone, and draw the careful ones to it.
    """
    whole = float(free.sum())
    if whole <= 1e-9:
        return LEAST_SPREAD**2
    own = np.maximum(squares / np.maximum(free, 1e-12), LEAST_SPREAD**2)
    return float(np.exp((free * np.log(own)).sum() / whole))


def _pooled(residual: Floats, several: Floats) -> float:
    used = residual[several > 0]
    if not len(used):
        return 1.0
    middle = float(np.median(np.abs(used))) * 1.4826  # consistent for normal noise
    return max(middle * middle, float((used**2).mean()) * 0.01, LEAST_SPREAD**2)


def _medians(value: Floats, thing: Ints, things: int) -> Floats:
    """Return the median of each thing's rows, number by number."""
    found = np.zeros((things, value.shape[1]))
    if not len(thing):
        return found
    count = np.bincount(thing, minlength=things)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    low, high = start + (count - 1) // 2, start + count // 2
    for k in range(value.shape[1]):
        ordered = value[np.lexsort((value[:, k], thing)), k]
        found[:, k] = (ordered[low] + ordered[high]) / 2.0
    return found
