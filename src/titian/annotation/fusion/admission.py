"""Which label sets can be merged: the same documents, and shapes that can be measured.

A document that a worker's set lists without annotations was read and found empty; one that it
does not list was skipped, and says nothing. Formats that cannot list an empty document need
`read` to say so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields

import numpy as np

from titian.annotation.fusion.result import Bools
from titian.annotation.shapes import (
    KIND,
    Annotation,
    Box,
    Document,
    Keypoints,
    LabelSet,
    Mask,
    Polygon,
    Segment,
    Shape,
    TextSpan,
    Track,
)
from titian.annotation.validity import KIND as WRONG_KIND
from titian.annotation.validity import is_measurable, shape_faults
from titian.errors import InputError, Problem

SHOWN = 3  # places named in one message; the rest are counted


def admit(label_sets: Mapping[str, LabelSet]) -> tuple[Document, ...]:
    """Check that the sets can be merged and return their documents, each once.

    Raises:
        InputError: T-A300 to T-A308, T-A411; all problems together.
    """
    problems: list[Problem] = []
    if not label_sets:
        problems.append(
            Problem(
                code="T-A300",
                message="there are no label sets; a merge needs at least one.",
                remedy="Name a worker and a label set.",
            )
        )
    documents: dict[str, Document] = {}
    for worker, label_set in label_sets.items():
        for document in label_set.documents:
            known = documents.get(document.name)
            both = document if known is None else _united(known, document)
            if both is None:
                problems.append(_differing(worker, document))
            else:
                documents[document.name] = both
    for worker, label_set in label_sets.items():
        problems += _annotation_problems(worker, label_set, documents)
    if problems:
        raise InputError(*problems)
    return tuple(documents.values())


def readers(
    label_sets: Mapping[str, LabelSet],
    documents: tuple[Document, ...],
    read: Mapping[str, Collection[str]] | None,
) -> Bools:
    """Return who read what, shape (documents, workers).

    Args:
        label_sets: by worker.
        documents: all documents.
        read: names of documents that a worker read besides those that its set lists.

    Raises:
        InputError: T-A309 an unknown worker or document.
    """
    place = {document.name: i for i, document in enumerate(documents)}
    more = read or {}
    problems = [
        Problem(
            code="T-A309",
            message=f"worker {worker!r} is said to have read documents, but has no label set.",
            remedy=f"Use one of the names {', '.join(map(repr, label_sets))}.",
        )
        for worker in more
        if worker not in label_sets
    ]
    problems += [
        Problem(
            code="T-A309",
            message=f"worker {worker!r} is said to have read {name!r}, "
            "which no label set lists.",
            remedy="Correct the name.",
        )
        for worker, names in more.items()
        for name in sorted(names)
        if name not in place
    ]
    if problems:
        raise InputError(*problems)
    found = np.zeros((len(documents), len(label_sets)), dtype=bool)
    for w, (worker, label_set) in enumerate(label_sets.items()):
        for document in label_set.documents:
            found[place[document.name], w] = True
        for name in more.get(worker, ()):
            found[place[name], w] = True
    return found


def _united(known: Document, other: Document) -> Document | None:
    """Return one document that holds what both say, None where they contradict."""
    if type(known) is not type(other):
        return None
    values = {}
    for field in fields(known):
        one, two = getattr(known, field.name), getattr(other, field.name)
        if one is not None and two is not None and one != two:
            return None
        values[field.name] = two if one is None else one
    return type(known)(**values)


def _differing(worker: str, document: Document) -> Problem:
    return Problem(
        code="T-A301",
        message=f"document {document.name!r} of worker {worker!r} is not the one that another "
        "worker saw: its kind, text, size or length differs.",
        remedy="Give every worker the same documents, or rename one of the two.",
    )


def _annotation_problems(
    worker: str, label_set: LabelSet, documents: Mapping[str, Document]
) -> list[Problem]:
    listed = {document.name for document in label_set.documents}
    wrong: dict[str, list[str]] = {}
    for i, annotation in enumerate(label_set.annotations):
        if annotation.document not in listed:
            wrong.setdefault("T-A302", []).append(f"{annotation.document!r} of annotation {i}")
            continue
        document = documents.get(annotation.document)
        code = None if document is None else _fault(annotation, document)
        if code:
            kind = KIND[type(annotation.shape)]
            wrong.setdefault(code, []).append(f"{kind} {i} on {annotation.document!r}")
    return [
        Problem(
            code=code,
            message=f"worker {worker!r} has {len(places)} {FAULTS[code][0]} "
            f"(first: {', '.join(places[:SHOWN])}); {FAULTS[code][1]}",
            remedy=FAULTS[code][2],
        )
        for code, places in sorted(wrong.items())
    ]


FAULTS = {
    "T-A302": (
        "annotations on documents that the set does not list",
        "each annotation names a listed document.",
        "List the document, or remove the annotations.",
    ),
    "T-A303": (
        "boxes without an area",
        "coordinates are finite, width and height above 0.",
        "Correct or remove them; titian annotation convert --geometry mend removes them.",
    ),
    "T-A304": (
        "areas that cannot be filled",
        "a polygon's parts have three finite points or more, a mask's runs add up to its size, "
        "and a mask has the size of its image.",
        "Correct or remove them.",
    ),
    "T-A305": (
        "spans outside their text or in disorder",
        "0 <= start < end <= length in code points, gaps inside and in order.",
        "Count in Unicode code points, not in bytes, and use the text that was labelled.",
    ),
    "T-A306": (
        "segments in disorder",
        "0 <= start < end, in finite seconds.",
        "Correct or remove them.",
    ),
    "T-A307": (
        "tracks in disorder",
        "a track has one key frame or more, each frame once, in order, from 0, with boxes "
        "that have an area.",
        "Correct or remove them.",
    ),
    "T-A308": (
        "keypoints that are nowhere",
        "labelled points have finite coordinates.",
        "Correct them, or mark them as hidden (visibility 0).",
    ),
    "T-A411": (
        "shapes on a document of another kind",
        "boxes, areas and points lie on images, tracks on films, spans in texts, segments in "
        "recordings.",
        "Correct the document's kind, or remove them.",
    ),
}

CODES: dict[type[Shape], str] = {
    Box: "T-A303",
    Polygon: "T-A304",
    Mask: "T-A304",
    TextSpan: "T-A305",
    Segment: "T-A306",
    Track: "T-A307",
    Keypoints: "T-A308",
}


def _fault(annotation: Annotation, document: Document) -> str | None:
    """Return the code of a shape that cannot be measured, None of one that can."""
    if is_measurable(annotation.shape, document):
        return None
    found = shape_faults(annotation.shape, document, crossings=False)
    if any(fault.code == WRONG_KIND for fault in found):
        return "T-A411"
    return CODES[type(annotation.shape)]
