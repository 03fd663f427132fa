"""AUC and average precision: how well scores rank the positives above the negatives.

AUC: DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988, 837-845) with midranks in
O(n log n) (Sun and Xu, IEEE Signal Process. Lett. 21, 2014, 1389-1393), and Obuchowski's
variance (Biometrics 53, 1997, 567-578) where subjects have several cases.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from titian.statistics.bootstrap import bca
from titian.statistics.clusters import (
    clustering,
    degrees_of_freedom,
    effective_subjects,
    variance,
)
from titian.statistics.estimate import Bools, Estimate, Floats, Ints, intervals_of, unknown
from titian.statistics.means import BCA, BCA_BY_SUBJECT, FEW_SUBJECTS
from titian.statistics.proportions import quantile, wilson

DELONG = "DeLong, Wilson form"
DELONG_BY_SUBJECT = "Obuchowski's DeLong by subject, Wilson form"
JACKKNIFE = "infinitesimal jackknife"
JACKKNIFE_BY_SUBJECT = "infinitesimal jackknife by subject"


def auc(
    score: Floats, positive: Bools, subject: Ints | None, *, alphas: Sequence[float]
) -> Estimate:
    """Estimate the area under the ROC curve, ties counted half.

    Args:
        score: shape (n,), higher means more likely positive; finite.
        positive: shape (n,).
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.
    """
    n, m = len(score), int(positive.sum())
    if m == 0 or m == n:
        return unknown(n, "no positives" if m == 0 else "no negatives")
    groups = clustering(subject, n)
    value, placement = placements(score, positive)
    method = DELONG if groups.single else DELONG_BY_SUBJECT
    found = auc_variance(placement, value, positive, groups.code)
    spread = value * (1 - value)
    sizes_p = np.bincount(groups.code[positive], minlength=groups.subjects).astype(float)
    sizes_n = np.bincount(groups.code[~positive], minlength=groups.subjects).astype(float)
    fewest = min(effective_subjects(sizes_p), effective_subjects(sizes_n))
    if spread == 0.0 or found <= 0.0:
        size, df = fewest, np.inf
    else:
        size = max(spread / found, 1.0)
        df = min(degrees_of_freedom(sizes_p), degrees_of_freedom(sizes_n))
    low, high = wilson(value, size, alphas, df=df)
    return Estimate(value=value, n=n, intervals=intervals_of(alphas, low, high), method=method)


def placements(score: Floats, positive: Bools) -> tuple[float, Floats]:
    """Return AUC and each case's placement among the other class, shape (n,), in [0, 1].

    A positive's placement is the share of negatives below it, a negative's the share of
    positives above it; ties count half.
    """
    m = int(positive.sum())
    k = len(score) - m
    ranks = rankdata(score)
    placement = np.empty(len(score))
    placement[positive] = (ranks[positive] - rankdata(score[positive])) / k
    placement[~positive] = 1 - (ranks[~positive] - rankdata(score[~positive])) / m
    return float(placement[positive].mean()), placement


def auc_variance(placement: Floats, value: float, positive: Bools, subject: Ints) -> float:
    """Return Obuchowski's variance; DeLong's where every subject has one case."""
    m = int(positive.sum())
    k = len(positive) - m
    subjects = int(subject.max()) + 1
    error = placement - value
    of_positives = np.bincount(subject[positive], error[positive], minlength=subjects)
    of_negatives = np.bincount(subject[~positive], error[~positive], minlength=subjects)
    with_positives = len(np.unique(subject[positive]))
    with_negatives = len(np.unique(subject[~positive]))
    total = 0.0
    if with_positives > 1:
        total += (of_positives**2).sum() * with_positives / (with_positives - 1) / m**2
    if with_negatives > 1:
        total += (of_negatives**2).sum() * with_negatives / (with_negatives - 1) / k**2
    if subjects > 1:
        cross = (of_positives * of_negatives).sum() * subjects / (subjects - 1)
        total += 2 * cross / (m * k)
    return float(total)


def average_precision(
    score: Floats,
    positive: Bools,
    subject: Ints | None,
    *,
    alphas: Sequence[float],
    rng: np.random.Generator,
) -> Estimate:
    """Estimate average precision: precision at each threshold, weighted by recall gained.

    Args:
        score: shape (n,), higher means more likely positive; finite.
        positive: shape (n,).
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.
        rng: where the bootstrap's draws come from.
    """
    n, m = len(score), int(positive.sum())
    if m == 0:
        return unknown(n, "no positives")
    groups = clustering(subject, n)
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    hit, code = positive[order].astype(np.float64), groups.code[order]
    value = float(_precision(hit[None, :], np.ones((1, n)), last)[0])
    if groups.subjects < 2:
        return Estimate(value=value, n=n, reason="an interval needs two subjects")
    influence = groups.sums(_precision_influence(hit, last, value)[np.argsort(order)])
    if groups.subjects > FEW_SUBJECTS:
        reach = quantile(alphas) * np.sqrt(variance(influence))
        low, high = value - reach, value + reach
        method = JACKKNIFE if groups.single else JACKKNIFE_BY_SUBJECT
    else:

        def statistic(counts: Floats) -> Floats:
            weight = counts[:, code]
            return _precision(weight * hit, weight, last)

        low, high = bca(statistic, value, influence, alphas=alphas, rng=rng)
        method = BCA if groups.single else BCA_BY_SUBJECT
    return Estimate(
        value=value,
        n=n,
        intervals=intervals_of(alphas, np.clip(low, 0, value), np.clip(high, value, 1)),
        method=method,
    )


def _precision(hits: Floats, weights: Floats, last: Bools) -> Floats:
    """Return average precision per row; columns are cases by falling score.

    `last` marks the last case of each run of equal scores: a threshold lies only there.
    """
    true = np.cumsum(hits, axis=1)[:, last]
    called = np.cumsum(weights, axis=1)[:, last]
    gained = np.diff(true, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore"):
        share = np.where(called > 0, true / np.where(called > 0, called, 1.0), 0.0)
        return np.asarray((gained * share).sum(axis=1) / true[:, -1])


def _precision_influence(hit: Floats, last: Bools, value: float) -> Floats:
    """Return each ranked case's influence: the derivative of the value by its weight."""
    run: Ints = np.cumsum(last) - last
    true, called = np.cumsum(hit)[last], np.cumsum(np.ones(len(hit)))[last]
    gained = np.diff(true, prepend=0.0)
    total = true[-1]
    per_hit = np.cumsum((gained / called)[::-1])[::-1]
    per_case = np.cumsum((gained * true / called**2)[::-1])[::-1]
    return np.asarray(
        (hit * ((true / called)[run] - value + per_hit[run]) - per_case[run]) / total
    )
