"""Placing the border of an area by the workers' precision.

A vote per pixel, STAPLE's too, asks of each pixel which side it is on; how far off a border
lies does not count, so that three equal workers give their middle border and not their mean.
Here each worker's area is a signed distance to its border (shape-based averaging; T. Rohlfing
and C. R. Maurer, IEEE Transactions on Image Processing 16 (2007) 153-161), and the distances
are fused as other numbers are (`coordinates`): by precision, less each worker's own shift.
"""

from __future__ import annotations

import numpy as np

from titian.annotation.fusion.coordinates import FREEDOM, FusedNumbers, fuse
from titian.annotation.fusion.result import Bools, Floats, Ints

SAMPLES = 64  # cells of each area's border from which the workers' precision is learned
LEAST_SPREAD = 1e-4  # in sizes


def signed_distance(cells: Bools) -> Floats:
    """Return the distance of each cell's centre from the border, positive inside, in cells."""
    from scipy.ndimage import distance_transform_edt

    wide = np.pad(cells, 1)
    inside: Floats = distance_transform_edt(wide)[1:-1, 1:-1]
    outside: Floats = distance_transform_edt(~wide)[1:-1, 1:-1]
    found: Floats = np.where(cells, inside - 0.5, 0.5 - outside)
    return found


def border_cells(cells: Bools) -> Ints:
    """Return up to `SAMPLES` flat places of cells inside, next to one outside."""
    padded = np.pad(cells, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    places = np.flatnonzero(cells & ~core)
    step = max(len(places) // SAMPLES, 1)
    return places[::step]


def learn(
    areas: list[Bools], maps: list[list[Bools]], worker: list[Ints], *, workers: int
) -> FusedNumbers:
    """Learn each worker's shift and spread along the borders of voted areas.

    Args:
        areas: the voted areas, one per object.
        maps: what each member of the object drew, on the same cells.
        worker: who drew it.
        workers: number of workers.
    """
    values, thing, who, sizes = [], [], [], []
    used = 0
    for area, drawn, names in zip(areas, maps, worker, strict=True):
        if len(drawn) < 2:
            continue
        places = border_cells(area)
        for cells, name in zip(drawn, names, strict=True):
            values.append(signed_distance(cells).ravel()[places])
            thing.append(used + np.arange(len(places)))
            who.append(np.full(len(places), name))
        sizes.append(np.full(len(places), np.sqrt(np.count_nonzero(area))))
        used += len(places)
    if not values:
        empty = np.zeros(0, dtype=np.int64)
        return fuse(np.zeros((0, 1)), empty, empty, size=np.ones((0, 1)), workers=workers)
    return fuse(
        np.concatenate(values)[:, None],
        np.concatenate(thing),
        np.concatenate(who),
        size=np.concatenate(sizes)[:, None],
        workers=workers,
    )


def place(area: Bools, drawn: list[Bools], worker: Ints, learned: FusedNumbers) -> Bools:
    """Return the area whose border lies at the workers' weighted mean.

    Args:
        area: the voted area.
        drawn: what each member drew, on the same cells.
        worker: who drew it.
        learned: the workers' shifts and spreads.
    """
    if all((cells == drawn[0]).all() for cells in drawn[1:]):
        return drawn[0]
    size = float(np.sqrt(np.count_nonzero(area)))
    spread = np.maximum(learned.spread[worker], LEAST_SPREAD) * size
    shift = learned.shift[worker, 0] * size
    distance = np.stack([signed_distance(cells) for cells in drawn]) - shift[:, None, None]
    precision = 1.0 / spread**2
    middle = np.median(distance, axis=0)
    for _ in range(3):
        off = (distance - middle) ** 2 * precision[:, None, None]
        weight = precision[:, None, None] * (FREEDOM + 1.0) / (FREEDOM + off)
        middle = (weight * distance).sum(axis=0) / weight.sum(axis=0)
    found: Bools = middle > 0
    return found if found.any() else area
