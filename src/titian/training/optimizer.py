"""AdamW (Loshchilov and Hutter 2019) in the few lines that a small network needs.

torch's own would do as well, but importing `torch.optim` loads its compiler, which takes
longer than training on a few hundred images; and the state here is plain arrays, which is
what a checkpoint holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

#: Decay of the running mean of gradients and of their squares (Kingma and Ba 2015).
BETAS = (0.9, 0.999)

EPSILON = 1e-8


class AdamW:
    """Moves parameters along their gradients.

    Args:
        parameters: tensors that require gradients.
        decay: weight decay, applied to the parameters apart from the gradient.
    """

    def __init__(self, parameters: list[Any], *, decay: float) -> None:
        import torch

        self.parameters = parameters
        self.decay = decay
        self.steps = 0
        self.means = [torch.zeros_like(parameter) for parameter in parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in parameters]

    def step(self, rate: float) -> None:
        """Take one step with learning rate `rate` and clear the gradients."""
        import torch

        self.steps += 1
        first, second = BETAS
        mean_share = 1 - first**self.steps
        square_share = 1 - second**self.steps
        with torch.no_grad():
            for parameter, mean, square in zip(
                self.parameters, self.means, self.squares, strict=True
            ):
                gradient = parameter.grad
                mean.mul_(first).add_(gradient, alpha=1 - first)
                square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
                spread = (square / square_share).sqrt_().add_(EPSILON)
                parameter.mul_(1 - rate * self.decay)
                parameter.addcdiv_(mean, spread, value=-rate / mean_share)
                parameter.grad = None

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return a copy of the state."""
        state = {"steps": np.asarray(self.steps)}
        for place, (mean, square) in enumerate(zip(self.means, self.squares, strict=True)):
            state[f"mean/{place}"] = mean.numpy().copy()
            state[f"square/{place}"] = square.numpy().copy()
        return state

    def load(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Put a state back that `arrays` returned."""
        import torch

        self.steps = int(state["steps"])
        for place, (mean, square) in enumerate(zip(self.means, self.squares, strict=True)):
            mean.copy_(torch.from_numpy(state[f"mean/{place}"]))
            square.copy_(torch.from_numpy(state[f"square/{place}"]))
