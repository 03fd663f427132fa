"""Cases of one subject resemble one another: variances by subject.

The estimators here are ratios and smooth functions of sums, so a subject's contribution
to the error is the sum of its cases' influence values, and the variance is the sum of the
squared contributions (the "ultimate cluster" or linearised estimator: Cochran, *Sampling
Techniques*, 3rd ed., 1977, ch. 11; Rao and Scott, Biometrics 48, 1992, 577-585). Where
every subject has one case it is the usual variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.statistics.estimate import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """Which subject each case belongs to.

    Attributes:
        code: shape (n,), subjects numbered from 0 without gaps.
        subjects: how many there are.
    """

    code: Ints
    subjects: int

    @property
    def single(self) -> bool:
        """Whether every subject has exactly one case."""
        return self.subjects == len(self.code)

    def sums(self, values: Floats) -> Floats:
        """Return each subject's sum of `values`, shape (subjects,)."""
        found = np.bincount(self.code, weights=values, minlength=self.subjects)
        return found.astype(np.float64, copy=False)


def clustering(subject: Ints | None, n: int) -> Clustering:
    """Number the subjects of n cases; None means that every case is its own subject."""
    if subject is None:
        return Clustering(code=np.arange(n), subjects=n)
    values, code = np.unique(subject, return_inverse=True)
    return Clustering(code=code.astype(np.int64), subjects=len(values))


def variance(contribution: Floats) -> float:
    """Return the variance of a sum whose terms are the subjects' contributions.

    Args:
        contribution: shape (subjects,), summing to about 0.
    """
    g = len(contribution)
    return float((contribution**2).sum() * (g / (g - 1))) if g > 1 else 0.0


def degrees_of_freedom(sizes: Floats, design_effect: float) -> float:
    """Return the degrees of freedom of a variance that subjects of these sizes give.

    A few large subjects carry much of the variance, so that its estimate is as shaky as one
    from fewer subjects. With intra-subject correlation rho a subject of size s carries
    c = s (1 + (s - 1) rho), and Satterthwaite's count is (sum c)^2 / sum c^2, less one; rho
    is the one that explains the design effect. Subjects without cases have size 0.
    """
    total = sizes.sum()
    excess = float((sizes**2).sum() / total) - 1.0
    rho = float(np.clip((design_effect - 1.0) / excess, 0.0, 1.0)) if excess > 0 else 0.0
    carried = sizes * (1.0 + (sizes - 1.0) * rho)
    return max(float(carried.sum() ** 2 / (carried**2).sum()) - 1.0, 1.0)


def effective_subjects(sizes: Floats) -> float:
    """Return Kish's (1965) count: the n of independent cases if subjects were of one mind."""
    return float(sizes.sum() ** 2 / (sizes.astype(np.float64) ** 2).sum())
