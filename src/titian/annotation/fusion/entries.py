"""All workers' marks of one kind of shape, as codes, and what every merge gives back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from titian.annotation.fusion.objects import Objects
from titian.annotation.fusion.result import (
    Bools,
    Floats,
    Ints,
    WorkerQuality,
    expected_share,
)
from titian.annotation.shapes import Annotation, Document, Shape

ShapeT = TypeVar("ShapeT", bound=Shape)

Tie = frozenset[tuple[int, str]]

ROUNDING = 1e-6  # probabilities this close to the bound count as on it: the EM stops there


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries(Generic[ShapeT]):
    """Marks of one kind of shape, valid and within their documents.

    Attributes:
        kind: word of the kind.
        annotations: shape (n,), as given.
        shapes: shape (n,), as they count after the rules (cut to the image, for instance).
        document: shape (n,), codes into `documents`.
        worker: shape (n,), codes into `workers`.
        label: shape (n,), codes into `labels`.
        read: shape (documents, workers), who read what.
        keep: least probability with which an object is kept.
        least_overlap: overlap from which two shapes are one object.
    """

    kind: str
    annotations: tuple[Annotation, ...]
    shapes: tuple[ShapeT, ...]
    document: Ints
    worker: Ints
    label: Ints
    documents: tuple[Document, ...]
    workers: tuple[str, ...]
    labels: tuple[str, ...]
    read: Bools
    keep: float
    least_overlap: float

    def only(self, places: Sequence[int], shapes: Iterable[ShapeT]) -> Entries[ShapeT]:
        """Return the marks at these places, with these shapes."""
        rows = np.asarray(places, dtype=np.int64)
        return replace(
            self,
            annotations=tuple(self.annotations[i] for i in places),
            shapes=tuple(shapes),
            document=self.document[rows],
            worker=self.worker[rows],
            label=self.label[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one kind of shape came to.

    Attributes:
        annotations: the merged shapes.
        ties: of each merged shape, the (worker, group) of its members.
        workers: one record each.
        notes: one sentence each.
    """

    annotations: tuple[Annotation, ...]
    ties: tuple[Tie, ...]
    workers: tuple[WorkerQuality, ...]
    notes: tuple[str, ...] = ()


def object_annotations(
    entries: Entries[ShapeT], objects: Objects, shapes: Sequence[Shape | None]
) -> tuple[tuple[Annotation, ...], tuple[Tie, ...]]:
    """Return one annotation for each object that is probable enough, and its ties.

    Args:
        entries: the marks.
        objects: what was found in them.
        shapes: shape (objects,), the fused shapes; None where nothing is left.
    """
    members: list[list[int]] = [[] for _ in shapes]
    for i, g in enumerate(objects.group):
        members[int(g)].append(i)
    found, ties = [], []
    for g, shape in enumerate(shapes):
        if shape is None or objects.real[g] < entries.keep - ROUNDING:
            continue
        label = int(objects.label[g])
        score = float(objects.real[g] * objects.classes[g, label])
        ties.append(tie_of(entries, members[g]))
        found.append(
            Annotation(
                document=entries.documents[int(objects.document[g])].name,
                label=entries.labels[label],
                shape=shape,
                score=min(max(score, 0.0), 1.0),
                attributes=common_attributes([entries.annotations[i] for i in members[g]]),
            )
        )
    return tuple(found), tuple(ties)


def tie_of(entries: Entries[ShapeT], members: Iterable[int]) -> Tie:
    """Return the (worker, group) of the marks; the group of most is ``""``."""
    return frozenset((int(entries.worker[i]), entries.annotations[i].group) for i in members)


def common_attributes(members: Sequence[Annotation]) -> dict[str, str]:
    """Return what most of the members say of each attribute; ties go by the alphabet."""
    names = sorted({name for member in members for name in member.attributes})
    found = {}
    for name in names:
        count = Counter(m.attributes[name] for m in members if name in m.attributes)
        if 2 * sum(count.values()) > len(members):
            found[name] = min(count, key=lambda value: (-count[value], value))
    return found


def object_quality(
    entries: Entries[ShapeT], objects: Objects, overlap: Floats
) -> tuple[WorkerQuality, ...]:
    """Hold each worker's marks against the objects.

    Args:
        entries: the marks.
        objects: what was found in them.
        overlap: shape (n,), of each mark with the fused shape.
    """
    found = []
    ones = np.ones(len(entries.document))
    real = objects.real[objects.group]
    right = real * objects.classes[objects.group, entries.label]
    for w, name in enumerate(entries.workers):
        mine = entries.worker == w
        marked = np.zeros(len(objects.real))
        marked[objects.group[mine]] = 1.0
        whole = objects.real * entries.read[objects.document, w]
        told = real[mine] * overlap[mine]
        found.append(
            WorkerQuality(
                worker=name,
                kind=entries.kind,
                documents=int(entries.read[:, w].sum()),
                shapes=int(mine.sum()),
                recall=expected_share(whole * marked, whole, noun="objects"),
                precision=expected_share(real[mine], ones[mine], noun="shapes"),
                accuracy=expected_share(right[mine], real[mine], noun="shapes"),
                overlap=float(told.sum() / real[mine].sum()) if mine.any() else None,
            )
        )
    return tuple(found)
