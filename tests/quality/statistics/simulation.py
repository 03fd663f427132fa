"""Count how often the intervals hold the truth in a world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from grid import Sample, World, draw, truth

from titian import statistics
from titian.statistics.calibration import bins_for, equal_mass_bins
from titian.statistics.estimate import Estimate

ALPHA = 0.05

Method = Callable[[Sample, np.random.Generator], Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What one method did in one world.

    Attributes:
        measure: its id.
        world: the world's name.
        known: samples in which the measure had a value and an interval.
        covered: share of them whose interval holds the truth.
        above: share of them whose interval lies wholly above the truth.
        below: share of them whose interval lies wholly below the truth.
        width: mean width of the interval.
        bias: mean of estimate minus truth.
    """

    measure: str
    world: str
    known: int
    covered: float
    above: float
    below: float
    width: float
    bias: float

    @property
    def error(self) -> float:
        """Standard error of `covered`."""
        return float(np.sqrt(max(self.covered * (1 - self.covered), 1e-4) / max(self.known, 1)))


def _share(chosen, success, sample):
    return statistics.proportion(success[chosen], sample.subject[chosen], alphas=(ALPHA,))


METHODS: Mapping[str, Method] = {
    "sensitivity": lambda s, _: _share(s.label == 1, s.prediction == 1, s),
    "specificity": lambda s, _: _share(s.label == 0, s.prediction == 0, s),
    "ppv": lambda s, _: _share(s.prediction == 1, s.label == 1, s),
    "npv": lambda s, _: _share(s.prediction == 0, s.label == 0, s),
    "accuracy": lambda s, _: _share(s.label >= 0, s.prediction == s.label, s),
    "balanced_accuracy": lambda s, _: statistics.balanced_accuracy(
        s.label, s.prediction, s.subject, classes=2, alphas=(ALPHA,)
    ),
    "f1": lambda s, _: statistics.f1(
        s.label == 1, s.prediction == 1, s.subject, alphas=(ALPHA,)
    ),
    "auc": lambda s, _: statistics.auc(s.score, s.label == 1, s.subject, alphas=(ALPHA,)),
    "average_precision": lambda s, _: statistics.average_precision(
        s.score, s.label == 1, s.subject, alphas=(ALPHA,)
    ),
    "brier": lambda s, _: statistics.brier(s.score, s.label, s.subject, alphas=(ALPHA,)),
    "expected_calibration_error": lambda s, rng: (
        statistics.expected_calibration_error(
            s.score, s.label == 1, s.subject, alphas=(ALPHA,), rng=rng
        ).estimate
    ),
}

OF_SCORES = ("brier", "expected_calibration_error")
"""Measures that depend on how the scores are calibrated; the others ignore it."""


def coverage(
    world: World,
    *,
    worlds: int,
    seed: int,
    methods: Mapping[str, Method] = METHODS,
    true: Mapping[str, float] | None = None,
) -> list[Coverage]:
    """Draw `worlds` samples of `world` and count for each method."""
    true = truth(world) if true is None else true
    rows: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in methods}
    for number in range(worlds):
        rng = np.random.default_rng([seed, number])
        sample = draw(world, rng)
        for name, method in methods.items():
            found = method(sample, rng)
            if found.intervals:
                interval = found.intervals[0]
                target = true[name.split(":")[0]]
                if name.startswith("expected_calibration_error"):
                    target = binned_truth(sample)
                rows[name].append((interval.low, interval.high, found.value, target))
    return [_count(name, world, np.array(found)) for name, found in rows.items()]


def binned_truth(sample: Sample) -> float:
    """Return the estimand of the calibration error: the population's, in the sample's bins."""
    subjects = len(np.unique(sample.subject))
    place = equal_mass_bins(sample.score, bins_for(subjects))
    gap = np.bincount(place, weights=sample.posterior - sample.score)
    return float(np.abs(gap).sum() / len(place))


def _count(name, world, found):
    low, high, value, target = found.T
    slack = 1e-12
    return Coverage(
        measure=name,
        world=world.name,
        known=len(found),
        covered=float(((low <= target + slack) & (high >= target - slack)).mean()),
        above=float((low > target + slack).mean()),
        below=float((high < target - slack).mean()),
        width=float((high - low).mean()),
        bias=float((value - target).mean()),
    )
