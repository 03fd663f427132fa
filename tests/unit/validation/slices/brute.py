"""Every slice, counted one by one with masks: slow and plain, to check the search against."""

from __future__ import annotations

import itertools
import math

import numpy as np

from titian.validation.slices.score import Score, Total
from titian.validation.slices.search import Ranked, order


def every_slice(features, error, *, level, least):
    """Yield (conditions, mask) of each slice with enough cases."""
    for count in range(1, level + 1):
        for places in itertools.combinations(range(len(features)), count):
            values = [range(len(features[place].values)) for place in places]
            for codes in itertools.product(*values):
                mask = np.ones(len(error), dtype=bool)
                for place, code in zip(places, codes, strict=True):
                    mask &= features[place].code == code
                if mask.sum() >= least:
                    yield tuple(zip(places, codes, strict=True)), mask


def brute_force(
    features, error, total: Total, *, score: Score, level: int, least: int, top: int
) -> tuple[Ranked, ...]:
    """Rank every slice and return the best ones with a score above 0."""
    found = []
    for conditions, mask in every_slice(features, error, level=level, least=least):
        size, wrong = int(mask.sum()), float(error[mask].sum())
        value = float(score.of(np.array([float(size)]), np.array([wrong]), total)[0])
        if value > 1e-9:
            found.append(Ranked(conditions=conditions, size=size, error=wrong, score=value))
    found.sort(key=order)
    return tuple(found[:top])


def g_by_hand(size: float, wrong: float, n: float, errors: float) -> float:
    """Return the G statistic of the 2 x 2 table, term by term."""
    g = 0.0
    for seen, row, column in (
        (wrong, size, errors),
        (size - wrong, size, n - errors),
        (errors - wrong, n - size, errors),
        (n - size - errors + wrong, n - size, n - errors),
    ):
        if seen > 0:
            g += 2 * seen * math.log(seen / (row * column / n))
    return g
