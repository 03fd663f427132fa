"""`auto`: one answer without gold, and why.

The likelihood cannot choose among models of a crowd: where tasks mislead many workers at
once, the richer table has the higher likelihood and the worse labels, for it learns which
tasks are easy instead of which class they are. What tells the cases apart without gold is the
`dispersion` of right votes over tasks. `auto` measures it once and then averages fits that
trust tables less, and one accuracy per worker more, the more dispersed the votes are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.consensus.dawid_skene import one_coin
from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.tilted import Shape, dispersion, tilted
from titian.annotation.consensus.votes import Floats, Votes

# Fixed on simulated crowds before any gold was read; docs/decisions/0007-auto-consensus.md.
FIRST_WEIGHT = 0.85  # what each vote counts as in the fit that measures the dispersion
WEIGHTS = (0.7, 0.85, 1.0)  # and in the fits that are averaged
DEPENDENT = 1.03  # dispersion from which votes are taken to depend on each other
MOST = 2.0  # dispersion beyond this changes nothing more
SYMMETRY = 2.0  # pull of the crowd's table to one accuracy, per unit of dispersion above 1
ONE_COIN = 0.5  # most weight of one-coin, against 1 for the tilted fits together
ONE_COIN_RISE = 4.0  # share of that weight per unit of dispersion above 1


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
    start = tilted(votes, shape=Shape(vote_weight=FIRST_WEIGHT))
    first = start.fit
    measured = dispersion(votes, first.posterior, start.right)
    above = min(max(measured, 1.0), MOST) - 1.0
    dependent = measured >= DEPENDENT
    symmetry = min(1.0, SYMMETRY * above) if dependent else 0.0
    blended = [
        tilted(
            votes,
            shape=Shape(vote_weight=weight / float(np.sqrt(1.0 + above)), symmetry=symmetry),
        )
        for weight in WEIGHTS
    ]
    fits = [found.fit for found in blended]
    posterior = sum((fit.posterior for fit in fits), np.zeros_like(first.posterior))
    posterior /= len(fits)
    coin = ONE_COIN * min(1.0, ONE_COIN_RISE * above) if dependent else 0.0
    if coin:
        posterior += coin * one_coin(votes).posterior
        # What misleads many workers misleads their posterior: it is flattened, which changes
        # no label.
        np.power(posterior, 1.0 / (1.0 + above), out=posterior)
        posterior /= posterior.sum(axis=1, keepdims=True)
    middle = fits[len(fits) // 2]
    fit = Fit(
        posterior=posterior,
        prior=posterior.mean(axis=0),
        log_likelihood=middle.log_likelihood,
        skill=middle.skill,
        iterations=middle.iterations,
        converged=all(fit.converged for fit in fits),
    )
    # Each further vote counts as it does in the middle fit, flattened like the posterior.
    weight = WEIGHTS[len(WEIGHTS) // 2] / float(np.sqrt(1.0 + above))
    weight /= 1.0 + above if dependent else 1.0
    return Blend(
        fit=fit,
        why=_why(measured, symmetry, coin),
        dispersion=measured,
        evidence=blended[len(blended) // 2].evidence * weight,
    )


def _why(measured: float, symmetry: float, coin: float) -> str:
    start = f"Right votes vary over tasks {measured:.2f} times as much as independent votes do"
    if not symmetry:
        return (
            f"{start}, so the workers' tables are trusted: the mean of {len(WEIGHTS)} tilted "
            "Dawid-Skene fits."
        )
    return (
        f"{start}, so tasks mislead many workers at once: the crowd's table is pulled "
        f"{symmetry:.0%} of the way to one accuracy, one-coin has {coin / (1.0 + coin):.0%} of "
        f"the weight beside {len(WEIGHTS)} tilted Dawid-Skene fits, and the posterior is "
        "flattened."
    )
