"""What annotators draw: documents, shapes on them, and the label set that holds both.

One set of values for every format, so that reading one and writing another is a conversion
and not a guess. The rules that say which shapes are valid are in `titian.annotation.validity`.

Coordinates are pixels with the origin at the outer corner of the top left pixel, x to the
right and y down: the pixel in column 0 covers x from 0 to 1. Text is counted in Unicode code
points, time in seconds, frames from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import cos, radians, sin

Point = tuple[float, float]
Ring = tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture; sizes are in pixels, None where no one said."""

    name: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text, verbatim."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """A recording; its length is None where no one said."""

    name: str
    duration_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A film; each fact is None where no one said.

    Attributes:
        frames: how many there are.
        fps: frames a second.
    """

    name: str
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: float | None = None
    duration_s: float | None = None


Document = Image | Text | Audio | Video


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle.

    Attributes:
        x: left side before rotation.
        y: top side before rotation.
        rotation_deg: clockwise, about the centre; 0 is upright.
    """

    x: float
    y: float
    width: float
    height: float
    rotation_deg: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """An area of one or more parts.

    Attributes:
        rings: the outline of each part, not closed by repeating its first point. Parts are
            united; an area with holes is a `Mask`.
    """

    rings: tuple[Ring, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """An area of pixels, run-length encoded as COCO does.

    Attributes:
        counts: lengths of alternating runs down the columns, from the left; the first run
            is outside the area and may be 0. They add up to width * height.
    """

    width: int
    height: int
    counts: tuple[int, ...]


HIDDEN, OCCLUDED, VISIBLE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypoint:
    """A named place on an object.

    Attributes:
        name: ``""`` where the class names no points.
        visibility: HIDDEN (0, not labelled), OCCLUDED (1) or VISIBLE (2), as COCO counts.
    """

    x: float
    y: float
    name: str = ""
    visibility: int = VISIBLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypoints:
    """The points of one object, in the order of its class."""

    points: tuple[Keypoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpan:
    """A stretch of text, in code points, the end not included.

    Attributes:
        gaps: stretches inside that do not belong to it, in order; empty for most spans.
    """

    start: int
    end: int
    gaps: tuple[tuple[int, int], ...] = ()

    @property
    def pieces(self) -> tuple[tuple[int, int], ...]:
        """The stretches that belong to it, in order."""
        starts = (self.start, *(end for _, end in self.gaps))
        ends = (*(start for start, _ in self.gaps), self.end)
        return tuple(zip(starts, ends, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of time.

    Attributes:
        channel: from 1, None for all.
        speaker: who is heard, where that is not the label itself.
        low_hz: lower edge of the band, None for the whole band.
    """

    start_s: float
    end_s: float
    channel: int | None = None
    speaker: str = ""
    low_hz: float | None = None
    high_hz: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFrame:
    """Where an object is in one frame.

    Attributes:
        frame: from 0.
        outside: the object is out of sight from this frame on.
        visibility: the visible share in [0, 1], None where no one said.
        score: confidence in this very box.
    """

    frame: int
    box: Box
    outside: bool = False
    occluded: bool = False
    visibility: float | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One object through a film.

    Attributes:
        keyframes: in the order of frames, each frame once.
        interpolated: between key frames the box moves in straight lines; otherwise only the
            frames that are named have a box.
    """

    keyframes: tuple[KeyFrame, ...]
    interpolated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """A label for the document as a whole.

    Attributes:
        question: which of several questions the label answers.
    """

    question: str = ""


Shape = Box | Polygon | Mask | Keypoints | TextSpan | Segment | Track | Classification


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One label on one document.

    Attributes:
        document: name of the document.
        id: unique within the label set, or ``""``.
        annotator: who gave it, ``""`` where no one said.
        score: confidence; usually in [0, 1], but formats allow any number.
        group: annotations of one document and group belong to one object.
        attributes: what else is said about it.
    """

    document: str
    label: str
    shape: Shape
    id: str = ""
    annotator: str = ""
    score: float | None = None
    group: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A directed tie between two annotations, named by their ids."""

    label: str
    source: str
    target: str
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelClass:
    """A label that may be given.

    Attributes:
        number: the class's number in the format it came from, None where it has none.
        parent: name of the wider class.
        keypoints: names of its points, in order.
        skeleton: pairs of places in `keypoints`, from 0, that are joined by a line.
    """

    name: str
    number: int | None = None
    parent: str = ""
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """Documents and what was said about them.

    Attributes:
        documents: each name once, also those without annotations.
        classes: in the order of the format, each name once.
        notes: what a reader should know about how the set was read, one sentence each.
    """

    documents: tuple[Document, ...]
    annotations: tuple[Annotation, ...] = ()
    classes: tuple[LabelClass, ...] = ()
    relations: tuple[Relation, ...] = ()
    notes: tuple[str, ...] = ()


KIND = {
    Box: "box",
    Polygon: "polygon",
    Mask: "mask",
    Keypoints: "keypoints",
    TextSpan: "text span",
    Segment: "segment",
    Track: "track",
    Classification: "classification",
}
"""The word for each shape in messages."""


def box_corners(box: Box) -> Ring:
    """Return the four corners after rotation, clockwise from the top left one."""
    across, along = cos(radians(box.rotation_deg)), sin(radians(box.rotation_deg))
    half_width, half_height = box.width / 2, box.height / 2
    centre_x, centre_y = box.x + half_width, box.y + half_height
    if box.rotation_deg == 0:  # exact, free of the centre's rounding
        right, bottom = box.x + box.width, box.y + box.height
        return ((box.x, box.y), (right, box.y), (right, bottom), (box.x, bottom))
    return tuple(
        (centre_x + dx * across - dy * along, centre_y + dx * along + dy * across)
        for dx, dy in (
            (-half_width, -half_height),
            (half_width, -half_height),
            (half_width, half_height),
            (-half_width, half_height),
        )
    )


def extent(points: Ring) -> Box:
    """Return the smallest upright box around at least one point."""
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    return Box(x=min(xs), y=min(ys), width=max(xs) - min(xs), height=max(ys) - min(ys))


def used_classes(label_set: LabelSet) -> tuple[LabelClass, ...]:
    """Return the declared classes, then the undeclared labels in order of appearance."""
    known = {item.name: item for item in label_set.classes}
    for annotation in label_set.annotations:
        known.setdefault(annotation.label, LabelClass(name=annotation.label))
    return tuple(known.values())


def numbered_classes(label_set: LabelSet, *, first: int) -> dict[str, int]:
    """Give every label a number: its own where all have one of their own, else by order."""
    classes = used_classes(label_set)
    own = [item.number for item in classes if item.number is not None]
    if len(own) == len(classes) == len(set(own)) and all(n >= first for n in own):
        return {item.name: n for item, n in zip(classes, own, strict=True)}
    return {item.name: first + place for place, item in enumerate(classes)}
