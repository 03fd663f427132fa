"""Outlines of areas of cells: traced along the cells' sides, then thinned.

Thinning is that of D. Douglas and T. Peucker, The Canadian Cartographer 10 (1973) 112-122.
"""

from __future__ import annotations

import numpy as np

from titian.annotation.fusion.result import Bools, Floats

THINNED = 0.6  # cells: the steps of a slanted side stay within it
SPECK = 0.005  # of the whole area: smaller parts are dropped


def fill(rings: list[Floats], *, width: int, height: int) -> Bools:
    """Return the cells whose centres lie in a ring, by the even-odd rule; rings are united.

    The rule is that of `titian.annotation.masks.rasterise`; every side meets every row at once.
    """
    area = np.zeros((height, width), dtype=bool)
    for ring in rings:
        x, y = ring.T
        next_x, next_y = np.roll(x, -1), np.roll(y, -1)
        # Rows whose centre a side crosses: the lower end counts, the upper one does not.
        first = np.clip(np.ceil(np.minimum(y, next_y) - 0.5), 0, height).astype(np.int64)
        last = np.clip(np.ceil(np.maximum(y, next_y) - 0.5), 0, height).astype(np.int64)
        rows = last - first
        side = np.repeat(np.arange(len(ring)), rows)
        row = np.arange(len(side)) - np.repeat(np.cumsum(rows) - rows, rows) + first[side]
        share = (row + 0.5 - y[side]) / (next_y[side] - y[side])
        at = x[side] + share * (next_x[side] - x[side])
        column = np.clip(np.ceil(at - 0.5), 0, width).astype(np.int64)
        turns = np.zeros((height, width + 1), dtype=np.int64)
        np.add.at(turns, (row, column), 1)
        area |= np.cumsum(turns, axis=1)[:, :-1] % 2 == 1
    return area


def outlines(area: Bools) -> list[Floats]:
    """Return the outer outline of each part, shape (points, 2) as x and y in cells.

    Holes are filled and specks dropped. Parts that touch at a corner only are two.

    Args:
        area: shape (height, width); cell (0, 0) covers x and y from 0 to 1.
    """
    rings = [ring for ring in _rings(area) if _area(ring) > 0]
    whole = sum(_area(ring) for ring in rings)
    kept = [ring for ring in rings if _area(ring) >= SPECK * whole]
    kept.sort(key=lambda ring: (-_area(ring), *ring.min(axis=0)))
    return [_thin_ring(_middles(ring)) for ring in kept]


def _rings(area: Bools) -> list[Floats]:
    """Return closed walks along the sides with the area on the right hand.

    Walked so, with y downwards, outer rings turn clockwise and have positive area.
    """
    padded = np.pad(area, 1)
    inner = padded[1:-1, 1:-1]
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    sides = (
        (inner & ~padded[:-2, 1:-1], (0, 0), (1, 0)),  # top: to the right
        (inner & ~padded[1:-1, 2:], (1, 0), (1, 1)),  # right: down
        (inner & ~padded[2:, 1:-1], (1, 1), (0, 1)),  # bottom: to the left
        (inner & ~padded[1:-1, :-2], (0, 1), (0, 0)),  # left: up
    )
    for where, start, end in sides:
        for row, column in zip(*(found.tolist() for found in np.nonzero(where)), strict=True):
            first = (column + start[0], row + start[1])
            following.setdefault(first, []).append((column + end[0], row + end[1]))
    rings = []
    while following:
        first = next(iter(following))
        walk, here, heading = [first], first, (0, 0)
        while True:
            choices = following[here]
            there = choices[0]
            if len(choices) == 2:  # two cells touch at this corner: stay with the one on hand
                right = (here[0] - heading[1], here[1] + heading[0])
                there = right if right in choices else there
            choices.remove(there)
            if not choices:
                del following[here]
            heading, here = (there[0] - here[0], there[1] - here[1]), there
            if here == first:
                break
            walk.append(here)
        rings.append(np.array(walk, dtype=np.float64))
    return rings


def _area(ring: Floats) -> float:
    x, y = ring.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2.0


def _middles(ring: Floats) -> Floats:
    """Return the middles of the sides, which lie nearer a slanted line than the corners."""
    found: Floats = (ring + np.roll(ring, -1, axis=0)) / 2.0
    return found


def _thin_ring(ring: Floats) -> Floats:
    """Thin a closed ring, from the two points that lie farthest from its middle and apart."""
    first = int(((ring - ring.mean(axis=0)) ** 2).sum(axis=1).argmax())
    turned = np.roll(ring, -first, axis=0)
    second = int(((turned - turned[0]) ** 2).sum(axis=1).argmax())
    one = thin(turned[: second + 1], within=THINNED)
    two = thin(np.concatenate([turned[second:], turned[:1]]), within=THINNED)
    kept = np.concatenate([turned[: second + 1][one][:-1], turned[second:][two[:-1]]])
    return kept if len(kept) >= 3 else turned


def thin(points: Floats, *, within: float) -> list[int]:
    """Return the places of the points that a line of straight pieces needs.

    Args:
        points: shape (n, 2), n >= 1.
        within: greatest distance of a dropped point from the line.
    """
    kept, todo = {0, len(points) - 1}, [(0, len(points) - 1)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        base, way = points[first], points[last] - points[first]
        inside = points[first + 1 : last] - base
        length = float(np.hypot(*way))
        if length > 0:
            along = np.clip(inside @ way / length**2, 0.0, 1.0)[:, None] * way
            inside = inside - along
        away = np.hypot(inside[:, 0], inside[:, 1])
        worst = int(away.argmax())
        if away[worst] > within:
            middle = first + 1 + worst
            kept.add(middle)
            todo += [(first, middle), (middle, last)]
    return sorted(kept)
