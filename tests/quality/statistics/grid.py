"""The worlds in which intervals must cover, fixed before the methods were tuned.

A world is a binormal population: a case with label y has a latent reading
``x = d * y + sqrt(icc) * V_subject + sqrt(1 - icc) * e``, labels are a thresholded latent
of the same make, and the calibrated score is the posterior of y given x. Every true value
follows by numerical integration, so coverage is counted against the truth and not against
another estimate.

Add worlds when a new doubt appears; never take one out because a method fails in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import norm

SIZES = (60, 200, 600)
"""Cases in the sample (about, where subjects have several)."""

CLUSTERS = (("single", 0.0), ("few", 0.3), ("few", 0.7), ("skewed", 0.5))
"""(cases per subject, intra-subject correlation of labels and of readings)."""

POPULATIONS = ((0.5, 1.0), (0.3, 2.0), (0.1, 2.0), (0.3, 3.0))
"""(prevalence, distance d between the classes in standard deviations)."""

CALIBRATIONS = (("calibrated", 1.0, 0.0), ("overconfident", 2.0, 0.0), ("shifted", 1.0, 1.0))
"""(name, slope, offset): the score's logit is slope * true logit + offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One population and one sampling plan.

    Attributes:
        cases: cases in a sample, about.
        clusters: ``single`` one case a subject; ``few`` 1 to 5, evenly; ``skewed`` mostly
            one or two, some twelve.
        icc: correlation of two latent readings (and labels) of one subject given the label.
        prevalence: share of positives.
        distance: between the classes, in standard deviations of the reading.
        calibration: name, slope and offset of the distortion of the logit.
    """

    cases: int
    clusters: str
    icc: float
    prevalence: float
    distance: float
    calibration: tuple[str, float, float]

    @property
    def name(self) -> str:
        return (
            f"n={self.cases} {self.clusters} icc={self.icc} prev={self.prevalence} "
            f"d={self.distance} {self.calibration[0]}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One draw: all arrays of shape (n,); `posterior` is the true probability of label 1."""

    label: np.ndarray
    prediction: np.ndarray
    score: np.ndarray
    subject: np.ndarray
    posterior: np.ndarray


def grid() -> list[World]:
    """Return every world: 3 sizes x 4 clusterings x 4 populations x 3 calibrations."""
    return [
        World(
            cases=cases,
            clusters=clusters,
            icc=icc,
            prevalence=prevalence,
            distance=distance,
            calibration=calibration,
        )
        for cases in SIZES
        for clusters, icc in CLUSTERS
        for prevalence, distance in POPULATIONS
        for calibration in CALIBRATIONS
    ]


def short_grid() -> list[World]:
    """Return the worlds of the quick test: one of each clustering, at 200 cases."""
    return [
        world
        for world in grid()
        if world.cases == 200 and (world.prevalence, world.distance) == (0.3, 2.0)
    ]


def draw(world: World, rng: np.random.Generator) -> Sample:
    """Draw one sample of `world`."""
    sizes = _sizes(world, rng)
    subject = np.repeat(np.arange(len(sizes)), sizes)
    n = len(subject)

    def latent() -> np.ndarray:
        shared = rng.standard_normal(len(sizes))[subject]
        return np.sqrt(world.icc) * shared + np.sqrt(1 - world.icc) * rng.standard_normal(n)

    label = (latent() > norm.isf(world.prevalence)).astype(np.int64)
    reading = latent() + world.distance * label
    return Sample(
        label=label,
        prediction=(reading > _threshold(world)).astype(np.int64),
        score=_score(world, reading),
        subject=subject,
        posterior=_posterior(world, reading),
    )


@cache
def truth(world: World) -> dict[str, float]:
    """Return the population's value of every measure, by integration over the reading."""
    x = np.linspace(-9.0, world.distance + 9.0, 200_001)
    step = x[1] - x[0]
    positive = world.prevalence * norm.pdf(x - world.distance) * step
    negative = (1 - world.prevalence) * norm.pdf(x) * step
    score, density = _score(world, x), positive + negative
    posterior = positive / density
    tp = world.prevalence * norm.sf(_threshold(world) - world.distance)
    fp = (1 - world.prevalence) * norm.sf(_threshold(world))
    fn, tn = world.prevalence - tp, 1 - world.prevalence - fp
    above_positive = np.cumsum(positive[::-1])[::-1] - positive / 2
    above_negative = np.cumsum(negative[::-1])[::-1] - negative / 2
    precision = above_positive / (above_positive + above_negative)
    return {
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "ppv": tp / (tp + fp),
        "npv": tn / (tn + fn),
        "accuracy": tp + tn,
        "balanced_accuracy": (tp / (tp + fn) + tn / (tn + fp)) / 2,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "auc": float(norm.cdf(world.distance / np.sqrt(2))),
        "average_precision": float((precision * positive).sum() / world.prevalence),
        "brier": float((positive * (1 - score) ** 2 + negative * score**2).sum()),
        "expected_calibration_error": float((density * np.abs(posterior - score)).sum()),
    }


def _threshold(world: World) -> float:
    """Return the operating point: halfway between the classes, a little to the left."""
    return world.distance / 2 - 0.25


def _score(world: World, reading: np.ndarray) -> np.ndarray:
    _, slope, offset = world.calibration
    return 1 / (1 + np.exp(-(slope * _logit(world, reading) + offset)))


def _posterior(world: World, reading: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-_logit(world, reading)))


def _logit(world: World, reading: np.ndarray) -> np.ndarray:
    prior = np.log(world.prevalence / (1 - world.prevalence))
    return prior + world.distance * reading - world.distance**2 / 2


def _sizes(world: World, rng: np.random.Generator) -> np.ndarray:
    match world.clusters:
        case "single":
            return np.ones(world.cases, dtype=np.int64)
        case "few":
            return rng.integers(1, 6, size=round(world.cases / 3))
        case _:
            choices, share = np.array([1, 2, 4, 12]), np.array([0.5, 0.3, 0.1, 0.1])
            return rng.choice(choices, p=share, size=round(world.cases / (choices @ share)))
