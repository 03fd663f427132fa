"""Areas as pixels: run lengths to arrays and back, and polygons to pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from titian.annotation.shapes import Mask, Polygon

Pixels = NDArray[np.bool_]


def encode_mask(pixels: Pixels) -> Mask:
    """Return the run lengths of an area of shape (height, width)."""
    height, width = pixels.shape
    flat = np.asarray(pixels, dtype=bool).ravel(order="F")
    if not flat.size:
        return Mask(width=width, height=height, counts=())
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return Mask(width=width, height=height, counts=tuple([0, *counts] if flat[0] else counts))


def decode_mask(mask: Mask) -> Pixels:
    """Return the area, shape (height, width); the run lengths must be valid."""
    inside = np.arange(len(mask.counts)) % 2 == 1
    flat = np.repeat(inside, np.asarray(mask.counts, dtype=np.int64))
    return flat.reshape((mask.height, mask.width), order="F")


def rasterise(polygon: Polygon, *, width: int, height: int) -> Pixels:
    """Return the pixels whose centres lie in one of the polygon's parts.

    A part is filled by the even-odd rule, row by row.
    """
    area = np.zeros((height, width), dtype=bool)
    for ring in polygon.rings:
        area |= _fill(np.asarray(ring, dtype=np.float64), width=width, height=height)
    return area


def _fill(ring: NDArray[np.float64], *, width: int, height: int) -> Pixels:
    area = np.zeros((height, width), dtype=bool)
    x, y = ring[:, 0], ring[:, 1]
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    first = max(0, int(np.floor(y.min())))
    last = min(height, int(np.ceil(y.max())) + 1)
    for row in range(first, last):
        centre = row + 0.5
        crosses = (y <= centre) != (next_y <= centre)
        if not crosses.any():
            continue
        share = (centre - y[crosses]) / (next_y[crosses] - y[crosses])
        at = np.sort(x[crosses] + share * (next_x[crosses] - x[crosses]))
        columns = np.clip(np.ceil(at - 0.5), 0, width).astype(int)
        for left, right in zip(columns[::2], columns[1::2], strict=True):
            area[row, left:right] = True
    return area
