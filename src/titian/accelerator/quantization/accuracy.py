"""What quantisation does to the answers: accuracy before, after, and the paired difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.statistics.estimate import Estimate
from titian.statistics.influence import of_proportion
from titian.statistics.paired import paired_difference
from titian.statistics.proportions import proportion


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Accuracy of both models on the same cases.

    Attributes:
        before: of the floating-point model.
        after: of the 8-bit model.
        change: after minus before, paired by case.
        flipped: cases that the two models decide differently.
        n: cases.
    """

    before: Estimate
    after: Estimate
    change: Estimate
    flipped: int
    n: int


def compare_accuracy(
    before: npt.NDArray[Any],
    after: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    *,
    alpha: float = 0.05,
) -> Accuracy:
    """Compare two models' scores with the labels.

    Args:
        before: shape (n, classes), or (n, 1) with the positive class's score.
        after: likewise.
        labels: shape (n,), the column of the right class, or 0 and 1.
        alpha: one minus the coverage of the intervals.
    """
    threshold = 0.5 if before.min() >= 0 and before.max() <= 1 else 0.0
    of_before, of_after = (decide(scores, threshold) for scores in (before, after))
    right_before, right_after = of_before == labels, of_after == labels
    everyone = np.ones(len(labels), np.bool_)
    a, b = (proportion(right, None, alphas=(alpha,)) for right in (right_before, right_after))
    change = paired_difference(
        a,
        b,
        of_proportion(everyone, right_before),
        of_proportion(everyone, right_after),
        None,
        alphas=(alpha,),
    )
    return Accuracy(
        before=a,
        after=b,
        change=change,
        flipped=int((of_before != of_after).sum()),
        n=len(labels),
    )


def decide(scores: npt.NDArray[Any], threshold: float) -> npt.NDArray[np.int64]:
    """Return the column of the highest score, or whether a single one passes the threshold."""
    flat = scores.reshape(len(scores), -1)
    if flat.shape[1] == 1:
        return np.asarray(flat[:, 0] > threshold, np.int64)
    return np.asarray(flat.argmax(axis=1), np.int64)
