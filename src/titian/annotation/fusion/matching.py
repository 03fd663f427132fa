"""Which shapes of several workers are the same object.

Shapes of one document are grouped so that a group holds at most one shape of each worker and
shapes in a group resemble one another: groups are joined from the most alike pair on (mean
similarity between the groups), then every worker's shapes are assigned anew to the groups by
optimal assignment, as long as that raises the total similarity. Neither step looks at who the
workers are, so their order does not matter. Shapes that are then alone can be held against the
fused objects (`place_alone`).
"""

from __future__ import annotations

import numpy as np

from titian.annotation.fusion.result import Bools, Floats, Ints

ROUNDS = 4  # of optimal assignment; the total rarely rises after the second


def match(similarity: Floats, worker: Ints, *, least: float) -> Ints:
    """Return the group of each shape of one document, numbered from 0.

    Args:
        similarity: shape (n, n), symmetric, in [0, 1].
        worker: shape (n,), who drew each shape.
        least: mean similarity below which shapes are different objects, in (0, 1).
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(worker)
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    # Shapes of one worker never join, though a third may resemble both.
    apart = worker[:, None] == worker[None, :]
    alike = np.where(apart, 0.0, similarity)
    _, part = connected_components(csr_matrix(alike >= least), directed=False)
    group = np.empty(n, dtype=np.int64)
    used = 0
    order = np.argsort(part, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
        inside = alike[np.ix_(places, places)]
        found = _refine(inside, worker[places], _join(inside, apart, places, least), least)
        _, found = np.unique(found, return_inverse=True)
        group[places] = found + used
        used += int(found.max()) + 1
    return group


def place_alone(similarity: Floats, worker: Ints, drawn: Bools, *, least: float) -> Ints:
    """Give shapes that stand alone a place among objects that several workers drew.

    A fused object is nearer to the truth than any of its members, so that a careless shape
    that resembles no single one of them may still be seen to be of the object.

    Args:
        similarity: shape (n, objects), of each lone shape with each fused object.
        worker: shape (n,), who drew each lone shape.
        drawn: shape (objects, workers), who has drawn the object already.
        least: similarity below which a shape is not of the object.

    Returns:
        Shape (n,), the object of each, -1 where it stays alone; at most one shape of a worker
        in an object, so that the similarities add up to most.
    """
    from scipy.optimize import linear_sum_assignment

    found = np.full(len(worker), -1, dtype=np.int64)
    gain = np.where(drawn[:, worker].T | (similarity < least), 0.0, similarity)
    for who in np.unique(worker):
        mine = np.flatnonzero(worker == who)
        row, column = linear_sum_assignment(gain[mine], maximize=True)
        placed = gain[mine[row], column] > 0.0
        found[mine[row[placed]]] = column[placed]
    return found


def _join(alike: Floats, apart: Ints, places: Ints, least: float) -> Ints:
    """Join groups while the mean similarity between two of them reaches `least`."""
    n = len(alike)
    total = alike.copy()
    forbidden = apart[np.ix_(places, places)].astype(bool)
    size = np.ones(n)
    alive = np.ones(n, dtype=bool)
    group = np.arange(n)
    for _ in range(n - 1):
        mean = np.where(forbidden, -1.0, total / (size[:, None] * size[None, :]))
        mean[~alive] = -1.0
        mean[:, ~alive] = -1.0
        first, second = divmod(int(mean.argmax()), n)
        if mean[first, second] < least:
            break
        total[first] += total[second]
        total[:, first] += total[:, second]
        forbidden[first] |= forbidden[second]
        forbidden[:, first] |= forbidden[:, second]
        size[first] += size[second]
        alive[second] = False
        group[group == second] = first
    return group


def _refine(alike: Floats, worker: Ints, group: Ints, least: float) -> Ints:
    """Assign each worker's shapes to the groups anew while the total similarity rises."""
    from scipy.optimize import linear_sum_assignment

    if len(worker) < 3:
        return group
    best = _total(alike, group, least)
    for _ in range(ROUNDS):
        _, group = np.unique(group, return_inverse=True)
        groups = int(group.max()) + 1
        member = np.eye(groups)[group]
        proposed = group.copy()
        for who in np.unique(worker):
            mine = np.flatnonzero(worker == who)
            others = member.copy()
            others[mine] = 0.0
            count = others.sum(axis=0)
            mean = (alike[mine] @ others) / np.maximum(count, 1.0)
            gain = np.where((count > 0) & (mean >= least), mean - least, 0.0)
            row, column = linear_sum_assignment(gain, maximize=True)
            placed = gain[row, column] > 0
            proposed[mine] = groups + mine  # alone, unless placed
            proposed[mine[row[placed]]] = column[placed]
        reached = _total(alike, proposed, least)
        if reached <= best + 1e-12:
            return group
        best, group = reached, proposed
    return group


def _total(alike: Floats, group: Ints, least: float) -> float:
    same = group[:, None] == group[None, :]
    np.fill_diagonal(same, val=False)
    return float((alike - least)[same].sum())
