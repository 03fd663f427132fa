"""Dawid and Skene's model: a confusion table per worker, fitted by EM.

A. P. Dawid and A. M. Skene, Applied Statistics 28 (1979) 20-28. The one-coin form has one
accuracy per worker (Zhang, Chen, Zhou and Jordan, JMLR 17, 2016). The pooled form shrinks
each worker's table towards the crowd's, so that a worker with few labels is judged by what
the crowd does (a Dirichlet prior; compare Kim and Ghahramani, AISTATS 2012).

The defaults of `dawid_skene` give the maximum-likelihood estimate with the start, the floor
and the order of steps that crowd-kit 1.4 uses, so that results can be compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.votes import Floats, Votes, tally

ITERATIONS = 100
TOLERANCE = 1e-6  # gain of log-likelihood per vote below which the iteration stops
FLOOR = 1e-10  # least expected count of a label that a worker used, least class share
BLOCK_NUMBERS = 32_768  # numbers in a block of posterior: 256 KiB
LARGEST_LOG = 700.0  # of a sum of exponentials that a float64 surely holds
POOLED_STRENGTH = 4.0  # pseudo-votes per class with which a worker starts at the crowd's table


def dawid_skene(
    votes: Votes, *, iterations: int = ITERATIONS, tolerance: float = TOLERANCE
) -> Fit:
    """Fit a confusion table per worker by maximum likelihood.

    Args:
        votes: the crowd's votes.
        iterations: most EM steps.
        tolerance: stop when the log-likelihood per vote gains less; negative: never stop.

    Returns:
        `log_likelihood` is the marginal log-likelihood of the votes before each step's
        M-step; it never falls.
    """

    def tables(counts: Floats) -> Floats:
        # Only labels that a worker used are floored; the others have no vote to explain.
        used = counts.sum(axis=2, keepdims=True) > 0
        floored = np.maximum(counts, FLOOR, out=counts)
        floored *= used
        floored /= np.maximum(floored.sum(axis=1, keepdims=True), FLOOR)
        return floored

    return _tables_em(votes, tables, iterations=iterations, tolerance=tolerance)


def pooled(
    votes: Votes,
    *,
    strength: float = POOLED_STRENGTH,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> Fit:
    """Fit a confusion table per worker, shrunk towards the whole crowd's table.

    Args:
        votes: the crowd's votes.
        strength: pseudo-votes per class that a worker's table starts with.
        iterations: most EM steps.
        tolerance: as for `dawid_skene`.
    """
    smooth = 1.0 / votes.classes

    def tables(counts: Floats) -> Floats:
        crowd = counts.sum(axis=0) + smooth
        crowd /= crowd.sum(axis=0)
        counts += strength * crowd
        counts /= counts.sum(axis=1, keepdims=True)
        return counts

    return _tables_em(votes, tables, iterations=iterations, tolerance=tolerance)


def one_coin(
    votes: Votes, *, iterations: int = ITERATIONS, tolerance: float = TOLERANCE
) -> Fit:
    """Fit one accuracy per worker: right with that probability, else any other class."""
    worker, cell, count = votes.worker, votes.cell, votes.count
    cast = np.maximum(votes.per_worker(), 1.0)
    size = votes.tasks * votes.classes
    per_task = None
    posterior = votes.shares()
    history: list[float] = []
    converged = False
    skill = np.empty(0)
    prior = np.empty(0)
    for _ in range(iterations):
        prior = np.maximum(class_shares(posterior), FLOOR)
        right = count * posterior.reshape(-1)[cell]
        skill = tally(worker, right, votes.workers) / cast
        skill = np.clip(skill, FLOOR, 1.0 - FLOOR)
        wrong = np.log((1.0 - skill) / (votes.classes - 1))
        gain = np.log(skill) - wrong
        scores = tally(cell, count * gain[worker], size)
        scores = scores.reshape(votes.tasks, votes.classes)
        per_task = votes.count * wrong[worker]
        posterior, likelihood = normalise(scores, np.log(prior))
        history.append(likelihood + float(per_task.sum()))
        if _settled(history, votes.total, tolerance):
            converged = True
            break
    return Fit(
        posterior=posterior,
        prior=class_shares(posterior),
        log_likelihood=np.asarray(history),
        skill=skill,
        iterations=len(history),
        converged=converged,
    )


def normalise(scores: Floats, log_prior: Floats) -> tuple[Floats, float]:
    """Turn log-likelihoods per class into a posterior, in place.

    Works on blocks of tasks, turned so that the long side is contiguous: numpy is slow on
    short rows, and a block stays in the processor's cache between the steps.

    Args:
        scores: shape (tasks, classes), overwritten.
        log_prior: shape (classes,).

    Returns:
        The posterior and the sum over tasks of the log of its normaliser.
    """
    tasks, classes = scores.shape
    block = max(BLOCK_NUMBERS // classes, 1)
    buffer = np.empty((classes, min(block, tasks)))
    total = 0.0
    for start in range(0, tasks, block):
        rows = scores[start : start + block]
        turned = buffer[:, : len(rows)]
        np.add(rows.T, log_prior[:, None], out=turned)
        # The first class is what the others are compared with, unless they would overflow:
        # its exponential is 1, and no largest score has to be found.
        base, others = turned[0], turned[1:]
        others -= base
        if others.max() < LARGEST_LOG:
            np.exp(others, out=others)
            total += float(base.sum())
            base[...] = 1.0
        else:
            top = np.maximum(others.max(axis=0), 0.0)
            others -= top
            np.exp(others, out=others)
            total += float(base.sum()) + float(top.sum())
            np.exp(-top, out=base)
        whole = turned.sum(axis=0)
        rows[...] = np.divide(turned, whole, out=turned).T
        total += float(np.log(whole, out=whole).sum())
    return scores, total


def class_shares(posterior: Floats) -> Floats:
    """Return the mean over tasks, shape (classes,)."""
    found: Floats = np.einsum("tk->k", posterior)
    found /= len(posterior)
    return found


def _settled(history: list[float], total: float, tolerance: float) -> bool:
    return len(history) > 1 and history[-1] - history[-2] < tolerance * total


def _tables_em(
    votes: Votes,
    tables: Callable[[Floats], Floats],
    *,
    iterations: int,
    tolerance: float,
) -> Fit:
    """Alternate posterior and tables; `tables` turns counts (worker, given, true) into both."""
    matrix = votes.matrix()
    turned = matrix.T
    shape = (votes.workers, votes.classes, votes.classes)
    flat = (votes.workers * votes.classes, votes.classes)
    posterior = votes.shares()
    history: list[float] = []
    converged = False
    errors = np.empty(0)
    for _ in range(iterations):
        prior = np.maximum(class_shares(posterior), FLOOR)
        errors = tables((turned @ posterior).reshape(shape))
        logs = np.log(errors, out=np.zeros_like(errors), where=errors > 0)
        posterior, likelihood = normalise(matrix @ logs.reshape(flat), np.log(prior))
        history.append(likelihood)
        if _settled(history, votes.total, tolerance):
            converged = True
            break
    prior = class_shares(posterior)
    return Fit(
        posterior=posterior,
        prior=prior,
        log_likelihood=np.asarray(history),
        skill=np.einsum("wkk,k->w", errors, prior),
        iterations=len(history),
        converged=converged,
    )
