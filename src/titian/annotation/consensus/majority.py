"""Voting: majority, weighted by agreement (Wawa), and zero-based skill.

Wawa weighs a worker by the agreement with the majority, once. Zero-based skill moves the
weights towards the agreement with the weighted majority, step by step, from 1/classes.
"""

from __future__ import annotations

import numpy as np

from titian.annotation.consensus.result import Fit, decide
from titian.annotation.consensus.votes import Floats, Ints, Votes, tally

ZERO_BASED_STEPS = 100
ZERO_BASED_RATE = 1.0  # first step; halved after every HALVED_EVERY steps
HALVED_EVERY = 20
ZERO_BASED_LIFT = 1e-5  # above 1/classes, so that a first weight is never nothing


def majority(votes: Votes) -> Fit:
    """Return the shares of votes as the posterior."""
    return _fit(votes, np.ones(votes.workers), iterations=1)


def wawa(votes: Votes) -> Fit:
    """Weigh each worker by the agreement with the majority."""
    winner = decide(votes.shares(), votes.per_label())
    return _fit(votes, _agreement(votes, winner), iterations=1)


def zero_based_skill(votes: Votes, *, steps: int = ZERO_BASED_STEPS) -> Fit:
    """Weigh each worker by the agreement with the weighted majority, in steps."""
    skill = np.full(votes.workers, 1.0 / votes.classes + ZERO_BASED_LIFT)
    rate = ZERO_BASED_RATE
    for step in range(1, steps + 1):
        if step % HALVED_EVERY == 0:
            rate /= 2
        winner = decide(votes.shares(skill), votes.per_label())
        skill = skill + rate * (_agreement(votes, winner) - skill)
    return _fit(votes, skill, iterations=steps)


def _agreement(votes: Votes, winner: Ints) -> Floats:
    """Return the share of each worker's votes that equal the winner of their task."""
    same = votes.count * (votes.label == winner[votes.task])
    cast = votes.per_worker()
    agreed = tally(votes.worker, same, votes.workers)
    found: Floats = agreed / np.maximum(cast, 1.0)
    return found


def _fit(votes: Votes, skill: Floats, *, iterations: int) -> Fit:
    return Fit(
        posterior=votes.shares(skill),
        prior=votes.per_label() / votes.total,
        log_likelihood=np.empty(0),
        skill=skill,
        iterations=iterations,
        converged=True,
    )
