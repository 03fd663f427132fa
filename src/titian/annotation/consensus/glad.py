"""GLAD: an ability per worker and a difficulty per task.

J. Whitehill, P. Ruvolo, T. Wu, J. Bergsma and J. Movellan, NeurIPS 22 (2009) 2035-2043. A
vote is right with probability sigmoid(ability * easiness), easiness = exp(beta); a wrong
vote is any other class. Abilities and betas have normal priors around 1 with variance 1, and
each M-step climbs the expected log-posterior by conjugate gradients, as crowd-kit 1.4 does.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from titian.annotation.consensus.dawid_skene import normalise
from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.votes import Floats, Votes, tally

ITERATIONS = 100
TOLERANCE = 1e-5
CLIMB_STEPS = 25  # most conjugate-gradient steps in one M-step
CLIMB_TOLERANCE = 1e-2
CENTRE = 1.0  # prior mean of abilities and betas


def glad(
    votes: Votes,
    *,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
    climb_steps: int = CLIMB_STEPS,
) -> Fit:
    """Fit abilities and difficulties by EM.

    Args:
        votes: the crowd's votes.
        iterations: most EM steps.
        tolerance: stop when the objective per vote and class gains less; negative: never.
        climb_steps: most conjugate-gradient steps in one M-step.

    Returns:
        `log_likelihood` is the expected log-posterior after each M-step; `skill` the ability.
    """
    # numpy gathers and counts fastest with indices of its own size.
    task, worker = votes.task.astype(np.intp), votes.worker.astype(np.intp)
    cell, count = votes.cell, votes.count
    n_workers, n_tasks = votes.workers, votes.tasks
    size = n_tasks * votes.classes
    spread = np.log(votes.classes - 1)
    point = np.full(n_workers + n_tasks, CENTRE)
    flat_prior = np.full(votes.classes, -np.log(votes.classes))
    constant = -0.5 * np.log(2 * np.pi) * len(point)

    def products(point: Floats) -> tuple[Floats, Floats, Floats]:
        easiness = np.exp(point[n_workers:]).take(task)
        ability = point[:n_workers].take(worker)
        return ability * easiness, ability, easiness

    def objective(point: Floats, right: Floats, wrong: Floats) -> tuple[float, Floats]:
        x, ability, easiness = products(point)
        small = np.exp(-np.abs(x))
        whole = 1.0 + small
        # log(1 - sigmoid) = log sigmoid - x, so one logarithm serves both.
        log_right = np.minimum(x, 0.0) - np.log(whole)
        value = count @ log_right - wrong @ x - spread * wrong.sum()
        away = point - CENTRE
        value += constant - 0.5 * float(away @ away)
        sigmoid = np.where(x >= 0.0, 1.0, small)
        sigmoid /= whole
        pull = (right - count * sigmoid) * easiness
        slope = np.empty_like(point)
        slope[:n_workers] = tally(worker, pull, n_workers)
        pull *= ability
        slope[n_workers:] = tally(task, pull, n_tasks)
        slope -= away
        return -float(value), -slope

    posterior = np.empty(0)
    history: list[float] = []
    converged = False
    for _ in range(iterations):
        x, _, _ = products(point)
        scores = tally(cell, count * (x + spread), size)
        posterior, _ = normalise(scores.reshape(n_tasks, votes.classes), flat_prior)
        right = count * posterior.reshape(-1).take(cell)
        found = minimize(
            objective,
            point,
            args=(right, count - right),
            method="CG",
            jac=True,
            tol=CLIMB_TOLERANCE,
            options={"maxiter": climb_steps},
        )
        point = found.x
        history.append(-float(found.fun))
        gained = history[-1] - history[-2] if len(history) > 1 else np.inf
        if gained < tolerance * votes.total * votes.classes:
            converged = True
            break
    return Fit(
        posterior=posterior,
        prior=posterior.mean(axis=0),
        log_likelihood=np.asarray(history),
        skill=point[:n_workers].copy(),
        iterations=len(history),
        converged=converged,
    )
