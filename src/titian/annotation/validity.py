"""Which shapes are valid: the rules, and what to do with what breaks them.

The rules. A box, polygon, mask or point lies inside its image, up to a hundred-thousandth of
a side for rounding. A box and a polygon have an area. A polygon does not cross itself. A mask
has its image's size and its runs cover it. A span is not empty and lies inside its text. A
segment ends after it begins and lies inside its recording; segments of one label, channel
and annotator do not overlap. Key frames are in order and inside their film. Ids are unique,
and relations name annotations that are there. `mend` does what can be done without guessing.

A shape may break a rule and still be *measurable*: what reaches out can be cut, what crosses
itself filled. Workers' shapes are brought together where they are measurable.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from titian.annotation.shapes import (
    HIDDEN,
    Annotation,
    Audio,
    Box,
    Classification,
    Document,
    Image,
    Keypoints,
    LabelSet,
    Mask,
    Point,
    Polygon,
    Ring,
    Segment,
    Shape,
    Text,
    TextSpan,
    Track,
    Video,
    box_corners,
)
from titian.errors import Problem

ROUNDING = 1e-5  # of a side: six decimals of a share, as files have them, and some more
ROUNDING_S = 1e-3  # a millisecond, the grain of the coarsest format of segments

OUTSIDE, EMPTY, CROSSED, SPAN, OVERLAP = "T-A120", "T-A121", "T-A122", "T-A123", "T-A124"
TIMES, KIND, RUNS, NUMBER, NAMES = "T-A125", "T-A126", "T-A127", "T-A128", "T-A129"


class Fault(NamedTuple):
    """What is wrong with a shape.

    Attributes:
        code: of the rule.
        what: what breaks it.
        measurable: whether the shape can be compared with another all the same.
    """

    code: str
    what: str
    measurable: bool = False


def problems_of(label_set: LabelSet) -> list[Problem]:
    """Return all that breaks the rules, each with its document and place."""
    documents = {document.name: document for document in label_set.documents}
    problems = [_problem("the label set", NAMES, what) for what in _name_faults(label_set)]
    for place, annotation in enumerate(label_set.annotations):
        document = documents.get(annotation.document)
        if document is not None:
            where = _where(place, annotation)
            found = shape_faults(annotation.shape, document)
            problems += [_problem(where, fault.code, fault.what) for fault in found]
    problems += [
        _problem(
            _where(second, label_set.annotations[second]),
            OVERLAP,
            f"overlaps annotation {first} of the same label, channel and annotator",
        )
        for first, second in overlaps(label_set.annotations)
    ]
    return problems


def _where(place: int, annotation: Annotation) -> str:
    name = f" (id {annotation.id!r})" if annotation.id else ""
    return f"annotation {place}{name} of {annotation.document!r}, label {annotation.label!r}"


def _problem(where: str, code: str, what: str) -> Problem:
    remedy = {
        OUTSIDE: "Correct it, or mend it: it is cut at the edge (--geometry mend).",
        EMPTY: "Correct it, or mend it: it is removed (--geometry mend).",
        OVERLAP: "Correct it, or mend it: both become one (--geometry mend).",
        TIMES: "Correct it, or mend it: it is cut at the end (--geometry mend).",
    }.get(code, "Correct it in the tool that it was drawn with.")
    return Problem(code=code, message=f"{where}: {what}.", remedy=remedy)


def _name_faults(label_set: LabelSet) -> Iterator[str]:
    documents = {document.name for document in label_set.documents}
    if len(documents) < len(label_set.documents):
        yield "two documents have one name"
    unknown = sorted({a.document for a in label_set.annotations} - documents)
    if unknown:
        yield f"annotations are about {unknown[0]!r}, which is no document of it"
    ids = [annotation.id for annotation in label_set.annotations if annotation.id]
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twin = next(name for name in ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # add returns None
        yield f"two annotations have the id {twin!r}"
    known = set(ids)
    for tie in label_set.relations:
        for end in (tie.source, tie.target):
            if end not in known:
                yield f"a relation {tie.label!r} names {end!r}, which is no annotation"


def shape_faults(shape: Shape, document: Document, *, crossings: bool = True) -> list[Fault]:
    """Return what is wrong with one shape on its document.

    Args:
        shape: what was drawn.
        document: what it lies on.
        crossings: whether to look for polygons that cross themselves, which takes time by the
            square of their points.
    """
    match shape, document:
        case (Box() | Polygon() | Keypoints() | Mask(), Image() | Video()):
            size = (document.width, document.height)
            return list(_area_faults(shape, *size, crossings=crossings))
        case (TextSpan(), Text()):
            return list(_span_faults(shape, len(document.text)))
        case (Segment(), Audio() | Video()):
            return list(_segment_faults(shape, document.duration_s))
        case (Track(), Video()):
            return list(_track_faults(shape, document))
        case (Classification(), _):
            return []
        case _:
            kind = type(document).__name__.lower()
            return [Fault(KIND, f"is a {type(shape).__name__}, which cannot lie on a {kind}")]


def _area_faults(
    shape: Box | Polygon | Keypoints | Mask,
    width: int | None,
    height: int | None,
    *,
    crossings: bool = True,
) -> Iterator[Fault]:
    if isinstance(shape, Mask):
        if sum(shape.counts) != shape.width * shape.height or min(shape.counts, default=0) < 0:
            yield Fault(RUNS, f"its runs do not cover {shape.width} x {shape.height} pixels")
        if (width or shape.width, height or shape.height) != (shape.width, shape.height):
            size = f"{shape.width} x {shape.height}"
            yield Fault(RUNS, f"is a mask of {size} on an image of {width} x {height}")
        if not any(shape.counts[1::2]):
            yield Fault(EMPTY, "has no pixel", measurable=True)
        return
    points = points_of(shape)
    if not all(math.isfinite(value) for point in points for value in point):
        yield Fault(NUMBER, "has a coordinate that is no finite number")
        return
    if isinstance(shape, Box) and (shape.width <= 0 or shape.height <= 0):
        yield Fault(EMPTY, f"is {shape.width:g} x {shape.height:g}, which has no area")
    if isinstance(shape, Polygon):
        yield from _polygon_faults(shape, crossings=crossings)
    outside = [point for point in points if not inside(point, width, height)]
    if outside:
        x, y = outside[0]
        what = f"reaches ({x:g}, {y:g}), outside the image of {width} x {height}"
        yield Fault(OUTSIDE, what, measurable=True)


def _polygon_faults(polygon: Polygon, *, crossings: bool) -> Iterator[Fault]:
    filled = bool(polygon.rings) and all(len(ring) >= 3 for ring in polygon.rings)
    if not filled or any(ring_area(ring) == 0 for ring in polygon.rings):
        yield Fault(EMPTY, "has a part without an area", measurable=filled)
    for part, ring in enumerate(polygon.rings if crossings else ()):
        crossing = crossing_of(ring)
        if crossing is not None:
            first, second = crossing
            what = f"crosses itself: sides {first} and {second} of part {part} meet"
            yield Fault(CROSSED, what, measurable=True)


def is_measurable(shape: Shape, document: Document) -> bool:
    """Say whether a shape can be compared with another; a segment needs a length for it."""
    if isinstance(shape, Segment) and shape.start_s == shape.end_s:
        return False
    found = shape_faults(shape, document, crossings=False)
    return all(fault.measurable for fault in found)


def points_of(shape: Box | Polygon | Keypoints) -> tuple[Point, ...]:
    """Return the points that must lie inside the image; hidden keypoints need not."""
    match shape:
        case Box():
            return box_corners(shape)
        case Polygon(rings=rings):
            return tuple(point for ring in rings for point in ring)
        case Keypoints(points=points):
            return tuple((p.x, p.y) for p in points if p.visibility != HIDDEN)


def inside(point: Point, width: int | None, height: int | None) -> bool:
    """Say whether a point lies in an image; an unknown size bounds nothing."""
    sides = ((point[0], width), (point[1], height))
    return all(
        -ROUNDING * side <= value <= side * (1 + ROUNDING)
        for value, side in sides
        if side is not None
    )


def ring_area(ring: Ring) -> float:
    """Return the area within a ring, by the shoelace formula."""
    turned = (*ring[1:], *ring[:1])
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(ring, turned, strict=True))) / 2


def crossing_of(ring: Ring) -> tuple[int, int] | None:
    """Return two sides of a ring that cross in their insides, or None.

    Sides are counted from 0; touching is no crossing, since outlines from pixels touch.
    """
    points = np.asarray(ring, dtype=np.float64)
    if len(points) < 4:
        return None
    ends = np.roll(points, -1, axis=0)
    for side in range(len(points) - 2):
        others = slice(side + 2, len(points) - (side == 0))
        start, stop = points[others], ends[others]
        a, b = points[side], ends[side]
        crossed = (_turn(a, b, start) * _turn(a, b, stop) < 0) & (
            _turn2(start, stop, a) * _turn2(start, stop, b) < 0
        )
        if crossed.any():
            return side, side + 2 + int(np.argmax(crossed))
    return None


Points = NDArray[np.float64]


def _turn(a: Points, b: Points, points: Points) -> Points:
    signs: Points = np.sign(
        (b[0] - a[0]) * (points[:, 1] - a[1]) - (b[1] - a[1]) * (points[:, 0] - a[0])
    )
    return signs


def _turn2(starts: Points, stops: Points, point: Points) -> Points:
    signs: Points = np.sign(
        (stops[:, 0] - starts[:, 0]) * (point[1] - starts[:, 1])
        - (stops[:, 1] - starts[:, 1]) * (point[0] - starts[:, 0])
    )
    return signs


def _span_faults(span: TextSpan, length: int) -> Iterator[Fault]:
    edges = [edge for piece in span.pieces for edge in piece]
    if any(start >= end for start, end in span.pieces):
        yield Fault(SPAN, f"from {span.start} to {span.end} is empty or runs backwards")
    elif any(a > b for a, b in pairwise(edges)):
        yield Fault(SPAN, "has gaps out of order or outside itself")
    if span.start < 0 or span.end > length:
        yield Fault(SPAN, f"from {span.start} to {span.end} is outside the text of {length}")


def _segment_faults(segment: Segment, duration_s: float | None) -> Iterator[Fault]:
    if not (math.isfinite(segment.start_s) and math.isfinite(segment.end_s)):
        yield Fault(NUMBER, "has a time that is no finite number")
        return
    if segment.end_s < segment.start_s:
        what = f"ends at {segment.end_s:g} s, before it begins at {segment.start_s:g} s"
        yield Fault(TIMES, what)
    elif _outside_times(segment, math.inf if duration_s is None else duration_s):
        whole = "" if duration_s is None else f" of {duration_s:g} s"
        stretch = f"from {segment.start_s:g} s to {segment.end_s:g} s"
        early = segment.start_s < -ROUNDING_S
        yield Fault(TIMES, f"{stretch} is outside the recording{whole}", measurable=not early)


def _track_faults(track: Track, video: Video) -> Iterator[Fault]:
    frames = [key.frame for key in track.keyframes]
    if not frames or any(a >= b for a, b in pairwise(frames)):
        yield Fault(TIMES, "has no key frames, or has them out of order or twice")
    if frames and (min(frames) < 0 or max(frames) >= (video.frames or math.inf)):
        what = f"has a key frame outside the film of {video.frames} frames"
        yield Fault(TIMES, what, measurable=min(frames) >= 0)
    for key in track.keyframes:
        if not key.outside:
            for fault in _area_faults(key.box, video.width, video.height):
                yield fault._replace(what=f"in frame {key.frame} {fault.what}")


def overlaps(annotations: tuple[Annotation, ...]) -> list[tuple[int, int]]:
    """Return pairs of places of segments that overlap and say the same.

    They overlap by more than `ROUNDING_S`, and share document, label, channel, speaker and
    annotator.
    """
    alike: dict[tuple[object, ...], list[tuple[float, float, int]]] = defaultdict(list)
    for place, annotation in enumerate(annotations):
        shape = annotation.shape
        if isinstance(shape, Segment):
            alike[_voice(annotation, shape)].append((shape.start_s, shape.end_s, place))
    pairs = []
    for found in alike.values():
        furthest, holder = -math.inf, -1
        for start, end, place in sorted(found):
            if start < furthest - ROUNDING_S and end > start:
                pairs.append((holder, place))
            if end > furthest:
                furthest, holder = end, place
    return pairs


def _voice(annotation: Annotation, shape: Segment) -> tuple[object, ...]:
    band = (shape.low_hz, shape.high_hz)
    who = (annotation.document, annotation.annotator)
    return (*who, annotation.label, shape.channel, shape.speaker, *band)


def mend(label_set: LabelSet) -> tuple[LabelSet, dict[str, int]]:
    """Cut what reaches out, join what overlaps, and remove what is then empty.

    Upright boxes and segments are cut at the edge; overlapping segments that say the same
    become one, which keeps the first one's other fields; shapes without area or length go,
    and relations to them. Nothing else is changed: what cannot be mended stays, and
    `problems_of` still names it.

    Returns:
        The mended set, and how many annotations were cut, joined and removed.
    """
    documents = {document.name: document for document in label_set.documents}
    counts = {"cut": 0, "joined": 0, "removed": 0}
    kept: list[Annotation] = []
    for annotation in label_set.annotations:
        document = documents.get(annotation.document)
        shape = annotation.shape if document is None else _cut(annotation.shape, document)
        counts["cut"] += shape != annotation.shape
        kept.append(replace(annotation, shape=shape))
    gone: set[int] = set()
    root: dict[int, int] = {}  # a segment that was joined -> the one that took it in
    for first, second in overlaps(tuple(kept)):
        home = root[second] = root.get(first, first)
        one, two = kept[home].shape, kept[second].shape
        if isinstance(one, Segment) and isinstance(two, Segment):
            longer = replace(one, end_s=max(one.end_s, two.end_s))
            kept[home] = replace(kept[home], shape=longer)
            gone.add(second)
            counts["joined"] += 1
    for place, annotation in enumerate(kept):
        document = documents.get(annotation.document)
        faults = [] if document is None else shape_faults(annotation.shape, document)
        empty = any(fault.code == EMPTY for fault in faults)
        if place not in gone and empty and not isinstance(annotation.shape, Track):
            gone.add(place)
            counts["removed"] += 1
    left = tuple(a for place, a in enumerate(kept) if place not in gone)
    names = {annotation.id for annotation in left}
    ties = tuple(t for t in label_set.relations if t.source in names and t.target in names)
    return replace(label_set, annotations=left, relations=ties), counts


def _cut(shape: Shape, document: Document) -> Shape:
    match shape, document:
        case (Box(rotation_deg=0), Image(width=int(width), height=int(height))):
            left, top = min(max(shape.x, 0.0), width), min(max(shape.y, 0.0), height)
            right = min(max(shape.x + shape.width, 0.0), width)
            bottom = min(max(shape.y + shape.height, 0.0), height)
            cut = Box(x=left, y=top, width=right - left, height=bottom - top)
            reaches = any(not inside(p, width, height) for p in box_corners(shape))
            return cut if reaches else shape
        case (Segment(), Audio() | Video()):
            end = math.inf if document.duration_s is None else document.duration_s
            if _outside_times(shape, end):
                start_s, end_s = (min(max(t, 0.0), end) for t in (shape.start_s, shape.end_s))
                return replace(shape, start_s=start_s, end_s=end_s)
            return shape
        case _:
            return shape


def _outside_times(segment: Segment, end: float) -> bool:
    backwards = segment.end_s < segment.start_s
    return not backwards and (segment.start_s < -ROUNDING_S or segment.end_s > end + ROUNDING_S)
