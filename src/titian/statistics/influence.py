"""Influence values: what each case adds to the error of a measure.

A measure that is a smooth function of means changes, when a case's weight changes a little,
by that case's influence value (Hampel, JASA 69, 1974, 383-393; Efron, SIAM 1982, on the
infinitesimal jackknife). Their sums by subject give variances and, for two models judged on
the same cases, the covariance. Every function returns shape (n,), summing to about 0; zeros
where the measure is unknown.
"""

from __future__ import annotations

import numpy as np

from titian.statistics.discrimination import placements, ranked_precision
from titian.statistics.estimate import Bools, Floats


def of_proportion(chosen: Bools, success: Bools) -> Floats:
    """Return the influence on the share of `success` among the `chosen`."""
    m = int(chosen.sum())
    if m == 0:
        return np.zeros(len(chosen))
    share = float(success[chosen].mean())
    return np.asarray(np.where(chosen, success - share, 0.0) / m)


def of_balanced_accuracy(label: Bools, prediction: Bools) -> Floats:
    """Return the influence on the mean of sensitivity and specificity."""
    return (of_proportion(label, prediction) + of_proportion(~label, ~prediction)) / 2


def of_f1(label: Bools, prediction: Bools) -> Floats:
    """Return the influence on F1, which is 2J / (1 + J) of the overlap J."""
    union = label | prediction
    if not union.any():
        return np.zeros(len(label))
    overlap = float((label & prediction)[union].mean())
    return 2 / (1 + overlap) ** 2 * of_proportion(union, label & prediction)


def of_auc(score: Floats, label: Bools) -> Floats:
    """Return the influence on the area under the ROC curve."""
    m = int(label.sum())
    k = len(label) - m
    if m == 0 or k == 0:
        return np.zeros(len(label))
    value, placement = placements(score, label)
    return np.asarray((placement - value) / np.where(label, m, k))


def of_average_precision(score: Floats, label: Bools) -> Floats:
    """Return the influence on average precision."""
    if not label.any():
        return np.zeros(len(label))
    return ranked_precision(score, label)[1]


def of_brier(score: Floats, label: Bools) -> Floats:
    """Return the influence on the mean squared error."""
    error = (score - label) ** 2
    return np.asarray((error - error.mean()) / max(len(error), 1))
