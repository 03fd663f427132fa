"""From label sets to agreement: one label set per worker, compared kind by kind."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import numpy as np

from titian.annotation.agreement.units import (
    Drawing,
    Stretch,
    alpha_of_drawings,
    alpha_of_stretches,
)
from titian.annotation.masks import Pixels, decode_mask, rasterise
from titian.annotation.shapes import (
    Annotation,
    Audio,
    Box,
    Document,
    Image,
    LabelSet,
    Mask,
    Polygon,
    Segment,
    Text,
    TextSpan,
    Video,
    box_corners,
)
from titian.errors import InputError, Problem
from titian.statistics.estimate import Estimate


def agreement_of_sets(
    sets: Mapping[str, LabelSet],
    *,
    rng: np.random.Generator,
    draws: int = 1_000,
    alpha: float = 0.05,
) -> dict[str, Estimate]:
    """Return alpha by kind of shape: ``text span``, ``segment``, ``box``, ``area``.

    Areas are polygons, masks and rotated boxes, compared pixel by pixel. Keypoints, tracks and
    classifications are not compared here. A kind that nobody drew is left out.

    Args:
        sets: worker -> what that worker labelled; a document in a worker's set was read by that
            worker, with or without annotations.
        rng: draws documents, and the pairs that stand for chance.
        draws: how many times documents are drawn; 0 for no intervals.
        alpha: one minus the nominal coverage.

    Raises:
        InputError: T-A207 fewer than two workers, T-A209 an area on an image of no stated
            size, T-A208.
    """
    if len(sets) < 2:
        raise InputError(
            Problem(
                code="T-A207",
                message=f"there are label sets of {len(sets)} workers; agreement needs two.",
                remedy="Give the label sets of several workers.",
            )
        )
    used = {annotation.label for one in sets.values() for annotation in one.annotations}
    labels = {label: place for place, label in enumerate(sorted(used))}
    found: dict[str, Estimate] = {}
    for kind, shape in (("text span", TextSpan), ("segment", Segment)):
        stretches, lengths, workers = _stretches(sets, labels, shape)
        if stretches:
            found[kind] = alpha_of_stretches(
                stretches, lengths=lengths, workers=workers, rng=rng, draws=draws, alpha=alpha
            )
    for kind in ("box", "area"):
        drawings = _drawings(sets, labels, kind)
        if any(len(drawing.labels) for drawing in drawings):
            found[kind] = alpha_of_drawings(drawings, rng=rng, draws=draws, alpha=alpha)
    return found


def _stretches(
    sets: Mapping[str, LabelSet],
    labels: Mapping[str, int],
    shape: type[TextSpan] | type[Segment],
) -> tuple[list[Stretch], list[float], list[list[int]]]:
    fitting = Text if shape is TextSpan else (Audio, Video)
    place: dict[str, int] = {}
    lengths: list[float] = []
    workers: list[list[int]] = []
    for worker, one in enumerate(sets.values()):
        for document in one.documents:
            length = _length(document)
            if not isinstance(document, fitting) or length is None:
                continue
            if document.name not in place:
                place[document.name] = len(place)
                lengths.append(0.0)
                workers.append([])
            here = place[document.name]
            workers[here].append(worker)
            lengths[here] = max(lengths[here], length)
    stretches = []
    for worker, one in enumerate(sets.values()):
        for annotation in one.annotations:
            if not isinstance(annotation.shape, shape) or annotation.document not in place:
                continue
            here = place[annotation.document]
            for start, end in _ends(annotation.shape):
                # A recording of no stated length ends where the last worker's segment does.
                if shape is Segment:
                    lengths[here] = max(lengths[here], end)
                stretches.append(
                    Stretch(
                        document=here,
                        worker=worker,
                        label=labels[annotation.label],
                        start=start,
                        end=end,
                    )
                )
    return stretches, lengths, workers


def _length(document: Document) -> float | None:
    """Return characters or seconds, 0 where nobody said; None of what has no continuum."""
    match document:
        case Text():
            return float(len(document.text))
        case Audio() | Video():
            return document.duration_s or 0.0
        case Image():
            return None


def _ends(shape: TextSpan | Segment) -> tuple[tuple[float, float], ...]:
    if isinstance(shape, TextSpan):
        return tuple((float(start), float(end)) for start, end in shape.pieces)
    return ((shape.start_s, shape.end_s),)


def _drawings(
    sets: Mapping[str, LabelSet], labels: Mapping[str, int], kind: str
) -> list[Drawing]:
    place: dict[str, int] = {}
    found = []
    sizes = _sizes(sets)
    for worker, one in enumerate(sets.values()):
        drawn: dict[str, list[Annotation]] = {
            document.name: [] for document in one.documents if isinstance(document, Image)
        }
        for annotation in one.annotations:
            if annotation.document in drawn and _kind(annotation) == kind:
                drawn[annotation.document].append(annotation)
        for name, mine in drawn.items():
            codes = np.asarray([labels[a.label] for a in mine], dtype=np.int64)
            document = place.setdefault(name, len(place))
            boxes, masks = None, None
            if kind == "box":
                corners = [
                    (s.x, s.y, s.x + s.width, s.y + s.height)
                    for s in (a.shape for a in mine)
                    if isinstance(s, Box)
                ]
                boxes = np.asarray(corners, dtype=np.float64).reshape(-1, 4)
            else:
                masks = tuple(_pixels(a, sizes[name]) for a in mine)
            found.append(
                Drawing(
                    document=document, worker=worker, labels=codes, boxes=boxes, masks=masks
                )
            )
    return found


def _kind(annotation: Annotation) -> str:
    match annotation.shape:
        case Box(rotation_deg=turned) if not turned:
            return "box"
        case Box() | Polygon() | Mask():
            return "area"
        case _:
            return ""


def _sizes(sets: Mapping[str, LabelSet]) -> dict[str, tuple[int, int]]:
    """Return (width, height) of each image, 0 where nobody said."""
    found: dict[str, tuple[int, int]] = {}
    for one in sets.values():
        for document in one.documents:
            if isinstance(document, Image):
                width, height = found.get(document.name, (0, 0))
                found[document.name] = (
                    max(width, document.width or 0),
                    max(height, document.height or 0),
                )
        for annotation in one.annotations:
            if isinstance(annotation.shape, Mask):
                width, height = found.get(annotation.document, (0, 0))
                found[annotation.document] = (
                    max(width, annotation.shape.width),
                    max(height, annotation.shape.height),
                )
    return found


def _pixels(annotation: Annotation, size: tuple[int, int]) -> Pixels:
    width, height = size
    match annotation.shape:
        case Mask() as mask if (mask.width, mask.height) == size:
            return decode_mask(mask)
        case Polygon() as polygon if width and height:
            return rasterise(polygon, width=ceil(width), height=ceil(height))
        case Box() as box if width and height:
            return rasterise(Polygon(rings=(box_corners(box),)), width=width, height=height)
    raise InputError(
        Problem(
            code="T-A209",
            message=f"an area on image {annotation.document!r} cannot be compared: the image "
            f"is {width} x {height} pixels as stated, and masks have its size.",
            remedy="State the image's width and height in every label set.",
        )
    )
