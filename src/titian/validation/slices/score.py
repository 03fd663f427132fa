"""How bad a slice is: evidence of a higher error than elsewhere, or SliceLine's score.

Both are functions of a slice's size t and its sum of errors E alone, and both come with a
bound on every slice inside it that still has enough cases. With s the least size and m the
largest error of a case, a slice inside has a size t' >= s and a sum E' <= min(E, m t').
Either score grows with E' and, along E' = m t', with t'; so the worst case has
E' = min(E, m t') with t' >= max(E / m, s). The proofs are in docs/explanation/slices.md.

Sources: evidence for errors of 0 and 1 is the spatial scan statistic of Kulldorff,
Communications in Statistics: Theory and Methods 26 (1997) 1481-1496; for other errors it is
the standardised sum under permutation (Kulldorff, Huang and Konty, Int. J. Health Geogr. 8,
2009, 58). SliceLine: Sagadeeva and Boehm, SIGMOD (2021) 2290-2299.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All cases together, as far as a score needs them.

    Attributes:
        n: cases.
        error: sum of their errors.
        spread: variance of the errors, over n.
        binary: whether every error is 0 or 1.
    """

    n: int
    error: float
    spread: float
    binary: bool

    @property
    def mean(self) -> float:
        """The mean error."""
        return self.error / self.n


class Score(Protocol):
    """What slices are ranked by; above 0 means worse than the rest."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    def of(self, size: Floats, error: Floats, total: Total) -> Floats:
        """Return the score of slices of these sizes (at least 1) and sums of errors."""

    def bound(
        self, size: Floats, error: Floats, largest: Floats, least: int, total: Total
    ) -> Floats:
        """Return what no slice inside with at least `least` cases exceeds.

        Args:
            size: of the slices, at least `least`.
            error: sums of their errors.
            largest: at least the largest error of a case in each.
            least: the smallest size that counts.
            total: all cases.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How surely the error inside is higher than outside, in standard deviations.

    For errors of 0 and 1: the signed root of the likelihood ratio (G) of "one rate inside,
    another outside" to "one rate". For others: the standardised sum of errors inside.
    """

    name: str = "evidence"

    def of(self, size: Floats, error: Floats, total: Total) -> Floats:
        """Return the signed root of G, or z; 0 for the slice of all cases."""
        return _signed_root(size, error, total) if total.binary else _z(size, error, total)

    def bound(
        self, size: Floats, error: Floats, largest: Floats, least: int, total: Total
    ) -> Floats:
        """Return the score of the cases with errors alone, or with others up to `least`."""
        return self.of(_purest(size, error, largest, least), error, total)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceLine:
    """Weight times the relative excess error, less the rest times the relative rarity.

    Attributes:
        weight: alpha of the paper, above 0 and at most 1.
    """

    weight: float = 0.95
    name: str = "sliceline"

    def of(self, size: Floats, error: Floats, total: Total) -> Floats:
        """Return weight (mean error inside / overall - 1) - (1 - weight) (n / size - 1)."""
        excess = error / size / total.mean - 1.0
        found: Floats = self.weight * excess - (1.0 - self.weight) * (total.n / size - 1.0)
        return found

    def bound(
        self, size: Floats, error: Floats, largest: Floats, least: int, total: Total
    ) -> Floats:
        """Return the larger of the two ends: with E' = E it is monotone in the size."""
        purest = _purest(size, error, largest, least)
        return np.maximum(self.of(purest, error, total), self.of(size, error, total))


def _purest(size: Floats, error: Floats, largest: Floats, least: int) -> Floats:
    """Return the smallest size that holds all of `error`, no smaller than `least`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = np.where(error > 0.0, error / largest, 0.0)
    found: Floats = np.minimum(np.maximum(alone, least), size)
    return found


def _z(size: Floats, error: Floats, total: Total) -> Floats:
    n = total.n
    spread = total.spread * size * (n - size) / max(n - 1, 1)
    excess = error - size * total.mean
    # A slice of all cases has no outside; rounding must not make it stand out.
    told = (size < n) & (spread > 0.0)
    found: Floats = np.where(told, excess / np.sqrt(np.where(told, spread, 1.0)), 0.0)
    return found


def _signed_root(size: Floats, error: Floats, total: Total) -> Floats:
    n, errors = float(total.n), total.error
    right, outside = size - error, n - size
    wrong_outside = errors - error
    right_outside = outside - wrong_outside
    g = (
        _entropy(error)
        + _entropy(right)
        + _entropy(wrong_outside)
        + _entropy(right_outside)
        - _entropy(size)
        - _entropy(outside)
        + float(_entropy(np.asarray(n)))
        - float(_entropy(np.asarray(errors)))
        - float(_entropy(np.asarray(n - errors)))
    )
    sign = np.sign(error * n - size * errors)
    found: Floats = sign * np.sqrt(np.maximum(2.0 * g, 0.0))
    return found


def _entropy(count: Floats) -> Floats:
    """Return x log x, 0 at 0 and where rounding went below."""
    told = np.maximum(count, 0.0)
    found: Floats = told * np.log(np.where(told > 0.0, told, 1.0))
    return found
