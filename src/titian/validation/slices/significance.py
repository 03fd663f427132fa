"""Would a search through noise find slices as bad? Westfall and Young's permutations.

The errors are dealt out anew among the cases and the whole lattice is scored each time; a
slice's p-value is the share of the deals, the observed one included, whose largest evidence
reaches its own. If errors have nothing to do with the features, a table yields a slice with
p <= alpha in at most alpha of all tables, whatever the features and however they overlap.

Where cases come in subjects, whole subjects are exchanged, each with one that has as many
cases, and a subject's errors are shuffled among its own cases: resemblance within a subject
then stands in every deal as it does in the data (Winkler et al., NeuroImage 123, 2015,
253-268). Sources: Westfall and Young, *Resampling-Based Multiple Testing* (1993); the stop
is that of Besag and Clifford, Biometrika 78 (1991) 301-304.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from titian.statistics.clusters import clustering
from titian.validation.slices.feature import Codes
from titian.validation.slices.lattice import BLOCK_ROWS, Bools, Grid, Rows, Table, walk
from titian.validation.slices.score import Evidence, Floats, Ints, Total

Progress = Callable[[int, int], None]

SCREEN = 0.9
"""Share of the least maximum of the first deals below which a later slice is not scored."""

ROUNDING = 1e-9
"""Evidence that differs by less is equal: sums round differently in another order."""

MOST_AT_ONCE = 16
"""Deals counted in one pass at most; the screen is taken from the first pass."""

WEIGHTS_AT_ONCE = 4_000_000
"""Errors held at once where they are not 0 and 1 (32 MB)."""

HALVINGS = 14
"""Steps of the search for the sum at which evidence reaches the screen: to 1 in 16,384."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Significance:
    """What the deals came to.

    Attributes:
        p_values: one for each evidence asked about, in (0, 1].
        deals: how many were made; fewer than asked where the answer was plain before.
        critical: evidence that a slice must reach for p <= alpha; None where the deals
            stopped early or are too few.
        slices: in the lattice that was searched.
        fixed: subjects whose errors no other subject could take, for want of one with as
            many cases; 0 without subjects.
    """

    p_values: tuple[float, ...]
    deals: int
    critical: float | None
    slices: int
    fixed: int


class Deal:
    """Random orders of the cases under which errors are exchangeable.

    Without subjects: all orders. With subjects: see above.
    """

    def __init__(self, subject: Ints | None, n: int) -> None:
        """Sort the subjects by their number of cases."""
        self._n = n
        groups = clustering(subject, n)
        self.whole = groups.single
        if self.whole:
            self.fixed = 0
            return
        sizes = np.bincount(groups.code)
        self._rank = np.lexsort((groups.code, sizes[groups.code]))
        # Cases now stand by subject, subjects by size: the cases of one size are a matrix.
        counts = np.bincount(sizes)
        self._blocks: list[tuple[int, int, int]] = []
        start = 0
        for size in np.flatnonzero(counts[1:]) + 1:
            members = int(counts[size])
            self._blocks.append((start, members, int(size)))
            start += members * int(size)
        self.fixed = int((counts[1:] == 1).sum())

    def draw(self, error: Floats, rng: np.random.Generator) -> Floats:
        """Return the errors dealt out anew, shape (n,)."""
        if self.whole:
            return rng.permutation(error)
        source = np.empty(self._n, dtype=np.int64)
        for start, members, size in self._blocks:
            block = self._rank[start : start + members * size].reshape(members, size)
            mixed = rng.permuted(block[rng.permutation(members)], axis=1)
            source[block] = mixed
        return error[source]


def significance(
    grid: Grid,
    error: Floats,
    total: Total,
    *,
    evidence: Sequence[float],
    level: int,
    least: int,
    deals: int,
    alpha: float,
    rng: np.random.Generator,
    subject: Ints | None = None,
    progress: Progress | None = None,
) -> Significance:
    """Return p-values, corrected for the search through the whole lattice.

    Args:
        grid: the cases by feature.
        error: shape (n,), not negative.
        total: of all cases.
        evidence: of the slices asked about, as `Evidence` gives it; at least one.
        level: most conditions of a slice.
        least: fewest cases of a slice.
        deals: how many at most; p-values are then multiples of 1 / (deals + 1).
        alpha: once no slice can reach p <= alpha, no more is dealt.
        rng: where the deals come from.
        subject: shape (n,), or None when every case is its own subject.
        progress: told of deals made, first of 0, and deals wanted.
    """
    if progress is not None:
        progress(0, deals)
    lattice = _Lattice(grid.stride)
    walk(grid, error, lattice, level=level, least=least, binary=total.binary)
    deal = Deal(subject, len(error))
    highest = max(evidence) - ROUNDING
    most = int(alpha * (deals + 1) + ROUNDING)  # with more exceedances p > alpha for sure
    largest = np.zeros(0)
    screen, stopped = 0.0, False
    while len(largest) < deals and not stopped:
        batch = min(lattice.batch(error, total), deals - len(largest))
        dealt = [deal.draw(error, rng) for _ in range(batch)]
        found = lattice.largest(grid, dealt, total, screen)
        if screen > 0.0 and (found == 0.0).any():
            again = np.flatnonzero(found == 0.0)
            found[again] = lattice.largest(grid, [dealt[i] for i in again], total, 0.0)
        if not len(largest):
            screen = SCREEN * float(found.min())
        largest = np.concatenate([largest, found])
        exceeding = np.flatnonzero(largest >= highest)
        if len(exceeding) > most:
            # One more than `most` is never wanted: the p-value is exact at the last of them.
            largest = largest[: int(exceeding[most]) + 1]
            stopped = True
        if progress is not None:
            progress(len(largest), deals)
    return Significance(
        p_values=_p_values(largest, evidence, stopped=stopped),
        deals=len(largest),
        critical=None if stopped else _critical(largest, alpha),
        slices=lattice.slices,
        fixed=deal.fixed,
    )


def _p_values(
    largest: Floats, evidence: Sequence[float], *, stopped: bool
) -> tuple[float, ...]:
    deals = len(largest)
    exceeding = [int((largest >= value - ROUNDING).sum()) for value in evidence]
    if stopped:
        return tuple(count / deals for count in exceeding)
    return tuple((1 + count) / (1 + deals) for count in exceeding)


def _critical(largest: Floats, alpha: float) -> float | None:
    """Return the least evidence above which at most alpha (deals + 1) - 1 deals reach."""
    allowed = int(alpha * (len(largest) + 1) + ROUNDING) - 1
    if allowed < 0:
        return None
    return float(np.sort(largest)[::-1][allowed])


class _Lattice:
    """Every slice with enough cases, ready to be summed for other errors."""

    def __init__(self, stride: int) -> None:
        self._stride = stride
        self._tables: dict[tuple[int, ...], list[Table]] = {}
        self._need: dict[tuple[int, ...], Floats] = {}
        self._screen = -1.0
        self.slices = 0

    def wants(self, features: tuple[int, ...], codes: Codes) -> bool:  # noqa: ARG002
        """Want every table: noise may be anywhere."""
        return True

    def visit(self, table: Table) -> Bools:
        """Keep the table."""
        self._tables.setdefault(table.features[:-1], []).append(table)
        self.slices += len(table.cell)
        return np.ones(len(table.cell), dtype=np.bool_)

    def batch(self, error: Floats, total: Total) -> int:
        """Return how many deals are counted at once: enough to fill a block of rows."""
        if not total.binary:
            return min(max(WEIGHTS_AT_ONCE // len(error), 1), MOST_AT_ONCE)
        wrong = max(int(np.count_nonzero(error)), 1)
        return min(max(2 * BLOCK_ROWS // wrong, 1), MOST_AT_ONCE)

    def largest(
        self, grid: Grid, dealt: Sequence[Floats], total: Total, screen: float
    ) -> Floats:
        """Return each deal's largest evidence; 0 where it is below `screen`."""
        if screen != self._screen:
            self._set(screen, total)
        best = np.zeros(len(dealt))
        if total.binary:
            # Only the wrong cases are counted; each deal has slots of its own.
            wrong = [np.flatnonzero(error) for error in dealt]
            slot = np.repeat(np.arange(1, len(dealt) + 1), [len(rows) for rows in wrong])
            rows = Rows(code=grid.code[:, np.concatenate(wrong)], slot=slot)
            self._descend((), rows, 1, len(dealt), total, best)
        else:
            slot = np.ones(grid.code.shape[1], dtype=np.int64)
            rows = Rows(code=grid.code, slot=slot, weight=np.stack(dealt))
            self._descend((), rows, 1, 1, total, best)
        return best

    def _set(self, screen: float, total: Total) -> None:
        self._screen = screen
        tables = [table for children in self._tables.values() for table in children]
        distinct = np.unique(np.concatenate([np.unique(table.size) for table in tables]))
        needed = _needed(distinct.astype(np.float64), screen, total)
        for table in tables:
            self._need[table.features] = needed[np.searchsorted(distinct, table.size)]

    def _descend(
        self,
        features: tuple[int, ...],
        rows: Rows,
        slices: int,
        copies: int,
        total: Total,
        best: Floats,
    ) -> None:
        """Sum the children of `slices` slices; slot 1 + copy * slices + i is slice i."""
        stride, deals = self._stride, len(best)
        children = self._tables[features]
        slots = copies * slices + 1
        places = [table.features[-1] for table in children]
        count = rows.counts if rows.weight is None else rows.sums
        for table, found in zip(children, count(places, slots, stride), strict=True):
            # Only below the root do the lattice's own tables begin with a slot of no slice.
            cell = table.cell - stride if features else table.cell
            sums = found[..., stride:].reshape(deals, slices * stride)[:, cell]
            _raise_best(best, sums, table.size, self._need[table.features], total)
            if table.features not in self._tables:
                continue
            inner = len(cell)
            slot = np.zeros((copies, slices * stride), dtype=np.int64)
            slot[:, cell] = 1 + np.arange(copies * inner).reshape(copies, inner)
            flat = np.concatenate([np.zeros(stride, dtype=np.int64), slot.ravel()])
            below = rows.follow(table.features[-1], flat, stride)
            self._descend(table.features, below, inner, copies, total, best)


def _raise_best(best: Floats, sums: Floats, size: Ints, need: Floats, total: Total) -> None:
    deal, place = np.nonzero(sums >= need)
    if len(deal):
        score = Evidence().of(
            size[place].astype(np.float64), sums[deal, place].astype(np.float64), total
        )
        np.maximum.at(best, deal, score)


def _needed(size: Floats, screen: float, total: Total) -> Floats:
    """Return a sum of errors below which a slice's evidence does not reach `screen`.

    It is halved up to from below, so that no slice is lost; infinite where even the largest
    sum there can be falls short.
    """
    low = size * total.mean
    if screen <= 0.0:
        return low
    high = np.minimum(size, total.error) if total.binary else np.full(len(size), total.error)
    short = Evidence().of(size, high, total) < screen
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = Evidence().of(size, middle, total) >= screen
        high = np.where(enough, middle, high)
        low = np.where(enough, low, middle)
    needed: Floats = np.where(short, np.inf, low)
    return needed
