"""`auto`: one answer without gold, and why.

The likelihood cannot choose among models of a crowd: where tasks mislead many workers at
once, the richer table has the higher likelihood and the worse labels, for it learns which
tasks are easy instead of which class they are. Two figures of the votes help without gold.
The `dispersion` of right votes over tasks says whether votes depend on each other; `auto`
averages fits that trust each vote less the more they do. And where they do, with two classes,
the class shares are a warning: when tables make the classes more even than the votes are, and
one accuracy per worker makes them less even, the hard tasks of one class may pass for the other
class. Then what all the tables share of that is taken out of them, and one-coin joins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.consensus.dawid_skene import class_shares, one_coin
from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.tilted import Shape, dispersion, tilted
from titian.annotation.consensus.votes import Floats, Votes

# Fixed on simulated crowds before any gold was read; docs/decisions/0007-auto-consensus.md.
OWN = Shape(vote_weight=0.85)  # each class has an accuracy of its own
EVEN = Shape(vote_weight=0.85, symmetry=1.0)  # tables start from one accuracy
CAUTIOUS = Shape(vote_weight=0.72, symmetry=1.0)  # and votes count as less
NEUTRAL = Shape(vote_weight=0.85, symmetry=1.0, neutrality=1.0)  # no class is favoured by all
DEPENDENT = 1.05  # dispersion from which votes are taken to depend on each other
WHOLLY = 1.25  # dispersion from which they are wholly taken so
ONE_WAY = 1.15  # dispersion from which errors that go one way are looked for
ONE_WAY_WEIGHT = 4.0  # of the neutral fit, and of one-coin, against 2 for the others together
OPPOSED = 0.01  # nats of entropy of the class shares by which both sides must move
FLATTEN = 2.0  # flattening of the posterior per unit of dispersion above DEPENDENT
MOST = 2.0  # dispersion beyond this flattens no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """What `auto` found.

    Attributes:
        fit: the blended consensus.
        why: one sentence: how it was blended.
        dispersion: how much more right votes vary over tasks than independent votes do.
        evidence: shape (classes, classes): [a, b] is the log-odds for a against b that one
            more vote is expected to bring on a task of class a.
    """

    fit: Fit
    why: str
    dispersion: float
    evidence: Floats


def blend(votes: Votes) -> Blend:
    """Bring the crowd's votes together without gold."""
    own = tilted(votes, shape=OWN)
    measured = dispersion(votes, own.fit.posterior, own.right)
    dependence = _rise(measured, DEPENDENT, WHOLLY)
    even = tilted(votes, shape=EVEN)
    members = [(1.0, even.fit)]
    if dependence < 1.0:
        members.append((1.0 - dependence, own.fit))
    if dependence > 0.0:
        members.append((dependence, tilted(votes, shape=CAUTIOUS).fit))
    one_way = 0.0
    if votes.classes == 2 and measured > ONE_WAY:
        coin = one_coin(votes)
        opposed = _opposed(votes.shares(), own.fit.posterior, coin.posterior)
        one_way = ONE_WAY_WEIGHT * opposed * _rise(measured, ONE_WAY, WHOLLY)
        if one_way:
            members += [(one_way, tilted(votes, shape=NEUTRAL).fit), (one_way, coin)]
    posterior = np.zeros_like(own.fit.posterior)
    for weight, member in members:
        posterior += weight * member.posterior
    # What misleads many workers misleads their posterior: it is flattened, which changes no
    # label.
    flat = 1.0 + FLATTEN * (min(max(measured, DEPENDENT), MOST) - DEPENDENT)
    np.power(posterior, 1.0 / flat, out=posterior)
    posterior /= posterior.sum(axis=1, keepdims=True)
    fit = Fit(
        posterior=posterior,
        prior=posterior.mean(axis=0),
        log_likelihood=even.fit.log_likelihood,
        skill=even.fit.skill,
        iterations=even.fit.iterations,
        converged=all(member.converged for _, member in members),
    )
    return Blend(
        fit=fit,
        why=_why(measured, dependence, one_way / (1.0 + one_way)),
        dispersion=measured,
        # Each further vote counts as it does in the even fit, flattened like the posterior.
        evidence=even.evidence * (EVEN.vote_weight / flat),
    )


def _rise(measured: float, start: float, end: float) -> float:
    return min(max((measured - start) / (end - start), 0.0), 1.0)


def _opposed(cast: Floats, tables: Floats, coin: Floats) -> float:
    """Return how far tables even the class shares out while one-coin sharpens them, 0 to 1."""
    before, evened, sharpened = (
        _entropy(class_shares(posterior)) for posterior in (cast, tables, coin)
    )
    return _rise(min(evened - before, before - sharpened), 0.0, OPPOSED)


def _entropy(share: Floats) -> float:
    used = share[share > 0.0]
    return float(-(used @ np.log(used)))


def _why(measured: float, dependence: float, one_way: float) -> str:
    start = f"Right votes vary over tasks {measured:.2f} times as much as independent votes do"
    if not dependence:
        return (
            f"{start}, so the workers' tables are trusted: the mean of two tilted Dawid-Skene "
            "fits, one starting from an accuracy per class and one from a single accuracy."
        )
    reason = (
        f"{start}, so tasks mislead many workers at once: more tables start from a single "
        "accuracy, votes weigh less, and the posterior is flattened"
    )
    if one_way:
        reason += (
            "; tables make the classes more even than the votes are and one-coin less even, so "
            f"{one_way:.0%} of the weight goes to one-coin and to a fit whose tables favour no "
            "class as a whole"
        )
    return f"{reason}."
