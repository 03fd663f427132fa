"""What a consensus is: a posterior over classes per task, and what it says of each worker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.consensus.votes import Floats, Ints, Votes

TIE = 1e-12  # posteriors closer than this are a tie


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What one method found; every method returns this.

    Attributes:
        posterior: shape (tasks, classes), rows sum to 1.
        prior: shape (classes,), the estimated share of each class.
        log_likelihood: shape (iterations,), natural logarithm, of the method's own objective;
            empty where the method has none (votes, CROWDLAB).
        skill: shape (workers,), the method's own measure of a worker (its weight, ability or
            probability of knowing), not comparable between methods.
        notes: what a reader should know, one sentence each.
        iterations: how many were made.
        converged: the change fell below the tolerance.
    """

    posterior: Floats
    prior: Floats
    log_likelihood: Floats
    skill: Floats
    iterations: int
    converged: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """The labels of a crowd, brought together.

    Attributes:
        posterior: shape (tasks, classes), rows sum to 1; of a task without a vote, the class
            shares.
        label: shape (tasks,), the most probable class; -1 for a task without a vote. Ties
            go to the class with more votes overall, then to the lower code.
        confidence: shape (tasks,), the posterior of `label`; NaN for a task without a vote.
        prior: shape (classes,), the estimated share of each class.
        confusions: shape (workers, classes, classes): [w, k, l] is the share of worker w's
            labels l on tasks of class k, estimated from the posterior and shrunk towards the
            whole crowd by one pseudo-vote per class; rows sum to 1.
        votes: shape (workers,), how many votes each worker cast.
        accuracy: shape (workers,), the expected share of a worker's votes that are right, by
            the posterior; NaN for a worker without a vote.
        skill: shape (workers,), the method's own measure (see its page), not comparable
            between methods.
        spammer_score: shape (workers,), in [0, 1]: 1 when the labels tell nothing about the
            class, 0 when they are a perfect code of it (Raykar and Yu, JMLR 13, 2012).
        log_likelihood: shape (iterations,), natural logarithm; empty where a method has none.
        iterations: how many were made.
        converged: the change fell below the tolerance.
        method: the method that was used.
        why: one sentence: why this method.
        notes: what a reader should know, one sentence each.
    """

    posterior: Floats
    label: Ints
    confidence: Floats
    prior: Floats
    confusions: Floats
    votes: Floats
    accuracy: Floats
    skill: Floats
    spammer_score: Floats
    log_likelihood: Floats
    iterations: int
    converged: bool
    method: str
    why: str
    notes: tuple[str, ...] = ()


def conclude(votes: Votes, fit: Fit, *, method: str, why: str) -> Consensus:
    """Read labels, confidence and the workers' records off a fit."""
    answered = np.diff(votes.starts) > 0
    label = decide(fit.posterior, votes.per_label())
    confidence = fit.posterior[np.arange(votes.tasks), label]
    notes = list(fit.notes)
    if not answered.all():
        missing = int((~answered).sum())
        label[~answered] = -1
        confidence[~answered] = np.nan
        notes.append(
            f"{missing} of {votes.tasks} tasks have no vote: their label is -1, their "
            "posterior the class shares."
        )
    if votes.repeated:
        notes.append(
            f"{votes.repeated} votes repeat a worker's vote on the same task; "
            "each counts as a separate vote."
        )
    if int((votes.per_worker() > 0).sum()) == 1:
        notes.append("There is one worker: nothing can be said about accuracy.")
    if int((votes.per_label() > 0).sum()) == 1:
        notes.append("All votes name one class: nothing can be said about accuracy.")
    confusions, right = confusions_of(votes, fit.posterior)
    cast = votes.per_worker()
    with np.errstate(invalid="ignore"):
        accuracy = right / np.where(cast > 0, cast, np.nan)
    return Consensus(
        posterior=fit.posterior,
        label=label,
        confidence=confidence,
        prior=fit.prior,
        confusions=confusions,
        votes=cast,
        accuracy=accuracy,
        skill=fit.skill,
        spammer_score=spammer_scores(confusions),
        log_likelihood=fit.log_likelihood,
        iterations=fit.iterations,
        converged=fit.converged,
        method=method,
        why=why,
        notes=tuple(notes),
    )


def decide(posterior: Floats, votes_per_label: Floats) -> Ints:
    """Return the most probable class of each row.

    Classes within `TIE` of the best are tied; a tie goes to the class with more votes
    overall, then to the lower code, so that equal input always gives equal labels.
    """
    classes = posterior.shape[1]
    order = np.lexsort((np.arange(classes), -votes_per_label))
    ranked = posterior[:, order]
    tied = ranked >= ranked.max(axis=1, keepdims=True) - TIE
    found: Ints = order[tied.argmax(axis=1)]
    return found


def confusions_of(votes: Votes, posterior: Floats) -> tuple[Floats, Floats]:
    """Return the workers' confusions, shape (workers, true, given), and their right votes."""
    counts = (votes.matrix().T @ posterior).reshape(votes.workers, votes.classes, votes.classes)
    right = np.einsum("wkk->w", counts)
    whole = counts.sum(axis=0) + 1.0 / votes.classes
    whole /= whole.sum(axis=0)
    counts = counts + whole  # one pseudo-vote of the whole crowd per class
    counts /= counts.sum(axis=1, keepdims=True)
    return counts.transpose(0, 2, 1), right


def spammer_scores(confusions: Floats) -> Floats:
    """Return 1 for a worker whose labels do not depend on the class, 0 for a perfect code.

    The mean squared distance between the rows of the confusion table, over all pairs of
    classes, is 1 for a perfect code and 0 for a spammer (Raykar and Yu 2012, equation 5).
    """
    classes = confusions.shape[1]
    squares = np.einsum("wkl,wkl->w", confusions, confusions)
    centre = confusions.sum(axis=1)
    distance = classes * squares - np.einsum("wl,wl->w", centre, centre)
    score: Floats = np.clip(1.0 - distance / (classes * (classes - 1)), 0.0, 1.0)
    return score
