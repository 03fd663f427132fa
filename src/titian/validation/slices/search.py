"""The k worst slices, exactly: a walk over the lattice that skips what a bound rules out.

Slices of one and two conditions are all counted. From then on a set of features is skipped
where every slice in it has an ancestor whose bound is below the k-th best score so far; see
docs/explanation/slices.md for why no slice of the answer is lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from titian.validation.slices.feature import Codes
from titian.validation.slices.lattice import Bools, Grid, Table, walk
from titian.validation.slices.score import Floats, Score, Total

TIE_DIGITS = 9
"""Scores that agree to this many decimals are ties: sums may round differently."""

_SLACK = 10.0**-TIE_DIGITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One slice of the answer.

    Attributes:
        conditions: (place of the feature, the feature's own code), by place.
        size: cases.
        error: sum of their errors.
        score: by which it was ranked.
    """

    conditions: tuple[tuple[int, int], ...]
    size: int
    error: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to.

    Attributes:
        slices: best first; ties by fewer conditions, then more cases, then place.
        counted: slices with enough cases that were counted.
        tables: sets of features that were counted.
        sets: sets of features that there are; the others hold no slice of enough cases, or
            a bound ruled them out.
    """

    slices: tuple[Ranked, ...]
    counted: int
    tables: int
    sets: int


def search(
    grid: Grid,
    error: Floats,
    total: Total,
    *,
    score: Score,
    level: int,
    least: int,
    top: int,
) -> Found:
    """Return the `top` slices of largest score above 0, exactly.

    Args:
        grid: the cases by feature.
        error: shape (n,), not negative, not all 0.
        total: of all cases.
        score: what to rank by.
        level: most conditions of a slice.
        least: fewest cases of a slice.
        top: how many are wanted.
    """
    pool = _Pool(grid, score, total, least, top, _largest_by_value(grid, error, total))
    walk(grid, error, pool, level=min(level, 2), least=least, binary=total.binary)
    if level > 2:
        pool.narrow()
        walk(grid, error, pool, level=level, least=least, binary=total.binary)
    return Found(
        slices=pool.best(),
        counted=pool.counted,
        tables=pool.tables,
        sets=sum(math.comb(len(grid.value), size) for size in range(1, level + 1)),
    )


def _largest_by_value(grid: Grid, error: Floats, total: Total) -> list[Floats]:
    """Return per feature and code the largest error of a case."""
    found = []
    for place, kept in enumerate(grid.value):
        largest = np.ones(len(kept) + 1)
        if not total.binary:
            largest = np.zeros(len(kept) + 1)
            np.maximum.at(largest, grid.code[place], error)
        found.append(largest)
    return found


@dataclass(slots=True)
class _Pool:
    """The best slices so far, and what bounds allow."""

    grid: Grid
    score: Score
    total: Total
    least: int
    top: int
    largest: list[Floats]
    counted: int = 0
    tables: int = 0
    threshold: float = 0.0
    _narrow: bool = False
    _bounds: dict[tuple[int, int], Floats] = field(default_factory=dict)
    _kept: list[tuple[Table, Floats]] = field(default_factory=list)
    _waiting: int = 0

    def narrow(self) -> None:
        """Go from the walk over pairs to the one over longer conjunctions."""
        self._narrow = True

    def wants(self, features: tuple[int, ...], codes: Codes) -> bool:
        """Say whether a slice of these features may still be among the best."""
        if not self._narrow or len(features) < 3:
            return True
        # Slot 0 holds no slice; its code 0 has a bound of -inf in every pair.
        new = features[-1]
        ceiling = None
        for place, feature in enumerate(features[:-1]):
            bound = self._bounds.get((feature, new))
            if bound is None:  # no pair of these two has enough cases
                return False
            row = bound[codes[:, place]]
            ceiling = row if ceiling is None else np.minimum(ceiling, row)
        return ceiling is not None and bool(ceiling.max() >= self.threshold)

    def visit(self, table: Table) -> Bools:
        """Score a table's slices and return which may have better ones inside."""
        size, error = table.size.astype(np.float64), table.error
        if not (self._narrow and len(table.features) < 3):
            self.tables += 1
            self.counted += len(size)
            self._offer(table, self.score.of(size, error, self.total))
        largest = self.largest[table.features[0]][table.codes[:, 0]]
        for place, feature in enumerate(table.features[1:], start=1):
            largest = np.minimum(largest, self.largest[feature][table.codes[:, place]])
        ceiling = self.score.bound(size, error, largest, self.least, self.total) + _SLACK
        if len(table.features) == 2 and not self._narrow:
            self._remember(table, ceiling)
        found: Bools = ceiling >= self.threshold
        return found if self._narrow else np.ones(len(size), dtype=np.bool_)

    def best(self) -> tuple[Ranked, ...]:
        """Return the answer, best first."""
        self._settle()
        ranked = [
            Ranked(
                conditions=tuple(
                    (feature, int(self.grid.value[feature][code - 1]))
                    for feature, code in zip(table.features, codes, strict=True)
                ),
                size=int(size),
                error=float(error),
                score=float(score),
            )
            for table, scores in self._kept
            for codes, size, error, score in zip(
                table.codes.tolist(), table.size, table.error, scores, strict=True
            )
        ]
        ranked.sort(key=order)
        return tuple(ranked[: self.top])

    def _remember(self, table: Table, ceiling: Floats) -> None:
        one, two = table.features
        shape = (len(self.grid.value[one]) + 1, len(self.grid.value[two]) + 1)
        bound = np.full(shape, -np.inf)
        bound[table.codes[:, 0], table.codes[:, 1]] = ceiling
        self._bounds[one, two] = bound

    def _offer(self, table: Table, score: Floats) -> None:
        chosen = np.flatnonzero((score > _SLACK) & (score >= self.threshold - _SLACK))
        if not len(chosen):
            return
        self._kept.append((_rows(table, chosen), score[chosen]))
        self._waiting += len(chosen)
        if self._waiting >= 4 * self.top:
            self._settle()

    def _settle(self) -> None:
        """Raise the threshold to the k-th best score and drop what lies below it."""
        if not self._kept:
            return
        scores = np.concatenate([scores for _, scores in self._kept])
        if len(scores) > self.top:
            kth = float(np.partition(scores, -self.top)[-self.top])
            self.threshold = max(self.threshold, kth)
        kept = []
        for table, own in self._kept:
            chosen = np.flatnonzero(own >= self.threshold - _SLACK)
            if len(chosen):
                kept.append((_rows(table, chosen), own[chosen]))
        self._kept, self._waiting = kept, sum(len(own) for _, own in kept)


def order(item: Ranked) -> tuple[float, int, int, tuple[tuple[int, int], ...]]:
    """Return the key by which slices are sorted."""
    return (-round(item.score, TIE_DIGITS), len(item.conditions), -item.size, item.conditions)


def _rows(table: Table, chosen: np.ndarray) -> Table:
    return Table(
        features=table.features,
        codes=table.codes[chosen],
        cell=table.cell[chosen],
        slots=table.slots,
        size=table.size[chosen],
        error=table.error[chosen],
    )
