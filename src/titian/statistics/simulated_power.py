"""The power of a planned study, simulated: counts by subject, gaps, and the AUC.

A study's shares are simulated as counts of subjects with 0 ... m successes (beta-binomial),
so that a draw costs the same for a hundred subjects and for a million. The AUC's cases are
drawn one by one from binormal readings. Each simulated study is judged by the interval that
the tool would show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln, ndtri, stdtrit

from titian.statistics.discrimination import auc
from titian.statistics.estimate import Floats, Ints
from titian.statistics.sample_size import Bound

DRAWS = 50_000
"""Simulated studies for each number tried: the power's standard error is 0.13 %."""

FIRST_DRAWS = 10_000
"""Likewise while the search is still far off."""

DRAWS_OF_SCORES = 1_000
"""Simulated studies whose cases are drawn one by one: 1 % for each number tried, and about
0.4 % after the fit over all of them."""


# --- shares by subject and gaps: simulated counts --------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of subjects in a planned study.

    Attributes:
        part: chance that a subject drawn belongs to it and to the measure's denominator.
        expect: its share in the population.
    """

    part: float
    expect: float


def counted_power(
    subjects: int,
    groups: Sequence[Group],
    bound: Bound,
    *,
    cases: int,
    icc: float,
    gap: bool,
    rng: np.random.Generator,
    draws: int = DRAWS,
    fixed: bool = False,
) -> float:
    """Return the power of shares by subject, simulated from counts.

    Args:
        subjects: in the study.
        groups: all of which must clear the bound; with `gap`, two whose gap must.
        bound: what must be cleared.
        cases: of each subject, all in the measure's denominator.
        icc: correlation of two cases of one subject, in [0, 1].
        gap: whether the bound is on the gap between two groups.
        rng: where the studies come from.
        draws: studies.
        fixed: whether a group has exactly its part of the subjects, not its part by chance.
    """
    rest = 1.0
    left = np.full(draws, subjects)
    limits = []
    for group in groups:
        if fixed:
            size = np.full(draws, round(subjects * group.part))
        else:
            size = rng.binomial(left, min(group.part / rest, 1.0))
        left = left - size
        rest = max(rest - group.part, 1e-12)
        kinds = rng.multinomial(size, kind_chances(cases, group.expect, icc))
        limits.append(share_limits(kinds, bound.alpha))
    if not gap:
        met = [bound.met(low, high) for _, low, high in limits]
        return float(np.logical_and.reduce(met).mean())
    high = gap_limit(*limits)
    return float((high <= (bound.at_most or 0.0)).mean())


def gap_limit(
    one: tuple[Floats, Floats, Floats], other: tuple[Floats, Floats, Floats]
) -> Floats:
    """Return the upper end of the gap between two groups.

    The larger of the upper limits of the two differences; a difference's limits come from the
    groups' own (MOVER; for Wilson's limits Newcombe's method, Stat. Med. 17, 1998, 873-890).

    Args:
        one: values, lower and upper limits, each of shape (draws,).
        other: likewise.
    """
    ends = []
    for (va, _, ua), (vb, lb, _) in ((one, other), (other, one)):
        ends.append(va - vb + np.sqrt((ua - va) ** 2 + (vb - lb) ** 2))
    return np.maximum(*ends)


def kind_chances(cases: int, expect: float, icc: float) -> Floats:
    """Return the chances that 0 ... `cases` of a subject's cases are successes.

    Beta-binomial (Skellam, J. R. Stat. Soc. B 10, 1948, 257-261), whose pairs of cases have
    the correlation `icc`.
    """
    j = np.arange(cases + 1)
    ways = gammaln(cases + 1) - gammaln(j + 1) - gammaln(cases - j + 1)
    if icc >= 1.0 or expect in (0.0, 1.0):
        chance = np.zeros(cases + 1)
        chance[0], chance[-1] = 1 - expect, expect
        return chance
    if icc <= 0.0:
        logs = ways + j * math.log(expect) + (cases - j) * math.log1p(-expect)
    else:
        total = 1 / icc - 1
        a, b = expect * total, (1 - expect) * total
        logs = ways + betaln(j + a, cases - j + b) - betaln(a, b)
    chance = np.exp(logs)
    return np.asarray(chance / chance.sum())


def share_limits(kinds: Ints, alpha: float) -> tuple[Floats, Floats, Floats]:
    """Return values and limits of `titian.statistics.proportion`, for a batch of studies.

    Args:
        kinds: shape (draws, cases + 1), subjects with 0 ... `cases` successes.
        alpha: one minus the coverage.

    Returns:
        Shapes (draws,). Without a subject: a value of 0.5 with limits 0 and 1.
    """
    cases = kinds.shape[1] - 1
    subjects = kinds.sum(axis=1).astype(np.float64)
    known = subjects > 0
    j = np.arange(cases + 1)
    n = np.where(known, subjects * cases, 1.0)
    value = np.where(known, kinds @ j / n, 0.5)
    spread = value * (1 - value)
    size, df = n, np.full(len(n), np.inf)
    if cases > 1:
        squares = (kinds * (j - cases * value[:, None]) ** 2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            seen = squares * subjects / (subjects - 1) / n / spread
        varies = (spread > 0) & (subjects > 1)
        size = np.where(varies, np.maximum(n / np.maximum(seen, 1.0), 1.0), subjects)
        df = np.where(varies, np.maximum(subjects - 1, 1.0), np.inf)
    size = np.maximum(size, 1.0)
    q2 = _quantiles(df, alpha) ** 2
    centre = (value + q2 / (2 * size)) / (1 + q2 / size)
    half = np.sqrt(q2 * spread / size + (q2 / (2 * size)) ** 2) / (1 + q2 / size)
    low = np.where(known, np.where(value == 0.0, 0.0, np.minimum(centre - half, value)), 0.0)
    high = np.where(known, np.where(value == 1.0, 1.0, np.maximum(centre + half, value)), 1.0)
    return value, np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def _quantiles(df: Floats, alpha: float) -> Floats:
    """Return Student's quantiles; the slow inverse is taken once for each df."""
    known, place = np.unique(df, return_inverse=True)
    finite = np.isfinite(known)
    found = np.full(len(known), float(ndtri(1 - alpha / 2)))
    found[finite] = stdtrit(known[finite], 1 - alpha / 2)
    return np.asarray(found[place])


# --- AUC: simulated cases --------------------------------------------------------------


def scored_power(
    subjects: int,
    groups: Sequence[Group],
    bound: Bound,
    *,
    prevalence: float,
    cases: int,
    icc: float,
    gap: bool,
    rng: np.random.Generator,
    draws: int = DRAWS_OF_SCORES,
) -> float:
    """Return the power of the AUC, simulated from binormal scores.

    A subject's cases share their label; their readings, given it, have the correlation `icc`.

    Args:
        subjects: in the study.
        groups: as for `counted_power`, with AUCs as what is expected.
        bound: what must be cleared.
        prevalence: share of subjects that are positive, the same in each group.
        cases: of each subject.
        icc: in [0, 1].
        gap: whether the bound is on the gap between two groups.
        rng: where the studies come from.
        draws: studies.
    """
    met = 0
    for _ in range(draws):
        limits = []
        left, rest = subjects, 1.0
        for group in groups:
            size = int(rng.binomial(left, min(group.part / rest, 1.0)))
            left, rest = left - size, max(rest - group.part, 1e-12)
            limits.append(_auc_limits(size, group.expect, prevalence, cases, icc, bound, rng))
        if gap:
            met += bool(gap_limit(*limits)[0] <= (bound.at_most or 0.0))
        else:
            met += all(bool(bound.met(low, high)[0]) for _, low, high in limits)
    return met / draws


def _auc_limits(
    subjects: int,
    expect: float,
    prevalence: float,
    cases: int,
    icc: float,
    bound: Bound,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    label = rng.random(subjects) < prevalence
    reading = rng.standard_normal((cases, subjects))
    if cases > 1:
        reading = math.sqrt(1 - icc) * reading
        reading += math.sqrt(icc) * rng.standard_normal(subjects)
    reading += math.sqrt(2) * float(ndtri(expect)) * label
    found = auc(
        reading.ravel(),
        np.tile(label, cases),
        np.tile(np.arange(subjects), cases) if cases > 1 else None,
        alphas=(bound.alpha,),
    )
    if found.value is None:
        value, low, high = 0.5, 0.0, 1.0
    else:
        interval = found.intervals[0]
        value, low, high = found.value, interval.low, interval.high
    return np.array([value]), np.array([low]), np.array([high])
