"""Boxes of several workers, brought together.

Boxes are matched across workers by intersection over union, at most one box of a worker per
object, then lone boxes with fused ones (`matching`); an object is real or not by the workers'
hit and false-alarm rates (`existence`); its class is voted with the workers' confusions
(`classes`); its sides are fused by the workers' precision (`coordinates`). Weighted boxes
fusion (Solovyev, Wang and Gabruseva, 2021) averages by the scores that detectors claim; people
claim none, so how far to trust each is learned from how they agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.fusion.coordinates import FusedNumbers, fuse
from titian.annotation.fusion.entries import (
    Entries,
    Part,
    object_annotations,
    object_quality,
)
from titian.annotation.fusion.matching import match, place_alone
from titian.annotation.fusion.objects import Objects, by_class, by_document, find_objects
from titian.annotation.fusion.result import Bools, Floats, Ints
from titian.annotation.shapes import Box, Document, Image, Video

LEAST_OVERLAP = 0.4  # two noisy boxes of one object overlap less than each does with the truth


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedBoxes:
    """Boxes brought together, one per object.

    Attributes:
        objects: what was found.
        corners: shape (objects, 4): left, top, right, bottom before rotation.
        rotation_deg: shape (objects,), clockwise about the centre.
        overlap: shape (n,), of each box given with the fused box of its object.
        spread: shape (workers,), standard deviation of a worker's sides, as a share of the
            object's size.
    """

    objects: Objects
    corners: Floats
    rotation_deg: Floats
    overlap: Floats
    spread: Floats


def fuse_boxes(
    corners: Floats,
    document: Ints,
    *,
    worker: Ints,
    label: Ints,
    read: Bools,
    classes: int,
    rotation_deg: Floats | None = None,
    least_overlap: float = LEAST_OVERLAP,
) -> FusedBoxes:
    """Fuse boxes of several workers.

    Args:
        corners: shape (n, 4): left, top, right, bottom before rotation; right > left and
            bottom > top.
        document: shape (n,), codes from 0.
        worker: shape (n,), codes from 0.
        label: shape (n,), codes from 0.
        read: shape (documents, workers), who read what; a worker who read a document and
            drew nothing says that it is empty.
        classes: number of classes.
        rotation_deg: shape (n,), clockwise about the centre; None where all are upright.
        least_overlap: intersection over union below which boxes are different objects; a box
            that resembles no other is held against the fused boxes, where half is enough.
    """
    turned = np.zeros(len(corners)) if rotation_deg is None else rotation_deg
    group = np.empty(len(document), dtype=np.int64)
    used = 0
    for places in by_document(document):
        places = _canonical(places, corners, turned, label)
        alike = overlaps(corners[places], turned[places], corners[places], turned[places])
        alike = by_class(alike, label[places])
        found = match(alike, worker[places], least=least_overlap)
        group[places] = found + used
        used += int(found.max()) + 1
    group = _taken_in(
        corners,
        turned,
        group,
        document=document,
        worker=worker,
        label=label,
        workers=read.shape[1],
        least=least_overlap / 2.0,
    )
    objects = find_objects(
        group, document=document, worker=worker, label=label, read=read, classes=classes
    )
    fused, angle = _fuse(corners, turned, objects.group, worker=worker, workers=read.shape[1])
    overlap = _with_own(corners, turned, fused.value[objects.group], angle[objects.group])
    return FusedBoxes(
        objects=objects,
        corners=fused.value,
        rotation_deg=angle,
        overlap=overlap,
        spread=fused.spread,
    )


def merge_boxes(entries: Entries[Box]) -> Part:
    """Merge boxes; see `fuse_boxes`.

    Of a box beyond its image the part inside counts; one that lies wholly outside does not
    count at all. Rotated boxes are left as they are.
    """
    entries, notes = _within(entries)
    corners = np.array(
        [[s.x, s.y, s.x + s.width, s.y + s.height] for s in entries.shapes], dtype=np.float64
    ).reshape(-1, 4)
    fused = fuse_boxes(
        corners,
        entries.document,
        worker=entries.worker,
        label=entries.label,
        read=entries.read,
        classes=len(entries.labels),
        rotation_deg=np.array([s.rotation_deg for s in entries.shapes], dtype=np.float64),
        least_overlap=entries.least_overlap,
    )
    shapes = [
        box_of(side, float(angle), entries.documents[int(document)])
        for side, angle, document in zip(
            fused.corners, fused.rotation_deg, fused.objects.document, strict=True
        )
    ]
    annotations, ties = object_annotations(entries, fused.objects, shapes)
    return Part(
        annotations=annotations,
        ties=ties,
        workers=object_quality(entries, fused.objects, fused.overlap),
        notes=notes,
    )


def box_of(corners: Floats, rotation_deg: float, document: Document) -> Box | None:
    """Return the box between the corners, cut to the document's size where it is upright."""
    left, top, right, bottom = (float(value) for value in corners)
    box = Box(x=left, y=top, width=right - left, height=bottom - top, rotation_deg=rotation_deg)
    return cut(box, document)


def cut(box: Box, document: Document) -> Box | None:
    """Return the part of a box inside its image, None where there is none.

    Rotated boxes and boxes in an image of unknown size come back as they are.
    """
    if not isinstance(document, Image | Video) or box.rotation_deg:
        return box
    wide = np.inf if document.width is None else float(document.width)
    tall = np.inf if document.height is None else float(document.height)
    if box.x >= 0 and box.y >= 0 and box.x + box.width <= wide and box.y + box.height <= tall:
        return box
    left, top = max(box.x, 0.0), max(box.y, 0.0)
    right, bottom = min(box.x + box.width, wide), min(box.y + box.height, tall)
    if right <= left or bottom <= top:
        return None
    return Box(x=left, y=top, width=right - left, height=bottom - top)


def _within(entries: Entries[Box]) -> tuple[Entries[Box], tuple[str, ...]]:
    kept, shapes, shortened = [], [], 0
    for i, box in enumerate(entries.shapes):
        inside = cut(box, entries.documents[int(entries.document[i])])
        if inside is not None:
            kept.append(i)
            shapes.append(inside)
            shortened += inside != box
    lost = len(entries.shapes) - len(kept)
    notes = []
    if shortened:
        notes.append(f"{shortened} boxes reach beyond their image; the part inside counts.")
    if lost:
        notes.append(f"{lost} boxes lie wholly outside their image and do not count.")
    return entries.only(kept, shapes), tuple(notes)


def overlaps(first: Floats, first_deg: Floats, second: Floats, second_deg: Floats) -> Floats:
    """Return intersection over union of every pair, shape (n, m)."""
    left = np.maximum(first[:, None, 0], second[None, :, 0])
    top = np.maximum(first[:, None, 1], second[None, :, 1])
    right = np.minimum(first[:, None, 2], second[None, :, 2])
    bottom = np.minimum(first[:, None, 3], second[None, :, 3])
    common = np.clip(right - left, 0.0, None) * np.clip(bottom - top, 0.0, None)
    if first_deg.any() or second_deg.any():
        for i, j in np.ndindex(common.shape):
            if first_deg[i] or second_deg[j]:
                common[i, j] = _common_area(
                    _turned(first[i], float(first_deg[i])),
                    _turned(second[j], float(second_deg[j])),
                )
    area = (first[:, 2] - first[:, 0]) * (first[:, 3] - first[:, 1])
    other = (second[:, 2] - second[:, 0]) * (second[:, 3] - second[:, 1])
    whole = area[:, None] + other[None, :] - common
    found: Floats = common / np.maximum(whole, 1e-300)
    return found


def _with_own(first: Floats, first_deg: Floats, second: Floats, second_deg: Floats) -> Floats:
    """Return intersection over union of the i-th with the i-th, shape (n,)."""
    common = np.clip(
        np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2]),
        0.0,
        None,
    ).prod(axis=1)
    areas = [(one[:, 2:] - one[:, :2]).prod(axis=1) for one in (first, second)]
    found: Floats = common / np.maximum(areas[0] + areas[1] - common, 1e-300)
    for i in np.flatnonzero((first_deg != 0) | (second_deg != 0)):
        one = slice(i, i + 1)
        found[i] = overlaps(first[one], first_deg[one], second[one], second_deg[one])[0, 0]
    return found


def _canonical(places: Ints, corners: Floats, turned: Floats, label: Ints) -> Ints:
    """Order a document's boxes by what they are, not by who drew them."""
    keys = (label[places], turned[places], *corners[places].T[::-1])
    ordered: Ints = places[np.lexsort(keys)]
    return ordered


def _taken_in(
    corners: Floats,
    turned: Floats,
    group: Ints,
    *,
    document: Ints,
    worker: Ints,
    label: Ints,
    workers: int,
    least: float,
) -> Ints:
    """Return the groups with lone boxes taken in by the objects that they are of."""
    fused, angle = _fuse(corners, turned, group, worker=worker, workers=workers)
    drawn = np.zeros((len(fused.value), workers), dtype=np.bool_)
    drawn[group, worker] = True
    several = drawn.sum(axis=1) > 1
    group = group.copy()
    for places in by_document(document):
        alone = places[~several[group[places]]]
        things = np.unique(group[places][several[group[places]]])
        if not len(alone) or not len(things):
            continue
        alone = _canonical(alone, corners, turned, label)
        alike = overlaps(corners[alone], turned[alone], fused.value[things], angle[things])
        home = place_alone(alike, worker[alone], drawn[things], least=least)
        group[alone[home >= 0]] = things[home[home >= 0]]
    return group


def _fuse(
    corners: Floats, turned: Floats, group: Ints, *, worker: Ints, workers: int
) -> tuple[FusedNumbers, Floats]:
    things = int(group.max()) + 1 if len(group) else 0
    corners, deviation, angle = _aligned(corners, turned, group, things)
    width, height = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    count = np.bincount(group, minlength=things)
    wide = np.bincount(group, weights=width, minlength=things) / np.maximum(count, 1)
    tall = np.bincount(group, weights=height, minlength=things) / np.maximum(count, 1)
    size = np.stack([wide, tall, wide, tall], axis=1)
    fused = fuse(corners, group, worker, size=size, workers=workers)
    angle = angle + np.bincount(group, weights=fused.weight * deviation, minlength=things)
    return fused, np.where(np.abs(angle) < 1e-9, 0.0, angle)


def _aligned(
    corners: Floats, turned: Floats, group: Ints, things: int
) -> tuple[Floats, Floats, Floats]:
    """Describe each rotated box with the angle nearest to its object's mean direction.

    A rectangle turned by 90 degrees is the same with width and height exchanged.
    """
    deviation, angle = np.zeros(len(corners)), np.zeros(things)
    if not turned.any():
        return corners, deviation, angle
    mixed = np.bincount(group, weights=turned != 0, minlength=things)[group] > 0
    wave = np.exp(4j * np.radians(turned))
    sums = np.bincount(group, weights=wave.real, minlength=things) + 1j * np.bincount(
        group, weights=wave.imag, minlength=things
    )
    angle = np.degrees(np.angle(sums)) / 4.0
    quarters = np.round((turned - angle[group]) / 90.0)
    deviation = np.where(mixed, turned - angle[group] - 90.0 * quarters, 0.0)
    centre = (corners[:, :2] + corners[:, 2:]) / 2.0
    half = (corners[:, 2:] - corners[:, :2]) / 2.0
    half = np.where((mixed & (quarters % 2 == 1))[:, None], half[:, ::-1], half)
    angle = np.where(np.bincount(group, weights=turned != 0, minlength=things) > 0, angle, 0.0)
    moved = np.concatenate([centre - half, centre + half], axis=1)
    return np.where(mixed[:, None], moved, corners), deviation, angle


def _turned(corners: Floats, degrees: float) -> Floats:
    left, top, right, bottom = corners
    ring = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    centre = ring.mean(axis=0)
    across, along = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    found: Floats = (ring - centre) @ np.array([[across, along], [-along, across]]) + centre
    return found


def _common_area(first: Floats, second: Floats) -> float:
    """Return the area that two convex rings share (Sutherland and Hodgman, CACM 17, 1974)."""
    ring = list(first)
    for a, b in zip(second, np.roll(second, -1, axis=0), strict=True):
        side = [
            float((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])) for p in ring
        ]
        kept = []
        for k, point in enumerate(ring):
            before, previous = side[k - 1], ring[k - 1]
            if (before >= 0) != (side[k] >= 0):
                kept.append(previous + (point - previous) * before / (before - side[k]))
            if side[k] >= 0:
                kept.append(point)
        ring = kept
        if not ring:
            return 0.0
    x, y = np.array(ring).T
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2.0)
