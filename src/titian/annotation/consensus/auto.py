"""`auto`: one answer without gold, and why.

The likelihood cannot choose among models of a crowd: where tasks mislead many workers at
once, the richer table has the higher likelihood and the worse labels, for it learns which
tasks are easy instead of which class they are. What tells the cases apart without gold is the
`dispersion` of right votes over tasks. `auto` measures it once and then averages fits that
trust tables less, and one accuracy per worker more, the more dispersed the votes are.
"""

from __future__ import annotations

import numpy as np

from titian.annotation.consensus.dawid_skene import one_coin
from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.tilted import Shape, dispersion, tilted
from titian.annotation.consensus.votes import Votes

# Fixed on simulated crowds before any gold was read; docs/decisions/0007-auto-consensus.md.
FIRST_WEIGHT = 0.85  # what each vote counts as in the fit that measures the dispersion
WEIGHTS = (0.7, 0.85, 1.0)  # and in the fits that are averaged
DEPENDENT = 1.03  # dispersion from which votes are taken to depend on each other
MOST = 2.0  # dispersion beyond this changes nothing more
SYMMETRY = 2.0  # pull of the crowd's table to one accuracy, per unit of dispersion above 1
ONE_COIN = 0.5  # most weight of one-coin, against 1 for the tilted fits together
ONE_COIN_RISE = 4.0  # share of that weight per unit of dispersion above 1


def blend(votes: Votes) -> tuple[Fit, str]:
    """Return the consensus of the crowd and one sentence on how it was found."""
    first, diagonal = tilted(votes, shape=Shape(vote_weight=FIRST_WEIGHT))
    measured = dispersion(votes, first.posterior, diagonal)
    above = min(max(measured, 1.0), MOST) - 1.0
    dependent = measured >= DEPENDENT
    symmetry = min(1.0, SYMMETRY * above) if dependent else 0.0
    fits = [
        tilted(
            votes,
            shape=Shape(vote_weight=weight / float(np.sqrt(1.0 + above)), symmetry=symmetry),
        )[0]
        for weight in WEIGHTS
    ]
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
    blended = Fit(
        posterior=posterior,
        prior=posterior.mean(axis=0),
        log_likelihood=middle.log_likelihood,
        skill=middle.skill,
        iterations=middle.iterations,
        converged=all(fit.converged for fit in fits),
    )
    return blended, _why(measured, symmetry, coin)


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
