"""Krippendorff's alpha, Fleiss' kappa and Gwet's AC1 and AC2, for many weightings at once.

Each function prepares what it needs of the ratings once and returns a statistic: weights of
the rows, shape (draws, rows), in; a value per draw out, NaN where the coefficient is undefined
(no task with two labels, or no disagreement is possible by chance).

Sources: K. Krippendorff, *Content Analysis*, 4th ed. (2019), ch. 12; J. L. Fleiss,
Psychological Bulletin 76 (1971) 378-382; K. L. Gwet, BJMSP 61 (2008) 29-48, and *Handbook of
Inter-Rater Reliability*, 4th ed. (2014), ch. 2 to 5 for weights and missing labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from titian.annotation.agreement.ratings import Ratings, counted_blocks, row_sums
from titian.annotation.agreement.scale import Scale
from titian.annotation.consensus.votes import Floats

Statistic: TypeAlias = Callable[[Floats], Floats]


def krippendorff(ratings: Ratings, scale: Scale) -> Statistic:
    """Prepare alpha: 1 - observed / expected disagreement among labels of one task.

    Tasks with fewer than two labels do not count; each label of the others counts the same.
    """
    if scale.level == "ordinal":
        return _ordinal_alpha(ratings)
    counts, size, share = _pairable(ratings)
    match scale.level:
        case "nominal":
            apart = size * size - row_sums(counts * counts)
            return _alpha(counts, apart * share, _unequal)
        case "interval":
            values = scale.values - scale.values.mean()
            values = values / (float(np.ptp(values)) or 1.0)
            apart = 2.0 * (size * (counts @ values**2) - (counts @ values) ** 2)
            return _alpha(counts, apart * share, lambda n: _spread(n, values))
        case _:
            distance = scale.ratio_distance()
            apart = row_sums((counts @ distance) * counts)
            return _alpha(
                counts, apart * share, lambda n: np.einsum("bk,bk->b", n @ distance, n)
            )


def nominal_alpha(task: ArrayLike, label: ArrayLike, *, classes: int | None = None) -> float:
    """Return nominal alpha alone, NaN where undefined, in one pass over blocks of tasks.

    Args:
        task: shape (n,), integers from 0.
        label: shape (n,), integers from 0.
        classes: number of classes; None for the largest code plus one.

    Raises:
        InputError: T-A200.
    """
    apart, n = 0.0, np.zeros(0)
    for counts, times in counted_blocks(task, label, classes=classes):
        ones = np.ones(counts.shape[1])
        size = counts @ ones
        share = times / np.maximum(size - 1.0, 1.0)
        apart += float(share @ (size * size - (counts * counts) @ ones))
        cast = (times * (size >= 2)) @ counts
        n = cast if not n.size else n + cast
    found = _one_minus(np.asarray([apart * (n.sum() - 1.0)]), _unequal(n[None]))
    return float(found[0])


def _alpha(counts: Floats, apart: Floats, expected: Callable[[Floats], Floats]) -> Statistic:
    def statistic(weight: Floats) -> Floats:
        n = weight @ counts
        return _one_minus((weight @ apart) * (n.sum(axis=1) - 1.0), expected(n))

    return statistic


def _unequal(n: Floats) -> Floats:
    total = n.sum(axis=1)
    found: Floats = total * total - np.einsum("bk,bk->b", n, n)
    return found


def _spread(n: Floats, values: Floats) -> Floats:
    found: Floats = 2.0 * (n.sum(axis=1) * (n @ values**2) - (n @ values) ** 2)
    return found


def _ordinal_alpha(ratings: Ratings) -> Statistic:
    """The ordinal distance is the squared difference of mid-ranks, which the draw decides."""
    counts, size, share = _pairable(ratings)

    def statistic(weight: Floats) -> Floats:
        n = weight @ counts
        total = n.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            rank = (np.cumsum(n, axis=1) - n / 2.0) / total - 0.5  # its weighted mean is 0
        rank[~np.isfinite(rank)] = 0.0
        spread = ((weight * (size * share)) @ counts * rank**2).sum(axis=1)
        centre = np.einsum("br,br->b", weight * share, (rank @ counts.T) ** 2)
        expected = total[:, 0] * (n * rank**2).sum(axis=1) - (n * rank).sum(axis=1) ** 2
        return _one_minus((spread - centre) * (total[:, 0] - 1.0), expected)

    return statistic


def fleiss(ratings: Ratings, scale: Scale) -> Statistic:
    """Prepare Fleiss' kappa, weighted where the scale is not nominal.

    Tasks may have different numbers of labels. Chance agreement comes from the mean share of
    each class over all tasks, observed agreement from tasks with two labels or more.
    """
    weights = scale.weights()
    return _chance_corrected(
        ratings, weights, lambda share: np.einsum("bk,bk->b", share @ weights, share)
    )


def gwet(ratings: Ratings, scale: Scale) -> Statistic:
    """Prepare Gwet's AC1 (nominal) or AC2 (weighted)."""
    weights = scale.weights()
    classes = scale.classes
    factor = float(weights.sum()) / (classes * (classes - 1))
    if not all(scale.names):
        factor = np.nan  # one class and the empty one beside it: nothing can disagree
    return _chance_corrected(
        ratings, weights, lambda share: factor * (share * (1.0 - share)).sum(axis=1)
    )


def _chance_corrected(
    ratings: Ratings, weights: Floats, chance: Callable[[Floats], Floats]
) -> Statistic:
    size = ratings.per_task
    several = size >= 2
    agreeing = row_sums((ratings.counts @ weights) * ratings.counts) - size
    pairs = np.where(several, size * (size - 1.0), 1.0)
    agreed = np.where(several, agreeing / pairs, 0.0)
    shares = ratings.counts / size[:, None]

    def statistic(weight: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            observed = (weight @ agreed) / (weight @ several)
            expected = chance((weight @ shares) / weight.sum(axis=1, keepdims=True))
            return _one_minus(1.0 - observed, 1.0 - expected)

    return statistic


def _pairable(ratings: Ratings) -> tuple[Floats, Floats, Floats]:
    """Return counts (zero where a task cannot be paired), labels per task and 1/(m - 1)."""
    size = ratings.per_task
    several = size >= 2
    counts = ratings.counts if several.all() else ratings.counts * several[:, None]
    share = np.divide(1.0, size - 1.0, out=np.zeros_like(size), where=several)
    return counts, size, share


def _one_minus(observed: Floats, expected: Floats) -> Floats:
    possible: NDArray[Any] = expected > 1e-12
    share = np.divide(observed, expected, out=np.full_like(expected, np.nan), where=possible)
    found: Floats = 1.0 - share
    return found
