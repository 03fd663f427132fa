"""Square attack: random search that needs answers alone.

Andriushchenko, Croce, Flammarion and Hein (ECCV 2020). On images a square window of random
place is set anew and kept where the margin grows; its size shrinks on a schedule. On inputs
without rows and columns the window is a random set of features (an adaptation of ours).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from titian.validation.robustness.ball import TINY, Ball, length
from titian.validation.robustness.losses import Goal, margin, won

Tensor = Any
Logits = Callable[[Tensor], Tensor]

FIRST_SHARE: Final = 0.8  # of the values in the first window
HALVINGS: Final = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries
SCHEDULE: Final = 10_000


def share(query: int, budget: int) -> float:
    """Return the share of the values in the window of a query."""
    passed = query * SCHEDULE / budget
    return FIRST_SHARE / float(2 ** sum(passed > at for at in HALVINGS))


def square(
    logits: Logits,
    x: Tensor,
    goal: Goal,
    ball: Ball,
    *,
    queries: int,
    generator: Any,  # noqa: ANN401 - torch's generator
) -> tuple[Tensor, Tensor]:
    """Search at random; return points of shape x and where they win."""
    import torch

    found, broken = x.clone(), torch.zeros(len(x), dtype=torch.bool)
    left = torch.arange(len(x))
    with torch.no_grad():
        at = ball.project(_first(x, ball, generator), x)
        answer = logits(at)
        value, wins = margin(answer, goal), won(answer, goal)
        for query in range(1, queries + 1):
            if wins.any():
                found[left[wins]], broken[left[wins]] = at[wins], True
                stay = ~wins
                left, at, value = left[stay], at[stay], value[stay]
            if not len(left) or query == queries:
                break
            here, centre = goal.take(left), x[left]
            tried = ball.project(
                _move(at, centre, ball, share(query, queries), generator), centre
            )
            answer = logits(tried)
            reached, wins = margin(answer, here), won(answer, here)
            better = (reached > value) | wins
            value = reached.where(better, value)
            at = tried.where(better.reshape(-1, *([1] * (x.ndim - 1))), at)
    return found, broken


def _signs(shape: tuple[int, ...], like: Tensor, generator: Any) -> Tensor:  # noqa: ANN401
    import torch

    return torch.randint(0, 2, shape, generator=generator).to(like.dtype) * 2 - 1


def _first(x: Tensor, ball: Ball, generator: Any) -> Tensor:  # noqa: ANN401
    if ball.norm == "inf":
        stripes = (*x.shape[:-2], 1, x.shape[-1]) if x.ndim == 4 else x.shape
        return x + ball.eps * _signs(tuple(stripes), x, generator)
    return x + ball.eps * _unit(_signs(tuple(x.shape), x, generator))


def _move(at: Tensor, centre: Tensor, ball: Ball, part: float, generator: Any) -> Tensor:  # noqa: ANN401
    if at.ndim != 4:
        return _move_features(at, centre, ball, part, generator)
    height, width = at.shape[2:]
    side = max(1, min(round(math.sqrt(part * height * width)), height, width))
    if ball.norm == "inf":
        inside = _window(at, side, generator)
        colours = _signs((*at.shape[:2], 1, 1), at, generator)
        return (centre + ball.eps * colours).where(inside, at)
    return _move_mass(
        at, centre, ball, max(side, 3) if min(height, width) >= 3 else side, generator
    )


def _move_features(
    at: Tensor,
    centre: Tensor,
    ball: Ball,
    part: float,
    generator: Any,  # noqa: ANN401
) -> Tensor:
    import torch

    flat, middle = at.flatten(1), centre.flatten(1)
    count = max(1, round(part * flat.shape[1]))
    order = torch.rand(flat.shape, generator=generator).argsort(1)
    inside = order < count
    signs = _signs(tuple(flat.shape), at, generator)
    if ball.norm == "inf":
        return (middle + ball.eps * signs).where(inside, flat).reshape(at.shape)
    change = flat - middle
    drawn = ball.eps * signs * torch.rand(flat.shape, generator=generator, dtype=at.dtype)
    change = drawn.where(inside, change)
    return (middle + ball.eps * _unit(change)).reshape(at.shape)


def _window(at: Tensor, side: int, generator: Any) -> Tensor:  # noqa: ANN401
    """Return a mask of shape (n, 1, h, w): one square of random place a case."""
    import torch

    n, height, width = len(at), at.shape[2], at.shape[3]
    top = torch.randint(0, height - side + 1, (n, 1), generator=generator)
    start = torch.randint(0, width - side + 1, (n, 1), generator=generator)
    rows, columns = torch.arange(height)[None], torch.arange(width)[None]
    down = (rows >= top) & (rows < top + side)
    across = (columns >= start) & (columns < start + side)
    return (down[:, :, None] & across[:, None, :])[:, None]


def _move_mass(at: Tensor, centre: Tensor, ball: Ball, side: int, generator: Any) -> Tensor:  # noqa: ANN401
    """Move the change of one window into another, with what is left of the budget."""
    change = at - centre
    into, out = _window(at, side, generator), _window(at, side, generator)
    both = into | out
    unused = (ball.eps**2 - length(change) ** 2).clamp_min(0.0)
    held = (change * both).square().sum((2, 3), keepdim=True)
    budget = (held + unused / at.shape[1]).sqrt()
    old = change * into
    old = old / old.square().sum((2, 3), keepdim=True).sqrt().clamp_min(TINY)
    bump = _bump(into, side, at) * _signs((*at.shape[:2], 1, 1), at, generator)
    new = old + bump
    new = new / new.square().sum((2, 3), keepdim=True).sqrt().clamp_min(TINY)
    return centre + (change * ~both + new * budget)


def _bump(into: Tensor, side: int, like: Tensor) -> Tensor:
    """Return a peak of unit length in each window, falling from its middle to its edge."""
    import torch

    middle = (side - 1) / 2
    line = torch.arange(side, dtype=like.dtype)
    away = (line - middle).abs()[:, None].maximum((line - middle).abs()[None])
    peak = 1.0 / (1.0 + away)
    peak = peak / peak.norm()
    placed = torch.zeros(into.shape, dtype=like.dtype)
    placed[into] = peak.reshape(-1).repeat(len(into))
    return placed


def _unit(x: Tensor) -> Tensor:
    return x / length(x).clamp_min(TINY)
