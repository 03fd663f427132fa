"""Drawing ultrasound-like pictures of lesions: simulated, and looking no better than that.

An echo map (tissue layers, a dark lesion, what lies behind it) multiplies a speckle field:
the envelope of complex Gaussian noise that is smoothed by the scanner's point spread, as in
the textbook model of fully developed speckle (Rayleigh envelope). Log compression and gain
belong to the scanner. Benign lesions are smooth ovals, wider than tall, bright behind;
malignant ones are ragged, taller, and throw a shadow. Both kinds vary, and overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """What a machine does to every picture.

    Attributes:
        manufacturer: for the DICOM header; a made-up name.
        model: likewise.
        rows: height of a picture in pixels.
        columns: width of a picture in pixels.
        spread: point spread along and across the beam, standard deviation in pixels.
        gain: brightness added after compression, as a share of full scale.
        range_db: dynamic range that full scale spans.
    """

    manufacturer: str
    model: str
    rows: int
    columns: int
    spread: tuple[float, float]
    gain: float
    range_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """One patient's lesion, as the picture shows it.

    Attributes:
        radius: mean, as a share of the picture's height.
        flatness: width over height; above 1 lies wider than tall.
        raggedness: relative size of the margin's bumps; 0 is an ellipse.
        behind: echo behind the lesion relative to its surroundings; below 1 is a shadow.
        echo: inside the lesion, relative to its surroundings.
        margin: seed of the margin's bumps, so that pictures of one lesion are alike.
    """

    radius: float
    flatness: float
    raggedness: float
    behind: float
    echo: float
    margin: int


def draw_lesion(*, malignant: bool, rng: np.random.Generator) -> Lesion:
    """Draw one patient's lesion; the two kinds overlap in every property."""
    return Lesion(
        radius=rng.uniform(0.13, 0.21),
        flatness=rng.normal(1.0 if malignant else 1.35, 0.15),
        raggedness=max(rng.normal(0.24 if malignant else 0.07, 0.06), 0.0),
        behind=rng.lognormal(-0.55 if malignant else 0.12, 0.3),
        echo=rng.uniform(0.12, 0.4),
        margin=int(rng.integers(2**31)),
    )


def draw_picture(
    lesion: Lesion, scanner: Scanner, *, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw one picture of a lesion: a new place, a new plane, new speckle.

    Returns:
        Shape (scanner.rows, scanner.columns), 0 to 255.
    """
    from scipy.ndimage import gaussian_filter

    rows, columns = scanner.rows, scanner.columns
    depth, across = np.meshgrid(
        np.linspace(0, 1, rows), np.linspace(0, columns / rows, columns), indexing="ij"
    )
    echo = _tissue(depth, across, rng)
    top = rng.uniform(0.33, 0.5)
    left = rng.uniform(0.35, columns / rows - 0.35)
    scale = lesion.radius * rng.uniform(0.85, 1.15)
    down, right = (depth - top) / scale, (across - left) / scale
    angle = np.arctan2(down, right)
    edge = _margin(angle, lesion) / np.hypot(
        np.cos(angle) / lesion.flatness, np.sin(angle) * lesion.flatness
    )
    soft = 0.04 / scale  # the margin is as sharp as the beam allows
    inside = 1 / (1 + np.exp(np.clip((np.hypot(down, right) - edge) / soft, -30, 30)))
    shade = _behind(inside, depth, top) * np.log(max(lesion.behind, 0.05))
    echo = echo * np.exp(shade) * (1 - inside * (1 - lesion.echo))
    noise = rng.normal(size=(2, rows, columns))
    field = [gaussian_filter(part, scanner.spread, mode="reflect") for part in noise]
    envelope = np.hypot(field[0], field[1])
    envelope /= np.sqrt(np.mean(envelope**2))
    decibel = 20 * np.log10(np.maximum(envelope * echo, 1e-4))
    grey = 0.72 + decibel / scanner.range_db + scanner.gain + rng.normal(0, 0.02)
    return np.asarray(np.clip(np.rint(grey * 255), 0, 255), dtype=np.uint8)


def _tissue(
    depth: NDArray[np.float64], across: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return layered tissue: bright skin, wavy fibrous planes, echoes fading with depth."""
    echo = np.exp(-0.6 * depth) * (1 + 1.2 * np.exp(-((depth / 0.05) ** 2)))
    for _ in range(4):
        wave = rng.uniform(0.02, 0.05) * np.sin(
            across * rng.uniform(3, 9) + rng.uniform(0, 2 * np.pi)
        )
        plane = rng.uniform(0.1, 0.95) + wave
        echo += rng.uniform(0.2, 0.9) * np.exp(-(((depth - plane) / 0.02) ** 2))
    return np.asarray(echo)


def _margin(angle: NDArray[np.float64], lesion: Lesion) -> NDArray[np.float64]:
    """Return the margin's distance by direction, about 1."""
    bumps = np.random.default_rng(lesion.margin)
    distance = np.ones_like(angle)
    for order in range(3, 9):
        height = lesion.raggedness * bumps.normal(0, 0.55) / np.sqrt(order / 3)
        distance += height * np.cos(order * angle + bumps.uniform(0, 2 * np.pi))
    return np.asarray(np.maximum(distance, 0.3))


def _behind(
    inside: NDArray[np.float64], depth: NDArray[np.float64], top: float
) -> NDArray[np.float64]:
    """Return 1 under the lesion, by how much of it lies above, and 0 beside it."""
    covered = np.clip(inside.cumsum(axis=0) / (0.15 * len(depth)), 0, 1)
    return np.asarray(covered * (1 - inside) * (depth > top))
