"""The BCa bootstrap by subject: subjects are drawn with replacement, with all their cases.

Efron (JASA 82, 1987, 171-185). Draws enter as counts per subject, so that a statistic is
computed for a block of draws with array operations and nothing is sorted twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from titian.statistics.estimate import Floats

LEAST_DRAWS = 2_000
"""Draws for a single 95 % interval: its tail of 2.5 % then holds 50 of them."""

TAIL_DRAWS = 20
"""Draws that the smallest tail must hold, so that its quantile is not an extreme value."""

BLOCK_NUMBERS = 4_000_000
"""Counts held at once (32 MB)."""


def draws_for(alphas: Sequence[float]) -> int:
    """Return how many draws the smallest alpha needs: its tail alpha/2 holds `TAIL_DRAWS`."""
    return max(LEAST_DRAWS, math.ceil(TAIL_DRAWS / (min(alphas) / 2)))


def bca(
    statistic: Callable[[Floats], Floats],
    value: float,
    influence: Floats,
    *,
    alphas: Sequence[float],
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return BCa bounds for each alpha.

    Args:
        statistic: counts of shape (draws, subjects) -> values of shape (draws,); NaN where
            a draw has no value, which is left out.
        value: the statistic of the sample itself.
        influence: shape (subjects,), the statistic's influence values; their skewness is
            the acceleration.
        alphas: one minus the nominal coverage of each interval wanted.
        rng: where the draws come from.
    """
    subjects = len(influence)
    draws = draws_for(alphas)
    block = max(1, BLOCK_NUMBERS // subjects)
    found = np.concatenate(
        [
            statistic(resample(subjects, min(block, draws - start), rng))
            for start in range(0, draws, block)
        ]
    )
    found = np.sort(found[np.isfinite(found)])
    below = (np.searchsorted(found, value) + np.searchsorted(found, value, "right")) / 2
    z0 = float(ndtri(np.clip(below / len(found), 1 / len(found), 1 - 1 / len(found))))
    squares = float((influence**2).sum())
    skew = float((influence**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0
    tail = np.asarray(alphas) / 2

    def bound(z: Floats) -> Floats:
        place = ndtr(z0 + (z0 + z) / np.maximum(1 - skew * (z0 + z), 1e-3))
        return np.asarray(np.quantile(found, place))

    return np.minimum(bound(ndtri(tail)), value), np.maximum(bound(-ndtri(tail)), value)


def resample(subjects: int, draws: int, rng: np.random.Generator) -> Floats:
    """Return how often each subject is drawn, shape (draws, subjects)."""
    chosen = rng.integers(0, subjects, size=(draws, subjects))
    chosen += np.arange(draws)[:, None] * subjects
    counts = np.bincount(chosen.ravel(), minlength=draws * subjects)
    return counts.reshape(draws, subjects).astype(np.float64)
