"""MACE: each vote is the worker's knowledge or the worker's habit.

D. Hovy, T. Berg-Kirkpatrick, A. Vaswani and E. Hovy, NAACL-HLT (2013) 1120-1130. A worker
knows the answer with one probability, else names classes by habit. Variational Bayes with a
Beta(0.5, 0.5) prior on knowing and a symmetric Dirichlet(10) prior on habits; several random
starts, of which the one with the best likelihood is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import digamma

from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.votes import Floats, Votes, tally

ITERATIONS = 50
STARTS = 5
KNOWING_PRIOR = 0.5
HABIT_PRIOR = 10.0
LARGEST_LOG = 600.0  # numbers are multiplied out only while their product is below exp of it
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
    seen = _Seen(votes)
    cast, classes = seen.cast, votes.classes
    by_chance, knows = np.ascontiguousarray(start.knowing.T)
    habit = np.ascontiguousarray(start.habit.T)
    # Dirichlet posteriors, one row each: a worker's habits, habit and knowledge, all habits.
    counts = np.empty((classes + 3, votes.workers))
    prior = np.full((classes + 3, 1), HABIT_PRIOR)
    prior[classes : classes + 2] = KNOWING_PRIOR
    prior[classes + 2] = classes * HABIT_PRIOR
    # Each vote is by habit or by knowledge, so what their sum is divided by stays.
    votes_of = cast.sum(axis=0)
    whole = np.exp(digamma(votes_of + 2.0 * KNOWING_PRIOR))
    history = np.empty(iterations)
    # Per label and worker: the probability of the vote by habit, and if it is the class.
    by_habit = habit * by_chance
    if_class = by_habit + knows
    weights = seen.weigh(if_class / by_habit)
    for step in range(iterations):
        known = seen.supported(weights)
        known *= knows
        known /= if_class
        strategy = np.subtract(cast, known, out=counts[:classes])
        strategy.sum(axis=0, out=counts[classes])
        np.subtract(votes_of, counts[classes], out=counts[classes + 1])
        counts[classes + 2] = counts[classes]
        counts += prior
        expected = np.exp(digamma(counts))  # exp E[log p]: shares that sum to less than 1
        habit = expected[:classes] / expected[classes + 2]
        by_chance, knows = expected[classes : classes + 2] / whole
        by_habit = habit * by_chance
        if_class = by_habit + knows
        weights = seen.weigh(if_class / by_habit)
        history[step] = weights.likelihood + float(np.vdot(cast, np.log(by_habit)))
    posterior = seen.posterior(weights)
    return Fit(
        posterior=posterior,
        prior=posterior.mean(axis=0),
        log_likelihood=history,
        skill=knows / (by_chance + knows),
        iterations=iterations,
        converged=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """What the votes make of each task's classes, before they are divided by the whole.

    Attributes:
        cell: shape (cells,), the weight of each class that was named.
        whole: shape (tasks,), the sum over classes.
        top: shape (tasks,), the logarithm by which all weights of a task were divided, so
            that they stay finite; None for 0. A class that nobody named weighs exp(-top).
        likelihood: the log-likelihood, less what all votes have by habit.
    """

    cell: Floats
    whole: Floats
    top: Floats | None
    likelihood: float


class _Seen:
    """The votes, arranged so that a step touches only classes that a task was given.

    A class that nobody named for a task weighs 1 there, so that nothing need be computed:
    *cells* are the (task, class) pairs with a vote, those with the most votes first. Their
    first votes are multiplied in together, then their second ones, and so on, which needs
    neither logarithms nor exponentials. *Columns* are label * workers + worker.
    """

    def __init__(self, votes: Votes) -> None:
        self.tasks, self.classes = votes.tasks, votes.classes
        place, label = votes.cell, votes.label.astype(np.intp)
        column = label * votes.workers + votes.worker
        shape = (votes.classes, votes.workers)
        self.cast = tally(column, votes.count, votes.classes * votes.workers).reshape(shape)
        cast = tally(place, votes.count, votes.tasks * votes.classes)
        named = np.flatnonzero(cast)
        self.cells = named[np.argsort(-cast[named], kind="stable")]
        self.task = self.cells // votes.classes
        filled = np.bincount(self.task, minlength=votes.tasks)
        self.unnamed = (votes.classes - filled).astype(np.float64)
        row = np.empty(len(cast), dtype=np.intp)
        row[self.cells] = np.arange(len(self.cells))
        shape = (len(self.cells), self.cast.size)
        self.matrix = sparse.csr_matrix((votes.count, (row[place], column)), shape=shape)
        self.turned = self.matrix.T.tocsr()  # rows that lie together: twice as fast
        repeated = np.repeat(self.matrix.indices, self.matrix.data.astype(np.intp)).astype(
            np.intp
        )
        most = cast[self.cells].astype(np.intp)  # falls
        first = np.cumsum(most) - most
        self.ranks = [
            repeated[first[: int(np.searchsorted(-most, -rank))] + rank]
            for rank in range(int(most[0]))
        ]

    def weigh(self, ratio: Floats) -> _Weights:
        """Weigh the classes of each task.

        Args:
            ratio: shape (classes, workers), at least 1: by what a vote multiplies the odds
                of its class.
        """
        ratio = ratio.reshape(-1)
        most = len(self.ranks) * float(np.log(ratio.max())) + float(np.log(self.classes))
        constant = -self.tasks * float(np.log(self.classes))
        if most > LARGEST_LOG:
            return self._weigh_large(ratio, constant)
        cell = ratio.take(self.ranks[0])
        for rank in self.ranks[1:]:
            cell[: len(rank)] *= ratio.take(rank)
        whole = tally(self.task, cell, self.tasks)
        whole += self.unnamed
        # One logarithm for as many tasks as their product surely stays finite.
        groups = np.arange(0, self.tasks, int(LARGEST_LOG / most))
        likelihood = constant + float(np.log(np.multiply.reduceat(whole, groups)).sum())
        return _Weights(cell=cell, whole=whole, top=None, likelihood=likelihood)

    def _weigh_large(self, ratio: Floats, constant: float) -> _Weights:
        cell = self.matrix @ np.log(ratio)
        top = np.zeros(self.tasks)
        np.maximum.at(top, self.task, cell)
        cell -= top.take(self.task)
        np.exp(cell, out=cell)
        whole = tally(self.task, cell, self.tasks)
        whole += self.unnamed * np.exp(-top)
        likelihood = constant + float(np.log(whole).sum()) + float(top.sum())
        return _Weights(cell=cell, whole=whole, top=top, likelihood=likelihood)

    def supported(self, weights: _Weights) -> Floats:
        """Return the expected number of right votes, shape (classes, workers)."""
        share = weights.cell / weights.whole.take(self.task)
        found: Floats = (self.turned @ share).reshape(self.cast.shape)
        return found

    def posterior(self, weights: _Weights) -> Floats:
        """Return the posterior, shape (tasks, classes)."""
        found = np.ones((self.tasks, self.classes))
        if weights.top is not None:
            found *= np.exp(-weights.top)[:, None]
        found.reshape(-1)[self.cells] = weights.cell
        found /= weights.whole[:, None]
        return found
