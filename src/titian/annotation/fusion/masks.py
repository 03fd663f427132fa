"""Masks and polygons of several workers, brought together.

Areas are matched across workers by intersection over union and judged as boxes are (`objects`);
the area of an object is fused by STAPLE (`staple`) within the rectangle around its members.
Masks are fused pixel by pixel. Polygons are laid on a grid of their own, fused, and traced
back (`outlines`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.fusion import borders
from titian.annotation.fusion.entries import (
    Entries,
    Part,
    object_annotations,
    object_quality,
)
from titian.annotation.fusion.matching import match
from titian.annotation.fusion.objects import Objects, by_class, by_document, find_objects
from titian.annotation.fusion.outlines import fill, outlines
from titian.annotation.fusion.result import Bools, Floats, Ints
from titian.annotation.fusion.staple import Patterns, area_of, patterns_of, staple
from titian.annotation.masks import decode_mask, encode_mask
from titian.annotation.shapes import Document, Image, Mask, Polygon, Shape, Video

CELLS = 256  # along the longer side of a polygon object's grid: half a cell is 0.2 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The part of a grid that holds an area.

    Attributes:
        left: column of the first cell.
        top: row of the first cell.
        cells: shape (height, width).
    """

    left: int
    top: int
    cells: Bools

    @property
    def size(self) -> float:
        """The number of cells inside."""
        return float(np.count_nonzero(self.cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedAreas:
    """Areas brought together, one per object.

    Attributes:
        objects: what was found.
        areas: one per object.
        overlap: shape (n,), of each area given with the fused area of its object.
        sensitivity: shape (workers,), estimated share of an object's cells that a worker
            marks, where the worker marks the object.
        specificity: shape (workers,), estimated share of the other cells of the rectangle
            around the object that a worker leaves out.
    """

    objects: Objects
    areas: tuple[Area, ...]
    overlap: Floats
    sensitivity: Floats
    specificity: Floats


def merge_masks(entries: Entries[Mask]) -> Part:
    """Merge masks; see `fuse_areas`. Masks without a pixel do not count."""
    kept, areas = [], []
    for i, mask in enumerate(entries.shapes):
        area = crop(decode_mask(mask))
        if area is not None:
            kept.append(i)
            areas.append(area)
    empty = len(entries.shapes) - len(kept)
    entries = entries.only(kept, [entries.shapes[i] for i in kept])
    fused = _fuse(entries, areas)
    size = {
        int(d): (m.height, m.width)
        for d, m in zip(entries.document, entries.shapes, strict=True)
    }
    shapes: list[Shape | None] = [
        _mask(area, size[int(d)])
        for area, d in zip(fused.areas, fused.objects.document, strict=True)
    ]
    annotations, ties = object_annotations(entries, fused.objects, shapes)
    return Part(
        annotations=annotations,
        ties=ties,
        workers=object_quality(entries, fused.objects, fused.overlap),
        notes=(f"{empty} masks have no pixel and do not count.",) if empty else (),
    )


def merge_polygons(entries: Entries[Polygon]) -> Part:
    """Merge polygons; see `fuse_areas`.

    A polygon that crosses itself is filled by the even-odd rule. Parts beyond the image are
    cut off the fused outline. Where the fused area is what one worker drew, that outline is
    given back; holes are filled and specks below 0.5 % of the area dropped.
    """
    areas: list[Area | None] = [None] * len(entries.shapes)
    grids: list[tuple[Floats, float]] = [(np.zeros(2), 1.0)] * len(entries.shapes)
    for places in by_document(entries.document):
        aside = further = 0
        for lot in _near(entries, places):
            origin, step = _grid(entries, lot)
            # Lots lie side by side, so that areas on different grids do not overlap.
            grid = (origin - np.array([aside * step, 0.0]), step)
            for i in lot:
                grids[i] = grid
                areas[i] = area = _cells(entries.shapes[i], *grid)
                if area is not None:
                    further = max(further, area.left + area.cells.shape[1])
            aside = further + 1
    kept = [i for i, area in enumerate(areas) if area is not None]
    flat = len(areas) - len(kept)
    crossing = sum(crosses(polygon) for polygon in entries.shapes)
    entries = entries.only(kept, [entries.shapes[i] for i in kept])
    grids = [grids[i] for i in kept]
    fused = _fuse(entries, [area for area in areas if area is not None])
    member = [np.flatnonzero(fused.objects.group == g) for g in range(len(fused.areas))]
    shapes: list[Shape | None] = [
        _polygon(
            area,
            [entries.shapes[i] for i in rows if fused.overlap[i] == 1.0],
            grids[int(rows[0])],
            entries.documents[int(entries.document[rows[0]])],
        )
        for area, rows in zip(fused.areas, member, strict=True)
    ]
    notes = []
    if flat:
        notes.append(f"{flat} polygons have no area and do not count.")
    if crossing:
        notes.append(
            f"{crossing} polygons cross themselves; they are filled by the even-odd rule."
        )
    annotations, ties = object_annotations(entries, fused.objects, shapes)
    return Part(
        annotations=annotations,
        ties=ties,
        workers=object_quality(entries, fused.objects, fused.overlap),
        notes=tuple(notes),
    )


def fuse_areas(
    areas: list[Area],
    document: Ints,
    *,
    worker: Ints,
    label: Ints,
    read: Bools,
    classes: int,
    least_overlap: float = 0.4,
) -> FusedAreas:
    """Fuse areas of several workers.

    Args:
        areas: n areas, those of one document on one grid wherever they overlap.
        document: shape (n,), codes from 0.
        worker: shape (n,), codes from 0.
        label: shape (n,), codes from 0.
        read: shape (documents, workers), who read what.
        classes: number of classes.
        least_overlap: intersection over union below which areas are different objects.
    """
    group = np.empty(len(areas), dtype=np.int64)
    used = 0
    for places in by_document(document):
        keys = [(areas[i].top, areas[i].left, areas[i].size, int(label[i])) for i in places]
        places = places[sorted(range(len(places)), key=keys.__getitem__)]
        alike = by_class(area_overlaps([areas[i] for i in places]), label[places])
        found = match(alike, worker[places], least=least_overlap)
        group[places] = found + used
        used += int(found.max()) + 1
    objects = find_objects(
        group, document=document, worker=worker, label=label, read=read, classes=classes
    )
    members = [np.flatnonzero(objects.group == g) for g in range(len(objects.real))]
    workers = read.shape[1]
    frames = [_frame([areas[i] for i in rows]) for rows in members]
    said, pixels, region, place = [], [], [], []
    for g, rows in enumerate(members):
        flat = np.stack([_placed(areas[i], frames[g]).ravel() for i in rows])
        one, count, where = patterns_of(flat.astype(np.int8), worker[rows], workers=workers)
        said.append(one)
        pixels.append(count.astype(np.float64))
        region.append(np.full(len(count), g))
        place.append(where.astype(np.int32))
    patterns = Patterns(
        said=np.concatenate(said) if said else np.zeros((0, workers), dtype=np.int64),
        pixels=np.concatenate(pixels) if pixels else np.zeros(0),
        region=np.concatenate(region) if region else np.zeros(0, dtype=np.int64),
    )
    found_areas = staple(patterns, classes=2)
    start = np.concatenate([[0], np.cumsum([len(part) for part in said])]).astype(np.int64)
    voted = []
    for g, (left, top, right, bottom) in enumerate(frames):
        posterior = found_areas.posterior[start[g] : start[g + 1]]
        cells = area_of(posterior, place[g], (bottom - top, right - left))
        if not cells.any():  # no cell is probable: the most probable ones stand
            cells = posterior[place[g], 1].reshape(cells.shape) >= posterior[:, 1].max()
        voted.append(cells)
    maps = [[_placed(areas[i], frames[g]) for i in rows] for g, rows in enumerate(members)]
    drawers = [worker[rows] for rows in members]
    learned = borders.learn(voted, maps, drawers, workers=workers)
    fused, overlap = [], np.zeros(len(areas))
    for g, rows in enumerate(members):
        left, top, _, _ = frames[g]
        cells = borders.place(voted[g], maps[g], drawers[g], learned)
        area = Area(left=left, top=top, cells=cells)
        fused.append(area)
        overlap[rows] = area_overlaps([*(areas[i] for i in rows), area])[-1, :-1]
    return FusedAreas(
        objects=objects,
        areas=tuple(fused),
        overlap=overlap,
        sensitivity=found_areas.tables[:, 1, 1],
        specificity=found_areas.tables[:, 0, 0],
    )


def crop(cells: Bools) -> Area | None:
    """Return the smallest rectangle that holds an area, None for an empty one."""
    rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    if not len(rows):
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return Area(left=int(left), top=int(top), cells=cells[top:bottom, left:right].copy())


def area_overlaps(areas: list[Area]) -> Floats:
    """Return intersection over union of every pair, shape (n, n)."""
    n = len(areas)
    found = np.eye(n)
    edges = [
        (a.left, a.top, a.left + a.cells.shape[1], a.top + a.cells.shape[0]) for a in areas
    ]
    size = [a.size for a in areas]
    for i in range(n):
        for j in range(i + 1, n):
            left, top = max(edges[i][0], edges[j][0]), max(edges[i][1], edges[j][1])
            right, bottom = min(edges[i][2], edges[j][2]), min(edges[i][3], edges[j][3])
            if left >= right or top >= bottom:
                continue
            frame = (left, top, right, bottom)
            both = float(np.count_nonzero(_placed(areas[i], frame) & _placed(areas[j], frame)))
            found[i, j] = found[j, i] = both / (size[i] + size[j] - both)
    return found


def crosses(polygon: Polygon) -> bool:
    """Return whether a part of a polygon crosses itself (touching does not count)."""
    for ring in polygon.rings:
        p = np.asarray(ring, dtype=np.float64)
        q = np.roll(p, -1, axis=0)
        d = q - p
        # Side of each point, and of the next, of every side of the ring.
        one = (
            d[:, None, 0] * (p[None] - p[:, None])[..., 1]
            - d[:, None, 1] * (p[None] - p[:, None])[..., 0]
        )
        two = np.roll(one, -1, axis=1)
        parted = one * two < 0
        if (parted & parted.T).any():
            return True
    return False


def _fuse(entries: Entries[Mask] | Entries[Polygon], areas: list[Area]) -> FusedAreas:
    return fuse_areas(
        areas,
        entries.document,
        worker=entries.worker,
        label=entries.label,
        read=entries.read,
        classes=len(entries.labels),
        least_overlap=entries.least_overlap,
    )


def _frame(areas: list[Area]) -> tuple[int, int, int, int]:
    """Return the rectangle around some areas: left, top, right, bottom."""
    return (
        min(a.left for a in areas),
        min(a.top for a in areas),
        max(a.left + a.cells.shape[1] for a in areas),
        max(a.top + a.cells.shape[0] for a in areas),
    )


def _placed(area: Area, frame: tuple[int, int, int, int]) -> Bools:
    """Return an area's cells within a rectangle, False beyond its own."""
    left, top, right, bottom = frame
    height, width = area.cells.shape
    found = np.zeros((bottom - top, right - left), dtype=bool)
    x, y = max(left, area.left), max(top, area.top)
    x_end, y_end = min(right, area.left + width), min(bottom, area.top + height)
    if x < x_end and y < y_end:
        found[y - top : y_end - top, x - left : x_end - left] = area.cells[
            y - area.top : y_end - area.top, x - area.left : x_end - area.left
        ]
    return found


def _mask(area: Area, size: tuple[int, int]) -> Mask:
    return encode_mask(_placed(area, (0, 0, size[1], size[0])))


def _near(entries: Entries[Polygon], places: Ints) -> list[list[int]]:
    """Return lots of a document's polygons whose surrounding boxes hang together.

    Only polygons of one lot can overlap, so that each lot may have a grid of its own.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.array(
        [[*c.min(axis=0), *c.max(axis=0)] for c in map(_corners, _at(entries, places))]
    )
    left, top, right, bottom = edges.T
    touch = (
        (left[:, None] < right[None])
        & (left[None] < right[:, None])
        & (top[:, None] < bottom[None])
        & (top[None] < bottom[:, None])
    )
    count, lot = connected_components(csr_matrix(touch), directed=False)
    return [[int(i) for i in places[lot == k]] for k in range(count)]


def _at(entries: Entries[Polygon], places: Ints) -> list[Polygon]:
    return [entries.shapes[i] for i in places]


def _corners(polygon: Polygon) -> Floats:
    return np.array([point for ring in polygon.rings for point in ring], dtype=np.float64)


def _grid(entries: Entries[Polygon], lot: list[int]) -> tuple[Floats, float]:
    """Return origin and step of a lot's grid: fine enough for a typical polygon of it."""
    corners = [_corners(entries.shapes[i]) for i in lot]
    low = np.min([c.min(axis=0) for c in corners], axis=0)
    high = np.max([c.max(axis=0) for c in corners], axis=0)
    typical = float(np.median([np.ptp(c, axis=0).max() for c in corners]))
    whole = float((high - low).max())
    # A crowd of small things in one lot may not ask for a grid without end.
    step = max(typical / CELLS, whole / (16 * CELLS)) or 1.0
    return low, step


def _cells(polygon: Polygon, origin: Floats, step: float) -> Area | None:
    """Lay a polygon on a grid, cell by cell of the rectangle around it."""
    rings = [(np.asarray(ring, dtype=np.float64) - origin) / step for ring in polygon.rings]
    low = np.floor(np.min([ring.min(axis=0) for ring in rings], axis=0))
    width, height = (
        int(n)
        for n in np.maximum(np.ceil(np.max([r.max(axis=0) for r in rings], axis=0)) - low, 1)
    )
    moved = [ring - low for ring in rings]
    found = crop(fill(moved, width=width, height=height))
    if found is None:
        return None
    return Area(left=found.left + int(low[0]), top=found.top + int(low[1]), cells=found.cells)


def _polygon(
    area: Area, equal: list[Polygon], grid: tuple[Floats, float], document: Document
) -> Polygon | None:
    """Return the outline of an area, or the one drawn where it has the very same cells."""
    if equal:
        return min(equal, key=lambda polygon: polygon.rings)
    origin, step = grid
    corner = np.array([area.left, area.top])
    limit = np.full(2, np.inf)
    if isinstance(document, Image | Video):
        wide, tall = document.width, document.height
        limit = np.array([np.inf if wide is None else wide, np.inf if tall is None else tall])
    low = np.where(np.isfinite(limit), 0.0, -np.inf)
    rings = []
    for ring in outlines(area.cells):
        points = np.clip((ring + corner) * step + origin, low, limit)
        if len(np.unique(points, axis=0)) >= 3:
            rings.append(tuple((float(x), float(y)) for x, y in points))
    return Polygon(rings=tuple(rings)) if rings else None
