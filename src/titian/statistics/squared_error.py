"""The Brier score: the mean of squared errors, by subject.

The variance of the errors hangs on few large ones, which a lucky sample lacks just when its
score is low, so that plain, t and bootstrap intervals all lie below the truth too often. If
the scores were the true probabilities, the variance would follow from them alone; that
variance is the floor of the observed one, and the interval is taken on the log scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from titian.statistics.clusters import (
    clustering,
    degrees_of_freedom,
    effective_subjects,
    variance,
)
from titian.statistics.estimate import Estimate, Floats, Ints, intervals_of, unknown
from titian.statistics.proportions import quantile, wilson

STUDENT = "Student t, log scale"
STUDENT_BY_SUBJECT = "Student t by subject, log scale"


def brier(
    scores: Floats, label: Ints, subject: Ints | None, *, alphas: Sequence[float]
) -> Estimate:
    """Estimate the mean squared error of probabilities.

    Args:
        scores: shape (n,) for two classes, the probability of class 1, or (n, k).
        label: shape (n,), class numbers.
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.

    Returns:
        The value lies in [0, 1] for two classes, in [0, 2] (summed over the classes) for
        more. One subject with several cases: a value without an interval. Errors that are
        all 0: Wilson's interval, each subject one observation.
    """
    n = len(label)
    if n == 0:
        return unknown(0, "no cases")
    if scores.ndim == 1:
        upper = 1.0
        errors = (scores - label) ** 2
        share = np.clip(scores, 0.0, 1.0)
        expected = share * (1 - share)
        within = expected * (1 - 2 * share) ** 2
    else:
        upper = 2.0
        truth = label[:, None] == np.arange(scores.shape[1])
        errors = ((scores - truth) ** 2).sum(axis=1)
        share = np.clip(scores, 0.0, 1.0)
        # The error is |p|^2 + 1 - 2 p_label: what varies is twice the label's score.
        squares = (share**2).sum(axis=1)
        expected = 1 - squares
        within = 4 * np.maximum((share**3).sum(axis=1) - squares**2, 0.0)
    groups = clustering(subject, n)
    value = float(errors.mean())
    if groups.subjects < 2:
        return Estimate(value=value, n=n, reason="an interval needs two subjects")
    sizes = groups.sums(np.ones(n))
    method = STUDENT if groups.single else STUDENT_BY_SUBJECT
    if value == 0.0:
        low, high = wilson(0.0, effective_subjects(sizes), alphas)
        return Estimate(
            value=0.0, n=n, intervals=intervals_of(alphas, low, high), method=method
        )
    plain = variance((errors - value) / n)
    found = variance(groups.sums(errors - value) / n)
    effect = max(found / plain, 1.0) if plain > 0.0 else 1.0
    modelled = float(within.mean() + expected.var()) / n
    spread = max(found, effect * modelled)
    df = degrees_of_freedom(sizes, effect)
    reach = quantile(alphas, df) * np.sqrt(spread) / value
    return Estimate(
        value=value,
        n=n,
        intervals=intervals_of(
            alphas, value * np.exp(-reach), np.minimum(value * np.exp(reach), upper)
        ),
        method=method,
    )
