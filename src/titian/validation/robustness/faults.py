"""Models planted where the checks must see them: proof that an attack can fail and can win.

The fragile model reads one linear direction of the very cases that are attacked, and steeply:
whatever the cases, half of the ball reaches across its boundary. The masked one answers the
same, on inputs that were rounded, so that its gradients are 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from titian.validation.robustness.ball import Ball
from titian.validation.robustness.checks import FRAGILE, MASKED
from titian.validation.robustness.ladder import Budget, Robustness, attack
from titian.validation.robustness.masking import look_for_masking
from titian.validation.robustness.samples import Samples
from titian.validation.robustness.victim import victim_of
from titian.values import Control

CASES = 32
REACH = 0.5  # of eps: the boundary lies this far from a case
LEVELS = 64  # that the masked model rounds its input to
SMALL = Budget(apgd_steps=10, target_steps=10, first_queries=100, queries=200)


def fragile(found: Robustness) -> Callable[[Any], Any]:
    """Return a binary model of the sum of all values, steep around the middle of the range."""

    def model(x: Any) -> Any:  # noqa: ANN401 - torch's tensors
        import torch

        middle = (found.range[0] + found.range[1]) / 2
        value = 100.0 * (x.flatten(1) - middle).sum(1, keepdim=True)
        return torch.cat([-value, value], dim=1)

    return model


def masked(found: Robustness) -> Callable[[Any], Any]:
    """Return the fragile model on rounded inputs: the same answers, and no gradients."""
    inner = fragile(found)
    span = found.range[1] - found.range[0]

    def model(x: Any) -> Any:  # noqa: ANN401 - torch's tensors
        return inner((x * (LEVELS / span)).round() * (span / LEVELS)) + 0.0 * x.sum()

    return model


def planted_cases(samples: Samples, found: Robustness, *, seed: int) -> Samples:
    """Return cases of the data's shape on both sides of the boundary, within reach of it."""
    rng = np.random.default_rng([seed, 11])
    low, high = found.range
    shape = samples.x.shape[1:]
    values = int(np.prod(shape))
    side = np.resize([-1.0, 1.0], CASES)
    per_value = found.eps if found.norm == "inf" else found.eps / np.sqrt(values)
    away = min(REACH * per_value, 0.25 * (high - low))
    drawn = rng.uniform(-1, 1, (CASES, values))
    drawn -= drawn.mean(axis=1, keepdims=True)
    spread = 0.1 * (high - low) / max(1e-12, float(np.abs(drawn).max()))
    x = (low + high) / 2 + spread * drawn + away * side[:, None]
    return Samples(
        x=np.clip(x, low, high).astype(np.float32).reshape(CASES, *shape),
        y=(side > 0).astype(np.int64),
    )


def controls(samples: Samples, found: Robustness, *, seed: int = 0) -> tuple[Control, ...]:
    """Attack a planted fragile model and a planted masked one as the run attacked its own."""
    cases = planted_cases(samples, found, seed=seed)
    ball = Ball(norm=found.norm, eps=found.eps, low=found.range[0], high=found.range[1])
    weak = victim_of(fragile(found), cases, name="planted")
    fallen = attack(
        weak, cases, norm=ball.norm, eps=ball.eps, valid=found.range, seed=seed, budget=SMALL
    )
    hidden = victim_of(masked(found), cases, name="planted")
    held = attack(
        hidden, cases, norm=ball.norm, eps=ball.eps, valid=found.range, seed=seed, budget=SMALL
    )
    signs = look_for_masking(hidden, cases, held, seed=seed).signs
    robust = fallen.robust.value or 0.0
    return (
        Control(
            check=FRAGILE,
            fault="a model whose boundary lies half of eps from every case",
            found=robust == 0.0,
            detail=f"robust accuracy {robust:.1%} of {fallen.n} cases",
            false_alarm_rate=0.0,
        ),
        Control(
            check=MASKED,
            fault=f"the same model on inputs rounded to {LEVELS} levels: no gradients",
            found=bool(signs),
            detail="; ".join(signs) or "no sign",
            false_alarm_rate=0.0,
        ),
    )
