"""Object tracks of several workers, brought together.

A worker's track is a box in every frame in which the object is seen, straight lines between
key frames included. Tracks are matched across workers by the overlap of their boxes summed
over frames, against all that either covers; a track is an object as a box is (`objects`). In
each frame whether the object is seen is voted, and the box is fused by the workers' precision
(`coordinates`). The key frames of the result are those that straight lines need.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from titian.annotation.fusion.boxes import cut
from titian.annotation.fusion.classes import TIE, vote
from titian.annotation.fusion.coordinates import fuse
from titian.annotation.fusion.entries import (
    Entries,
    Part,
    object_annotations,
    object_quality,
)
from titian.annotation.fusion.matching import match
from titian.annotation.fusion.objects import Objects, by_class, by_document, find_objects
from titian.annotation.fusion.result import Floats, Ints
from titian.annotation.shapes import Box, Document, KeyFrame, Shape, Track
from titian.annotation.tracks import seen_frames

STRAIGHT = 0.01  # of the object's size: deviation from straight lines between key frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a track is in each frame in which it is seen.

    Attributes:
        frame: shape (n,), in order.
        corners: shape (n, 4): left, top, right, bottom.
        occluded: shape (n,), 0 or 1.
    """

    frame: Ints
    corners: Floats
    occluded: Ints


def merge_tracks(entries: Entries[Track]) -> Part:
    """Merge tracks.

    Rotation is not kept: a rotated box counts by its sides before rotation. Tracks in which
    the object is never seen do not count. A worker who splits one object into two tracks has
    one of them matched, and the other stands as an object of its own, mostly improbable.
    """
    courses = [course_of(track) for track in entries.shapes]
    kept = [i for i, course in enumerate(courses) if len(course.frame)]
    notes = []
    if len(kept) < len(courses):
        notes.append(f"{len(courses) - len(kept)} tracks are never in sight and do not count.")
    turned = sum(any(k.box.rotation_deg for k in track.keyframes) for track in entries.shapes)
    if turned:
        notes.append(f"{turned} tracks have rotated boxes; they count by their sides upright.")
    entries = entries.only(kept, [entries.shapes[i] for i in kept])
    courses = [courses[i] for i in kept]
    objects = _objects(entries, courses)
    fused = _fused(entries, objects, courses)
    members = [np.flatnonzero(objects.group == g) for g in range(len(objects.real))]
    shapes: list[Shape | None] = []
    for course, rows in zip(fused, members, strict=True):
        given = {entries.shapes[i] for i in rows}
        document = entries.documents[int(entries.document[rows[0]])]
        one = given.pop() if len(given) == 1 else None
        shapes.append(one or track_of(course, document))
    overlap = np.array(
        [covered(courses[i], fused[g]) for i, g in enumerate(objects.group)], dtype=np.float64
    )
    annotations, ties = object_annotations(entries, objects, shapes)
    return Part(
        annotations=annotations,
        ties=ties,
        workers=object_quality(entries, objects, overlap),
        notes=tuple(notes),
    )


def course_of(track: Track) -> Course:
    """Return a track's box in every frame in which it is seen."""
    seen = [key for key in seen_frames(track) if not key.outside]
    return Course(
        frame=np.array([key.frame for key in seen], dtype=np.int64),
        corners=np.array(
            [[k.box.x, k.box.y, k.box.x + k.box.width, k.box.y + k.box.height] for k in seen],
            dtype=np.float64,
        ).reshape(-1, 4),
        occluded=np.array([key.occluded for key in seen], dtype=np.int64),
    )


def covered(first: Course, second: Course) -> float:
    """Return the overlap of two courses: the mean, over frames of either, of the boxes'."""
    _, one, two = np.intersect1d(
        first.frame, second.frame, assume_unique=True, return_indices=True
    )
    if not len(one):
        return 0.0
    a, b = first.corners[one], second.corners[two]
    common = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    both = common.prod(axis=1)
    either = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1) - both
    frames = len(first.frame) + len(second.frame) - len(one)
    return float((both / np.maximum(either, 1e-300)).sum() / frames)


def track_of(course: Course, document: Document) -> Track | None:
    """Return the track with the fewest key frames that follows a course closely enough."""
    keys: list[KeyFrame] = []
    breaks = np.flatnonzero(np.diff(course.frame) > 1) + 1
    for run in np.split(np.arange(len(course.frame)), breaks):
        if not len(run):
            continue
        if keys:  # out of sight between two runs
            keys.append(KeyFrame(frame=keys[-1].frame + 1, box=keys[-1].box, outside=True))
        keys += _keys(course, run, document)
    if not keys:
        return None
    unique = {key.frame: key for key in keys}
    return Track(keyframes=tuple(unique[frame] for frame in sorted(unique)))


def _keys(course: Course, run: Ints, document: Document) -> list[KeyFrame]:
    corners, occluded = course.corners[run], course.occluded[run]
    size = np.sqrt((corners[:, 2:] - corners[:, :2]).prod(axis=1)).mean()
    marks = np.unique([0, *(np.flatnonzero(np.diff(occluded)) + 1), len(run) - 1])
    places: set[int] = set()
    for first, last in pairwise(marks):
        places |= {int(first) + k for k in _straight(corners[first : last + 1], size)}
    places |= {int(k) for k in marks}
    keys = []
    for k in sorted(places):
        left, top, right, bottom = (float(v) for v in corners[k])
        whole = Box(x=left, y=top, width=right - left, height=bottom - top)
        keys.append(
            KeyFrame(
                frame=int(course.frame[run[k]]),
                box=cut(whole, document) or whole,
                occluded=bool(occluded[k]),
            )
        )
    return keys


def _straight(corners: Floats, size: float) -> list[int]:
    """Return the frames between which the corners move in straight lines, in time."""
    kept, todo = {0, len(corners) - 1}, [(0, len(corners) - 1)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        share = (np.arange(first + 1, last) - first)[:, None] / (last - first)
        line = corners[first] + share * (corners[last] - corners[first])
        away = np.abs(corners[first + 1 : last] - line).max(axis=1)
        worst = int(away.argmax())
        if away[worst] > STRAIGHT * size:
            middle = first + 1 + worst
            kept.add(middle)
            todo += [(first, middle), (middle, last)]
    return sorted(kept)


def _objects(entries: Entries[Track], courses: list[Course]) -> Objects:
    group = np.empty(len(courses), dtype=np.int64)
    used = 0
    for places in by_document(entries.document):
        keys = [
            (
                int(courses[i].frame[0]),
                *map(float, courses[i].corners[0]),
                int(entries.label[i]),
            )
            for i in places
        ]
        places = places[sorted(range(len(places)), key=keys.__getitem__)]
        alike = np.eye(len(places))
        for a, i in enumerate(places):
            for b, j in enumerate(places[:a]):
                alike[a, b] = alike[b, a] = covered(courses[i], courses[j])
        found = match(
            by_class(alike, entries.label[places]),
            entries.worker[places],
            least=entries.least_overlap,
        )
        group[places] = found + used
        used += int(found.max()) + 1
    return find_objects(
        group,
        document=entries.document,
        worker=entries.worker,
        label=entries.label,
        read=entries.read,
        classes=len(entries.labels),
    )


def _fused(entries: Entries[Track], objects: Objects, courses: list[Course]) -> list[Course]:
    """Fuse each object's boxes frame by frame, and vote on whether it is seen and occluded."""
    workers = len(entries.workers)
    frames, said, hidden, weight = [], [], [], []
    for g in range(len(objects.real)):
        rows = np.flatnonzero(objects.group == g)
        every = np.unique(np.concatenate([courses[i].frame for i in rows]))
        seen = np.full((len(every), workers), -1, dtype=np.int64)
        dark = np.full((len(every), workers), -1, dtype=np.int64)
        for i in rows:
            at = np.searchsorted(every, courses[i].frame)
            seen[:, entries.worker[i]] = 0
            seen[at, entries.worker[i]] = 1
            dark[at, entries.worker[i]] = courses[i].occluded
        frames.append(every)
        said.append(seen)
        hidden.append(dark)
        weight.append(np.full(len(every), objects.real[g]))
    if not frames:
        return []
    heavy = np.concatenate(weight)
    in_sight = vote(np.concatenate(said), heavy, classes=2).posterior[:, 1] >= 0.5 - TIE
    occluded = vote(np.concatenate(hidden), heavy, classes=2).posterior[:, 1] > 0.5 + TIE
    start = np.concatenate([[0], np.cumsum([len(every) for every in frames])])
    thing = [
        start[g] + np.searchsorted(frames[g], course.frame)
        for g, course in zip(objects.group, courses, strict=True)
    ]
    rows = np.concatenate(thing)
    corners = np.concatenate([course.corners for course in courses])
    who = np.repeat(entries.worker, [len(course.frame) for course in courses])
    side = np.sqrt((corners[:, 2:] - corners[:, :2]).prod(axis=1))
    count = np.bincount(rows, minlength=start[-1])
    size = np.bincount(rows, weights=side, minlength=start[-1]) / np.maximum(count, 1)
    fused = fuse(corners, rows, who, size=size[:, None], workers=workers).value
    found = []
    for g, every in enumerate(frames):
        inside = slice(start[g], start[g + 1])
        keep = in_sight[inside]
        if not keep.any():  # seen for a moment by few: what anyone saw stands
            keep = np.ones(len(every), dtype=bool)
        found.append(
            Course(
                frame=every[keep],
                corners=fused[inside][keep],
                occluded=occluded[inside][keep].astype(np.int64),
            )
        )
    return found
