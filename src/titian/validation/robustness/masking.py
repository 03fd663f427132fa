"""Gradient masking: signs that attacks failed and not that the model holds.

After Athalye, Carlini and Wagner (ICML 2018) and Carlini et al. (2019, "On evaluating
adversarial robustness"): a black box that beats white boxes, gradients of zero, an unbounded
attack that does not win, and a loss that random steps raise more than the gradient does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from titian.validation.robustness import gradient, losses
from titian.validation.robustness.ball import Ball
from titian.validation.robustness.ladder import WHITE_BOX, Robustness
from titian.validation.robustness.losses import Goal
from titian.validation.robustness.samples import Samples
from titian.validation.robustness.victim import Victim

CASES: Final = 64
UNBOUNDED_STEPS: Final = 20
RANDOM_STEPS: Final = 4
STEP_SHARE: Final = 0.25  # of eps

MOST_BEATEN: Final = 0.01  # of the cases, by square attack after all gradients
MOST_FLAT: Final = 0.1  # of the gradients looked at
LEAST_UNBOUNDED: Final = 0.95  # of the cases an unbounded attack must win
MOST_RANDOM: Final = 0.3  # of the cases where chance climbs further than the gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """What was looked at for masked gradients.

    Attributes:
        looked: whether gradients were there to look at.
        cases: how many.
        beaten: share of all cases that square attack broke after the gradients had not.
        flat: share of gradients that are 0.
        unbounded: share of cases that an attack of the whole range wins.
        random: share of cases where a random step climbs further than the gradient's.
        signs: what speaks for masking, in words; empty where nothing does.
    """

    looked: bool
    cases: int = 0
    beaten: float = 0.0
    flat: float = 0.0
    unbounded: float = 1.0
    random: float = 0.0
    signs: tuple[str, ...] = ()


def look_for_masking(
    victim: Victim, samples: Samples, found: Robustness, *, seed: int = 0
) -> Masking:
    """Look at up to 64 cases that the model has right, survivors first.

    Args:
        victim: the model.
        samples: the cases that were attacked.
        found: what came of it.
        seed: of the random steps.
    """
    import torch

    places = np.concatenate(
        [np.flatnonzero(found.survived), np.flatnonzero(found.right & ~found.survived)]
    )[:CASES]
    if victim.why_black_box or not places.size:
        return Masking(looked=False)
    ball = Ball(norm=found.norm, eps=found.eps, low=found.range[0], high=found.range[1])
    x = torch.from_numpy(samples.x[places])
    goal = Goal(label=torch.from_numpy(samples.y[places]))
    generator = torch.Generator().manual_seed(seed)
    _, slope, _ = gradient.gradient(victim.logits, x, goal, losses.cross_entropy)
    flat = float((slope.flatten(1).abs().amax(1) == 0).float().mean())
    tops = _climbs(victim, x, goal, ball, slope, generator)
    everything = ball.widest(x[0].numel())
    wide = gradient.apgd(
        victim.logits,
        x,
        goal,
        everything,
        losses.margin,
        steps=UNBOUNDED_STEPS,
        start=replace(everything, eps=ball.eps).start(x, generator),
    )[1]
    made = Masking(
        looked=True,
        cases=len(places),
        beaten=_beaten(found),
        flat=flat,
        unbounded=float(wide.float().mean()),
        random=float(tops.float().mean()),
    )
    return replace(made, signs=_signs(made))


def _climbs(
    victim: Victim,
    x: Any,  # noqa: ANN401 - torch's tensors here and below
    goal: Goal,
    ball: Ball,
    slope: Any,  # noqa: ANN401
    generator: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    import torch

    step = STEP_SHARE * ball.eps
    with torch.no_grad():
        by_gradient = losses.margin(
            victim.logits(ball.project(x + step * ball.ascent(slope), x)), goal
        )
        best = torch.full_like(by_gradient, float("-inf"))
        for _ in range(RANDOM_STEPS):
            drawn = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            moved = ball.project(x + step * ball.ascent(drawn), x)
            best = best.maximum(losses.margin(victim.logits(moved), goal))
    return best > by_gradient


def _beaten(found: Robustness) -> float:
    names = [rung.name for rung in found.attacks]
    if "square" not in names or not set(names) & set(WHITE_BOX):
        return 0.0
    return float((found.broken_by == names.index("square")).mean())


def _signs(seen: Masking) -> tuple[str, ...]:
    signs = []
    if seen.beaten > MOST_BEATEN:
        signs.append(f"square attack, without gradients, broke {seen.beaten:.1%} more cases")
    if seen.flat > MOST_FLAT:
        signs.append(f"{seen.flat:.0%} of the gradients are exactly 0")
    if seen.unbounded < LEAST_UNBOUNDED:
        signs.append(f"an attack over the whole range wins only {seen.unbounded:.0%} of cases")
    if seen.random > MOST_RANDOM:
        signs.append(
            f"random steps climb further than the gradient in {seen.random:.0%} of cases"
        )
    return tuple(signs)
