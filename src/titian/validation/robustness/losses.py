"""What an adversary maximises, one number a case.

The margin is positive exactly where the adversary has won. The difference of logits ratio is
that of Croce and Hein (ICML 2020, section 4.1 and appendix): unlike cross entropy it does not
change when all logits are scaled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Tensor = Any
Loss = Callable[[Tensor, "Goal"], Tensor]
TINY: Final = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the adversary wants of each case.

    Attributes:
        label: the true class, shape (n,).
        target: the class it must become, shape (n,); None where any wrong one will do.
        aim: a wrong class that a loss steers to, shape (n,); winning does not need it.
    """

    label: Tensor
    target: Tensor | None = None
    aim: Tensor | None = None

    def take(self, which: Tensor) -> Goal:
        """Return the goal of some of the cases."""
        return Goal(
            label=self.label[which],
            target=None if self.target is None else self.target[which],
            aim=None if self.aim is None else self.aim[which],
        )


def margin(logits: Tensor, goal: Goal) -> Tensor:
    """Return how far the adversary has won: above 0 it has."""
    if goal.target is not None:
        return _of(logits, goal.target) - _best_other(logits, goal.target)
    return _best_other(logits, goal.label) - _of(logits, goal.label)


def won(logits: Tensor, goal: Goal) -> Tensor:
    """Return where the adversary has won; an answer of NaN is no right answer."""
    m = margin(logits, goal)
    return (m > 0) if goal.target is not None else ~(m <= 0)


def cross_entropy(logits: Tensor, goal: Goal) -> Tensor:
    """Return the loss of the true class, or less that of the target."""
    whole = logits.logsumexp(1)
    if goal.target is not None:
        return _of(logits, goal.target) - whole
    return whole - _of(logits, goal.label)


def logits_ratio(logits: Tensor, goal: Goal) -> Tensor:
    """Return the margin over the spread of the largest logits; needs three classes."""
    ordered = logits.sort(dim=1, descending=True).values
    spread = ordered[:, 0] - ordered[:, 2]
    return margin(logits, goal) / spread.clamp_min(TINY)


def targeted_ratio(logits: Tensor, goal: Goal) -> Tensor:
    """Return how near `aim` is to the true class, over the spread; needs four classes."""
    ordered = logits.sort(dim=1, descending=True).values
    spread = ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2
    return (_of(logits, goal.aim) - _of(logits, goal.label)) / spread.clamp_min(TINY)


def _of(logits: Tensor, which: Tensor) -> Tensor:
    return logits.gather(1, which[:, None]).squeeze(1)


def _best_other(logits: Tensor, which: Tensor) -> Tensor:
    return logits.scatter(1, which[:, None], float("-inf")).amax(1)
