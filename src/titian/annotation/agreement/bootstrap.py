"""Intervals by a bootstrap over tasks: rows are weighted, no label is counted again.

Efron's BCa interval (JASA 82, 1987, 171-185). The percentile interval falls to 87 % coverage
where few tasks hold all the disagreement; BCa stays near 95 % there
(tests/quality/annotation/test_agreement_coverage.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from scipy.special import ndtr, ndtri

from titian.annotation.agreement.coefficients import Statistic
from titian.annotation.agreement.ratings import Ratings
from titian.annotation.consensus.votes import Floats
from titian.statistics.estimate import Estimate, intervals_of, unknown

Prepare: TypeAlias = Callable[[Ratings], Statistic]
Split: TypeAlias = Callable[[Ratings], Floats]

BLOCK_CELLS = 4_000_000  # draws x rows weighted at once: 32 MB
MOST_LEFT_OUT = 2_000  # rows left out one at a time; with more, skewness does not matter
LEAST_DEFINED = 0.5  # share of draws that must have a value
NO_DISAGREEMENT = 1e-12

METHOD = "BCa bootstrap by task"
METHOD_PERFECT = "Wilson bound on the share of split tasks"


def estimate(
    ratings: Ratings,
    prepare: Prepare,
    *,
    rng: np.random.Generator,
    draws: int = 1_000,
    alpha: float = 0.05,
    split: Split | None = None,
) -> Estimate:
    """Estimate a coefficient with its interval.

    Args:
        ratings: the tasks, as distinct rows.
        prepare: makes the statistic of ratings.
        rng: draws the tasks.
        draws: how many times tasks are drawn; 0 for no interval.
        alpha: one minus the nominal coverage.
        split: makes the row of a task whose labels are split between the two commonest
            classes, shape (classes,); None where a row counts labels.

    Returns:
        n is the number of tasks with two labels or more. Unknown where no task has two, or
        where chance alone cannot disagree (all labels name one class). Without any
        disagreement every draw agrees too: the lower end is then the value that the
        coefficient would have if Wilson's upper bound on the share of split tasks were split
        between the two commonest classes.
    """
    n = ratings.pairable
    if not n:
        return unknown(0, "no task has two labels")
    statistic = prepare(ratings)
    value = float(statistic(ratings.times[None])[0])
    if not np.isfinite(value):
        return unknown(n, "all labels that can be compared name one class")
    if not draws:
        return Estimate(value=value, n=n)
    if value > 1.0 - NO_DISAGREEMENT:
        row = (split or halves)(ratings)
        low = _low_of_perfect(ratings, prepare, row, alpha=alpha)
        interval = intervals_of((alpha,), np.asarray([min(low, value)]), np.asarray([value]))
        return Estimate(value=value, n=n, intervals=interval, method=METHOD_PERFECT)
    drawn = np.concatenate([statistic(w) for w in weightings(ratings.times, rng, draws)])
    left_out = left_one_out(statistic, ratings.times)
    return finish(value, n, drawn, left_out, alpha=alpha)


def weightings(times: Floats, rng: np.random.Generator, draws: int) -> Iterator[Floats]:
    """Draw tasks with replacement; yield how often each row came up, shape (some, rows)."""
    rows, tasks = len(times), int(times.sum())
    step = max(1, BLOCK_CELLS // rows)
    shares = times / times.sum()
    row_of = None if rows * 10 < tasks else np.repeat(np.arange(rows), times.astype(np.int64))
    for first in range(0, draws, step):
        many = min(step, draws - first)
        if row_of is None:
            yield rng.multinomial(tasks, shares, size=many).astype(np.float64)
            continue
        found = np.empty((many, rows))
        for place in range(many):
            chosen = row_of[rng.integers(tasks, size=tasks)]
            found[place] = np.bincount(chosen, minlength=rows)
        yield found


def left_one_out(statistic: Statistic, times: Floats) -> tuple[Floats, Floats] | None:
    """Return the values without one task of each row, and how many tasks that stands for."""
    if len(times) > MOST_LEFT_OUT:
        return None
    return statistic(times[None] - np.eye(len(times))), times


def finish(
    value: float,
    n: int,
    drawn: Floats,
    left_out: tuple[Floats, Floats] | None,
    *,
    alpha: float,
) -> Estimate:
    """Turn drawn values into Efron's BCa interval."""
    defined = np.sort(drawn[np.isfinite(drawn)])
    if len(defined) < LEAST_DEFINED * len(drawn):
        return Estimate(
            value=value,
            n=n,
            reason=f"{len(drawn) - len(defined)} of {len(drawn)} draws hold one class only",
        )
    below = (defined < value).sum() + 0.5 * (defined == value).sum()
    bias = ndtri(np.clip(below / len(defined), 0.5 / len(defined), 1 - 0.5 / len(defined)))
    shift = bias + ndtri(np.asarray([alpha / 2, 1 - alpha / 2]))
    rank = ndtr(bias + shift / np.maximum(1.0 - _acceleration(left_out) * shift, 0.1))
    low, high = np.quantile(defined, rank)
    interval = intervals_of(
        (alpha,), np.asarray([min(low, value)]), np.asarray([max(high, value)])
    )
    return Estimate(value=value, n=n, intervals=interval, method=METHOD)


def _acceleration(left_out: tuple[Floats, Floats] | None) -> float:
    if left_out is None:
        return 0.0
    values, times = left_out
    defined = np.isfinite(values)
    values, times = values[defined], times[defined]
    if not len(values):
        return 0.0
    away = np.average(values, weights=times) - values
    spread = float((times * away**2).sum())
    return float((times * away**3).sum() / (6.0 * spread**1.5)) if spread > 0 else 0.0


def share_unseen(n: float, alpha: float) -> float:
    """Return Wilson's upper bound on a share of which n tasks showed none."""
    square = float(ndtri(1 - alpha / 2)) ** 2
    return square / (n + square)


def halves(ratings: Ratings) -> Floats:
    """Return the counts of a task split between the two commonest classes."""
    several = ratings.per_task >= 2
    size = int(np.median(ratings.per_task[several]))
    first, second = np.argsort(-(ratings.times @ ratings.counts), kind="stable")[:2]
    row = np.zeros(ratings.counts.shape[1])
    row[first] = size - size // 2
    row[second] = size // 2
    return row


def _low_of_perfect(ratings: Ratings, prepare: Prepare, row: Floats, *, alpha: float) -> float:
    unseen = share_unseen(float(ratings.pairable), alpha)
    supposed = Ratings(
        counts=np.concatenate([ratings.counts, row[None]]),
        times=np.append(ratings.times, ratings.pairable * unseen / (1.0 - unseen)),
    )
    low = float(prepare(supposed)(supposed.times[None])[0])
    return max(low, -1.0)
