"""The cluster bootstrap of counts: subjects are drawn with replacement, with all their cases.

A measure that is a function of counts needs no case of a draw, only its counts (Efron, Ann.
Stat. 7, 1979, 1-26; by cluster: Davison and Hinkley, Bootstrap Methods, 1997, ch. 3.8).
Subjects with the same counts are interchangeable, so that a draw is one multinomial over the
kinds of subject: its cost does not grow with the number of cases.
"""

from __future__ import annotations

import numpy as np

from titian.statistics.clusters import clustering
from titian.statistics.estimate import Floats, Ints

BLOCK_NUMBERS = 4_000_000
"""Counts held at once (32 MB)."""


def draw_counts(
    cell: Ints, subject: Ints | None, *, cells: int, draws: int, rng: np.random.Generator
) -> Floats:
    """Return the counts of each cell in each draw, shape (draws, cells).

    Args:
        cell: shape (n,), the cell of each case in [0, cells).
        subject: shape (n,), or None when every case is its own subject.
        cells: how many there are.
        draws: how many to make.
        rng: where they come from.
    """
    groups = clustering(subject, len(cell))
    if groups.single:
        counts = np.bincount(cell, minlength=cells)
        found = rng.multinomial(len(cell), counts / len(cell), size=draws)
        return np.asarray(found, dtype=np.float64)
    table = np.bincount(groups.code * cells + cell, minlength=groups.subjects * cells)
    kinds, count = np.unique(table.reshape(-1, cells), axis=0, return_counts=True)
    chance = count / groups.subjects
    drawn = np.empty((draws, cells))
    block = max(1, BLOCK_NUMBERS // len(kinds))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        chosen = rng.multinomial(groups.subjects, chance, size=size)
        drawn[start : start + size] = chosen @ kinds
    return drawn


def tail_probability(differences: Floats) -> float:
    """Return the two-sided bootstrap p-value of a difference of 0.

    Args:
        differences: shape (draws,); NaN where a draw has no value, which is left out.
    """
    known = differences[np.isfinite(differences)]
    smaller = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(2.0 * (1 + smaller) / (1 + len(known)), 1.0)
