"""The Brier score: the mean of squared errors, by subject.

The variance of the errors hangs on few large ones, which a lucky sample lacks just when its
score is low, so that plain, t and bootstrap intervals all lie below the truth too often. If
the scores were the true probabilities, the variance would follow from them alone; that
variance is the floor of the observed one, and the interval has Wilson's form.
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
from titian.statistics.proportions import wilson

SCORE = "Wilson form, modelled floor"
SCORE_BY_SUBJECT = "Wilson form by subject, modelled floor"


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
        all 0 or all largest: Wilson's interval, each subject one observation.
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
    method = SCORE if groups.single else SCORE_BY_SUBJECT
    if value in (0.0, upper):
        low, high = wilson(value / upper, effective_subjects(sizes), alphas)
        return Estimate(
            value=value,
            n=n,
            intervals=intervals_of(alphas, low * upper, high * upper),
            method=method,
        )
    plain = variance((errors - value) / n)
    found = variance(groups.sums(errors - value) / n)
    effect = max(found / plain, 1.0) if plain > 0.0 else 1.0
    modelled = float(within.mean() + expected.var()) / n
    spread = max(found, effect * modelled, 1e-12)
    df = degrees_of_freedom(sizes, effect)
    # Scaled to [0, 1], no variance exceeds value (1 - value): that ratio is the effective n.
    scaled = value / upper
    size = max(scaled * (1 - scaled) * upper**2 / spread, 1.0)
    low, high = wilson(scaled, size, alphas, df=df)
    return Estimate(
        value=value,
        n=n,
        intervals=intervals_of(
            alphas, np.minimum(low * upper, value), np.maximum(high * upper, value)
        ),
        method=method,
    )
