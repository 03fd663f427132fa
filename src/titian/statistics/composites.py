"""F1 and balanced accuracy: intervals carried over from the proportions they are made of.

F1 = 2J / (1 + J) with J = TP / (TP + FP + FN), the share of true positives among the cases
that are positive or called so. J is a proportion, so Wilson's interval for J, put through
the increasing map, is one for F1.

Balanced accuracy is the mean of the classes' recalls. Their Wilson intervals are combined
by the method of variance estimates recovery (MOVER: Zou and Donner, Stat. Med. 27, 2008,
1693-1702), with the correlation that subjects with cases of several classes bring.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from titian.statistics.clusters import clustering
from titian.statistics.estimate import Bools, Estimate, Floats, Ints, intervals_of, unknown
from titian.statistics.proportions import proportion
from titian.values import Interval


def f1(
    label: Bools, prediction: Bools, subject: Ints | None, *, alphas: Sequence[float]
) -> Estimate:
    """Estimate F1 of the positive class.

    Returns:
        Unknown when no case is positive or called positive. `n` counts all cases.
    """
    union = label | prediction
    part = proportion(
        (label & prediction)[union],
        None if subject is None else subject[union],
        alphas=alphas,
        noun="positives or predicted positives",
    )
    if part.value is None:
        return unknown(len(label), part.reason)
    return Estimate(
        value=_from_overlap(part.value),
        n=len(label),
        intervals=tuple(
            Interval(alpha=i.alpha, low=_from_overlap(i.low), high=_from_overlap(i.high))
            for i in part.intervals
        ),
        method=f"{part.method}, through TP/(TP+FP+FN)",
    )


def balanced_accuracy(
    label: Ints,
    prediction: Ints,
    subject: Ints | None,
    *,
    classes: int,
    alphas: Sequence[float],
) -> Estimate:
    """Estimate the mean recall over the classes.

    Args:
        label: shape (n,), class numbers in [0, classes).
        prediction: shape (n,), class numbers.
        subject: shape (n,), or None.
        classes: how many there are.
        alphas: one minus the nominal coverage of each interval wanted.

    Returns:
        Unknown when a class has no cases.
    """
    recalls = []
    for index in range(classes):
        chosen = label == index
        found = proportion(
            (prediction == index)[chosen],
            None if subject is None else subject[chosen],
            alphas=alphas,
        )
        if found.value is None:
            return unknown(len(label), "a class has no cases")
        recalls.append(found)
    values = np.array([recall.value for recall in recalls])
    lows = np.array([[i.low for i in recall.intervals] for recall in recalls])
    highs = np.array([[i.high for i in recall.intervals] for recall in recalls])
    correlation = _correlation(label, prediction, subject, values)
    value = float(values.mean())
    return Estimate(
        value=value,
        n=len(label),
        intervals=intervals_of(
            alphas,
            np.clip(value - _combined(values[:, None] - lows, correlation), 0.0, value),
            np.clip(value + _combined(highs - values[:, None], correlation), value, 1.0),
        ),
        method=f"{recalls[0].method}, combined by MOVER",
    )


def _from_overlap(j: float) -> float:
    return 2 * j / (1 + j)


def _combined(reach: Floats, correlation: Floats) -> Floats:
    """Return the half-width of the mean from those of its terms, shape (alphas,)."""
    square = np.einsum("ia,ij,ja->a", reach, correlation, reach)
    return np.asarray(np.sqrt(np.maximum(square, 0.0)) / len(reach))


def _correlation(
    label: Ints, prediction: Ints, subject: Ints | None, recalls: Floats
) -> Floats:
    """Return the correlation of the recalls over subjects, shape (classes, classes)."""
    classes = len(recalls)
    if subject is None:
        return np.eye(classes)
    groups = clustering(subject, len(label))
    error = (prediction == label) - recalls[label]
    sums = np.stack([groups.sums(error * (label == index)) for index in range(classes)])
    cross = sums @ sums.T
    scale = np.sqrt(np.diag(cross))
    scale[scale == 0.0] = 1.0
    found = cross / np.outer(scale, scale)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)
