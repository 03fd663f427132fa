"""Overlapping slices become a readable few: what an earlier slice explains is folded into it.

Slices are taken best first. The ones kept so far cut the cases into strata, and a stratum's
mean error is what they explain. A slice is folded where it holds nearly the same cases as one
kept, or where its errors are hardly more than the strata lead one to expect; else it is kept
and cuts the strata further. Each folded slice names the kept one that it overlaps most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from titian.validation.slices.feature import Feature
from titian.validation.slices.lattice import Bools
from titian.validation.slices.score import Floats
from titian.validation.slices.search import Ranked

Bits = NDArray[np.uint64]

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
    strata, members = _Strata(error), _Members(features)
    kept: list[Ranked] = []
    sets: list[Bits] = []
    folded: list[list[Folded]] = []
    for item in ranked:
        own = members.of(item)
        overlaps = [
            _overlap(own, other, item.size + each.size)
            for other, each in zip(sets, kept, strict=True)
        ]
        place = int(np.argmax(overlaps)) if overlaps else -1
        if place >= 0 and _says_nothing_new(item, own, overlaps[place], strata, critical):
            folded[place].append(
                Folded(
                    item=item,
                    relation=_relation(own, sets[place]),
                    overlap=overlaps[place],
                )
            )
            continue
        if len(kept) == most:
            break
        kept.append(item)
        sets.append(own)
        folded.append([])
        strata.cut(own)
    return tuple(
        Kept(item=item, folded=tuple(own)) for item, own in zip(kept, folded, strict=True)
    )


def _overlap(one: Bits, other: Bits, both: int) -> float:
    shared = _count(one & other)
    return shared / (both - shared)


def _relation(own: Bits, kept: Bits) -> Relation:
    beyond, lacking = bool((own & ~kept).any()), bool((kept & ~own).any())
    if beyond and lacking:
        return Relation.OVERLAPPING
    if beyond:
        return Relation.WIDER
    return Relation.NARROWER if lacking else Relation.SAME


def _says_nothing_new(
    item: Ranked, own: Bits, overlap: float, strata: _Strata, critical: float | None
) -> bool:
    if overlap == 0.0:
        return False
    if overlap >= SAME_CASES:
        return True
    alone, left = strata.alone(item), strata.left(item, own)
    if left < EXPLAINED * alone:
        return True
    return critical is not None and alone >= critical > left


def _packed(mask: Bools) -> Bits:
    """Pack a mask into words: an intersection of a million cases then takes microseconds."""
    padded = np.zeros(-(-len(mask) // 64) * 64, dtype=np.bool_)
    padded[: len(mask)] = mask
    words: Bits = np.packbits(padded).view(np.uint64)
    return words


def _count(words: Bits) -> int:
    return int(np.bitwise_count(words).sum(dtype=np.int64))


class _Members:
    """Which cases are in a slice; conditions are packed once."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._features = features
        self._packed: dict[tuple[int, int], Bits] = {}

    def of(self, item: Ranked) -> Bits:
        """Return the cases that meet all conditions."""
        found = self._condition(item.conditions[0])
        for condition in item.conditions[1:]:
            found = found & self._condition(condition)
        return found

    def _condition(self, condition: tuple[int, int]) -> Bits:
        if condition not in self._packed:
            place, code = condition
            self._packed[condition] = _packed(self._features[place].code == code)
        return self._packed[condition]


class _Strata:
    """The cases, cut by the slices kept so far."""

    def __init__(self, error: Floats) -> None:
        self._error = error
        self._code = np.zeros(len(error), dtype=np.int64)
        self._measure()
        self._whole = self._size, self._mean, self._spread

    def cut(self, own: Bits) -> None:
        """Part each stratum into the cases inside and outside."""
        inside = np.unpackbits(own.view(np.uint8), count=len(self._code))
        joint = 2 * self._code + inside
        there = np.bincount(joint) > 0
        self._code = (np.cumsum(there) - 1)[joint]
        self._measure()

    def left(self, item: Ranked, own: Bits) -> float:
        """Return how far the errors inside exceed the strata's means, in standard deviations.

        The variance is that of dealing out each stratum's errors anew.
        """
        inside = np.array([_count(own & words) for words in self._bits], dtype=np.float64)
        return _excess(item.error, inside, self._size, self._mean, self._spread)

    def alone(self, item: Ranked) -> float:
        """Return the same with all cases in one stratum."""
        return _excess(item.error, np.array([float(item.size)]), *self._whole)

    def _measure(self) -> None:
        code, error = self._code, self._error
        self._size: Floats = np.bincount(code).astype(np.float64)
        self._mean: Floats = np.bincount(code, weights=error) / self._size
        squares = np.bincount(code, weights=(error - self._mean[code]) ** 2)
        self._spread: Floats = squares / self._size
        self._bits = [_packed(code == stratum) for stratum in range(len(self._size))]


def _excess(error: float, inside: Floats, size: Floats, mean: Floats, spread: Floats) -> float:
    variance = float((inside * (size - inside) / np.maximum(size - 1, 1) * spread).sum())
    return float(error - (inside * mean).sum()) / math.sqrt(variance) if variance > 0 else 0.0
