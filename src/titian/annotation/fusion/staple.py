"""STAPLE: areas of several workers, brought together with a table of errors per worker.

S. K. Warfield, K. H. Zou and W. M. Wells, IEEE Transactions on Medical Imaging 23 (2004)
903-921; for several labels as in T. Rohlfing, D. B. Russakoff and C. R. Maurer, IEEE TMI 23
(2004) 983-994. Pixels on which all workers say the same share one posterior, so that a region
is reduced to the patterns that occur in it with their pixel counts, and each step of the EM
costs the patterns, not the pixels. Workers keep one table over all regions; a region counts
by the square root of its pixels, so that a few large ones do not speak for all, and a weak
prior keeps tables off 0 and 1 (O. Commowick and S. K. Warfield, MICCAI 2010), which also
makes the EM converge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from titian.annotation.fusion.result import Bools, Floats, Ints

ITERATIONS = 200
TOLERANCE = 1e-7
PRIOR_RIGHT = 9.0  # pseudo-pixels per class on the diagonal of a worker's table
PRIOR_WRONG = 1.0  # pseudo-pixels per class off the diagonal, together


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """What workers say about the pixels of some regions, equal pixels counted together.

    Attributes:
        said: shape (patterns, workers), class codes; -1 where a worker says nothing.
        pixels: shape (patterns,), how many pixels.
        region: shape (patterns,), codes from 0.
    """

    said: Ints
    pixels: Floats
    region: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Staple:
    """Areas brought together.

    Attributes:
        posterior: shape (patterns, classes), rows sum to 1.
        tables: shape (workers, classes, classes): [w, k, l] is the probability that worker w
            says l on a pixel of class k.
        iterations: how many were made.
        converged: no posterior moved by more than the tolerance.
    """

    posterior: Floats
    tables: Floats
    iterations: int
    converged: bool


def patterns_of(
    maps: NDArray[np.integer], worker: Ints, *, workers: int
) -> tuple[Ints, Ints, Ints]:
    """Return the patterns of one region: what is said, pixels of each, pattern of each pixel.

    Args:
        maps: shape (members, pixels), class codes.
        worker: shape (members,), who drew each map, each once.
        workers: number of workers.
    """
    base = int(maps.max(initial=0)) + 2  # -1 counts too
    if base ** len(maps) < 2**16:  # one number per pattern, counted without sorting
        power = base ** np.arange(len(maps), dtype=np.int64)
        number = power @ (maps.astype(np.int64) + 1)
        often = np.bincount(number)
        numbers = np.flatnonzero(often)
        count = often[numbers].astype(np.int64)
        place = np.searchsorted(numbers, number)
        found = (numbers // power[:, None]) % base - 1
    else:
        found, place, count = np.unique(maps, axis=1, return_inverse=True, return_counts=True)
    said = np.full((found.shape[1], workers), -1, dtype=np.int64)
    said[:, worker] = found.T
    return said, count, place.ravel()


def staple(patterns: Patterns, *, classes: int) -> Staple:
    """Estimate the class of each pattern and the workers' tables by EM.

    The prior of a class in a region is its share of what the workers say there, as Warfield
    and others recommend where nothing else is known.
    """
    said, region = patterns.said, patterns.region
    count, workers = said.shape
    onehot = (said[:, :, None] == np.arange(classes)).astype(np.float64)
    regions = int(region.max()) + 1 if count else 0
    size = np.bincount(region, weights=patterns.pixels, minlength=regions)
    # Regions count by their root; together they count as many pixels as there are.
    even = size.sum() / max(float(np.sqrt(size).sum()), 1.0)
    weight = patterns.pixels / np.sqrt(size)[region] * even
    shares = np.zeros((regions, classes))
    np.add.at(shares, region, onehot.sum(axis=1) * patterns.pixels[:, None])
    shares += 1e-6
    shares /= shares.sum(axis=1, keepdims=True)
    posterior = onehot.sum(axis=1) + 1e-6
    posterior /= posterior.sum(axis=1, keepdims=True)
    start = np.full((classes, classes), PRIOR_WRONG / max(classes - 1, 1))
    np.fill_diagonal(start, PRIOR_RIGHT)
    tables = np.broadcast_to(start, (workers, classes, classes))
    flat = onehot.reshape(count, workers * classes)
    steps, converged = 0, count == 0
    while steps < ITERATIONS and not converged:
        steps += 1
        counts = ((posterior * weight[:, None]).T @ flat).reshape(classes, workers, classes)
        tables = counts.transpose(1, 0, 2) + start
        tables = tables / tables.sum(axis=2, keepdims=True)
        logs = np.log(tables).transpose(0, 2, 1).reshape(workers * classes, classes)
        score = flat @ logs + np.log(shares)[region]
        now = np.exp(score - score.max(axis=1, keepdims=True))
        now /= now.sum(axis=1, keepdims=True)
        converged = bool(np.abs(now - posterior).max() < TOLERANCE)
        posterior = now
    return Staple(posterior=posterior, tables=tables, iterations=steps, converged=converged)


def fuse_maps(maps: Ints, *, classes: int) -> tuple[Ints, Floats, Staple]:
    """Fuse label maps of one image, a map a worker.

    Only the rectangle around what anyone labelled takes part, so that the size of an empty
    background does not matter; class 0 is the background.

    Args:
        maps: shape (workers, height, width), class codes; -1 where a worker says nothing.
        classes: number of classes, background included.

    Returns:
        The fused map, shape (height, width); the probability of its class, 1 outside the
        rectangle; and the workers' tables.
    """
    workers, height, width = maps.shape
    label = np.zeros((height, width), dtype=np.int64)
    sure = np.ones((height, width))
    rows = np.flatnonzero((maps > 0).any(axis=(0, 2)))
    columns = np.flatnonzero((maps > 0).any(axis=(0, 1)))
    if not len(rows):
        nothing = Patterns(
            said=np.zeros((0, workers), dtype=np.int64),
            pixels=np.zeros(0),
            region=np.zeros(0, dtype=np.int64),
        )
        return label, sure, staple(nothing, classes=classes)
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cropped = maps[:, inside[0], inside[1]]
    said, count, place = patterns_of(
        cropped.reshape(workers, -1), np.arange(workers), workers=workers
    )
    found = staple(
        Patterns(
            said=said,
            pixels=count.astype(np.float64),
            region=np.zeros(len(said), dtype=np.int64),
        ),
        classes=classes,
    )
    best = found.posterior.argmax(axis=1)
    label[inside] = best[place].reshape(cropped.shape[1:])
    sure[inside] = found.posterior.max(axis=1)[place].reshape(cropped.shape[1:])
    return label, sure, found


def area_of(posterior: Floats, place: NDArray[np.integer], shape: tuple[int, int]) -> Bools:
    """Return where class 1 is more probable than not, shape (height, width)."""
    found: Bools = (posterior[:, 1] >= 0.5 - TOLERANCE)[place].reshape(shape)
    return found
