"""The set of inputs an adversary may choose from: a norm ball cut with the valid range."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

Tensor = Any
TINY: Final = 1e-12
SLACK: Final = 1e-5  # of rounding in float32, relative to the largest value


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball:
    """Inputs no further than `eps` from a case, inside the range.

    Attributes:
        norm: ``inf`` (largest change of a value) or ``2`` (Euclidean length of the change).
        eps: radius, in the units of the input.
        low: least valid value.
        high: greatest valid value.
    """

    norm: str
    eps: float
    low: float
    high: float

    def project(self, x: Tensor, centre: Tensor) -> Tensor:
        """Return the points of the ball near `x`; cutting to the range never leaves it."""
        if self.norm == "inf":
            near = x.maximum(centre - self.eps).minimum(centre + self.eps)
        else:
            change = x - centre
            near = centre + change * (self.eps / length(change).clamp_min(TINY)).clamp_max(1.0)
        return near.clamp(self.low, self.high)

    def ascent(self, gradient: Tensor) -> Tensor:
        """Return the steepest direction of unit norm; 0 where the gradient is 0."""
        if self.norm == "inf":
            return gradient.sign()
        return gradient / length(gradient).clamp_min(TINY)

    def start(self, x: Tensor, generator: Any) -> Tensor:  # noqa: ANN401 - torch's generator
        """Return a random point of the ball around each case."""
        import torch

        if self.norm == "inf":
            drawn = torch.rand(x.shape, generator=generator, dtype=x.dtype) * 2 - 1
            return self.project(x + self.eps * drawn, x)
        drawn = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return self.project(x + self.eps * drawn / length(drawn).clamp_min(TINY), x)

    def holds(self, x: Tensor, centre: Tensor) -> Tensor:
        """Return which points lie in the ball and the range, up to rounding."""
        change = (x - centre).flatten(1).double()
        size = change.abs().amax(1) if self.norm == "inf" else change.norm(dim=1)
        slack = SLACK * max(self.eps, abs(self.low), abs(self.high), 1.0)
        flat = x.flatten(1)
        inside = (flat >= self.low - slack).all(1) & (flat <= self.high + slack).all(1)
        return (size <= self.eps + slack) & inside

    def widest(self, features: int) -> Ball:
        """Return the ball that holds the whole range, whatever the case."""
        span = self.high - self.low
        return replace(self, eps=span if self.norm == "inf" else span * math.sqrt(features))


def length(x: Tensor) -> Tensor:
    """Return the Euclidean length of each case, shaped to broadcast over it."""
    return x.flatten(1).norm(dim=1).reshape(-1, *([1] * (x.ndim - 1)))
