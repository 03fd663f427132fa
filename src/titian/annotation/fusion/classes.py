"""Which class: a vote in which each worker has a confusion table, for weighted units.

Dawid and Skene's model (Applied Statistics 28, 1979) by EM, with each worker's table drawn
towards the crowd's and the crowd's towards one accuracy for all classes, so that a worker or
a class with few votes borrows from the others. Units carry a weight (a length, a probability
of being real) with which they count in the tables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.fusion.result import Floats, Ints

ITERATIONS = 100
TOLERANCE = 1e-6
TIE = 1e-6  # posteriors closer than this are equal: the EM stops short of them
WORKER_STRENGTH = 4.0  # pseudo-votes per class of the crowd's table in a worker's table
CROWD_STRENGTH = 4.0  # pseudo-votes per class of one accuracy in the crowd's table
ACCURACY_PRIOR = (4.0, 1.0)  # pseudo-votes: four of five labels are right


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassVote:
    """What the workers' labels say together.

    Attributes:
        posterior: shape (units, classes), rows sum to 1.
        tables: shape (workers, classes, classes): [w, k, l] is the probability that worker w
            says l where the class is k.
    """

    posterior: Floats
    tables: Floats


def vote(label: Ints, weight: Floats, *, classes: int) -> ClassVote:
    """Return the probability of each class for each unit.

    Args:
        label: shape (units, workers), codes from 0; -1 where a worker said nothing.
        weight: shape (units,), at least 0: how much a unit counts in the tables.
        classes: number of classes, at least 1.
    """
    units, workers = label.shape
    said = label >= 0
    onehot = np.zeros((units, workers, classes))
    row, who = np.nonzero(said)
    onehot[row, who, label[row, who]] = 1.0
    cast = onehot.sum(axis=1)
    posterior = _normal(cast + 1e-9)
    weight = weight / max(float(weight.mean()), 1e-300) if units else weight
    tables = np.zeros((workers, classes, classes))
    flat = onehot.reshape(units, workers * classes)
    for _ in range(ITERATIONS):
        heavy = posterior * weight[:, None]
        prior = (heavy.sum(axis=0) + 1.0 / classes) / (heavy.sum() + 1.0)
        counts = (heavy.T @ flat).reshape(classes, workers, classes).transpose(1, 0, 2)
        tables = _tables(counts)
        logs = np.log(tables).transpose(0, 2, 1).reshape(workers * classes, classes)
        score = flat @ logs + np.log(prior)
        now = _normal(np.exp(score - score.max(axis=1, keepdims=True)))
        moved = float(np.abs(now - posterior).max()) if units else 0.0
        posterior = now
        if moved < TOLERANCE:
            break
    return ClassVote(posterior=posterior, tables=tables)


def most_probable(posterior: Floats) -> Ints:
    """Return the most probable class of each row; of equals, rounding aside, the first."""
    if not len(posterior):
        return np.zeros(0, dtype=np.int64)
    best: Ints = (posterior >= posterior.max(axis=1, keepdims=True) - TIE).argmax(axis=1)
    return best


def _tables(counts: Floats) -> Floats:
    """Return each worker's table, shape (workers, true, given), from expected counts."""
    classes = counts.shape[1]
    whole = counts.sum(axis=0)
    right = float(np.trace(whole)) + ACCURACY_PRIOR[0]
    accuracy = right / (float(whole.sum()) + sum(ACCURACY_PRIOR)) if classes > 1 else 1.0
    one = np.full((classes, classes), (1.0 - accuracy) / max(classes - 1, 1))
    np.fill_diagonal(one, accuracy)
    crowd = whole + CROWD_STRENGTH * one
    crowd /= crowd.sum(axis=1, keepdims=True)
    tables: Floats = counts + WORKER_STRENGTH * crowd
    tables = np.maximum(tables, 1e-12)
    tables /= tables.sum(axis=2, keepdims=True)
    return tables


def _normal(rows: Floats) -> Floats:
    found: Floats = rows / rows.sum(axis=1, keepdims=True)
    return found
