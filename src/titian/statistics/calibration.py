"""Expected calibration error: debiased, with an interval that holds for calibrated models.

Estimand: with the cases cut into `bins_for` bins of equal mass by score, the population's
sum over bins of the bin's share times |observed frequency - mean score|. The plain estimate
adds up absolute noise, so that a perfectly calibrated model seems miscalibrated (Bröcker,
Clim. Dyn. 39, 2012; Kumar, Liang and Ma, NeurIPS 2019; Roelofs et al., AISTATS 2022).

Here the bins' gaps are d = delta + noise, with the noise's covariance taken by subject. The
family delta = scale * d is followed over scale >= 0: the value is the one whose simulated
plain error has its median at what was observed, and the ends are those at which what was
observed is a tail event. At scale 0 the model is calibrated, so the lower end is 0 unless
calibration is rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from titian.statistics.clusters import clustering, degrees_of_freedom
from titian.statistics.estimate import Bools, Estimate, Floats, Ints, intervals_of, unknown
from titian.statistics.proportions import proportion
from titian.values import Interval

BY_INVERSION = "debiased, simulated test inverted"
BY_INVERSION_BY_SUBJECT = "debiased, simulated test inverted, by subject"

FEWEST_BINS = 5
MOST_BINS = 15
LEAST_DRAWS = 4_000
"""Simulated draws for a single 95 % interval: its tail of 2.5 % then holds 100 of them."""

TAIL_DRAWS = 20
"""Draws that the smallest tail must hold, so that its quantile is not an extreme value."""

MOST_DRAWS = 200_000
"""More would be needed below alpha = 2e-4 only; the tail then holds fewer draws."""

MOST_FOLLOWED = 16_000
"""Draws carried along the family; the test of calibration alone uses them all."""

STEPS = 48
"""Scales at which the plain error is simulated; its quantiles are interpolated between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bin of a reliability curve.

    Attributes:
        score: mean score of its cases.
        frequency: share of outcomes among them.
        interval: of the frequency, by subject.
        n: cases.
    """

    score: float
    frequency: float
    interval: Interval
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationError:
    """The debiased estimate beside the plain one and the test of calibration.

    Attributes:
        estimate: debiased, with intervals.
        plain: the usual binned error with the same bins, biased upward.
        p_value: of the hypothesis that every bin is calibrated.
        bins: how many.
    """

    estimate: Estimate
    plain: float
    p_value: float
    bins: int


def draws_for(alphas: Sequence[float]) -> int:
    """Return how many draws the smallest alpha needs: its tail alpha/2 holds `TAIL_DRAWS`."""
    needed = math.ceil(TAIL_DRAWS / (min(alphas) / 2))
    return min(max(LEAST_DRAWS, needed), MOST_DRAWS)


def bins_for(subjects: int) -> int:
    """Return the number of bins: 1.5 times the cube root of the subjects, from 5 to 15."""
    return int(min(max(round(1.5 * subjects ** (1 / 3)), FEWEST_BINS), MOST_BINS))


def equal_mass_bins(score: Floats, bins: int) -> Ints:
    """Return each case's bin; equal scores share one, so there may be fewer than asked."""
    order = np.argsort(score, kind="stable")
    first = np.searchsorted(score[order], score, "left")
    last = np.searchsorted(score[order], score, "right")
    place = ((first + last - 1) / 2 * bins / len(score)).astype(np.int64)
    return np.unique(place, return_inverse=True)[1].astype(np.int64)


def calibration_bins(
    score: Floats, outcome: Bools, subject: Ints | None, *, alpha: float
) -> tuple[Bin, ...]:
    """Return the reliability curve's bins, by rising score."""
    if len(score) == 0:
        return ()
    groups = clustering(subject, len(score))
    place = equal_mass_bins(score, bins_for(groups.subjects))
    found = []
    for index in range(int(place.max()) + 1):
        chosen = place == index
        share = proportion(outcome[chosen], groups.code[chosen], alphas=(alpha,))
        found.append(
            Bin(
                score=float(score[chosen].mean()),
                frequency=float(outcome[chosen].mean()),
                interval=share.intervals[0],
                n=int(chosen.sum()),
            )
        )
    return tuple(found)


def expected_calibration_error(
    score: Floats,
    outcome: Bools,
    subject: Ints | None,
    *,
    alphas: Sequence[float],
    rng: np.random.Generator,
) -> CalibrationError:
    """Estimate the calibration error of scores that claim to be probabilities.

    Args:
        score: shape (n,), in [0, 1].
        outcome: shape (n,), what the score is the probability of.
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.
        rng: where the simulated noise comes from.
    """
    n = len(score)
    if n == 0:
        return CalibrationError(
            estimate=unknown(0, "no cases"), plain=math.nan, p_value=1.0, bins=0
        )
    groups = clustering(subject, n)
    place = equal_mass_bins(score, bins_for(groups.subjects))
    bins = int(place.max()) + 1
    error = (outcome - score) / n
    gap: Floats = np.bincount(place, weights=error, minlength=bins).astype(np.float64)
    plain = float(np.abs(gap).sum())
    if groups.subjects < 2:
        return CalibrationError(
            estimate=Estimate(value=plain, n=n, reason="an interval needs two subjects"),
            plain=plain,
            p_value=1.0,
            bins=bins,
        )
    draws = draws_for(alphas)
    cell = groups.code * bins + place
    sums = np.bincount(cell, weights=error, minlength=groups.subjects * bins)
    by_subject: Floats = sums.astype(np.float64).reshape(groups.subjects, bins)
    df = degrees_of_freedom(groups.sums(np.ones(n)), 1.0)
    noise = _noise(by_subject, _floor(outcome, place, bins, by_subject), df, draws, rng)
    value, low, high, p_value = _invert(gap, noise, np.asarray(alphas))
    return CalibrationError(
        estimate=Estimate(
            value=value,
            n=n,
            intervals=intervals_of(alphas, low, high),
            method=BY_INVERSION if groups.single else BY_INVERSION_BY_SUBJECT,
        ),
        plain=plain,
        p_value=p_value,
        bins=bins,
    )


def _floor(outcome: Bools, place: Ints, bins: int, by_subject: Floats) -> Floats:
    """Return the least variance of each bin's gap, shape (bins,).

    A bin of rare outcomes may hold none, and then shows no variance at all. One success
    and one failure are added (Laplace), and the design effect of all bins together.
    """
    n = len(outcome)
    counts = np.bincount(place, minlength=bins)
    events = np.bincount(place, weights=outcome, minlength=bins)
    share = (events + 1) / (counts + 2)
    binomial = counts * share * (1 - share) / n**2
    seen = float(((by_subject - by_subject.mean(axis=0)) ** 2).sum())
    centred = outcome - events[place] / counts[place]
    plain = float((centred**2).sum()) / n**2
    effect = float(np.clip(seen / plain, 1.0, n / len(by_subject))) if plain > 0 else 1.0
    return np.asarray(binomial * effect)


def _noise(
    by_subject: Floats, floor: Floats, df: float, draws: int, rng: np.random.Generator
) -> Floats:
    """Draw noise of the bins' gaps, shape (draws, bins), from the subjects' spread."""
    subjects, bins = by_subject.shape
    centred = by_subject - by_subject.mean(axis=0)
    covariance = centred.T @ centred * (subjects / (subjects - 1))
    covariance += np.diag(np.maximum(floor - np.diag(covariance), 0.0))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    student = np.sqrt(df / rng.chisquare(df, size=(draws, 1)))
    return np.asarray(rng.standard_normal((draws, bins)) @ root.T * student)


def _invert(gap: Floats, noise: Floats, alphas: Floats) -> tuple[float, Floats, Floats, float]:
    """Return (value, lows, highs, p-value of calibration)."""
    plain = float(np.abs(gap).sum())
    null = np.sort(np.abs(noise).sum(axis=1))
    p_value = float((1 + (null >= plain).sum()) / (1 + len(null)))
    observed = max(plain, float(np.median(null)))
    if plain == 0.0:
        return 0.0, np.zeros(len(alphas)), np.full(len(alphas), null.max(initial=0.0)), p_value
    reach = (observed + 8 * float(null.std())) / plain
    scales = reach * np.linspace(0.0, 1.0, STEPS) ** 1.5
    tails = np.concatenate([[0.5], 1 - alphas / 2, alphas / 2])
    followed = noise[:MOST_FOLLOWED]
    moved, error = np.empty_like(followed), np.empty(len(followed))
    place = tails * (len(error) - 1)
    found = np.empty((STEPS, len(tails)))
    for step, scale in enumerate(scales):
        np.add(followed, scale * gap, out=moved)
        np.abs(moved, out=moved).sum(axis=1, out=error)
        error.sort()
        found[step] = np.interp(place, np.arange(len(error)), error)
    found = np.maximum.accumulate(found, axis=0)

    def scale_at(column: int, target: float) -> float:
        return float(np.interp(target, found[:, column], scales)) * plain

    k = len(alphas)
    value = 0.0 if plain <= found[0, 0] else scale_at(0, plain)
    low = np.array(
        [0.0 if plain <= found[0, 1 + i] else scale_at(1 + i, plain) for i in range(k)]
    )
    high = np.array([scale_at(1 + k + i, observed) for i in range(k)])
    return value, np.minimum(low, value), np.maximum(high, value), p_value
