"""How often the intervals of groups and gaps hold the truth, in every world of a fixed grid.

    python benchmarks/disparity_coverage.py [WORLDS] [--seed SEED] [--only WORDS]

WORLDS samples a cell, 10,000 by default. The grid was written down before any method was
chosen. Add worlds when a new doubt appears; never take one out because a method fails in it.

A world draws counts, not cases: a group's subjects with s cases of which y succeed are a
multinomial over (s, y), and scores have 20 levels, so that a sample of 10,000 cases costs no
more than one of 50. Where counts are so few that coverage jumps with p (expected successes or
failures of a group below 10), each sample draws the base rate anew from half to one and a
half times the rate given, so that coverage is averaged over p; such cells are marked
"averaged".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

SIZES = (50, 200, 1_000, 10_000)
"""Cases in a sample, all groups together."""

GROUPS = (2, 5, 20)
"""Groups compared; each has 10 cases or more on average."""

SPREADS = ("even", "skewed")
"""Groups of one size, or the largest eight times the smallest, in geometric steps."""

PATTERNS = ("equal", "one", "steps", "camps")
"""All groups alike; the smallest apart; rates in equal steps; half low and half high."""

CLUSTERS = (("single", 0.0), ("few", 0.3))
"""Cases per subject: one, or 1 to 5 evenly with this intra-subject correlation."""

BASES = ((0.3, 0.2), (0.05, 0.1))
"""(rate of the lowest group, gap to the highest): common and rare."""

SENSITIVITIES = ((0.8, -0.2, 0.3), (0.8, -0.2, 0.1))
"""(sensitivity, gap, prevalence): common and rare classes."""

LEVELS = 20
"""Scores: 0.025, 0.075, ... 0.975."""

DISTANCES = ((2.0, -0.8, 0.3), (2.0, -0.8, 0.1))
"""(distance of the classes in standard deviations, its change, prevalence), for AUC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One population and one sampling plan.

    Attributes:
        measure: what is estimated.
        cases: in a sample.
        groups: how many; 1 for an interval of one group.
        spread: sizes of the groups, see `SPREADS`.
        pattern: how the groups' rates lie, see `PATTERNS`.
        base: of the lowest group (for sensitivity the highest).
        gap: to the group furthest away.
        prevalence: share of positives, where the measure has any.
        clusters: see `CLUSTERS`.
        icc: intra-subject correlation.
    """

    measure: str
    cases: int
    groups: int = 1
    spread: str = "even"
    pattern: str = "equal"
    base: float = 0.3
    gap: float = 0.0
    prevalence: float = 1.0
    clusters: str = "single"
    icc: float = 0.0

    @property
    def name(self) -> str:
        return (
            f"{self.measure} n={self.cases} G={self.groups} {self.spread} {self.pattern} "
            f"base={self.base} gap={self.gap} prevalence={self.prevalence} {self.clusters}"
        )


def grid() -> Iterator[World]:
    """Yield every world."""
    yield from _shares()
    yield from _rate_gaps()
    yield from _ratios()
    yield from _sensitivity_gaps()
    yield from _several_rates()
    yield from _score_gaps()


def _shares() -> Iterator[World]:
    """One group's proportion: 4 sizes x 3 rates x 3 clusterings."""
    for cases, base, (clusters, icc) in product(
        SIZES, (0.5, 0.1, 0.02), (*CLUSTERS, ("few", 0.7))
    ):
        yield World(measure="share", cases=cases, base=base, clusters=clusters, icc=icc)


def _plans(sizes: tuple[int, ...] = SIZES) -> Iterator[tuple[int, int]]:
    """Yield (cases, groups) with 10 cases a group or more."""
    return ((n, g) for n, g in product(sizes, GROUPS) if n >= 10 * g)


def _rate_gaps() -> Iterator[World]:
    """Demographic parity: 11 plans x 2 spreads x 4 patterns x 2 bases x 2 clusterings."""
    for (cases, groups), spread, pattern, (base, gap), (clusters, icc) in product(
        _plans(), SPREADS, PATTERNS, BASES, CLUSTERS
    ):
        yield World(
            measure="rate_gap",
            cases=cases,
            groups=groups,
            spread=spread,
            pattern=pattern,
            base=base,
            gap=gap if pattern != "equal" else 0.0,
            clusters=clusters,
            icc=icc,
        )


def _ratios() -> Iterator[World]:
    """Smallest rate over largest: 9 plans x 3 patterns x 2 bases x 2 clusterings."""
    for (cases, groups), pattern, (base, gap), (clusters, icc) in product(
        _plans((200, 1_000, 10_000)), ("equal", "one", "steps"), BASES, CLUSTERS
    ):
        yield World(
            measure="rate_ratio",
            cases=cases,
            groups=groups,
            pattern=pattern,
            base=base,
            gap=gap if pattern != "equal" else 0.0,
            clusters=clusters,
            icc=icc,
        )


def _sensitivity_gaps() -> Iterator[World]:
    """Equal opportunity: 9 plans x 3 patterns x 2 prevalences x 2 clusterings."""
    for (cases, groups), pattern, (base, gap, prevalence), (clusters, icc) in product(
        _plans((200, 1_000, 10_000)), ("equal", "one", "steps"), SENSITIVITIES, CLUSTERS
    ):
        yield World(
            measure="sensitivity_gap",
            cases=cases,
            groups=groups,
            pattern=pattern,
            base=base,
            gap=gap if pattern != "equal" else 0.0,
            prevalence=prevalence,
            clusters=clusters,
            icc=icc,
        )


def _several_rates() -> Iterator[World]:
    """Equalized odds and predictive parity: 6 plans x 3 patterns x 2 spreads each."""
    for measure, (cases, groups), pattern, spread in product(
        ("equalized_odds", "ppv_gap"),
        _plans((1_000, 10_000)),
        ("equal", "one", "steps"),
        SPREADS,
    ):
        yield World(
            measure=measure,
            cases=cases,
            groups=groups,
            spread=spread,
            pattern=pattern,
            base=0.8,
            gap=-0.2 if pattern != "equal" else 0.0,
            prevalence=0.3,
        )


def _score_gaps() -> Iterator[World]:
    """AUC and calibration-in-the-large: 9 plans x 3 patterns x 2 prevalences each."""
    for measure, (cases, groups), pattern, (base, gap, prevalence) in product(
        ("auc_gap", "calibration_gap"),
        _plans((200, 1_000, 10_000)),
        ("equal", "one", "steps"),
        DISTANCES,
    ):
        yield World(
            measure=measure,
            cases=cases,
            groups=groups,
            pattern=pattern,
            base=base,
            gap=gap if pattern != "equal" else 0.0,
            prevalence=prevalence,
        )


if __name__ == "__main__":
    worlds = list(grid())
    print(f"{len(worlds)} worlds")
