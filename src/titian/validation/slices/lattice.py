"""Conjunctions of conditions, counted together: one table per set of features.

A slice is a set of conditions "feature = value", at most one per feature. All slices of the
same features are the cells of one table, so one histogram over joint codes counts them all.
Sets are grown feature by feature in the order of the columns; a slice that has too few
cases, or that a visitor gives up, is not grown further, and its cases are left out below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from titian.validation.slices.feature import Codes, Feature
from titian.validation.slices.score import Floats, Ints

BLOCK_ROWS = 16_384
"""Rows counted at a time: their codes then stay in a core's own cache."""

TABLE_CELLS = 4_000_000
"""Cells of the tables counted in one pass (32 MB); more take several passes."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The features without the values that are too rare to make a slice.

    Attributes:
        code: shape (features, n): 0 for a rare value, else 1 and up.
        value: per feature, the feature's own code of each value kept; value[f][c - 1].
    """

    code: NDArray[np.uint8]
    value: tuple[Ints, ...]

    @property
    def stride(self) -> int:
        """One more than the most values that a feature has."""
        return max((len(kept) for kept in self.value), default=0) + 1


def grid_of(features: Sequence[Feature], least: int) -> Grid:
    """Number the values that have at least `least` cases."""
    n = len(features[0].code)
    code = np.zeros((len(features), n), dtype=np.uint8)
    value = []
    for place, feature in enumerate(features):
        counts = np.bincount(feature.code, minlength=len(feature.values))
        kept = np.flatnonzero(counts >= least)
        number = np.zeros(len(counts), dtype=np.uint8)
        number[kept] = np.arange(1, len(kept) + 1)
        code[place] = number[feature.code]
        value.append(kept.astype(np.int64))
    return Grid(code=code, value=tuple(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The slices of one set of features that have enough cases, q of them.

    Attributes:
        features: places in the grid, rising.
        codes: shape (q, len(features)), the grid's codes.
        cell: shape (q,), place in the flat table of (parent's slot, value).
        slots: of the parents.
        size: shape (q,), cases.
        error: shape (q,), sums of errors.
    """

    features: tuple[int, ...]
    codes: Codes
    cell: Ints
    slots: int
    size: Ints
    error: Floats


class Visitor(Protocol):
    """Who looks at the tables and says where to go on."""

    def wants(self, features: tuple[int, ...], codes: Codes) -> bool:
        """Say whether a table is to be counted, given its parents' codes."""

    def visit(self, table: Table) -> Bools:
        """Take one table and return which of its slices may be grown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Cases on their way down: which slice of the current table each is in.

    Attributes:
        code: shape (features, m).
        slot: shape (m,), 0 for a case in none (at the root: in the one slice there is).
        weight: shape (deals, m), one row of errors for each way of dealing them out; None
            where each case counts 1.
    """

    code: NDArray[np.uint8]
    slot: Ints
    weight: Floats | None = None

    def counts(self, features: Sequence[int], slots: int, stride: int) -> Ints:
        """Count by slot and value, shape (len(features), slots * stride)."""
        found = np.zeros((len(features), slots * stride), dtype=np.int64)
        for place, joint, _ in self._joint(features, stride, slots * stride):
            found[place] += np.bincount(joint, minlength=slots * stride)
        return found

    def sums(self, features: Sequence[int], slots: int, stride: int) -> Floats:
        """Sum the weights by slot and value, shape (len(features), deals, slots * stride)."""
        weight = np.zeros((1, len(self.slot))) if self.weight is None else self.weight
        cells = slots * stride
        found = np.zeros((len(features), len(weight), cells))
        for place, joint, part in self._joint(features, stride, cells):
            for deal, row in enumerate(weight[:, part]):
                found[place, deal] += np.bincount(joint, weights=row, minlength=cells)
        return found

    def _joint(
        self, features: Sequence[int], stride: int, cells: int
    ) -> Iterator[tuple[int, Ints, slice]]:
        """Yield (place among `features`, joint codes, which rows) block by block."""
        block = max(BLOCK_ROWS, 2 * cells)
        for start in range(0, len(self.slot), block):
            part = slice(start, start + block)
            base = self.slot[part] * stride
            for place, feature in enumerate(features):
                yield place, base + self.code[feature, part], part

    def follow(self, feature: int, slot: Ints, stride: int) -> Rows:
        """Move the cases into the slots of one of their tables, without those in none."""
        moved = slot[self.slot * stride + self.code[feature]]
        if 2 * np.count_nonzero(moved) > len(moved):
            return Rows(code=self.code, slot=moved, weight=self.weight)
        inside = np.flatnonzero(moved)
        return Rows(
            code=self.code[:, inside],
            slot=moved[inside],
            weight=None if self.weight is None else self.weight[:, inside],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledge:
    """The cases at one table: all of them, and those that the sums of errors need.

    Attributes:
        everyone: all cases, weighted by their errors unless those are 0 and 1.
        wrong: the cases with error 1; None where errors are other numbers.
    """

    everyone: Rows
    wrong: Rows | None

    def tables(self, features: Sequence[int], slots: int, stride: int) -> tuple[Ints, Floats]:
        """Return sizes and sums of errors, each of shape (len(features), slots * stride)."""
        sizes = self.everyone.counts(features, slots, stride)
        if self.wrong is None:
            return sizes, self.everyone.sums(features, slots, stride)[:, 0]
        return sizes, self.wrong.counts(features, slots, stride).astype(np.float64)

    def follow(self, feature: int, slot: Ints, stride: int) -> Ledge:
        """Move the cases into the slots of one of their tables."""
        wrong = None if self.wrong is None else self.wrong.follow(feature, slot, stride)
        return Ledge(everyone=self.everyone.follow(feature, slot, stride), wrong=wrong)


def walk(
    grid: Grid, error: Floats, visitor: Visitor, *, level: int, least: int, binary: bool
) -> None:
    """Show a visitor every table of up to `level` features, parents before children.

    Args:
        grid: the cases.
        error: shape (n,), not negative.
        visitor: is shown the slices with at least `least` cases.
        level: most conditions of a slice.
        least: fewest cases of a slice.
        binary: whether every error is 0 or 1; then cases without one are not summed.
    """
    nobody = np.zeros(len(error), dtype=np.int64)
    if binary:
        chosen = np.flatnonzero(error)
        wrong = Rows(code=np.ascontiguousarray(grid.code[:, chosen]), slot=nobody[chosen])
        start = Ledge(everyone=Rows(code=grid.code, slot=nobody), wrong=wrong)
    else:
        start = Ledge(
            everyone=Rows(code=grid.code, slot=nobody, weight=error[None]), wrong=None
        )
    _Walk(grid, visitor, level, least).begin(start)


@dataclass(frozen=True, slots=True)
class _Walk:
    grid: Grid
    visitor: Visitor
    level: int
    least: int

    def begin(self, ledge: Ledge) -> None:
        """Visit everything, from the slice of no condition on."""
        parents = np.zeros((1, 0), dtype=np.uint8)
        self._grow((), parents, self._wanted((), parents), ledge)

    def _wanted(self, features: tuple[int, ...], parents: Codes) -> list[int]:
        first = features[-1] + 1 if features else 0
        return [
            place
            for place in range(first, len(self.grid.value))
            if len(self.grid.value[place]) and self.visitor.wants((*features, place), parents)
        ]

    def _grow(
        self, features: tuple[int, ...], parents: Codes, wanted: Sequence[int], ledge: Ledge
    ) -> None:
        """Visit the children of the slices in slots; row i of `parents` has slot i.

        Slot 0 is the whole at the root, and below it holds no slice.
        """
        stride, slots = self.grid.stride, len(parents)
        at_once = max(TABLE_CELLS // (slots * stride), 1)
        for start in range(0, len(wanted), at_once):
            chosen = wanted[start : start + at_once]
            sizes, sums = ledge.tables(chosen, slots, stride)
            for place, size, error in zip(chosen, sizes, sums, strict=True):
                self._take((*features, place), parents, size, error, ledge)

    def _take(
        self,
        features: tuple[int, ...],
        parents: Codes,
        size: Ints,
        error: Floats,
        ledge: Ledge,
    ) -> None:
        stride, place = self.grid.stride, features[-1]
        enough = size >= self.least
        enough[::stride] = False  # the rare values of this feature
        if len(features) > 1:
            enough[:stride] = False  # the cases that are in no parent
        cell = np.flatnonzero(enough)
        if not len(cell):
            return
        table = Table(
            features=features,
            codes=np.concatenate(
                [parents[cell // stride], (cell % stride).astype(np.uint8)[:, None]], axis=1
            ),
            cell=cell,
            slots=len(parents),
            size=size[cell],
            error=error[cell],
        )
        grown = self.visitor.visit(table)
        if len(features) == self.level or place + 1 == len(self.grid.value) or not grown.any():
            return
        slot = np.zeros(len(size), dtype=np.int64)
        slot[cell[grown]] = np.arange(1, int(grown.sum()) + 1)
        nobody = np.zeros((1, len(features)), dtype=np.uint8)
        inner = np.concatenate([nobody, table.codes[grown]])
        wanted = self._wanted(features, inner)
        if wanted:
            self._grow(features, inner, wanted, ledge.follow(place, slot, stride))
