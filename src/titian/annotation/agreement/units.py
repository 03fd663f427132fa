"""Agreement on what annotators draw: spans, segments, boxes and masks.

Stretches of text or time share a continuum, so that they are compared piece by piece: every
start or end of any worker cuts it, and a piece counts by its length. This is Krippendorff's
alpha for unitised continua with gaps as a value of their own (Krippendorff, Mathet, Bouvry and
Widloecher, Quality & Quantity 50, 2016, 2347-2364), without the correction for small samples,
which would depend on the unit of length.

Boxes and masks of an image are compared as sets: they are matched one to one so that the sum
of their intersections over unions is largest, and two workers are as far apart as what is left,
1 - sum / the larger number of shapes. Chance is what workers draw on different images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from titian.annotation.agreement.bootstrap import finish, share_unseen
from titian.annotation.consensus.votes import Floats
from titian.errors import InputError, Problem
from titian.statistics.estimate import Estimate, intervals_of, unknown

CHANCE_PAIRS = 5_000  # pairs of drawings of different documents that stand for chance
MOST_LEFT_OUT = 2_000
NO_DISAGREEMENT = 1e-12

Rectangles: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A labelled stretch of a continuum.

    Attributes:
        document: index from 0.
        worker: index from 0.
        label: index from 0.
        start: in characters or seconds, at least 0.
        end: above `start`; not included.
    """

    document: int
    worker: int
    label: int
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What one worker drew on one image; both shapes and labels may be empty.

    Attributes:
        document: index from 0.
        worker: index from 0.
        labels: shape (n,), the class of each shape.
        boxes: shape (n, 4), left, top, right, bottom; or None where masks are given.
        masks: n arrays of one shape, True inside; or None.
    """

    document: int
    worker: int
    labels: NDArray[np.int64]
    boxes: Rectangles | None = None
    masks: tuple[Mask, ...] | None = None


def alpha_of_stretches(
    stretches: Sequence[Stretch],
    *,
    lengths: Sequence[float],
    workers: Sequence[Sequence[int]],
    rng: np.random.Generator,
    draws: int = 1_000,
    alpha: float = 0.05,
) -> Estimate:
    """Estimate alpha of spans or segments, with an interval by document.

    Args:
        stretches: what was marked. Where a worker's own stretches overlap, the piece counts as
            the combination of their labels.
        lengths: shape (documents,), the length of each continuum.
        workers: for each document, who read it: whoever marked nothing saw only gaps.
        rng: draws the documents.
        draws: how many times; 0 for no interval.
        alpha: one minus the nominal coverage.

    Raises:
        InputError: T-A208 stretches outside their document, of nobody who read it, or empty.
    """
    _check_stretches(stretches, lengths, workers)
    by_document: list[list[Stretch]] = [[] for _ in lengths]
    for stretch in stretches:
        by_document[stretch.document].append(stretch)
    values: dict[frozenset[int], int] = {frozenset(): 0}
    pieces = [
        _pieces(by_document[place], length, tuple(workers[place]), values)
        for place, length in enumerate(lengths)
        if len(set(workers[place])) >= 2 and length > 0
    ]
    if not pieces:
        return unknown(0, "no document was read by two workers")
    apart = np.asarray([piece.apart for piece in pieces])
    shares = np.zeros((len(pieces), len(values)))
    for row, piece in zip(shares, pieces, strict=True):
        for value, length in piece.cast.items():
            row[value] = length

    def statistic(weight: Floats) -> Floats:
        n = weight @ shares
        total = n.sum(axis=1)
        expected = total - np.divide(
            (n**2).sum(axis=1), total, out=np.ones_like(total), where=total > 0
        )
        return _one_minus(weight @ apart, expected, total * NO_DISAGREEMENT)

    return _interval(statistic, len(pieces), "all marked one value", rng, draws, alpha)


def alpha_of_drawings(
    drawings: Sequence[Drawing],
    *,
    rng: np.random.Generator,
    draws: int = 1_000,
    alpha: float = 0.05,
) -> Estimate:
    """Estimate alpha of boxes or masks, with an interval by image.

    Args:
        drawings: one per worker and image, empty ones included.
        rng: draws the images, and the pairs that stand for chance.
        draws: how many times; 0 for no interval.
        alpha: one minus the nominal coverage.

    Raises:
        InputError: T-A208 a worker has two drawings of one image, or a drawing has not as
            many labels as shapes.
    """
    _check_drawings(drawings)
    by_document: dict[int, list[Drawing]] = {}
    for drawing in drawings:
        by_document.setdefault(drawing.document, []).append(drawing)
    several = [group for group in by_document.values() if len(group) >= 2]
    if not several:
        return unknown(0, "no image was drawn on by two workers")
    if len(several) < 2:
        return unknown(1, "chance needs drawings of two images")
    apart = np.asarray(
        [
            np.mean([distance(a, b) for i, a in enumerate(group) for b in group[:i]])
            for group in several
        ]
    )
    size = np.asarray([len(group) for group in several], dtype=np.float64)
    first, second, chance = _by_chance(several, rng)

    def statistic(weight: Floats) -> Floats:
        observed = (weight * size) @ apart / (weight @ size)
        together = weight[:, first] * weight[:, second]
        whole = together.sum(axis=1)
        expected = np.divide(
            together @ chance, whole, out=np.zeros(len(weight)), where=whole > 0
        )
        return _one_minus(observed, expected, np.full(len(weight), NO_DISAGREEMENT))

    reason = "drawings of different images do not differ"
    return _interval(statistic, len(several), reason, rng, draws, alpha)


def distance(one: Drawing, two: Drawing) -> float:
    """Return how far two drawings are apart, in [0, 1]; two empty ones are 0 apart.

    Shapes of different classes are never matched.
    """
    most = max(len(one.labels), len(two.labels))
    if not most:
        return 0.0
    if not len(one.labels) or not len(two.labels):
        return 1.0
    overlap = _overlaps(one, two) * (one.labels[:, None] == two.labels[None, :])
    rows, columns = linear_sum_assignment(-overlap)
    return 1.0 - float(overlap[rows, columns].sum()) / most


def _overlaps(one: Drawing, two: Drawing) -> Floats:
    if one.boxes is not None and two.boxes is not None:
        low = np.maximum(one.boxes[:, None, :2], two.boxes[None, :, :2])
        high = np.minimum(one.boxes[:, None, 2:], two.boxes[None, :, 2:])
        shared = np.prod(np.clip(high - low, 0.0, None), axis=2)
        areas = [
            np.prod(d.boxes[:, 2:] - d.boxes[:, :2], axis=1)
            for d in (one, two)
            if d.boxes is not None
        ]
    else:
        flat = [
            np.stack([mask.reshape(-1) for mask in d.masks or ()]).astype(np.float32)
            for d in (one, two)
        ]
        shared = (flat[0] @ flat[1].T).astype(np.float64)
        areas = [f.sum(axis=1).astype(np.float64) for f in flat]
    union = areas[0][:, None] + areas[1][None, :] - shared
    found: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found


def _by_chance(
    several: Sequence[Sequence[Drawing]], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return pairs of images, and how far a drawing of one is from a drawing of the other."""
    n = len(several)
    if n * (n - 1) // 2 <= CHANCE_PAIRS:
        first, second = np.triu_indices(n, 1)
        repeats = max(1, CHANCE_PAIRS // (4 * len(first)))
        first, second = np.tile(first, repeats), np.tile(second, repeats)
    else:
        first = rng.integers(n, size=CHANCE_PAIRS)
        second = (first + rng.integers(1, n, size=CHANCE_PAIRS)) % n
    chance = np.asarray(
        [
            distance(
                several[a][int(rng.integers(len(several[a])))],
                several[b][int(rng.integers(len(several[b])))],
            )
            for a, b in zip(first.tolist(), second.tolist(), strict=True)
        ]
    )
    return first.astype(np.int64), second.astype(np.int64), chance


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    """A document's length-weighted disagreement, and the length cast for each value."""

    apart: float
    cast: dict[int, float]


def _pieces(
    stretches: Sequence[Stretch],
    length: float,
    workers: tuple[int, ...],
    values: dict[frozenset[int], int],
) -> _Pieces:
    people = tuple(dict.fromkeys(workers))
    starts: dict[float, list[Stretch]] = {}
    ends: dict[float, list[Stretch]] = {}
    for stretch in stretches:
        starts.setdefault(stretch.start, []).append(stretch)
        ends.setdefault(stretch.end, []).append(stretch)
    marks: dict[int, Counter[int]] = {worker: Counter() for worker in people}
    apart, cast = 0.0, dict[int, float]()
    for left, right in pairwise(sorted({0.0, length, *starts, *ends})):
        wide = right - left
        for stretch in ends.get(left, ()):
            marks[stretch.worker][stretch.label] -= 1
        for stretch in starts.get(left, ()):
            marks[stretch.worker][stretch.label] += 1
        counts: dict[int, int] = {}
        for mark in marks.values():
            value = values.setdefault(frozenset(+mark), len(values))
            counts[value] = counts.get(value, 0) + 1
        m = len(people)
        agreeing = sum(count * count for count in counts.values())
        apart += wide * (m * m - agreeing) / (m - 1)
        for value, count in counts.items():
            cast[value] = cast.get(value, 0.0) + wide * count
    return _Pieces(apart=apart, cast=cast)


def _interval(
    statistic: Callable[[Floats], Floats],
    n: int,
    undefined: str,
    rng: np.random.Generator,
    draws: int,
    alpha: float,
) -> Estimate:
    value = float(statistic(np.ones((1, n)))[0])
    if not np.isfinite(value):
        return unknown(n, undefined)
    if not draws or n < 2:
        return Estimate(value=value, n=n, reason="" if not draws else "one document only")
    if value > 1.0 - NO_DISAGREEMENT:
        low = np.asarray([max(1.0 - 2.0 * share_unseen(n, alpha), -1.0)])
        return Estimate(
            value=value,
            n=n,
            intervals=intervals_of((alpha,), low, np.asarray([value])),
            method="twice Wilson's bound on the share of documents that differ",
        )
    drawn = np.concatenate(
        [
            statistic(np.bincount(rng.integers(n, size=n), minlength=n)[None].astype(float))
            for _ in range(draws)
        ]
    )
    left_out = None
    if n <= MOST_LEFT_OUT:
        without = [
            statistic((np.arange(n) != place)[None].astype(np.float64)) for place in range(n)
        ]
        left_out = (np.concatenate(without), np.ones(n))
    return finish(value, n, drawn, left_out, alpha=alpha)


def _one_minus(observed: Floats, expected: Floats, least: Floats) -> Floats:
    found = np.full_like(expected, np.nan)
    np.divide(observed, expected, out=found, where=expected > least)
    return 1.0 - found


def _check_stretches(
    stretches: Sequence[Stretch], lengths: Sequence[float], workers: Sequence[Sequence[int]]
) -> None:
    reasons = []
    if len(lengths) != len(workers):
        reasons.append(f"there are {len(lengths)} lengths and {len(workers)} lists of workers.")
    else:
        for place, one in enumerate(stretches):
            if not 0 <= one.document < len(lengths):
                reasons.append(f"stretch {place} is of document {one.document}, which is none.")
            elif not 0.0 <= one.start < one.end <= lengths[one.document]:
                reasons.append(
                    f"stretch {place} goes from {one.start:g} to {one.end:g} in a document of "
                    f"length {lengths[one.document]:g}."
                )
            elif one.worker not in workers[one.document]:
                reasons.append(
                    f"stretch {place} is of worker {one.worker}, who did not read document "
                    f"{one.document}."
                )
    _refuse(reasons)


def _check_drawings(drawings: Sequence[Drawing]) -> None:
    reasons = []
    seen: set[tuple[int, int]] = set()
    kinds = {drawing.boxes is None for drawing in drawings if len(drawing.labels)}
    if len(kinds) > 1:
        reasons.append("some drawings hold boxes and others masks.")
    for drawing in drawings:
        key = (drawing.document, drawing.worker)
        shapes: Any = drawing.boxes if drawing.boxes is not None else drawing.masks or ()
        if key in seen:
            reasons.append(f"worker {key[1]} has two drawings of image {key[0]}.")
        if len(shapes) != len(drawing.labels):
            reasons.append(
                f"worker {key[1]}'s drawing of image {key[0]} has {len(drawing.labels)} labels "
                f"and {len(shapes)} shapes."
            )
        seen.add(key)
    _refuse(reasons)


def _refuse(reasons: list[str]) -> None:
    if reasons:
        raise InputError(
            *(
                Problem(
                    code="T-A208",
                    message=reason,
                    remedy="Correct what is compared: one drawing per worker and document.",
                )
                for reason in reasons
            )
        )
