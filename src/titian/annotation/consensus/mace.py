"""MACE: each vote is the worker's knowledge or the worker's habit.

D. Hovy, T. Berg-Kirkpatrick, A. Vaswani and E. Hovy, NAACL-HLT (2013) 1120-1130. A worker
knows the answer with one probability, else names classes by habit. Variational Bayes with a
Beta(0.5, 0.5) prior on knowing and a symmetric Dirichlet(10) prior on habits; several random
starts, of which the one with the best likelihood is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

from titian.annotation.consensus.dawid_skene import normalise
from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.votes import Floats, Ints, Votes, tally

ITERATIONS = 50
STARTS = 5
KNOWING_PRIOR = 0.5
HABIT_PRIOR = 10.0
START_NOISE = 1.5  # starts are drawn from [1, 1 + START_NOISE) and normalised


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where the iteration begins.

    Attributes:
        knowing: shape (workers, 2): weights of habit and of knowledge.
        habit: shape (workers, classes): weights of the classes named by habit.
    """

    knowing: Floats
    habit: Floats


def mace(
    votes: Votes,
    *,
    rng: np.random.Generator,
    starts: int = STARTS,
    iterations: int = ITERATIONS,
    begin: Start | None = None,
) -> Fit:
    """Fit knowledge and habits.

    Args:
        votes: the crowd's votes.
        rng: draws the starts.
        starts: how many random starts.
        iterations: variational steps of each start.
        begin: one given start instead of random ones.

    Returns:
        `log_likelihood` is that of the best start; `skill` the probability of knowing.
    """
    begins = [begin] if begin is not None else [_draw(votes, rng) for _ in range(starts)]
    fits = [_climb(votes, start, iterations) for start in begins]
    return max(fits, key=lambda fit: float(fit.log_likelihood[-1]))


def _draw(votes: Votes, rng: np.random.Generator) -> Start:
    knowing = rng.uniform(1.0, 1.0 + START_NOISE, (votes.workers, 2))
    habit = rng.uniform(1.0, 1.0 + START_NOISE, (votes.workers, votes.classes))
    return Start(
        knowing=knowing / knowing.sum(axis=1, keepdims=True),
        habit=habit / habit.sum(axis=1, keepdims=True),
    )


def _climb(votes: Votes, start: Start, iterations: int) -> Fit:
    # numpy gathers and counts fastest with indices of its own size.
    column, count = votes.column.astype(np.intp), votes.count
    whole = bool((count == 1.0).all())  # then nothing needs to be multiplied
    cell: Ints = votes.cell
    size = votes.tasks * votes.classes
    knowing, habit = start.knowing, start.habit
    cast = tally(column, count, habit.size)
    history = np.empty(iterations)
    flat_prior = np.full(votes.classes, -np.log(votes.classes))
    posterior = np.empty(0)
    for step in range(iterations + 1):
        # Per (worker, label): the probability of the vote by habit, and if it is the class.
        by_habit = knowing[:, :1] * habit
        if_class = by_habit + knowing[:, 1:]
        log_habit = np.log(by_habit).reshape(-1)
        gain = (np.log(if_class).reshape(-1) - log_habit).take(column)
        scores = tally(cell, gain if whole else count * gain, size)
        posterior, likelihood = normalise(
            scores.reshape(votes.tasks, votes.classes), flat_prior
        )
        if step:
            history[step - 1] = likelihood + float(cast @ log_habit)
        if step == iterations:
            break
        right = posterior.reshape(-1).take(cell)
        known = tally(column, right if whole else count * right, by_habit.size)
        known_share = (knowing[:, 1:] / if_class).reshape(-1)
        known = (known * known_share).reshape(habit.shape)
        strategy = cast.reshape(habit.shape) - known
        both = np.stack([strategy.sum(axis=1), known.sum(axis=1)], axis=1)
        knowing = _expected(both, KNOWING_PRIOR)
        habit = _expected(strategy, HABIT_PRIOR)
    return Fit(
        posterior=posterior,
        prior=posterior.mean(axis=0),
        log_likelihood=history,
        skill=knowing[:, 1] / knowing.sum(axis=1),
        iterations=iterations,
        converged=True,
    )


def _expected(counts: Floats, prior: float) -> Floats:
    """Return exp E[log p] of a Dirichlet posterior, row by row; rows sum to less than 1."""
    after = counts + prior
    found: Floats = np.exp(digamma(after) - digamma(after.sum(axis=1, keepdims=True)))
    return found
