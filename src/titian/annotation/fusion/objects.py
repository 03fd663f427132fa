"""Objects: groups of matched marks, each real or not, and of some class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.fusion.classes import most_probable, vote
from titian.annotation.fusion.existence import existence
from titian.annotation.fusion.result import Bools, Floats, Ints

OTHER_CLASS = (
    0.9  # factor on the overlap of shapes whose labels differ, so that equals go first
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """Objects found in the marks of several workers, of any kind of shape.

    Attributes:
        document: shape (objects,).
        group: shape (n,), the object of each mark.
        real: shape (objects,), probability of being real.
        classes: shape (objects, classes), probability of each class where real.
        label: shape (objects,), the most probable class.
        hit: shape (workers,), estimated share of real objects that each worker marks.
        tables: shape (workers, classes, classes), estimated confusions.
    """

    document: Ints
    group: Ints
    real: Floats
    classes: Floats
    label: Ints
    hit: Floats
    tables: Floats


def find_objects(
    group: Ints, *, document: Ints, worker: Ints, label: Ints, read: Bools, classes: int
) -> Objects:
    """Say of each group of matched marks whether it is real, and of which class.

    Args:
        group: shape (n,), at most one mark of a worker in each.
        document: shape (n,).
        worker: shape (n,).
        label: shape (n,).
        read: shape (documents, workers).
        classes: number of classes.
    """
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    count, workers = len(first), read.shape[1]
    said = np.full((count, workers), -1, dtype=np.int64)
    said[group, worker] = label
    of = document[first]
    seen = existence(said >= 0, read[of])
    voted = vote(said, seen.real, classes=classes)
    return Objects(
        document=of,
        group=group,
        real=seen.real,
        classes=voted.posterior,
        label=most_probable(voted.posterior),
        hit=seen.hit,
        tables=voted.tables,
    )


def by_document(document: Ints) -> list[Ints]:
    """Return the places of each document's rows."""
    if not len(document):
        return []
    order = np.argsort(document, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(document[order])) + 1)


def by_class(alike: Floats, label: Ints) -> Floats:
    """Return the similarities, those of differing labels lowered."""
    return np.where(label[:, None] == label[None, :], alike, alike * OTHER_CLASS)
