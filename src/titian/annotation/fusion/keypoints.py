"""Keypoints of several workers, brought together.

Objects are matched by how near their points lie to one another, in sizes of the object (the
similarity of the COCO keypoint challenge, with one width for all points); points are fused by
the workers' precision (`coordinates`), and the visibility of each point is voted with a table
of each worker's confusions (`classes`).
"""

from __future__ import annotations

import numpy as np

from titian.annotation.fusion.classes import most_probable, vote
from titian.annotation.fusion.coordinates import fuse
from titian.annotation.fusion.entries import (
    Entries,
    Part,
    object_annotations,
    object_quality,
)
from titian.annotation.fusion.matching import match
from titian.annotation.fusion.objects import Objects, by_class, by_document, find_objects
from titian.annotation.fusion.result import Bools, Floats, Ints
from titian.annotation.shapes import HIDDEN, Keypoint, Keypoints, Shape

WIDTH = 0.2  # of the object's size: points that far apart are alike by exp(-1/2)
LEAST_SIZE = 1e-9


def merge_keypoints(entries: Entries[Keypoints]) -> Part:
    """Merge keypoints.

    Points are the same point where their names are equal, and without names where their
    places in the list are. Objects without a labelled point do not count. A point is hidden
    where the vote says so; otherwise it lies where those who labelled it put it.
    """
    kept = [i for i, s in enumerate(entries.shapes) if any(p.visibility for p in s.points)]
    empty = len(entries.shapes) - len(kept)
    entries = entries.only(kept, [entries.shapes[i] for i in kept])
    names, place, visible = _tables(entries.shapes)
    objects, size = _objects(entries, place, visible)
    fused, seen = _points(entries, objects, place, visible, size)
    shapes: list[Shape | None] = []
    for g in range(len(objects.real)):
        points = tuple(
            Keypoint(
                x=float(fused[g, k, 0]),
                y=float(fused[g, k, 1]),
                name=names[k][0],
                visibility=int(seen[g, k]),
            )
            for k in range(len(names))
            if seen[g, k] >= 0  # nobody's object has that point
        )
        shown = any(point.visibility for point in points)
        shapes.append(Keypoints(points=points) if shown else None)
    overlap = np.array(
        [
            _alike(place[i], visible[i] > 0, fused[g], seen[g] > 0, float(size[i]))
            for i, g in enumerate(objects.group)
        ]
    )
    annotations, ties = object_annotations(entries, objects, shapes)
    return Part(
        annotations=annotations,
        ties=ties,
        workers=object_quality(entries, objects, overlap),
        notes=(f"{empty} keypoint objects have no labelled point and do not count.",)
        if empty
        else (),
    )


def _tables(shapes: tuple[Keypoints, ...]) -> tuple[list[tuple[str, int]], Floats, Ints]:
    """Return the points' keys, places (n, points, 2) and visibility (n, points; -1: none)."""
    keys: dict[tuple[str, int], int] = {}
    for shape in sorted(shapes, key=lambda s: -len(s.points)):
        for key in _keys(shape):
            keys.setdefault(key, len(keys))
    place = np.zeros((len(shapes), len(keys), 2))
    visible = np.full((len(shapes), len(keys)), -1, dtype=np.int64)
    for i, shape in enumerate(shapes):
        for key, point in zip(_keys(shape), shape.points, strict=True):
            visible[i, keys[key]] = point.visibility
            if point.visibility != HIDDEN:
                place[i, keys[key]] = point.x, point.y
    return list(keys), place, visible


def _keys(shape: Keypoints) -> list[tuple[str, int]]:
    """Return a key of each point: its name, or its place where it has none."""
    return [(p.name, 0) if p.name else ("", k) for k, p in enumerate(shape.points)]


def _objects(
    entries: Entries[Keypoints], place: Floats, visible: Ints
) -> tuple[Objects, Floats]:
    """Match the objects, and return the size of each: the mean of what its members say."""
    n = len(entries.shapes)
    labelled = visible > 0
    own = np.array([_size(place[i][labelled[i]]) for i in range(n)])
    # An object of one point has no size of its own: a typical one stands in.
    own = np.where(
        own > LEAST_SIZE, own, np.median(own[own > LEAST_SIZE]) if own.any() else 1.0
    )
    group = np.empty(n, dtype=np.int64)
    used = 0
    for places in by_document(entries.document):
        first = [place[i][labelled[i]].sum(axis=0) for i in places]
        keys = [
            (*map(float, at), int(entries.label[i]))
            for at, i in zip(first, places, strict=True)
        ]
        places = places[sorted(range(len(places)), key=keys.__getitem__)]
        alike = np.eye(len(places))
        for a, i in enumerate(places):
            for b, j in enumerate(places[:a]):
                size = float(own[i] + own[j]) / 2.0
                alike[a, b] = alike[b, a] = _alike(
                    place[i], labelled[i], place[j], labelled[j], size
                )
        found = match(
            by_class(alike, entries.label[places]),
            entries.worker[places],
            least=entries.least_overlap,
        )
        group[places] = found + used
        used += int(found.max()) + 1
    objects = find_objects(
        group,
        document=entries.document,
        worker=entries.worker,
        label=entries.label,
        read=entries.read,
        classes=len(entries.labels),
    )
    count = np.bincount(objects.group)
    mean = np.bincount(objects.group, weights=own) / count
    return objects, mean[objects.group]


def _size(points: Floats) -> float:
    """Return the square root of the area around some points; long thin ones count by length."""
    around = np.ptp(points, axis=0)
    return float(np.sqrt(max(around[0] * around[1], (around.max() / 2.0) ** 2)))


def _alike(
    place: Floats, labelled: Bools, other: Floats, other_labelled: Bools, size: float
) -> float:
    """Return the mean similarity of the points that both label; 0 where there is none."""
    both = labelled & other_labelled
    if not both.any():
        return 0.0
    away = ((place[both] - other[both]) ** 2).sum(axis=1)
    return float(np.exp(-away / (2.0 * (WIDTH * size) ** 2)).mean())


def _points(
    entries: Entries[Keypoints], objects: Objects, place: Floats, visible: Ints, size: Floats
) -> tuple[Floats, Ints]:
    """Return places (objects, points, 2) and visibility (objects, points; -1: no point)."""
    count, points, workers = len(objects.real), visible.shape[1], len(entries.workers)
    said = np.full((count * points, workers), -1, dtype=np.int64)
    row = objects.group[:, None] * points + np.arange(points)
    said[row, entries.worker[:, None]] = visible
    known = (said >= 0).any(axis=1)
    seen = np.full(count * points, -1, dtype=np.int64)
    if known.any():
        weight = np.repeat(objects.real, points)[known]
        seen[known] = most_probable(vote(said[known], weight, classes=3).posterior)
    found = np.zeros((count * points, 2))
    mark, point = np.nonzero(visible > 0)
    things, thing = np.unique(row[mark, point], return_inverse=True)
    scale = np.ones((len(things), 1))
    scale[thing, 0] = size[mark]
    found[things] = fuse(
        place[mark, point], thing, entries.worker[mark], size=scale, workers=workers
    ).value
    nowhere = np.ones(count * points, dtype=bool)
    nowhere[things] = False
    seen[nowhere & (seen > 0)] = HIDDEN
    found[seen <= 0] = 0.0
    return found.reshape(count, points, 2), seen.reshape(count, points)
