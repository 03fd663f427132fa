"""What a merge gives back: one label set, and how well each worker did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from titian.annotation.shapes import LabelSet
from titian.statistics.estimate import Estimate, intervals_of, unknown
from titian.statistics.proportions import wilson

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ALPHA = 0.05
METHOD = "Wilson, expected counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerQuality:
    """How one worker's shapes of one kind compare with the merged ones.

    The truth is not known: each share counts merged shapes by their probability. A worker
    weighs in the consensus that it is held against, so with fewer than three workers on a
    document the numbers flatter.

    Attributes:
        worker: name.
        kind: kind of shape, the word of `titian.annotation.shapes.KIND`.
        documents: how many the worker read.
        shapes: how many the worker drew.
        recall: share of the real objects (or of what is labelled, by length) that the worker
            marked.
        precision: share of the worker's shapes (by length for spans and segments) that are
            real, labels included for spans and segments.
        accuracy: share of the worker's labels on real objects that are right.
        overlap: mean overlap (intersection over union; for keypoints their similarity) of
            the worker's shapes with the merged ones; None where there is none.
    """

    worker: str
    kind: str
    documents: int
    shapes: int
    recall: Estimate
    precision: Estimate
    accuracy: Estimate
    overlap: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Several workers' label sets, brought together.

    Attributes:
        label_set: one set; each annotation's score is the probability that it is real and
            rightly labelled, given the workers' records.
        workers: one record per worker and kind of shape, in the order given.
        notes: what a reader should know, one sentence each.
    """

    label_set: LabelSet
    workers: tuple[WorkerQuality, ...]
    notes: tuple[str, ...] = ()


def expected_share(part: Floats, whole: Floats, *, noun: str) -> Estimate:
    """Estimate a share of expected counts with Wilson's interval.

    Args:
        part: shape (n,), expected successes of each unit, in [0, whole].
        whole: shape (n,), weight of each unit; the effective n is Kish's.
        noun: what the units are, for the reason of an unknown value.
    """
    total = float(whole.sum())
    if total <= 0.0:
        return unknown(0, f"no {noun}")
    value = min(max(float(part.sum()) / total, 0.0), 1.0)
    size = total * total / float((whole * whole).sum())
    low, high = wilson(value, size, (ALPHA,))
    return Estimate(
        value=value,
        n=int(np.count_nonzero(whole > 0)),
        intervals=intervals_of((ALPHA,), low, high),
        method=METHOD,
    )
