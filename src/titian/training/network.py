"""The recipe ``cnn``: a small convolutional network, made for hundreds of images.

Initial weights come from a NumPy generator, the order of cases and every augmentation
from one generator per epoch. No random state outlives an epoch, so a run that was killed
carries on from its last epoch with the very numbers it would have drawn.

torch runs on one thread here: the order of every sum is then the same on two cores and
on sixty-four.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.errors import EnvironmentFault, Problem
from titian.training.calibration import Codes, Scores

Pixels = npt.NDArray[np.float32]
Weights = dict[str, npt.NDArray[Any]]

#: (channels, stride) of each 3 x 3 convolution.
LAYERS = ((12, 2), (24, 2), (48, 2), (64, 1))

EVALUATION_CASES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """What happens to pixels before the first convolution, here and in the graph.

    Attributes:
        size: side in pixels of the square that every image is resized to.
        mean: of all training pixels after resizing.
        scale: standard deviation of them.
    """

    size: int
    mean: float
    scale: float

    def apply(self, pixels: Pixels) -> Pixels:
        """Return normalised pixels."""
        return (pixels - np.float32(self.mean)) / np.float32(self.scale)


def build_network(classes: int, *, seed: int) -> Any:  # noqa: ANN401 - torch comes late
    """Return a ``torch.nn.Sequential`` with He's initial weights (He et al. 2015)."""
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    channels = 1
    for width, stride in LAYERS:
        layers += [
            nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    network = nn.Sequential(*layers)
    rng = np.random.default_rng([seed, 2])
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.Conv2d):
                spread = np.sqrt(2.0 / (layer.in_channels * 9))
                drawn = rng.standard_normal(tuple(layer.weight.shape)) * spread
                layer.weight.copy_(torch.from_numpy(drawn.astype(np.float32)))
            elif isinstance(layer, nn.Linear):
                drawn = rng.standard_normal(tuple(layer.weight.shape)) * 0.01
                layer.weight.copy_(torch.from_numpy(drawn.astype(np.float32)))
                layer.bias.zero_()
    # torch's own stubs leave this argument out.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def as_tensor(inputs: Pixels) -> Any:  # noqa: ANN401 - torch comes late
    """Return a tensor with channels innermost, which convolutions read a third faster."""
    import torch

    return torch.from_numpy(inputs).to(memory_format=torch.channels_last)


def logits_of(network: Any, inputs: Pixels) -> Scores:  # noqa: ANN401 - torch comes late
    """Return the network's logits in evaluation mode, shape (n, k).

    Args:
        network: from `build_network`.
        inputs: normalised pixels, shape (n, 1, s, s).
    """
    import torch

    network.eval()
    with torch.inference_mode():
        parts = [
            network(as_tensor(inputs[start : start + EVALUATION_CASES])).numpy()
            for start in range(0, len(inputs), EVALUATION_CASES)
        ]
    return np.concatenate(parts).astype(np.float64)


def weights_of(network: Any) -> Weights:  # noqa: ANN401 - torch comes late
    """Return a copy of every weight and running statistic."""
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def load_weights(network: Any, weights: Weights) -> None:  # noqa: ANN401 - torch comes late
    """Put weights back."""
    import torch

    network.load_state_dict({n: torch.from_numpy(v.copy()) for n, v in weights.items()})


@contextmanager
def reproducible() -> Iterator[None]:
    """Run torch on one thread with deterministic algorithms only; put both back after.

    Raises:
        EnvironmentFault: T-T010, torch is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise EnvironmentFault(missing("torch")) from error
    threads, strict = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    torch.set_num_threads(1)
    # `torch.use_deterministic_algorithms` would load the compiler, which takes seconds.
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(strict)


def missing(library: str) -> Problem:
    """Say that a library for training is not installed."""
    return Problem(
        code="T-T010",
        message=f"training needs {library}, which is not installed here.",
        remedy="Install it with: pip install 'titian[train]'",
    )


def augment(inputs: Pixels, rng: np.random.Generator) -> Pixels:
    """Return changed copies of normalised pixels: mirror, shift, gain, offset and noise.

    Each case is mirrored left to right with probability 1/2, shifted by at most a tenth of
    its side with its edge repeated, multiplied by 0.85 to 1.15, moved by at most 0.15 and
    overlaid with noise of 0.05 standard deviations.

    Args:
        inputs: shape (n, 1, s, s).
        rng: draws every change.
    """
    n, _, side, _ = inputs.shape
    reach = max(1, side // 10)
    padded = np.pad(inputs, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
    mirrored = rng.random((n,)) < 0.5
    corner = rng.integers(0, 2 * reach + 1, size=(n, 2))
    gain = rng.uniform(0.85, 1.15, size=(n, 1, 1, 1)).astype(np.float32)
    offset = rng.uniform(-0.15, 0.15, size=(n, 1, 1, 1)).astype(np.float32)
    changed = np.empty_like(inputs)
    for case in range(n):
        top, left = corner[case]
        window = padded[case, :, top : top + side, left : left + side]
        changed[case] = window[:, :, ::-1] if mirrored[case] else window
    noise = rng.standard_normal(inputs.shape, dtype=np.float32) * np.float32(0.05)
    return changed * gain + offset + noise


def class_shares(codes: Codes, classes: int) -> Scores:
    """Return the share of each class, shape (k,)."""
    return np.bincount(codes, minlength=classes) / len(codes)
