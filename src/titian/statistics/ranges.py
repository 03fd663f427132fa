"""Gaps: the largest difference, or ratio, among groups, with intervals that hold.

The plain estimate of max - min is biased upward, and so is its bootstrap: noise alone makes
one group the highest. Here the gap is the largest of the ordered pairs' differences, and a
value D of it is rejected

- from below, where some pair's difference exceeds D by more than c of its standard errors.
  c is the quantile of that maximum when the groups lie as the sample says, drawn together
  until their gap is D, and those near an end moved onto it (Andrews and Soares, Econometrica
  78, 2010, 119-157). With all groups alike it is Tukey's studentised range; with one highest
  and one lowest it is the pair's own quantile;
- from above, where every pair's difference lies below D by more than the pair's own quantile.
  No correction is needed: the upper end of the pair that is widest in truth suffices.

A pair's limits come from its groups' own by recovery of variances (MOVER: Zou and Donner,
Stat. Med. 27, 2008, 1693-1702; for ratios Donner and Zou, Stat. Methods Med. Res. 21, 2012,
347-359), so that small cells keep their skewness. The argument and the measured coverage are
in docs/explanation/disparity.md.

All functions take a batch: shape (..., groups).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from titian.statistics.estimate import Bools, Floats

NEAR = 2.5
"""Groups within this many standard errors of an end of the gap count as lying on it."""

NODES = 30
"""Of the quadrature over the lowest estimate."""

REACH = 4.5
"""How far the quadrature goes below and above the lowest place."""

ROUNDS = 5
"""Secants towards the critical value; the tail is nearly normal in it, so few suffice."""

NOTHING = 1e-9
"""Effective n of a group without cases: its limits are 0 and 1."""

LEAST_RATE = 1e-12
"""Stands for a rate of 0 where its logarithm is taken."""

Limits = Callable[[Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The groups of one measure.

    Attributes:
        value: shape (..., groups), the estimates.
        error: shape (..., groups), standard errors that are never 0, for the configuration.
        alike: shape (..., groups), standard errors if all groups were alike.
        limits: critical values, shape (..., 1), of the normal scale -> lower and upper limits,
            shape (..., groups).
        shown: shape (..., groups), which groups have an estimate. The others have limits
            all the same: they can widen the upper end of a gap, and nothing else.
    """

    value: Floats
    error: Floats
    alike: Floats
    limits: Limits
    shown: Bools


def proportions(value: Floats, size: Floats, df: Floats | float, shown: Bools) -> Groups:
    """Return groups whose estimates have Wilson's form: shares, AUC, mean squared errors.

    Args:
        value: shape (..., groups), in [0, 1].
        size: shape (..., groups), effective n; 0 where nothing is known.
        df: degrees of freedom; infinite where every subject has one case.
        shown: shape (..., groups).
    """
    value = np.where(size > 0, value, 0.5)
    size = np.where(size > 0, size, NOTHING)
    near = (value * size + 1.0) / (size + 2.0)
    alone = bool(np.all(np.isinf(df)))

    def limits(critical: Floats) -> tuple[Floats, Floats]:
        q2 = (critical if alone else students(critical, df)) ** 2
        scale = 1.0 + q2 / size
        centre = (value + q2 / (2 * size)) / scale
        half = np.sqrt(q2 * value * (1 - value) / size + (q2 / (2 * size)) ** 2) / scale
        return np.clip(centre - half, 0.0, value), np.clip(centre + half, value, 1.0)

    seen = np.where(shown, size, 0.0)
    whole = seen.sum(axis=-1, keepdims=True)
    common = ((seen * value).sum(axis=-1, keepdims=True) + 1.0) / (whole + 2.0)
    return Groups(
        value=value,
        error=np.sqrt(near * (1 - near) / size),
        alike=np.sqrt(common * (1 - common) / size),
        limits=limits,
        shown=shown,
    )


def means(
    value: Floats,
    error: Floats,
    df: Floats | float,
    shown: Bools,
    *,
    reach: float = np.inf,
) -> Groups:
    """Return groups whose estimates have Student's intervals.

    Args:
        value: shape (..., groups).
        error: shape (..., groups), standard errors above 0.
        df: degrees of freedom.
        shown: shape (..., groups).
        reach: the measure lies in [-reach, reach], and so do its limits.
    """

    def limits(critical: Floats) -> tuple[Floats, Floats]:
        half = students(critical, df) * error
        return np.maximum(value - half, -reach), np.minimum(value + half, reach)

    return Groups(value=value, error=error, alike=error, limits=limits, shown=shown)


def students(critical: Floats, df: Floats | float) -> Floats:
    """Return Student's quantile with the tail that the normal one `critical` has."""
    critical, freedom = np.broadcast_arrays(critical, np.asarray(df, dtype=np.float64))
    found = np.array(critical, dtype=np.float64)
    finite = np.isfinite(freedom)
    found[finite] = -stdtrit(freedom[finite], ndtr(-found[finite]))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A gap and its interval, each of the batch's shape.

    Attributes:
        value: largest difference (or ratio) of any two groups' estimates.
        low: lower end.
        high: upper end.
    """

    value: Floats
    low: Floats
    high: Floats


def gap(families: Sequence[Groups], *, alpha: float | Floats, near: float = NEAR) -> Gap:
    """Return the largest difference between two groups, over one or several measures.

    Args:
        families: the measures' groups; two for equalized odds.
        alpha: one minus the coverage; several are one more batch axis, in front.
        near: see `NEAR`.
    """
    return _invert(families, alpha, near, _differences)


def ratio(families: Sequence[Groups], *, alpha: float | Floats, near: float = NEAR) -> Gap:
    """Return the smallest ratio of two groups' rates, over one or several measures.

    Args:
        families: the measures' groups, from `proportions`.
        alpha: one minus the coverage; several are one more batch axis, in front.
        near: see `NEAR`.

    Returns:
        Values in [0, 1]; 0 where a group's rate is 0 and another's is not, 1 where all are 0.
    """
    found = _invert([_logarithms(groups) for groups in families], alpha, near, _quotients)
    with np.errstate(over="ignore"):
        value, low, high = (np.exp(-part) for part in (found.value, found.high, found.low))
    return Gap(value=np.where(value < 1e3 * LEAST_RATE, 0.0, value), low=low, high=high)


def _invert(
    families: Sequence[Groups],
    alpha: float | Floats,
    near: float,
    pairs: Callable[[Groups, Floats], tuple[Floats, Floats]],
) -> Gap:
    inner = families[0].value.shape[:-1]
    level = np.asarray(alpha, dtype=np.float64)
    batch = (*level.shape, *inner)
    level = np.broadcast_to(level.reshape((*level.shape, *(1 for _ in inner))), batch)
    own = -ndtri(level / 2)
    value = np.max([_spread(groups) for groups in families], axis=0)

    def lower(critical: Floats) -> Floats:
        found = [pairs(groups, critical[..., None])[0] for groups in families]
        return np.asarray(np.maximum(np.max(found, axis=0), 0.0))

    def excess(critical: Floats) -> Floats:
        tail = _tail(families, lower(critical), critical, near)
        return np.asarray(-ndtri(np.clip(tail, 1e-12, 1 - 1e-12)) + ndtri(level))

    high = np.max([pairs(g, own[..., None])[1] for g in families], axis=0)
    count = max(int(groups.shown.sum(axis=-1).max(initial=2)) for groups in families)
    low_c = -ndtri(level)
    high_c = -ndtri(level / (len(families) * count * (count - 1) + 1))
    low_f, high_f = excess(low_c), excess(high_c)
    # Nearly linear in the critical value: regula falsi, the stale end halved (Illinois).
    for _ in range(ROUNDS):
        rise = np.where(high_f > low_f, high_f - low_f, 1.0)
        middle = np.clip(high_c - high_f * (high_c - low_c) / rise, low_c, high_c)
        found = excess(middle)
        above = found >= 0.0
        low_f = np.where(above, low_f / 2, found)
        high_f = np.where(above, found, high_f / 2)
        low_c, high_c = np.where(above, low_c, middle), np.where(above, middle, high_c)
    # Below `zone` the upper end cannot miss, so that the lower one may use all of alpha;
    # beyond it the two share: the lower end's part is what the upper end's leaves.
    zone = own * np.max([_widest(groups) for groups in families], axis=0)
    wide = lower(high_c)
    missed = np.prod([_within(groups, wide, -own, 0.0) for groups in families], axis=0)
    shared = high_c + ndtri(level) - ndtri(np.maximum(level - missed, level / 2))
    low = np.minimum(wide, np.maximum(zone, lower(np.maximum(shared, own))))
    return Gap(value=value, low=np.minimum(low, value), high=np.maximum(high, value))


def _spread(groups: Groups) -> Floats:
    top = np.where(groups.shown, groups.value, -np.inf).max(axis=-1)
    bottom = np.where(groups.shown, groups.value, np.inf).min(axis=-1)
    return np.asarray(np.maximum(top - bottom, 0.0))


def _widest(groups: Groups) -> Floats:
    """Return the largest standard error of a pair: as observed or if alike, the smaller.

    Where the observed gap is wide by chance its error may be too large as well, and the
    samples in which the upper end misses are those that show little gap.
    """
    least = np.minimum(groups.error, groups.alike)
    errors = np.sort(np.where(groups.shown, least, 0.0) ** 2, axis=-1)
    return np.asarray(np.sqrt(errors[..., -2:].sum(axis=-1)))


def _differences(groups: Groups, critical: Floats) -> tuple[Floats, Floats]:
    """Return the largest lower and the largest upper limit of any ordered pair."""
    low, high = groups.limits(critical)
    down, up = (groups.value - low) ** 2, (high - groups.value) ** 2
    lowest = np.full(groups.value.shape[:-1], -np.inf)
    highest = lowest.copy()
    for j in range(groups.value.shape[-1]):
        # The pair of a group with itself has the difference 0: harmless, a gap is at least 0.
        there = groups.shown & groups.shown[..., j, None]
        difference = groups.value - groups.value[..., j, None]
        below = np.where(there, difference - np.sqrt(down + up[..., j, None]), -np.inf)
        # An unknown group may lie anywhere between its limits: reaches add up.
        reach = np.where(
            there,
            np.sqrt(up + down[..., j, None]),
            np.sqrt(up) + np.sqrt(down[..., j, None]),
        )
        above = difference + reach
        above[..., j] = 0.0
        lowest = np.maximum(lowest, below.max(axis=-1))
        highest = np.maximum(highest, above.max(axis=-1))
    return np.asarray(lowest), np.asarray(highest)


def _logarithms(groups: Groups) -> Groups:
    """Return the same groups with values and errors on the logarithmic scale."""
    spread = groups.error**2
    # The error's own rate is never 0: of v and e it is what solves e^2 = w (1 - w) / size.
    safe = np.maximum(groups.value, np.sqrt(spread) / 2)
    return Groups(
        value=np.log(np.maximum(groups.value, LEAST_RATE)),
        error=groups.error / safe,
        alike=groups.alike / safe.max(axis=-1, keepdims=True),
        limits=groups.limits,
        shown=groups.shown,
    )


def _quotients(groups: Groups, critical: Floats) -> tuple[Floats, Floats]:
    """Return the largest lower and the largest upper limit of any pair's logarithmic ratio."""
    low, high = groups.limits(critical)
    value = np.where(groups.value <= np.log(LEAST_RATE), 0.0, np.exp(groups.value))
    lowest = np.full(value.shape[:-1], -np.inf)
    highest = lowest.copy()
    for j in range(value.shape[-1]):
        own, least, most = (item[..., j, None] for item in (value, low, high))
        product = value * own
        with np.errstate(divide="ignore", invalid="ignore"):
            below = (
                product
                - np.sqrt(
                    np.maximum(
                        product**2 - low * most * (2 * value - low) * (2 * own - most), 0.0
                    )
                )
            ) / (most * (2 * own - most))
            above = (
                product
                + np.sqrt(
                    np.maximum(
                        product**2 - high * least * (2 * value - high) * (2 * own - least), 0.0
                    )
                )
            ) / (least * (2 * own - least))
        below = np.where(most * (2 * own - most) == 0.0, low / most, below)
        above = np.where(np.isnan(above), np.inf, above)
        there = groups.shown & groups.shown[..., j, None]
        with np.errstate(divide="ignore"):
            below = np.where(there, np.log(np.maximum(below, 0.0)), -np.inf)
            above = np.log(above)
        above[..., j] = 0.0
        lowest = np.maximum(lowest, below.max(axis=-1))
        highest = np.maximum(highest, above.max(axis=-1))
    return np.asarray(lowest), np.asarray(highest)


def _tail(families: Sequence[Groups], wide: Floats, critical: Floats, near: float) -> Floats:
    """Return P(some pair exceeds the gap `wide` by `critical` standard errors)."""
    inside = np.ones_like(wide)
    for groups in families:
        inside = inside * _within(groups, wide, critical, near)
    return 1.0 - inside


def _within(groups: Groups, wide: Floats, critical: Floats, near: float) -> Floats:
    """Return P(no pair of one measure exceeds it).

    A pair's standard error is replaced by a sum of one term for each group, so that the
    largest excess of any pair is a largest minus a smallest value, and its probability a
    single integral: sqrt(x^2 + y^2) = (x S + y T) / sqrt(S^2 + T^2) for a typical pair (S, T),
    scaled so that it is right on average over the pairs that lie at the ends.
    """
    place = configuration(groups, wide, near)
    upper, lower = (
        np.where(groups.shown, np.exp(-distance / groups.error), 0.0) + LEAST_RATE
        for distance in (wide[..., None] - place, place)
    )
    square = groups.error**2
    top, bottom = (
        (weight * square).sum(axis=-1) / weight.sum(axis=-1) for weight in (upper, lower)
    )
    pair = np.sqrt(top + bottom)[..., None]
    above = groups.error * np.sqrt(top)[..., None] / pair
    below = groups.error * np.sqrt(bottom)[..., None] / pair
    exact, summed = np.zeros_like(wide), np.zeros_like(wide)
    for j in range(groups.value.shape[-1]):
        weight = upper * lower[..., j, None]
        weight[..., j] = 0.0
        exact = exact + (weight * np.sqrt(square + square[..., j, None])).sum(axis=-1)
        summed = summed + (weight * (above + below[..., j, None])).sum(axis=-1)
    scale = (critical * exact / summed)[..., None]
    return excess_below(wide, place, groups.error, (scale * above, scale * below), groups.shown)


def configuration(groups: Groups, wide: Floats, near: float) -> Floats:
    """Return places in [0, wide]: the estimates drawn together, near ones moved to the ends.

    The estimates are projected (weighted least squares) onto the sets whose gap is at most
    `wide`; then each group is moved outward by `near` standard errors, at most to its end.
    """
    weight = np.where(groups.shown, groups.error**-2.0, 0.0)
    top = np.where(groups.shown, groups.value, -np.inf).max(axis=-1)
    bottom = np.where(groups.shown, groups.value, np.inf).min(axis=-1)
    top, bottom = (np.where(np.isfinite(item), item, 0.0) for item in (top, bottom))
    low, high = np.minimum(bottom, top - wide), np.maximum(bottom, top - wide)
    for _ in range(12):
        middle = (low + high) / 2
        inner = groups.value - middle[..., None]
        pull = inner - np.clip(inner, 0.0, wide[..., None])
        up = (weight * pull).sum(axis=-1) > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    place = np.clip(groups.value - ((low + high) / 2)[..., None], 0.0, wide[..., None])
    shift = near * groups.error
    half = wide[..., None] / 2
    inner = np.maximum(place - shift, 0.0)
    outer = np.minimum(place + shift, wide[..., None])
    return np.asarray(np.where(place < half, inner, outer))


def excess_below(
    wide: Floats, place: Floats, error: Floats, margins: tuple[Floats, Floats], shown: Bools
) -> Floats:
    """Return P(max of (X - first margin) - min of (X + second margin) <= wide), X normal.

    Args:
        wide: shape (...).
        place: shape (..., groups), the means.
        error: shape (..., groups), the standard deviations; the X are independent.
        margins: shape (..., groups) each, what a group is allowed above and below.
        shown: shape (..., groups); the others do not count.
    """
    over, under = margins
    lowest = place + under
    start = np.where(shown, lowest - REACH * error, np.inf).min(axis=-1)
    stop = np.where(shown, lowest + REACH * error, np.inf).min(axis=-1)
    start, stop = (np.where(np.isfinite(item), item, 0.0) for item in (start, stop))
    step = (stop - start) / NODES
    edges = start[..., None] + step[..., None] * np.arange(NODES + 1)
    shift = (wide + step / 2)[..., None]
    before = np.ones((*edges.shape[:-1], NODES))
    after = before.copy()
    for g in range(place.shape[-1]):
        scale = 1.0 / error[..., g, None]
        centred = ((edges - place[..., g, None]) * scale).astype(np.float32)
        least = (under[..., g, None] * scale).astype(np.float32)
        most = ((shift + over[..., g, None]) * scale).astype(np.float32)
        below = ndtr(centred - least)
        above = ndtr(centred[..., :-1] + most)
        here = shown[..., g, None]
        before *= np.where(here, above - below[..., :-1], 1.0)
        after *= np.where(here, np.maximum(above - below[..., 1:], 0.0), 1.0)
    return np.asarray(np.clip((before - after).sum(axis=-1), 0.0, 1.0))
