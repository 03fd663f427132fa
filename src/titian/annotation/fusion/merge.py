"""Merging the label sets of several workers into one, each kind of shape by its own rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from titian.annotation.fusion.admission import admit, readers
from titian.annotation.fusion.answers import merge_answers
from titian.annotation.fusion.boxes import merge_boxes
from titian.annotation.fusion.entries import Entries, Part, Tie
from titian.annotation.fusion.keypoints import merge_keypoints
from titian.annotation.fusion.masks import merge_masks, merge_polygons
from titian.annotation.fusion.result import Merged
from titian.annotation.fusion.segments import merge_segments
from titian.annotation.fusion.spans import merge_spans
from titian.annotation.fusion.tracks import merge_tracks
from titian.annotation.shapes import (
    KIND,
    Annotation,
    Box,
    Classification,
    Document,
    Keypoints,
    LabelClass,
    LabelSet,
    Mask,
    Polygon,
    Segment,
    Shape,
    TextSpan,
    Track,
    extent,
)
from titian.errors import InputError, Problem

KEEP = 0.5
LEAST_OVERLAP = 0.4  # two noisy shapes of one object overlap less than each does with the truth

MERGERS: dict[type[Shape], Callable[[Entries[Any]], Part]] = {
    Box: merge_boxes,
    Polygon: merge_polygons,
    Mask: merge_masks,
    TextSpan: merge_spans,
    Segment: merge_segments,
    Keypoints: merge_keypoints,
    Track: merge_tracks,
    Classification: merge_answers,
}


def merge(
    label_sets: Mapping[str, LabelSet],
    *,
    read: Mapping[str, Collection[str]] | None = None,
    keep: float = KEEP,
    least_overlap: float = LEAST_OVERLAP,
) -> Merged:
    """Merge what several workers drew into one label set.

    A document that a worker's set lists was read by that worker, also where nothing is on
    it; a document that it does not list was skipped and says nothing about its objects.
    The result does not depend on the order of the workers, beyond rounding and the order of
    documents and records.

    Args:
        label_sets: worker's name -> what the worker drew.
        read: worker's name -> further documents that the worker read and left empty, for
            formats that do not list such documents.
        keep: least probability with which an object is kept, in (0, 1).
        least_overlap: overlap from which two shapes are the same object, in (0, 1).

    Returns:
        Annotations by document, then kind, then place; `score` is the probability that the
        object is real and its label right (for spans and segments: its mean over the
        stretch). Merged shapes form a group where more than half of the workers who drew both
        put them into one. Relations and ids are not merged; a note says how many relations
        there were.

    Raises:
        InputError: T-A300 to T-A310; all problems of the sets together.
    """
    _check_bounds(keep=keep, least_overlap=least_overlap)
    documents = admit(label_sets)
    seen = readers(label_sets, documents, read)
    parts: list[Part] = []
    notes: list[str] = []
    kinds = {type(a.shape) for s in label_sets.values() for a in s.annotations}
    for kind, merger in MERGERS.items():
        if kind in kinds:
            chosen = _entries(label_sets, kind, documents, seen, keep, least_overlap)
            parts.append(merger(chosen))
    notes += [note for part in parts for note in part.notes] + _losses(label_sets)
    place = {document.name: i for i, document in enumerate(documents)}
    annotations = sorted(
        regrouped(
            [annotation for part in parts for annotation in part.annotations],
            [tie for part in parts for tie in part.ties],
        ),
        key=lambda a: (place[a.document], KIND[type(a.shape)], where(a.shape), a.label),
    )
    label_set = LabelSet(
        documents=documents,
        annotations=tuple(annotations),
        classes=_classes(label_sets),
        notes=tuple(notes),
    )
    return Merged(
        label_set=label_set,
        workers=tuple(quality for part in parts for quality in part.workers),
        notes=tuple(notes),
    )


def regrouped(annotations: list[Annotation], ties: list[Tie]) -> list[Annotation]:
    """Give merged shapes of one document a common group where the workers gave them one.

    Two shapes belong together where more than half of the workers who drew both put them
    into one group.

    Args:
        annotations: the merged shapes.
        ties: of each, the (worker, group) of its members.
    """
    head = list(range(len(annotations)))

    def root(i: int) -> int:
        while head[i] != i:
            i = head[i]
        return i

    holders: dict[tuple[str, int, str], list[int]] = {}
    for i, tie in enumerate(ties):
        for worker, group in sorted(tie):
            if group:
                holders.setdefault((annotations[i].document, worker, group), []).append(i)
    pairs = sorted({pair for held in holders.values() for pair in combinations(held, 2)})
    for one, two in pairs:
        common = {worker for worker, group in ties[one] & ties[two] if group}
        both = {worker for worker, _ in ties[one]} & {worker for worker, _ in ties[two]}
        if 2 * len(common) > len(both):
            head[root(two)] = root(one)
    size = Counter(root(i) for i in range(len(annotations)))
    name = {top: str(n + 1) for n, top in enumerate(t for t in sorted(size) if size[t] > 1)}
    return [
        replace(annotation, group=name.get(root(i), ""))
        for i, annotation in enumerate(annotations)
    ]


def where(shape: Shape) -> tuple[float, ...]:
    """Return where a shape begins, to order shapes of one kind by."""
    match shape:
        case Box():
            return (shape.y, shape.x)
        case Polygon():
            around = extent(tuple(point for ring in shape.rings for point in ring))
            return (around.y, around.x)
        case Mask():
            return (shape.counts[0],)
        case TextSpan():
            return (shape.start, shape.end)
        case Segment():
            return (shape.start_s, shape.end_s)
        case Keypoints():
            first = next(p for p in shape.points if p.visibility)
            return (first.y, first.x)
        case Track():
            key = shape.keyframes[0]
            return (key.frame, key.box.y, key.box.x)
        case Classification():
            return ()


def _entries(
    label_sets: Mapping[str, LabelSet],
    kind: type[Shape],
    documents: tuple[Document, ...],
    read: np.ndarray[Any, np.dtype[np.bool_]],
    keep: float,
    least_overlap: float,
) -> Entries[Any]:
    place = {document.name: i for i, document in enumerate(documents)}
    chosen: list[tuple[int, Annotation]] = [
        (w, annotation)
        for w, label_set in enumerate(label_sets.values())
        for annotation in label_set.annotations
        if isinstance(annotation.shape, kind)
    ]
    # Codes follow the names, so that the order of workers and classes cannot matter.
    labels = tuple(sorted({annotation.label for _, annotation in chosen}))
    code = {name: k for k, name in enumerate(labels)}
    return Entries(
        kind=KIND[kind],
        annotations=tuple(annotation for _, annotation in chosen),
        shapes=tuple(annotation.shape for _, annotation in chosen),
        document=np.array([place[a.document] for _, a in chosen], dtype=np.int64),
        worker=np.array([w for w, _ in chosen], dtype=np.int64),
        label=np.array([code[a.label] for _, a in chosen], dtype=np.int64),
        documents=documents,
        workers=tuple(label_sets),
        labels=labels,
        read=read,
        keep=keep,
        least_overlap=least_overlap,
    )


def _classes(label_sets: Mapping[str, LabelSet]) -> tuple[LabelClass, ...]:
    found: dict[str, LabelClass] = {}
    for label_set in label_sets.values():
        for item in label_set.classes:
            found.setdefault(item.name, item)
    return tuple(found.values())


def _losses(label_sets: Mapping[str, LabelSet]) -> list[str]:
    relations = sum(len(label_set.relations) for label_set in label_sets.values())
    return [f"{relations} relations between annotations are not merged."] if relations else []


def _check_bounds(**bounds: float) -> None:
    problems = [
        Problem(
            code="T-A310",
            message=f"{name} is {value}; it lies between 0 and 1, both excluded.",
            remedy="Leave it out for the default.",
        )
        for name, value in bounds.items()
        if not 0.0 < value < 1.0
    ]
    if problems:
        raise InputError(*problems)
