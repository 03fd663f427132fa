"""AUC and average precision: how well scores rank the positives above the negatives.

AUC: DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988, 837-845) with midranks in
O(n log n) (Sun and Xu, IEEE Signal Process. Lett. 21, 2014, 1389-1393), and Obuchowski's
variance (Biometrics 53, 1997, 567-578) where subjects have several cases.

Average precision: the infinitesimal jackknife (Efron, SIAM 1982) by subject on the logit
scale, which Boyd, Eng and Page (ECML PKDD 2013) find to cover well for this measure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.special import expit

from titian.statistics.clusters import (
    Clustering,
    clustering,
    degrees_of_freedom,
    effective_subjects,
    variance,
)
from titian.statistics.estimate import Bools, Estimate, Floats, Ints, intervals_of, unknown
from titian.statistics.proportions import quantile, wilson

DELONG = "DeLong, Wilson form"
DELONG_BY_SUBJECT = "Obuchowski's DeLong by subject, Wilson form"
Numbers = TypeVar("Numbers", float, Floats)

PRIOR_SUBJECTS = 6
"""Weight, in subjects of the smaller class, of the modelled variance beside DeLong's."""

PRIOR_SHARED = 40
"""Weight, in subjects of the smaller class, of what all groups together say of a variance."""

PRIOR_POSITIVES = 6
"""Weight, in subjects with positives, of the binomial variance beside the jackknife's."""

JACKKNIFE = "infinitesimal jackknife, logit"
JACKKNIFE_BY_SUBJECT = "infinitesimal jackknife by subject, logit"


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
    found = auc_size(score, positive, groups)
    low, high = wilson(found.value, found.size, alphas, df=found.df)
    return Estimate(
        value=found.value,
        n=n,
        intervals=intervals_of(alphas, low, high),
        method=DELONG if groups.single else DELONG_BY_SUBJECT,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """An estimate in [0, 1] as if it were a proportion: what Wilson's form needs.

    Attributes:
        value: the estimate.
        size: its effective n.
        df: degrees of freedom of Student's quantile; infinite for the normal one.
    """

    value: float
    size: float
    df: float


def auc_size(score: Floats, positive: Bools, groups: Clustering) -> Sized:
    """Return the area and the n of a proportion that would be as uncertain.

    Args:
        score: shape (n,), finite.
        positive: shape (n,), some True and some False.
        groups: the subjects.
    """
    n, m = len(score), int(positive.sum())
    value, placement = placements(score, positive)
    sizes = [
        np.bincount(groups.code[chosen], minlength=groups.subjects).astype(np.float64)
        for chosen in (positive, ~positive)
    ]
    plain = auc_variance(placement, value, positive, np.arange(n))
    found = auc_variance(placement, value, positive, groups.code)
    if plain > 0.0 and found > 0.0:
        effect = max(found / plain, 1.0)
        # DeLong's variance is small just where the sample flatters the model; the variance
        # of an exponential model with this area steadies it while subjects are few.
        subjects = min(effective_subjects(of_class) for of_class in sizes)
        weight = PRIOR_SUBJECTS / (PRIOR_SUBJECTS + subjects)
        modelled = effect * modelled_variance(value, m, n - m)
        found = (1 - weight) * found + weight * modelled
        size = value * (1 - value) / found
        df = min(degrees_of_freedom(of_class, effect) for of_class in sizes)
    else:
        m_effective, k_effective = (effective_subjects(of_class) for of_class in sizes)
        # Half a pair is counted as wrongly ranked, so that the model's variance is not 0.
        near = 1 - 0.5 / (m_effective * k_effective)
        size = near * (1 - near) / modelled_variance(near, m_effective, k_effective)
        df = np.inf
    return Sized(value=value, size=max(size, 1.0), df=df)


def steadied_sizes(
    value: Floats, size: Floats, positives: Floats, negatives: Floats, shown: Bools
) -> Floats:
    """Return effective n of several groups' areas, each steadied by all of them.

    A group's own variance is unsure, and smallest where the sample flatters the model; the
    most extreme of many groups is then found too often. How far the variances lie from the
    exponential model's is much the same in all groups, so that ratio, taken over all of
    them, stands beside each group's own with the weight of `PRIOR_SHARED` subjects.

    Args:
        value: shape (..., groups), the areas.
        size: shape (..., groups), from `auc_size`.
        positives: shape (..., groups), subjects or cases.
        negatives: shape (..., groups).
        shown: shape (..., groups), the groups that count.
    """
    near = np.clip(value, 0.0, 1.0 - 0.5 / np.maximum(positives * negatives, 1.0))
    near = np.where(shown, near, 0.5)
    spread = near * (1 - near)
    modelled = modelled_variance(near, np.maximum(positives, 1), np.maximum(negatives, 1))
    own = np.where(shown, spread / np.where(shown, size, 1.0), 0.0)
    scarce = np.where(shown, np.minimum(positives, negatives), 0.0)
    total = (scarce * np.where(shown, modelled, 0.0)).sum(axis=-1, keepdims=True)
    ratio = (scarce * own).sum(axis=-1, keepdims=True) / np.where(total > 0, total, 1.0)
    weight = PRIOR_SHARED / (PRIOR_SHARED + scarce)
    found = (1 - weight) * own + weight * ratio * modelled
    return np.where(shown, spread / np.where(found > 0, found, 1.0), size)


def modelled_variance(value: Numbers, positives: Numbers, negatives: Numbers) -> Numbers:
    """Return the AUC's variance under exponential scores, from the area and counts alone.

    Hanley and McNeil (Radiology 143, 1982) with both class sizes at their mean, as Newcombe
    (Stat. Med. 25, 2006, 559-573, method 4) advises.
    """
    mean_size = (positives + negatives) / 2
    spread = value * (1 - value) / (positives * negatives)
    return spread * (1 + (mean_size - 1) * ((1 - value) / (2 - value) + value / (1 + value)))


def placements(score: Floats, positive: Bools) -> tuple[float, Floats]:
    """Return AUC and each case's placement among the other class, shape (n,), in [0, 1].

    A positive's placement is the share of negatives below it, a negative's the share of
    positives above it; ties count half.
    """
    placement = np.empty(len(score))
    placement[positive] = _share_below(score[positive], score[~positive])
    placement[~positive] = 1 - _share_below(score[~positive], score[positive])
    return float(placement[positive].mean()), placement


def _share_below(score: Floats, others: Floats) -> Floats:
    """Return for each score the share of the others below it; ties count half."""
    ranked = np.sort(others)
    below = np.searchsorted(ranked, score, "left") + np.searchsorted(ranked, score, "right")
    return np.asarray(below / (2 * len(others)))


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
    score: Floats, positive: Bools, subject: Ints | None, *, alphas: Sequence[float]
) -> Estimate:
    """Estimate average precision: precision at each threshold, weighted by recall gained.

    Args:
        score: shape (n,), higher means more likely positive; finite.
        positive: shape (n,).
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.

    Returns:
        Unknown without positives. A perfect ranking has no visible variance: Wilson's
        interval, with each subject that has positives as one observation.
    """
    n, m = len(score), int(positive.sum())
    if m == 0:
        return unknown(n, "no positives")
    groups = clustering(subject, n)
    value, influence = ranked_precision(score, positive)
    sizes = groups.sums(positive.astype(np.float64))
    subjects = effective_subjects(sizes)
    plain, found = variance(influence), variance(groups.sums(influence))
    if plain > 0.0 and found > 0.0 and value < 1.0:
        effect = max(found / plain, 1.0)
        weight = PRIOR_POSITIVES / (PRIOR_POSITIVES + subjects)
        found = (1 - weight) * found + weight * effect * value * (1 - value) / m
        reach = quantile(alphas, degrees_of_freedom(sizes, effect)) * np.sqrt(found)
        reach /= value * (1 - value)
        centre = math.log(value / (1 - value))
        low, high = expit(centre - reach), expit(centre + reach)
    else:
        low, high = wilson(value, subjects, alphas)
    return Estimate(
        value=value,
        n=n,
        intervals=intervals_of(alphas, np.minimum(low, value), np.maximum(high, value)),
        method=JACKKNIFE if groups.single else JACKKNIFE_BY_SUBJECT,
    )


def ranked_precision(score: Floats, positive: Bools) -> tuple[float, Floats]:
    """Return average precision and each case's influence on it, shape (n,).

    Args:
        score: shape (n,), finite.
        positive: shape (n,), at least one.
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    value, of_ranked = _precision(positive[order].astype(np.float64), last)
    influence = np.empty(len(score))
    influence[order] = of_ranked
    return value, influence


def _precision(hit: Floats, last: Bools) -> tuple[float, Floats]:
    """Return average precision and each ranked case's influence on it.

    Args:
        hit: shape (n,), 1 for a positive, cases by falling score.
        last: marks the last case of each run of equal scores: a threshold lies only there.

    Returns:
        The influence is the derivative of the value by the case's weight.
    """
    run: Ints = np.cumsum(last) - last
    true, called = np.cumsum(hit)[last], np.cumsum(np.ones(len(hit)))[last]
    gained = np.diff(true, prepend=0.0)
    total = true[-1]
    value = float((gained * true / called).sum() / total)
    per_hit = np.cumsum((gained / called)[::-1])[::-1]
    per_case = np.cumsum((gained * true / called**2)[::-1])[::-1]
    influence = (hit * ((true / called)[run] - value + per_hit[run]) - per_case[run]) / total
    return value, np.asarray(influence)
