"""Count how often paired intervals hold the truth, and how often nothing is called better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tests.quality.validation.pairs import World, draw, truth

from titian.validation.comparison.measuring import contrast
from titian.validation.comparison.verdicts import Superiority, compare

ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What one measure's interval did in one world.

    Attributes:
        measure: its id.
        world: the world's name.
        known: samples in which the difference had an interval.
        covered: share of them whose interval holds the true difference.
        above: share whose interval lies wholly above it.
        below: share whose interval lies wholly below it.
        width: mean width.
        rejected: share in which the test's p-value was at most `ALPHA`.
    """

    measure: str
    world: str
    known: int
    covered: float
    above: float
    below: float
    width: float
    rejected: float

    @property
    def error(self) -> float:
        """Standard error of `covered`."""
        return float(np.sqrt(max(self.covered * (1 - self.covered), 1e-4) / max(self.known, 1)))


def coverage(world: World, *, worlds: int, seed: int, draws: int = 500) -> list[Coverage]:
    """Draw `worlds` samples and count for each measure."""
    true = truth(world)
    rows: dict[str, list[tuple[float, float, bool]]] = {name: [] for name in true}
    for number in range(worlds):
        pair = draw(world, np.random.default_rng([seed, number]))
        for name in true:
            found = contrast(
                name, pair, None, subgroup=None, alphas=(ALPHA,), seed=number, draws=draws
            )
            if found.difference.intervals and found.test is not None:
                interval = found.difference.intervals[0]
                rows[name].append((interval.low, interval.high, found.test.p_value <= ALPHA))
    return [_count(name, world, true[name], np.array(found)) for name, found in rows.items()]


def called(world: World, *, worlds: int, seed: int) -> tuple[float, float]:
    """Return how often the AUC overall, and how often that of any group, is told apart."""
    overall = groups = 0
    for number in range(worlds):
        pair = draw(world, np.random.default_rng([seed, number]))
        found = compare(pair, measures=["auc"], alpha=ALPHA, seed=number).rows
        told = [row.verdict is not Superiority.NOT_SHOWN for row in found]
        overall += told[0]
        groups += any(told[1:])
    return overall / worlds, groups / worlds


def _count(name: str, world: World, target: float, found: np.ndarray) -> Coverage:
    low, high, rejected = found.T
    slack = 1e-12
    return Coverage(
        measure=name,
        world=world.name,
        known=len(found),
        covered=float(((low <= target + slack) & (high >= target - slack)).mean()),
        above=float((low > target + slack).mean()),
        below=float((high < target - slack).mean()),
        width=float((high - low).mean()),
        rejected=float(rejected.mean()),
    )
