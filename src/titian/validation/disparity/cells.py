"""Groups and intersections: which cell each case is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from titian.errors import InputError, Problem
from titian.statistics.estimate import Ints
from titian.validation.tables import Column

MOST_CELLS = 5_000
"""Cells of one partition; beyond, the pairs to compare alone are millions."""

DENSE = 1 << 22
"""Up to so many combinations are counted by place instead of sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The cases parted by one column, or by several at once.

    Attributes:
        columns: what by.
        names: the values of each cell that has a case, one for each column.
        code: shape (n,), the cell of each case.
    """

    columns: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    code: Ints

    def __len__(self) -> int:
        return len(self.names)

    def subgroup(self, cell: int) -> Mapping[str, str]:
        """Return {column: value} of a cell."""
        return dict(zip(self.columns, self.names[cell], strict=True))


def partition(columns: Sequence[Column], rows: int) -> Partition:
    """Part the cases by some columns at once; without any, all are in one cell."""
    code = np.zeros(rows, dtype=np.int64)
    width = 1
    for column in columns:
        code = code * len(column.names) + column.code
        width *= len(column.names)
    if width <= DENSE:
        there = np.flatnonzero(np.bincount(code, minlength=width))
        place = np.zeros(width, dtype=np.int64)
        place[there] = np.arange(len(there))
        code = place[code]
    else:
        there, code = np.unique(code, return_inverse=True)
        code = code.astype(np.int64)
    named = []
    for combined in there.tolist():
        rest, parts = combined, []
        for column in reversed(columns):
            rest, own = divmod(rest, len(column.names))
            parts.append(column.names[own])
        named.append(tuple(reversed(parts)))
    return Partition(columns=tuple(c.name for c in columns), names=tuple(named), code=code)


def partitions(columns: Sequence[Column], rows: int, depth: int) -> Iterator[Partition]:
    """Yield the partitions by each column, each pair, up to `depth` columns at once.

    Raises:
        InputError: T-V110, a partition has too many cells.
    """
    for width in range(1, min(depth, len(columns)) + 1):
        for chosen in combinations(columns, width):
            found = partition(chosen, rows)
            if len(found) > MOST_CELLS:
                raise InputError(
                    Problem(
                        code="T-V110",
                        message=f"{' x '.join(found.columns)} has {len(found)} intersections "
                        f"among {rows} cases; at most {MOST_CELLS} are compared.",
                        remedy="Lower --intersections, or merge groups.",
                    )
                )
            yield found
