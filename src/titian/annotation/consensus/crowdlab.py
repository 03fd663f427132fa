"""A crowd's votes together with a model's probabilities (CROWDLAB's idea).

H. W. Goh, U. Tkachenko and J. Mueller, arXiv 2210.06812 (2022). The posterior is a weighted
mean of the model's probabilities and of each vote's likelihood; a worker weighs as much as
their agreement with other workers exceeds guessing the commonest class, the model as much
as its agreement with the crowd does.
"""

from __future__ import annotations

import numpy as np

from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.votes import Floats, Ints, Votes, tally
from titian.errors import InputError, Problem

LEAST_WEIGHT = 1e-6
SUM_TOLERANCE = 1e-3  # probabilities written with three decimals still pass


def crowdlab(votes: Votes, probabilities: Floats) -> Fit:
    """Combine votes and a model.

    Args:
        votes: the crowd's votes.
        probabilities: shape (tasks, classes), the model's out-of-sample probabilities.

    Returns:
        `skill` is the weight of each worker. Where no task has two votes nothing can be
        learned of the workers, and the majority is followed.

    Raises:
        InputError: T-A006 shape, T-A007 not finite or outside 0..1, T-A008 sums.
    """
    check_probabilities(probabilities, (votes.tasks, votes.classes))
    counts = tally(votes.cell, votes.count, votes.tasks * votes.classes).reshape(
        votes.tasks, votes.classes
    )
    per_task = counts.sum(axis=1)
    several = per_task > 1
    if not several.any():
        return _model_first(votes, probabilities, counts)
    agreement = _agreement(votes, counts, per_task)
    winner = _majority(counts, probabilities)
    posterior, weight = _combine(votes, probabilities, counts, per_task, winner, agreement)
    return Fit(
        posterior=posterior,
        prior=posterior.mean(axis=0),
        log_likelihood=np.empty(0),
        skill=weight,
        iterations=1,
        converged=True,
    )


def check_probabilities(probabilities: Floats, shape: tuple[int, int]) -> None:
    """Refuse probabilities of another shape, NaN, outside 0..1 or with wrong sums.

    Raises:
        InputError: T-A006, T-A007, T-A008; what can be said together is.
    """
    if probabilities.shape != shape:
        raise InputError(
            Problem(
                code="T-A006",
                message=f"the probabilities have the shape {probabilities.shape}; "
                f"{shape[0]} tasks and {shape[1]} classes need {shape}.",
                remedy="Give one row per task and one column per class, in order of code.",
            )
        )
    problems = probability_problems(probabilities)
    if problems:
        raise InputError(*problems)


def probability_problems(probabilities: Floats) -> list[Problem]:
    """Say which rows hold no probabilities (T-A007) or do not sum to 1 (T-A008)."""
    problems = []
    finite = np.isfinite(probabilities)
    outside = ~finite | (probabilities < 0) | (probabilities > 1)
    rows = np.flatnonzero(outside.any(axis=1))
    if len(rows):
        value = probabilities[rows[0]][outside[rows[0]]][0]
        problems.append(
            Problem(
                code="T-A007",
                message=f"{len(rows)} rows of probabilities hold values that are no "
                f"probability (first: {value} at row {rows[0]}); they lie in 0..1.",
                remedy="Correct the rows, or leave out tasks the model has not seen.",
            )
        )
    with np.errstate(invalid="ignore"):
        sums = probabilities.sum(axis=1)
        wrong = np.flatnonzero(~outside.any(axis=1) & (np.abs(sums - 1.0) > SUM_TOLERANCE))
    if len(wrong):
        problems.append(
            Problem(
                code="T-A008",
                message=f"{len(wrong)} rows of probabilities do not sum to 1 "
                f"(first: {sums[wrong[0]]:.6g} at row {wrong[0]}; within {SUM_TOLERANCE}).",
                remedy="Give all classes, after a softmax.",
            )
        )
    return problems


def _agreement(votes: Votes, counts: Floats, per_task: Floats) -> Floats:
    """Return each worker's share of agreeing pairs with other votes of the same task."""
    others = per_task - 1.0
    agreeing = votes.count * (counts.reshape(-1)[votes.cell] - 1.0)
    pairs = votes.count * others[votes.task]
    agreed = tally(votes.worker, agreeing, votes.workers)
    met = tally(votes.worker, pairs, votes.workers)
    share = agreed / np.where(met > 0, met, 1.0)
    share[met <= 0] = share[met > 0].mean()  # met nobody: as good as the others
    return share


def _majority(counts: Floats, probabilities: Floats) -> Ints:
    """Return the majority; a tie goes to the model, then to the rarer class."""
    best = counts == counts.max(axis=1, keepdims=True)
    liked = np.where(best, probabilities, -1.0)
    best = liked == liked.max(axis=1, keepdims=True)
    rarity = np.where(best, counts.sum(axis=0), np.inf)
    found: Ints = rarity.argmin(axis=1)
    return found


def _combine(
    votes: Votes,
    probabilities: Floats,
    counts: Floats,
    per_task: Floats,
    winner: Ints,
    agreement: Floats,
) -> tuple[Floats, Floats]:
    """Return the weighted means and the weight of each worker, given consensus labels."""
    several = per_task > 1
    rows = np.arange(votes.tasks)
    right = float((counts[rows, winner][several] / per_task[several]).mean())
    wrong = (1.0 - right) / (votes.classes - 1)
    shares = np.bincount(winner[several], minlength=votes.classes)
    guess = max(1.0 - shares.max() / shares.sum(), LEAST_WEIGHT)  # error of the commonest
    weight = np.maximum(1.0 - (1.0 - agreement) / guess, LEAST_WEIGHT)
    missed = float((probabilities.argmax(axis=1)[several] != winner[several]).mean())
    model = max(1.0 - missed / guess, LEAST_WEIGHT) * np.sqrt(per_task.mean())
    cast = votes.count * weight[votes.worker]
    named = tally(votes.cell, cast, counts.size).reshape(counts.shape)
    whole = named.sum(axis=1, keepdims=True)
    posterior = probabilities * model + named * (right - wrong) + whole * wrong
    posterior /= whole + model
    posterior /= posterior.sum(axis=1, keepdims=True)  # the model's own rounding
    return posterior, weight


def _model_first(votes: Votes, probabilities: Floats, counts: Floats) -> Fit:
    """Where no task has two votes, believe vote and model equally."""
    posterior = counts + probabilities
    posterior /= posterior.sum(axis=1, keepdims=True)
    return Fit(
        posterior=posterior,
        prior=posterior.mean(axis=0),
        log_likelihood=np.empty(0),
        skill=np.ones(votes.workers),
        iterations=1,
        converged=True,
        notes=("No task has two votes: vote and model weigh the same.",),
    )
