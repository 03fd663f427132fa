"""The worlds in which differences of two models must be covered.

A case with label y has, for each model, a reading ``x = sqrt(rho) * c + sqrt(1 - rho) * e +
d * y``: c is common to both models, e the model's own, both with a part that a subject's cases
share. Scores are calibrated; a case is called positive above ``d / 2 - 0.25``. True values
follow by integration. Add worlds when a new doubt appears; never take one out because a method
fails in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import norm

from titian.validation.cases import Cases
from titian.validation.comparison.pairing import Pair

SIZES = (60, 200, 1_000)
CLUSTERS = (("single", 0.0), ("few", 0.5), ("skewed", 0.5))
POPULATIONS = ((0.5, 2.0, 2.0), (0.3, 2.0, 2.3), (0.1, 2.0, 2.5), (0.3, 3.0, 3.2))
"""(prevalence, distance of A, distance of B)."""

LIKENESS = (0.3, 0.9)
"""rho: how much of the readings both models have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One population of cases and two models."""

    cases: int
    clusters: str
    icc: float
    prevalence: float
    a: float
    b: float
    rho: float

    @property
    def name(self) -> str:
        return (
            f"n={self.cases} {self.clusters} prev={self.prevalence} d={self.a},{self.b} "
            f"rho={self.rho}"
        )


def grid() -> list[World]:
    """Return every world: 3 sizes x 3 clusterings x 4 populations x 2 likenesses."""
    return [
        World(cases=n, clusters=kind, icc=icc, prevalence=prevalence, a=a, b=b, rho=rho)
        for n in SIZES
        for kind, icc in CLUSTERS
        for prevalence, a, b in POPULATIONS
        for rho in LIKENESS
    ]


def equal_worlds() -> list[World]:
    """Return the worlds in which B is no better than A."""
    return [world for world in grid() if world.a == world.b]


def draw(world: World, rng: np.random.Generator) -> Pair:
    """Draw one sample; its group column ``quarter`` parts it into four at random."""
    subject = np.repeat(np.arange(len(sizes := _sizes(world, rng))), sizes)
    n = len(subject)

    def latent() -> np.ndarray:
        shared = rng.standard_normal(len(sizes))[subject]
        return np.sqrt(world.icc) * shared + np.sqrt(1 - world.icc) * rng.standard_normal(n)

    label = latent() > norm.isf(world.prevalence)
    common = latent()
    quarter = np.array(["q1", "q2", "q3", "q4"])[rng.integers(0, 4, len(sizes))][subject]

    def model(distance: float) -> Cases:
        reading = np.sqrt(world.rho) * common + np.sqrt(1 - world.rho) * latent()
        reading = reading + distance * label
        score = _score(world, distance, reading)
        return Cases(
            id=np.full(n, "", dtype="<U1"),
            label=label.astype(np.int64),
            prediction=(reading > distance / 2 - 0.25).astype(np.int64),
            scores=np.stack([1 - score, score], axis=1),
            classes=("0", "1"),
            subject=None if world.clusters == "single" else subject,
            groups={"quarter": quarter},
        )

    return Pair(
        a=model(world.a), b=model(world.b), place=1, has_prediction=True, has_score=True
    )


def truth(world: World) -> dict[str, float]:
    """Return B's value minus A's in the population, for each measure."""
    of_a, of_b = (dict(_values(world.prevalence, d)) for d in (world.a, world.b))
    return {name: of_b[name] - of_a[name] for name in of_a}


@cache
def _values(prevalence: float, distance: float) -> tuple[tuple[str, float], ...]:
    x = np.linspace(-9.0, distance + 9.0, 100_001)
    step = x[1] - x[0]
    positive = prevalence * norm.pdf(x - distance) * step
    negative = (1 - prevalence) * norm.pdf(x) * step
    prior = np.log(prevalence / (1 - prevalence))
    score = 1 / (1 + np.exp(-(prior + distance * x - distance**2 / 2)))
    edge = distance / 2 - 0.25
    tp, fp = prevalence * norm.sf(edge - distance), (1 - prevalence) * norm.sf(edge)
    fn, tn = prevalence - tp, 1 - prevalence - fp
    above = [np.cumsum(part[::-1])[::-1] - part / 2 for part in (positive, negative)]
    precision = above[0] / (above[0] + above[1])
    return tuple(
        {
            "sensitivity": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "ppv": tp / (tp + fp),
            "npv": tn / (tn + fn),
            "accuracy": tp + tn,
            "balanced_accuracy": (tp / (tp + fn) + tn / (tn + fp)) / 2,
            "f1": 2 * tp / (2 * tp + fp + fn),
            "auc": float(norm.cdf(distance / np.sqrt(2))),
            "average_precision": float((precision * positive).sum() / prevalence),
            "brier": float((positive * (1 - score) ** 2 + negative * score**2).sum()),
        }.items()
    )


def _score(world: World, distance: float, reading: np.ndarray) -> np.ndarray:
    prior = np.log(world.prevalence / (1 - world.prevalence))
    return 1 / (1 + np.exp(-(prior + distance * reading - distance**2 / 2)))


def _sizes(world: World, rng: np.random.Generator) -> np.ndarray:
    match world.clusters:
        case "single":
            return np.ones(world.cases, dtype=np.int64)
        case "few":
            return rng.integers(1, 6, size=round(world.cases / 3))
        case _:
            choices, share = np.array([1, 2, 4, 12]), np.array([0.5, 0.3, 0.1, 0.1])
            return rng.choice(choices, p=share, size=round(world.cases / (choices @ share)))
