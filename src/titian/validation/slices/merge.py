"""Overlapping slices become a readable few: what an earlier slice explains is folded into it.

Slices are taken best first. The ones kept so far cut the cases into strata, and a stratum's
mean error is what they explain. A slice is folded where it holds nearly the same cases as one
kept, or where its errors are hardly more than the strata lead one to expect; else it is kept
and cuts the strata further. Each folded slice names the kept one that it overlaps most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from titian.validation.slices.feature import Feature
from titian.validation.slices.lattice import Bools
from titian.validation.slices.score import Floats, Ints
from titian.validation.slices.search import Ranked

SAME_CASES = 0.75
"""Shared cases over cases in either, from which two slices are told as one."""

EXPLAINED = 0.5
"""Share of its own evidence below which what is left of a slice's evidence is no news."""


class Relation(StrEnum):
    """How a folded slice lies to the one that it was folded into."""

    SAME = "same cases"
    NARROWER = "narrower"
    WIDER = "wider"
    OVERLAPPING = "overlapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A slice that an earlier one explains.

    Attributes:
        item: the slice.
        relation: to the kept slice.
        overlap: shared cases over cases in either, in (0, 1].
    """

    item: Ranked
    relation: Relation
    overlap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A slice that says something of its own, and what was folded into it."""

    item: Ranked
    folded: tuple[Folded, ...]


def merge(
    ranked: Sequence[Ranked],
    features: Sequence[Feature],
    error: Floats,
    *,
    most: int,
    critical: float | None,
) -> tuple[Kept, ...]:
    """Fold slices into earlier ones, best first, until `most` are kept.

    Args:
        ranked: best first.
        features: that the conditions point into.
        error: shape (n,).
        most: slices to keep; those that come after the last one's successor are left out.
        critical: evidence that noise rarely reaches; a slice that stood out, but with less
            than this left, is folded. None to judge by the share left alone.
    """
    strata = _Strata(error)
    kept: list[Ranked] = []
    masks: list[Bools] = []
    folded: list[list[Folded]] = []
    for item, mask in _masks(ranked, features):
        overlaps = [_overlap(mask, other) for other in masks]
        place = int(np.argmax(overlaps)) if overlaps else -1
        if place >= 0 and _says_nothing_new(mask, overlaps[place], strata, critical):
            folded[place].append(
                Folded(
                    item=item,
                    relation=_relation(mask, masks[place]),
                    overlap=overlaps[place],
                )
            )
            continue
        if len(kept) == most:
            break
        kept.append(item)
        masks.append(mask)
        folded.append([])
        strata.cut(mask)
    return tuple(
        Kept(item=item, folded=tuple(own)) for item, own in zip(kept, folded, strict=True)
    )


def members(item: Ranked, features: Sequence[Feature]) -> Bools:
    """Return which cases are in a slice, shape (n,)."""
    place, code = item.conditions[0]
    inside: Bools = features[place].code == code
    for place, code in item.conditions[1:]:
        inside &= features[place].code == code
    return inside


def _masks(
    ranked: Sequence[Ranked], features: Sequence[Feature]
) -> Iterator[tuple[Ranked, Bools]]:
    for item in ranked:
        yield item, members(item, features)


def _overlap(one: Bools, other: Bools) -> float:
    shared = int(np.count_nonzero(one & other))
    return shared / (int(np.count_nonzero(one)) + int(np.count_nonzero(other)) - shared)


def _relation(mask: Bools, kept: Bools) -> Relation:
    beyond, lacking = bool((mask & ~kept).any()), bool((kept & ~mask).any())
    if beyond and lacking:
        return Relation.OVERLAPPING
    if beyond:
        return Relation.WIDER
    return Relation.NARROWER if lacking else Relation.SAME


def _says_nothing_new(
    mask: Bools, overlap: float, strata: _Strata, critical: float | None
) -> bool:
    if overlap == 0.0:
        return False
    if overlap >= SAME_CASES:
        return True
    own, left = strata.evidence(mask, whole=True), strata.evidence(mask)
    if left < EXPLAINED * own:
        return True
    return critical is not None and own >= critical > left


class _Strata:
    """The cases, cut by the slices kept so far."""

    def __init__(self, error: Floats) -> None:
        self._error = error
        self._whole = _Cut.of(np.zeros(len(error), dtype=np.int64), error)
        self._fine = self._whole

    def cut(self, mask: Bools) -> None:
        """Part each stratum into the cases inside and outside."""
        joint = 2 * self._fine.code + mask
        there = np.bincount(joint) > 0
        self._fine = _Cut.of((np.cumsum(there) - 1)[joint], self._error)

    def evidence(self, mask: Bools, *, whole: bool = False) -> float:
        """Return how far the errors inside exceed the strata's means, in standard deviations.

        The variance is that of dealing out each stratum's errors anew. With `whole` all
        cases are one stratum.
        """
        cut = self._whole if whole else self._fine
        inside = np.bincount(cut.code[mask], minlength=len(cut.size)).astype(np.float64)
        variance = inside * (cut.size - inside) / np.maximum(cut.size - 1, 1) * cut.spread
        excess = float(self._error[mask].sum() - (inside * cut.mean).sum())
        total = float(variance.sum())
        return excess / math.sqrt(total) if total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Cut:
    """Strata: each case's, and their sizes, mean errors and variances."""

    code: Ints
    size: Floats
    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, code: Ints, error: Floats) -> _Cut:
        size = np.bincount(code).astype(np.float64)
        mean = np.bincount(code, weights=error) / size
        spread = np.bincount(code, weights=(error - mean[code]) ** 2) / size
        return cls(code, size, mean, spread)
