"""How many cases until the interval that will be shown clears a bound, with a given power.

Power is that of the very interval which judges later (Wilson's, by subject where subjects
have several cases; DeLong's in Wilson's form; the gap's), not of a normal approximation of
it. For one share of independent cases it is exact: a sum over the binomial distribution. It
then rises in a sawtooth, so that more cases can have less power; the number given is the
smallest from which on the power holds (Chernick and Liu, Am. Stat. 56, 2002, 149-155). Where
nothing exact is known, studies are simulated (`titian.statistics.simulated_power`), and the
power's rise with the root of the number is fitted on the normal scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, bdtrc, gammaln, ndtr, ndtri

from titian.statistics.estimate import Bools, Floats, Ints

MOST = 5_000_000
"""Cases above which no study is planned: the bound lies too near to what is expected."""

STEPS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35)
"""Numbers tried around a guess, as multiples of it."""

SETTLING = 25
"""Numbers tried around the fit's answer, from 0.8 to 1.4 times it."""

NOISE = 0.003
"""Of a power simulated 50,000 times: two standard errors."""

ROUNDS = 4
"""Guesses at most; a second is needed only where the first was far off."""


class OutOfReach(ValueError):
    """More than `MOST` would be needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What the interval must clear.

    Attributes:
        at_least: the lower end must reach it; None when there is an upper bound.
        at_most: the upper end must not exceed it; None when there is a lower bound.
        alpha: one minus the interval's coverage.
    """

    at_least: float | None = None
    at_most: float | None = None
    alpha: float = 0.05

    def met(self, low: Floats, high: Floats) -> Bools:
        """Return where an interval clears the bound."""
        if self.at_least is not None:
            return np.asarray(low >= self.at_least, dtype=np.bool_)
        return np.asarray(high <= (self.at_most or 0.0), dtype=np.bool_)


# --- one share, independent cases: exact ----------------------------------------------


def share_power(n: Ints, expect: float, bound: Bound) -> Floats:
    """Return the exact power for each number of independent cases.

    Args:
        n: shape (k,), cases of the measure's denominator, at least 1.
        expect: the share in the population.
        bound: what Wilson's interval must clear.
    """
    z = float(-ndtri(bound.alpha / 2))
    edge = bound.at_least if bound.at_least is not None else (bound.at_most or 0.0)
    # Wilson's interval holds the values that the score test does not reject.
    reach = z * np.sqrt(n * edge * (1 - edge))
    if bound.at_least is not None:
        fewest = np.ceil(n * edge + reach - 1e-9)
        return np.where(fewest > n, 0.0, bdtrc(fewest - 1, n, expect))
    most = np.floor(n * edge - reach + 1e-9)
    return np.where(most < 0, 0.0, bdtr(np.maximum(most, 0), n, expect))


def smallest_share(expect: float, bound: Bound, power: float) -> int:
    """Return the smallest number of cases from which on the power holds.

    Raises:
        OutOfReach: it exceeds `MOST`.
    """
    top = 2 * normal_guess(expect, bound, power) + 200
    while True:
        found = share_power(np.arange(1, top + 1), expect, bound)
        failing = np.flatnonzero(found < power)
        last = int(failing[-1]) + 1 if len(failing) else 0
        if last < 0.8 * top:
            return last + 1
        top *= 2
        if top > 4 * MOST:
            raise OutOfReach


def drawn_share_power(drawn: int, part: float, expect: float, bound: Bound) -> float:
    """Return the power when the denominator is left to chance.

    Args:
        drawn: cases in the study.
        part: share of them in the measure's denominator, such as the prevalence.
        expect: the share in the population.
        bound: what the interval must clear; without a case in the denominator it is not.
    """
    if part >= 1.0:
        return float(share_power(np.array([drawn]), expect, bound)[0])
    spread = math.sqrt(drawn * part * (1 - part))
    low = max(int(drawn * part - 9 * spread - 5), 1)
    high = min(int(drawn * part + 9 * spread + 5), drawn)
    m = np.arange(low, high + 1)
    logs = (
        gammaln(drawn + 1)
        - gammaln(m + 1)
        - gammaln(drawn - m + 1)
        + m * math.log(part)
        + (drawn - m) * math.log1p(-part)
    )
    return float((np.exp(logs) * share_power(m, expect, bound)).sum())


def smallest_drawn(power_at: Callable[[int], float], power: float, start: int) -> int:
    """Return the smallest number from which on `power_at` holds, by bisection and a look on.

    Args:
        power_at: rises with its argument but for small teeth.
        power: to reach.
        start: a guess.

    Raises:
        OutOfReach: it exceeds `MOST`.
    """
    low, high = 0, max(start, 2)
    while power_at(high) < power:
        low, high = high, 2 * high
        if high > 4 * MOST:
            raise OutOfReach
    while True:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if power_at(middle) >= power else (middle, high)
        ahead = np.unique(np.linspace(high + 1, high * 1.15 + 20, 60).astype(np.int64))
        failing = [int(n) for n in ahead if power_at(int(n)) < power]
        if not failing:
            return high
        low, high = failing[-1], int(failing[-1] * 1.2 + 20)


def normal_guess(expect: float, bound: Bound, power: float) -> int:
    """Return the normal approximation."""
    edge = bound.at_least if bound.at_least is not None else (bound.at_most or 0.0)
    reach = float(-ndtri(bound.alpha / 2)) * math.sqrt(edge * (1 - edge))
    reach += float(ndtri(power)) * math.sqrt(expect * (1 - expect))
    n = math.ceil((reach / (expect - edge)) ** 2)
    if n > MOST:
        raise OutOfReach
    return n


# --- the search ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """How power rises with the number: a quadratic in its root, on the normal scale.

    Attributes:
        coefficients: of 1, sqrt(n) and n.
        low: smallest number simulated.
        high: largest number simulated.
    """

    coefficients: tuple[float, float, float]
    low: float
    high: float

    def at(self, n: float) -> float:
        """Return the fitted power; outside what was simulated it goes on in a line."""
        a, b, c = self.coefficients
        root = math.sqrt(min(max(n, self.low), self.high))
        slope = b + 2 * c * root
        return float(ndtr(a + b * root + c * root**2 + slope * (math.sqrt(n) - root)))


def simulated_rise(
    power_at: Callable[[int], float],
    power: float,
    start: int,
    *,
    draws: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[int, Rise]:
    """Return the smallest number whose fitted power holds, and the fit.

    Args:
        power_at: number -> share of simulated studies that clear the bound.
        power: to reach.
        start: a guess.
        draws: studies behind each call, for the weights.
        progress: told numbers tried and numbers to try, of each round.

    Raises:
        OutOfReach: it exceeds `MOST`.
    """
    guess = n = start
    rise = Rise(coefficients=(0.0, 0.0, 0.0), low=start, high=start)
    for turn in range(ROUNDS):
        tried = sorted({max(round(guess * step), 2) for step in STEPS})
        found = []
        for done, n in enumerate(tried, 1):
            found.append(power_at(n))
            progress(done, len(tried))
        rise = _fit(np.array(tried, dtype=np.float64), np.array(found), draws)
        n = _first(rise, power, guess)
        if found[0] < power < found[-1] or turn == ROUNDS - 1:
            break
        guess = min(max(n, guess // 3), guess * 3)
        if guess > MOST:
            raise OutOfReach
    return n, rise


def settled(power_at: Callable[[int], float], power: float, near: int) -> int:
    """Return the smallest number near a guess from which on the simulated power holds.

    Small studies have few outcomes, and their power jumps where the fit is smooth.

    Args:
        power_at: number -> share of simulated studies that clear the bound, to 0.1 %.
        power: to reach.
        near: the guess.
    """
    tried = np.unique(np.round(near * np.linspace(0.8, 1.4, SETTLING)).astype(np.int64))
    found = np.array([power_at(int(n)) for n in tried])
    failing = np.flatnonzero(found < power - NOISE)
    if len(failing) == 0:
        return int(tried[0])
    if failing[-1] == len(tried) - 1:
        return settled(power_at, power, int(tried[-1] * 1.25) + 1)
    return int(tried[failing[-1] + 1])


def _fit(n: Floats, power: Floats, draws: int) -> Rise:
    """Fit the rise by weighted least squares; power 0 and 1 count as half a study off."""
    share = np.clip(power, 0.5 / draws, 1 - 0.5 / draws)
    z = ndtri(share)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    weight = density / np.sqrt(share * (1 - share))
    root = np.sqrt(n)
    columns = [np.ones(len(n)), root]
    if len(n) > 4:
        columns.append(n)
    design = np.stack(columns, axis=1) * weight[:, None]
    found = np.linalg.lstsq(design, z * weight, rcond=None)[0]
    a, b, c = (*(float(item) for item in found), 0.0)[:3]
    return Rise(coefficients=(a, b, c), low=float(n.min()), high=float(n.max()))


def _first(rise: Rise, power: float, guess: int) -> int:
    low, high = 1, max(guess, 2)
    while rise.at(high) < power:
        high *= 2
        if high > 4 * MOST:
            return 4 * MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if rise.at(middle) >= power else (middle, high)
    return high
