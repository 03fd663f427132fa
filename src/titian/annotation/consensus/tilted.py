"""Tilted Dawid-Skene: a table per worker that starts from the crowd's, tilted to the worker.

Between one accuracy per worker (one-coin) and a whole table per worker (Dawid-Skene) lies
what few votes can tell: the crowd's table, tilted by how often the worker is right and by
which labels the worker likes. Each worker's table is shrunk towards that tilted table, so
that a busy worker gets a table of their own and a rare one the crowd's.

Votes on one task are not independent as the model has it: hard tasks mislead many. Each vote
therefore counts as a part of one (a power likelihood; Bissiri, Holmes and Walker, JRSS B 78,
2016), and `dispersion` measures how far from independent the votes are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.consensus.dawid_skene import class_shares, normalise
from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.votes import Floats, Votes, tally

# Fixed on simulated crowds; docs/decisions/0007-auto-consensus.md says how.
OWN_TABLE = 20.0  # votes per class at which a worker's own table outweighs the tilted one
OWN_ACCURACY = 4.0  # votes at which a worker's own accuracy outweighs the crowd's
OWN_HABIT = 8.0  # votes at which a worker's own liking of labels outweighs the crowd's
ITERATIONS = 60
TOLERANCE = 1e-5  # mean change of a posterior below which the iteration stops

LEAST = 1e-3  # accuracies are kept this far from 0 and 1
TILT = 100.0  # most times that a worker likes a label more than the crowd does
TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a tilted fit reads the votes.

    Attributes:
        vote_weight: what part of a vote each vote counts as, in (0, 1].
        symmetry: how far the crowd's table, from which each worker's starts, is pulled to one
            accuracy for all classes, 0..1. A busy worker's own table stays as it is.
        neutrality: how far what all tables share of unevenness between classes is taken out
            of every table, a busy worker's too, 0..1. What sets a worker apart stays.
    """

    vote_weight: float = 1.0
    symmetry: float = 0.0
    neutrality: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tilted:
    """A tilted fit and what its tables tell.

    Attributes:
        fit: posterior and the workers' skills.
        right: shape (workers, classes), the probability that a worker's vote on a task of
            that class is right.
        evidence: shape (classes, classes): [a, b] is the mean log-odds for a against b that
            a vote on a task of class a brings, over the votes cast, each counted whole.
    """

    fit: Fit
    right: Floats
    evidence: Floats


def tilted(
    votes: Votes,
    *,
    shape: Shape | None = None,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> Tilted:
    """Fit tilted tables.

    Args:
        votes: the crowd's votes.
        shape: how the votes are read; None for whole votes and no symmetry.
        iterations: most steps.
        tolerance: mean absolute change of the posterior below which it stops.

    Returns:
        The fit and what its tables tell. `log_likelihood` is that of the weighted votes under
        the current tables; it may fall, for the tables are shrunk.
    """
    shape = shape or Shape()
    matrix = votes.matrix()
    turned = matrix.T
    size = (votes.workers, votes.classes, votes.classes)
    flat = (votes.workers * votes.classes, votes.classes)
    cast = np.maximum(votes.per_worker(), TINY)
    posterior = votes.shares()
    history: list[float] = []
    converged = False
    diagonal = logs = np.empty(0)
    for _ in range(iterations):
        before = posterior
        prior = (posterior.sum(axis=0) + 1.0) / (votes.tasks + votes.classes)
        counts = (turned @ posterior).reshape(size)
        tables = _tables(counts, cast, shape)
        diagonal = np.ascontiguousarray(np.einsum("wkk->wk", tables))
        logs = np.log(np.maximum(tables, TINY, out=tables), out=tables)
        scores = matrix @ logs.reshape(flat)
        scores *= shape.vote_weight
        posterior, likelihood = normalise(scores, np.log(prior))
        history.append(likelihood)
        if float(np.abs(posterior - before).mean()) < tolerance:
            converged = True
            break
    prior = class_shares(posterior)
    fit = Fit(
        posterior=posterior,
        prior=prior,
        log_likelihood=np.asarray(history),
        skill=diagonal @ prior,
        iterations=len(history),
        converged=converged,
    )
    return Tilted(fit=fit, right=diagonal, evidence=_evidence(logs, cast))


def dispersion(votes: Votes, posterior: Floats, diagonal: Floats) -> float:
    """Return how much more a task's number of right votes varies than independent votes do.

    Args:
        votes: the crowd's votes.
        posterior: shape (tasks, classes), of a fit.
        diagonal: shape (workers, classes), each worker's probability of being right.

    Returns:
        About 1 (or less, for the posterior has seen the votes) where votes on one task are
        independent given its class; above 1 where tasks mislead many workers at once.
    """
    weighted = np.bincount(
        votes.cell, weights=votes.count, minlength=votes.tasks * votes.classes
    ).reshape(votes.tasks, votes.classes)
    task, worker = votes.task, votes.worker
    found = expected = 0.0
    for k in range(votes.classes):
        right = votes.count * diagonal[worker, k]
        variance = right * (1.0 - diagonal[worker, k])
        away = weighted[:, k] - tally(task, right, votes.tasks)
        found += float(posterior[:, k] @ (away * away))
        expected += float(posterior[:, k] @ tally(task, variance, votes.tasks))
    return found / max(expected, TINY)


def _evidence(logs: Floats, cast: Floats) -> Floats:
    """Return the mean divergence between classes, from log tables (worker, given, true)."""
    share = cast / cast.sum()
    table = np.exp(logs) * share[:, None, None]
    told = np.einsum("wla,wla->a", table, logs)[:, None] - np.einsum("wla,wlb->ab", table, logs)
    return np.asarray(np.maximum(told, 0.0), dtype=np.float64)


def _tables(counts: Floats, cast: Floats, shape: Shape) -> Floats:
    """Return the workers' tables (worker, given, true) from expected counts of that shape."""
    classes = counts.shape[1]
    places = np.arange(classes)
    whole = counts.sum(axis=0)
    crowd = _crowd_table(whole, shape.symmetry)
    per_class = counts.sum(axis=1)  # (worker, true): expected tasks of each class
    expected = np.clip((per_class @ np.diag(crowd)) / cast, LEAST, 1.0 - LEAST)
    right = np.einsum("wkk->w", counts)
    accuracy = (right + OWN_ACCURACY * expected) / (cast + OWN_ACCURACY)
    accuracy = np.clip(accuracy, LEAST, 1.0 - LEAST)
    given, usual = counts.sum(axis=2), per_class @ crowd.T
    start = OWN_HABIT * usual / cast[:, None]
    liking = np.clip((given + start) / (usual + start + TINY), 1.0 / TILT, TILT)
    tilt = crowd * liking[:, :, None]
    tilt /= tilt.sum(axis=1, keepdims=True)
    # Habits move the diagonal too; what is still missing to the accuracy is put on it.
    reached = (per_class * np.einsum("wkk->wk", tilt)).sum(axis=1) / cast
    reached = np.clip(reached, LEAST, 1.0 - LEAST)
    lift = np.log(accuracy / (1.0 - accuracy)) - np.log(reached / (1.0 - reached))
    tilt[:, places, places] *= np.exp(lift)[:, None]
    tilt /= tilt.sum(axis=1, keepdims=True)
    tilt *= OWN_TABLE
    tilt += counts
    tilt /= per_class[:, None, :] + OWN_TABLE
    if shape.neutrality > 0.0:
        shared = np.einsum("wlk,wk->lk", tilt, per_class) + 1.0 / classes
        shared /= shared.sum(axis=0)
        tilt *= (_coin_table(whole) / np.maximum(shared, LEAST**2)) ** shape.neutrality
        tilt /= tilt.sum(axis=1, keepdims=True)
    return np.asarray(tilt, dtype=np.float64)


def _crowd_table(counts: Floats, symmetry: float) -> Floats:
    """Return the table of the whole crowd (given, true), pulled towards one accuracy."""
    classes = len(counts)
    crowd = counts + 1.0 / classes
    crowd = crowd / crowd.sum(axis=0)
    if symmetry > 0.0:
        crowd = crowd ** (1.0 - symmetry) * _coin_table(counts) ** symmetry
        crowd /= crowd.sum(axis=0)
    return np.asarray(crowd, dtype=np.float64)


def _coin_table(counts: Floats) -> Floats:
    """Return the table of one accuracy for all classes that these counts have on average."""
    classes = len(counts)
    accuracy = float((np.trace(counts) + 1.0) / (counts.sum() + 2.0))
    accuracy = min(max(accuracy, LEAST), 1.0 - LEAST)
    coin = np.full((classes, classes), (1.0 - accuracy) / (classes - 1))
    np.fill_diagonal(coin, accuracy)
    return coin
