"""From columns and errors to the few slices that a person should look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from titian.errors import InputError, Problem
from titian.validation.slices.feature import Feature
from titian.validation.slices.lattice import Grid, grid_of
from titian.validation.slices.merge import Folded, Relation, merge
from titian.validation.slices.score import Evidence, Floats, Ints, Score, Total
from titian.validation.slices.search import Found, Ranked, search
from titian.validation.slices.significance import Progress, Significance, significance

LEAST_CASES = 32
LEAST_SHARE = 0.01
"""A slice has at least 32 cases and 1 % of all, after SliceLine; small tables: a quarter."""

DEALS = 199
"""Permutations: p-values are multiples of 0.005."""

POOL = 100
"""Slices searched for per slice wanted, so that folding still leaves enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One subgroup: its conditions and how it fares.

    Attributes:
        conditions: (column, value) pairs that all hold; a band is written ``[40,65)``.
        n: cases.
        share: of all cases.
        error: mean error inside.
        rest: mean error outside; None where nobody is outside.
        share_of_error: of all error, the share that lies inside.
        score: by which slices are ranked.
        evidence: standard deviations by which the error inside exceeds that outside.
        p_value: corrected for the whole search; None where nothing was dealt.
    """

    conditions: tuple[tuple[str, str], ...]
    n: int
    share: float
    error: float
    rest: float | None
    share_of_error: float
    score: float
    evidence: float
    p_value: float | None

    @property
    def name(self) -> str:
        """The conditions in one line."""
        return " & ".join(f"{column}={value}" for column, value in self.conditions)

    @property
    def ratio(self) -> float | None:
        """Mean error inside over outside; None where there is none outside."""
        return self.error / self.rest if self.rest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A slice that was folded into another.

    Attributes:
        slice: itself.
        relation: to the other: narrower, wider, overlapping or the same cases.
        overlap: shared cases over cases in either.
    """

    slice: Slice
    relation: Relation
    overlap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Problematic:
    """A slice worth a look, with those that it explains.

    Attributes:
        slice: itself.
        folded: the slices that say nothing beyond it.
        alpha: level of significance.
    """

    slice: Slice
    folded: tuple[Member, ...]
    alpha: float

    @property
    def explained(self) -> int:
        """How many of the folded would have been told by themselves."""
        own = self.slice.p_value
        return sum(
            own is None or (member.slice.p_value or 1.0) <= self.alpha for member in self.folded
        )

    @property
    def within(self) -> Slice | None:
        """The folded slice inside this one where the error is highest, if it is higher."""
        inside = [
            member.slice
            for member in self.folded
            if member.relation is Relation.NARROWER and member.slice.error > self.slice.error
        ]
        return max(inside, key=lambda each: (each.error, each.n), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceReport:
    """What a search for slices came to.

    Attributes:
        n: cases.
        error: mean error of all.
        binary: whether errors are 0 and 1, so that the mean is a rate.
        features: names of the columns searched.
        level: most conditions of a slice.
        least: fewest cases of a slice.
        score: name of what slices are ranked by.
        alpha: level of significance.
        groups: the readable few, worst first.
        ranked: the plain answer of the search, worst first, overlapping or not.
        searched: slices in the lattice; those with enough cases that a bound did not skip.
        deals: permutations made; 0 for none.
        critical: evidence that noise exceeds in at most alpha of tables; None if unknown.
        notes: what a reader should know, one sentence each.
    """

    n: int
    error: float
    binary: bool
    features: tuple[str, ...]
    level: int
    least: int
    score: str
    alpha: float
    groups: tuple[Problematic, ...]
    ranked: tuple[Slice, ...]
    searched: int
    deals: int
    critical: float | None
    notes: tuple[str, ...] = ()

    @property
    def significant(self) -> tuple[Problematic, ...]:
        """The groups whose p-value is at most alpha."""
        return tuple(
            group
            for group in self.groups
            if group.slice.p_value is not None and group.slice.p_value <= self.alpha
        )


def least_cases(n: int, asked: float | None = None) -> int:
    """Return the fewest cases of a slice.

    Args:
        n: cases in all.
        asked: a whole number of cases, a share below 1, or None for the default.

    Raises:
        InputError: T-V144, not a number of cases from 1 to n, nor a share between 0 and 1.
    """
    if asked is None:
        return max(min(LEAST_CASES, n // 4), math.ceil(LEAST_SHARE * n), 1)
    if 0.0 < asked < 1.0:
        return max(math.ceil(asked * n), 1)
    if not 1 <= asked <= n or asked != int(asked):
        raise InputError(
            Problem(
                code="T-V144",
                message=f"the least support is {asked:g} and the table has {n:,} cases; it is "
                f"a whole number from 1 to {n}, or a share between 0 and 1.",
                remedy="Give a number of cases such as 100, or a share such as 0.01.",
            )
        )
    return int(asked)


def total_of(error: Floats) -> Total:
    """Sum up the errors of all cases.

    Raises:
        InputError: T-V140 an error that is no number, T-V141 a negative one, T-V142 errors
            that are all the same.
    """
    problems = []
    strange = np.flatnonzero(~np.isfinite(error))
    if len(strange):
        problems.append(
            Problem(
                code="T-V140",
                message=f"{_cases(len(strange))} an error that is empty or no finite "
                f"number (first: row {int(strange[0]) + 1} below the header); every case has "
                "one.",
                remedy="Leave those cases out, or give their errors.",
            )
        )
    negative = np.flatnonzero(error < 0.0)
    if len(negative):
        problems.append(
            Problem(
                code="T-V141",
                message=f"{_cases(len(negative))} a negative error (first: row "
                f"{int(negative[0]) + 1} below the header, {error[negative[0]]:g}); an error "
                "is 0 for a perfect case and larger for a worse one.",
                remedy="Give a loss, such as the absolute or squared difference.",
            )
        )
    if not problems and (not len(error) or error.min() == error.max()):
        what = f"{error[0]:g} in all {len(error):,} cases" if len(error) else "that of no case"
        problems.append(
            Problem(
                code="T-V142",
                message=f"the error is {what}; where it never differs no slice is worse.",
                remedy="Check that the right columns were named.",
            )
        )
    if problems:
        raise InputError(*problems)
    return Total(
        n=len(error),
        error=float(error.sum()),
        spread=float(error.var()),
        binary=bool(((error == 0.0) | (error == 1.0)).all()),
    )


def find_slices(
    features: Sequence[Feature],
    error: Floats,
    *,
    rng: np.random.Generator,
    score: Score | None = None,
    level: int = 3,
    support: float | None = None,
    top: int = 10,
    deals: int = DEALS,
    alpha: float = 0.05,
    subject: Ints | None = None,
    progress: Progress | None = None,
) -> SliceReport:
    """Find the worst slices, say which a search through noise would not find, and fold them.

    Args:
        features: of n cases, at least one.
        error: shape (n,), 0 for a perfect case; 0 and 1, or any loss.
        rng: where the permutations come from.
        score: what to rank by; `Evidence` by default.
        level: most conditions of a slice.
        support: fewest cases of a slice: a number, a share, or None for the larger of 32 and
            1 % of the cases.
        top: slices wanted.
        deals: permutations; 0 for no p-values.
        alpha: level of significance.
        subject: shape (n,), whom each case is about; None when every case is its own.
        progress: told of permutations made and wanted.

    Raises:
        InputError: T-V140 to T-V142 for the errors, T-V144 for the support.
    """
    chosen = score or Evidence()
    total = total_of(error)
    least = least_cases(len(error), support)
    grid = grid_of(features, least)
    found = search(grid, error, total, score=chosen, level=level, least=least, top=POOL * top)
    sure = _significance(
        grid, error, total, found, level, least, deals, alpha, rng, subject, progress
    )
    p_values = sure.p_values if sure else tuple(None for _ in found.slices)
    shown = {
        item.conditions: _slice(item, features, total, p_value)
        for item, p_value in zip(found.slices, p_values, strict=True)
    }
    kept = merge(
        found.slices, features, error, most=top, critical=sure.critical if sure else None
    )
    return SliceReport(
        n=total.n,
        error=total.mean,
        binary=total.binary,
        features=tuple(feature.name for feature in features),
        level=level,
        least=least,
        score=chosen.name,
        alpha=alpha,
        groups=tuple(
            Problematic(
                slice=shown[each.item.conditions],
                folded=tuple(_member(folded, shown) for folded in each.folded),
                alpha=alpha,
            )
            for each in kept
        ),
        ranked=tuple(shown[item.conditions] for item in found.slices[:top]),
        searched=sure.slices if sure else found.counted,
        deals=sure.deals if sure else 0,
        critical=sure.critical if sure else None,
        notes=_notes(sure, subject),
    )


def _cases(count: int) -> str:
    return "1 case has" if count == 1 else f"{count:,} cases have"


def _significance(
    grid: Grid,
    error: Floats,
    total: Total,
    found: Found,
    level: int,
    least: int,
    deals: int,
    alpha: float,
    rng: np.random.Generator,
    subject: Ints | None,
    progress: Progress | None,
) -> Significance | None:
    if not deals or not found.slices:
        return None
    return significance(
        grid,
        error,
        total,
        evidence=[_evidence(item, total) for item in found.slices],
        level=level,
        least=least,
        deals=deals,
        alpha=alpha,
        rng=rng,
        subject=subject,
        progress=progress,
    )


def _evidence(item: Ranked, total: Total) -> float:
    return float(Evidence().of(np.array([float(item.size)]), np.array([item.error]), total)[0])


def _slice(
    item: Ranked, features: Sequence[Feature], total: Total, p_value: float | None
) -> Slice:
    outside = total.n - item.size
    return Slice(
        conditions=tuple(
            (features[place].name, features[place].values[code])
            for place, code in item.conditions
        ),
        n=item.size,
        share=item.size / total.n,
        error=item.error / item.size,
        rest=(total.error - item.error) / outside if outside else None,
        share_of_error=item.error / total.error,
        score=item.score,
        evidence=_evidence(item, total),
        p_value=p_value,
    )


def _member(folded: Folded, shown: dict[tuple[tuple[int, int], ...], Slice]) -> Member:
    return Member(
        slice=shown[folded.item.conditions], relation=folded.relation, overlap=folded.overlap
    )


def _notes(sure: Significance | None, subject: Ints | None) -> tuple[str, ...]:
    if sure is None or subject is None or not sure.fixed:
        return ()
    return (
        f"{sure.fixed} of {len(np.unique(subject))} subjects have a number of cases that no "
        "other subject has: their errors were dealt out among their own cases only, which "
        "makes p-values larger than they need be.",
    )
