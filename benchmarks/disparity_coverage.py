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

import argparse
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logit, ndtr

from titian.statistics import ranges
from titian.statistics.discrimination import (
    PRIOR_SUBJECTS,
    modelled_variance,
    steadied_sizes,
)
from titian.statistics.estimate import Floats
from titian.statistics.proportions import SubjectSums, effective_sizes
from titian.validation.disparity.estimates import LEAST, PRIOR_EVENTS

ALPHA = 0.05
LOW, HIGH = 0.935, 0.97
WORLDS = 10_000
CHUNK = 2_500

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
        """Return the world in words."""
        return (
            f"{self.measure} n={self.cases} G={self.groups} {self.spread} {self.pattern} "
            f"base={self.base} gap={self.gap} prevalence={self.prevalence} "
            f"{self.clusters} icc={self.icc}{' averaged' if averaged(self) else ''}"
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


# --- populations ------------------------------------------------------------------------


def sizes(world: World) -> NDArray[np.int64]:
    """Return the cases of each group, largest first."""
    share = np.ones(world.groups)
    if world.spread == "skewed":
        share = 8.0 ** np.linspace(1.0, 0.0, world.groups)
    found: NDArray[np.int64] = np.round(world.cases * share / share.sum()).astype(np.int64)
    return np.maximum(found, 1)


def apart(world: World) -> Floats:
    """Return each group's place between the two ends, in [0, 1]; the last group is at 1."""
    match world.pattern:
        case "equal":
            return np.zeros(world.groups)
        case "one":
            return np.append(np.zeros(world.groups - 1), 1.0)
        case "steps":
            return np.linspace(0.0, 1.0, world.groups)
        case _:
            return (np.arange(world.groups) >= world.groups // 2).astype(np.float64)


def averaged(world: World) -> bool:
    """Say whether counts are so few that the base rate is drawn anew for each sample."""
    if world.measure in ("auc_gap", "calibration_gap"):
        return False
    rates = world.base + world.gap * apart(world)
    n = sizes(world) * world.prevalence
    return bool((n * np.minimum(rates, 1 - rates)).min() < 10.0)


def rates_of(world: World, samples: int, rng: np.random.Generator) -> Floats:
    """Return each sample's true rates, shape (samples, groups)."""
    base = np.full((samples, 1), world.base)
    if averaged(world):
        factor = rng.uniform(0.5, 1.5, size=(samples, 1))
        base = base * factor if world.base < 0.5 else 1 - (1 - base) * factor
    return np.asarray(np.clip(base + world.gap * apart(world), 0.0, 1.0))


# --- samples ----------------------------------------------------------------------------


def subjects_of(world: World) -> tuple[NDArray[np.int64], Floats]:
    """Return (denominator's cases of a subject, their probabilities)."""
    if world.clusters == "single":
        return np.array([0, 1]), np.array([1 - world.prevalence, world.prevalence])
    sizes_ = np.arange(6)
    share = np.zeros(6)
    for size in range(1, 6):
        share += 0.2 * _binomial(sizes_, size, world.prevalence)
    return sizes_, share


def _binomial(k: NDArray[np.int64], n: int, p: float) -> Floats:
    from scipy.stats import binom

    return np.asarray(binom.pmf(k, n, p))


def _beta_binomial(y: int, s: int, rate: Floats, icc: float) -> Floats:
    """Return P(y of s succeed) for each rate; subjects' rates vary with `icc`."""
    choose = np.exp(gammaln(s + 1) - gammaln(y + 1) - gammaln(s - y + 1))
    if icc == 0.0:
        return np.asarray(choose * rate**y * (1 - rate) ** (s - y))
    found = np.full_like(rate, choose)
    spread = icc / (1 - icc)
    for i in range(y):
        found *= (rate + i * spread) / (1 + i * spread)
    for i in range(s - y):
        found *= (1 - rate + i * spread) / (1 + (y + i) * spread)
    return found


def draw_shares(
    world: World, rates: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Draw (value, effective n, degrees of freedom, shown) of each group's rate."""
    n = sizes(world)
    if world.clusters == "single":
        among = np.broadcast_to(n, rates.shape)
        if world.prevalence < 1.0:
            among = rng.binomial(among, world.prevalence)
        hit = rng.binomial(among, rates)
        with np.errstate(invalid="ignore"):
            value = hit / among
        return value, among.astype(np.float64), np.full(rates.shape, np.inf), among >= LEAST
    kinds, share = subjects_of(world)
    totals = {
        name: np.zeros(rates.shape) for name in ("g", "s", "y", "yy", "ys", "s2", "s3", "s4")
    }
    people = np.maximum(np.round(n / 3).astype(np.int64), 1)
    left, mass = np.broadcast_to(people, rates.shape).copy(), np.ones(rates.shape)
    for s, probability in zip(kinds.tolist(), share.tolist(), strict=True):
        for y in range(s + 1):
            p = probability * _beta_binomial(y, s, rates, world.icc)
            count = rng.binomial(left, np.clip(p / np.maximum(mass, 1e-300), 0.0, 1.0))
            left, mass = left - count, mass - p
            if s:
                for name, value in (
                    ("g", 1), ("s", s), ("y", y), ("yy", y * y), ("ys", y * s),
                    ("s2", s**2), ("s3", s**3), ("s4", s**4),
                ):  # fmt: skip
                    totals[name] += value * count
    with np.errstate(invalid="ignore"):
        value = totals["y"] / totals["s"]
    error = totals["yy"] - 2 * value * totals["ys"] + value**2 * totals["s2"]
    size, df = effective_sizes(
        value,
        SubjectSums(
            n=totals["s"], subjects=totals["g"], error=error,
            squares=totals["s2"], cubes=totals["s3"], fourths=totals["s4"],
        ),
    )  # fmt: skip
    return value, size, df, totals["g"] >= LEAST


def level_scores() -> Floats:
    """Return the scores' levels."""
    return (np.arange(LEVELS) + 0.5) / LEVELS


def level_shares(distance: float, prevalence: float) -> tuple[Floats, Floats]:
    """Return P(level | negative) and P(level | positive) of the binormal posterior."""
    edges = np.append(np.arange(1, LEVELS) / LEVELS, 1 - 1e-15)
    prior = np.log(prevalence / (1 - prevalence))
    reading = (logit(edges) - prior + distance**2 / 2) / distance
    reading[-1] = np.inf
    return tuple(np.diff(ndtr(reading - d * distance), prepend=0.0) for d in (0, 1))


def draw_areas(
    world: World, samples: int, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.bool_]]:
    """Draw (value, effective n, degrees of freedom, truth, shown) of each group's AUC."""
    shape = (samples, world.groups)
    value, size, df, true, counts = (np.zeros(shape) for _ in range(5))
    shown = np.zeros(shape, dtype=np.bool_)
    for place, n in enumerate(sizes(world).tolist()):
        distance = world.base + world.gap * apart(world)[place]
        of_negative, of_positive = level_shares(distance, world.prevalence)
        below = np.cumsum(of_negative) - of_negative / 2
        true[:, place] = (of_positive * below).sum()
        positives = rng.binomial(n, world.prevalence, size=samples)
        ones = rng.multinomial(positives, of_positive).astype(np.float64)
        zeros = rng.multinomial(n - positives, of_negative).astype(np.float64)
        value[:, place], size[:, place], df[:, place] = area_sizes(ones, zeros)
        shown[:, place] = np.minimum(positives, n - positives) >= LEAST
        counts[:, place] = positives
    size = np.where(
        shown,
        steadied_sizes(value, size, *np.stack([counts, sizes(world) - counts]), shown),
        size,
    )
    return value, size, df, true, shown


def area_sizes(ones: Floats, zeros: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (AUC, effective n, degrees of freedom) as `auc_size` does, from level counts.

    Args:
        ones: shape (samples, levels), positives by level of the score.
        zeros: negatives likewise.
    """
    m, k = ones.sum(axis=1), zeros.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_ones = (np.cumsum(zeros, axis=1) - zeros / 2) / k[:, None]
        of_zeros = 1 - (np.cumsum(ones, axis=1) - ones / 2) / m[:, None]
        value = (ones * of_ones).sum(axis=1) / m
        plain = ((of_ones - value[:, None]) ** 2 * ones).sum(axis=1) / (m * (m - 1))
        plain += ((of_zeros - value[:, None]) ** 2 * zeros).sum(axis=1) / (k * (k - 1))
        weight = PRIOR_SUBJECTS / (PRIOR_SUBJECTS + np.minimum(m, k))
        found = (1 - weight) * plain + weight * modelled_variance(value, m, k)
        near = 1 - 0.5 / (m * k)
        perfect = near * (1 - near) / modelled_variance(near, m, k)
        size = np.where(plain > 0, value * (1 - value) / found, perfect)
    known = (m > 1) & (k > 1)
    df = np.where(plain > 0, np.maximum(np.minimum(m, k) - 1, 1.0), np.inf)
    return value, np.where(known, np.maximum(size, 1.0), 0.0), np.where(known, df, np.inf)


def draw_residuals(
    world: World, samples: int, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.bool_]]:
    """Draw (value, error, degrees of freedom, truth, shown) of calibration in the large.

    Scores are calibrated where a group's place is 0; elsewhere the true logit is shifted.
    """
    shape = (samples, world.groups)
    value, error, df, true = (np.zeros(shape) for _ in range(4))
    shown = np.zeros(shape, dtype=np.bool_)
    score = level_scores()
    of_negative, of_positive = level_shares(world.base, world.prevalence)
    share = (1 - world.prevalence) * of_negative + world.prevalence * of_positive
    for place, n in enumerate(sizes(world).tolist()):
        rate = expit(logit(score) + world.gap * apart(world)[place])
        true[:, place] = (share * (rate - score)).sum()
        count = rng.multinomial(n, share, size=samples)
        hit = rng.binomial(count, rate)
        mean = (hit - count * score).sum(axis=1) / n
        square = (hit * (1 - score) ** 2 + (count - hit) * score**2).sum(axis=1) / n
        plain = (square - mean**2) / n * n / (n - 1)
        modelled = (count * score * (1 - score)).sum(axis=1) / n**2
        weight = PRIOR_EVENTS / (PRIOR_EVENTS + modelled * n**2)
        spread = (1 - weight) * plain + weight * modelled
        value[:, place], error[:, place] = mean, np.sqrt(spread)
        df[:, place], shown[:, place] = n - 1, n >= LEAST
    return value, error, df, true, shown


# --- coverage ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Intervals of some samples beside the truth, each shape (samples,)."""

    low: Floats
    high: Floats
    true: Floats
    known: NDArray[np.bool_]


def spread_of(true: Floats) -> Floats:
    """Return the true gap."""
    return np.asarray(true.max(axis=-1) - true.min(axis=-1))


def sample(world: World, samples: int, rng: np.random.Generator) -> Outcome:
    """Draw samples of a world and make their intervals."""
    match world.measure:
        case "auc_gap":
            value, size, df, true, shown = draw_areas(world, samples, rng)
            families = [ranges.proportions(value, size, df, shown)]
        case "calibration_gap":
            value, error, df, true, shown = draw_residuals(world, samples, rng)
            families = [ranges.means(value, error, df, shown)]
        case "equalized_odds":
            true = rates_of(world, samples, rng)
            n = np.broadcast_to(sizes(world), true.shape)
            positives = rng.binomial(n, world.prevalence)
            same = np.full(true.shape, 0.2)
            families = []
            for among, rate in ((positives, true), (n - positives, same)):
                with np.errstate(invalid="ignore"):
                    value = rng.binomial(among, rate) / among
                shown = np.minimum(positives, n - positives) >= LEAST
                families.append(
                    ranges.proportions(value, among.astype(np.float64), np.inf, shown)
                )
        case _:
            true = rates_of(world, samples, rng)
            value, size, df, shown = draw_shares(world, true, rng)
            families = [ranges.proportions(value, size, df, shown)]
    if world.measure == "share":
        low, high = families[0].limits(np.full((1,), 1.959963984540054))
        return Outcome(low=low[:, 0], high=high[:, 0], true=true[:, 0], known=shown[:, 0])
    known = shown.sum(axis=1) >= 2
    if world.measure == "rate_ratio":
        found = ranges.ratio(families, alpha=ALPHA)
        truth = true.min(axis=1) / true.max(axis=1)
    else:
        found, truth = ranges.gap(families, alpha=ALPHA), spread_of(true)
    return Outcome(low=found.low, high=found.high, true=truth, known=known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What came of one world.

    Attributes:
        world: the world.
        known: samples with an interval.
        covered: share of them whose interval holds the truth.
        above: share whose interval lies wholly above the truth.
        below: share whose interval lies wholly below it.
        width: mean width.
    """

    world: World
    known: int
    covered: float
    above: float
    below: float
    width: float


def coverage(world: World, samples: int, seed: int) -> Coverage | None:
    """Count over `samples` samples; None where hardly any has an interval."""
    rng = np.random.default_rng([seed, zlib.crc32(world.name.encode())])
    chunks = [
        sample(world, min(CHUNK, samples - start), rng) for start in range(0, samples, CHUNK)
    ]
    low, high, true, known = (
        np.concatenate([getattr(chunk, name) for chunk in chunks])
        for name in ("low", "high", "true", "known")
    )
    if known.sum() < samples / 20:
        return None
    low, high, true = low[known], high[known], true[known]
    above, below = low > true + 1e-12, high < true - 1e-12
    return Coverage(
        world=world,
        known=int(known.sum()),
        covered=float(1 - (above | below).mean()),
        above=float(above.mean()),
        below=float(below.mean()),
        width=float((high - low).mean()),
    )


def main(samples: int, seed: int, words: list[str]) -> int:
    """Print the coverage of every world; return 1 where the goals are missed."""
    start = time.process_time()
    chosen = [world for world in grid() if all(word in world.name for word in words)]
    found, unknown = [], []
    for world in chosen:
        row = coverage(world, samples, seed)
        (unknown if row is None else found).append(row or world)
    for measure in dict.fromkeys(row.world.measure for row in found):
        report([row for row in found if row.world.measure == measure], measure)
    report(found, "all", cells=False)
    print(f"not shown in 95 % of samples or more: {len(unknown)} worlds")
    print(f"{samples} samples a world, {time.process_time() - start:.0f} CPU s")
    covered = [row.covered for row in found]
    mean = sum(covered) / len(covered)
    return int(min(covered) < LOW or not 0.945 <= mean <= HIGH)


def report(rows: list[Coverage], title: str, *, cells: bool = True) -> None:
    """Print a summary and the cells outside the goal."""
    covered = [row.covered for row in rows]
    low = sorted((r for r in rows if r.covered < LOW), key=lambda r: r.covered)
    high = sorted((r for r in rows if r.covered > HIGH), key=lambda r: r.covered)
    print(
        f"{title}: {len(rows)} worlds, mean {sum(covered) / len(covered):.4f}, "
        f"{min(covered):.4f} to {max(covered):.4f}; {len(low)} below {LOW}, "
        f"{len(high)} above {HIGH}"
    )
    for row in (*low, *high) if cells else ():
        print(
            f"  {row.covered:.4f} (above {row.above:.4f}, below {row.below:.4f}, width "
            f"{row.width:.3f}, {row.known} known) {row.world.name}"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples", nargs="?", type=int, default=WORLDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="words in a world's name")
    asked = parser.parse_args()
    sys.exit(main(asked.samples, asked.seed, asked.only))
