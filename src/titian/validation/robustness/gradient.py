"""Attacks that follow gradients: FGSM, PGD and APGD.

FGSM: Goodfellow, Shlens and Szegedy (ICLR 2015). PGD: Madry et al. (ICLR 2018). APGD: Croce
and Hein (ICML 2020), whose step size halves at checkpoints where the loss stalls. Each case
leaves the batch once it is broken, so that the time goes to those that hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from titian.validation.robustness.ball import Ball
from titian.validation.robustness.losses import Goal, Loss, won

Tensor = Any
Logits = Callable[[Tensor], Tensor]

MOMENTUM: Final = 0.75
INCREASES: Final = 0.75  # share of steps that must raise the loss for the step size to stay
FIRST_CHECKPOINT: Final = 0.22
LEAST_PERIOD: Final = 0.06
PERIOD_DECREASE: Final = 0.03
LEAVE_SHARE: Final = 0.1  # of the batch broken before it is packed again: copying has a cost
PGD_STEP: Final = 0.25  # of eps


def gradient(
    logits: Logits, x: Tensor, goal: Goal, loss: Loss
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss (n,), its gradient and where the adversary has won; NaN becomes 0."""
    import torch

    with torch.enable_grad():
        at = x.detach().requires_grad_()
        answer = logits(at)
        value = loss(answer, goal)
        (slope,) = torch.autograd.grad(value.sum(), at)
    return value.detach(), slope.nan_to_num(0.0, 0.0, 0.0), won(answer.detach(), goal)


def fgsm(
    logits: Logits, x: Tensor, goal: Goal, ball: Ball, loss: Loss
) -> tuple[Tensor, Tensor]:
    """Take one step of size eps; return the points and where they win."""
    import torch

    _, slope, _ = gradient(logits, x, goal, loss)
    moved = ball.project(x + ball.eps * ball.ascent(slope), x)
    with torch.no_grad():
        return moved, won(logits(moved), goal)


def pgd(
    logits: Logits,
    x: Tensor,
    goal: Goal,
    ball: Ball,
    loss: Loss,
    *,
    steps: int,
    generator: Any,  # noqa: ANN401 - torch's generator
) -> tuple[Tensor, Tensor]:
    """Take projected steps of a quarter of eps from a random point."""
    import torch

    found, broken = x.clone(), torch.zeros(len(x), dtype=torch.bool)
    left = torch.arange(len(x))
    at = ball.start(x, generator)
    for step in range(steps + 1):
        _, slope, wins = gradient(logits, at, goal.take(left), loss)
        found[left[wins]], broken[left[wins]] = at[wins], True
        stay = ~wins
        left, at, slope = left[stay], at[stay], slope[stay]
        if step == steps or not len(left):
            break
        at = ball.project(at + PGD_STEP * ball.eps * ball.ascent(slope), x[left])
    return found, broken


def checkpoints(steps: int) -> list[int]:
    """Return the steps at which APGD looks back, shorter periods later."""
    shares, at = [0.0, FIRST_CHECKPOINT], FIRST_CHECKPOINT
    while at < 1.0:
        at += max(shares[-1] - shares[-2] - PERIOD_DECREASE, LEAST_PERIOD)
        shares.append(at)
    return sorted({math.ceil(share * steps) for share in shares if 0 < share <= 1.0})


def apgd(
    logits: Logits,
    x: Tensor,
    goal: Goal,
    ball: Ball,
    loss: Loss,
    *,
    steps: int,
    start: Tensor,
) -> tuple[Tensor, Tensor]:
    """Climb from `start`; return points of shape x and where they win.

    Only won points are of use to the caller; a case that holds keeps its own input.
    """
    import torch

    found, broken = x.clone(), torch.zeros(len(x), dtype=torch.bool)
    looks = set(checkpoints(steps))
    left = torch.arange(len(x))
    at = ball.project(start, x)
    value, slope, wins = gradient(logits, at, goal, loss)
    found[wins], broken[wins] = at[wins], True
    before, best_at, best_slope, best = at, at, slope, value
    size = torch.full_like(value, 2 * ball.eps)
    rises, since = torch.zeros_like(value), 0
    last_size, last_best = size.clone(), best.clone()
    for step in range(1, steps + 1):
        gone = broken[left]
        if gone.any() and (gone.float().mean() >= LEAVE_SHARE or gone.all()):
            stay = ~gone
            left, at, before, slope, value = (v[stay] for v in (left, at, before, slope, value))
            best_at, best_slope, best = best_at[stay], best_slope[stay], best[stay]
            size, rises = size[stay], rises[stay]
            last_size, last_best = last_size[stay], last_best[stay]
        if not len(left):
            break
        centre, wide = x[left], size.reshape(-1, *([1] * (x.ndim - 1)))
        moved = ball.project(at + wide * ball.ascent(slope), centre)
        if step > 1:
            mixed = at + MOMENTUM * (moved - at) + (1 - MOMENTUM) * (at - before)
            moved = ball.project(mixed, centre)
        before, at = at, moved
        previous = value
        value, slope, wins = gradient(logits, at, goal.take(left), loss)
        found[left[wins]], broken[left[wins]] = at[wins], True
        rises, since = rises + (value > previous), since + 1
        better = _wide(value > best, x)
        best_at, best_slope = at.where(better, best_at), slope.where(better, best_slope)
        best = value.maximum(best)
        if step in looks:
            stalled = rises < INCREASES * since
            stalled |= (last_size == size) & (last_best >= best)
            last_size, last_best = size.clone(), best.clone()
            size = size.where(~stalled, size / 2)
            again = _wide(stalled, x)
            at, slope = best_at.where(again, at), best_slope.where(again, slope)
            value = best.where(stalled, value)
            rises, since = torch.zeros_like(rises), 0
    return found, broken


def _wide(which: Tensor, like: Tensor) -> Tensor:
    return which.reshape(-1, *([1] * (like.ndim - 1)))
