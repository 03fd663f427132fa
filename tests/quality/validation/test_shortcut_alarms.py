"""An honest score is seldom accused of a shortcut; a planted one is found."""

from __future__ import annotations

import numpy as np
import pytest

from titian.statistics.conditional import conditional_readings, crossed_readings


def world(
    rng: np.random.Generator, *, n: int, clustered: bool, rare: float, leak: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Draw scores, labels, groups, subjects and an embedding; labels depend on the group."""
    if clustered:
        sizes = rng.choice([1, 2, 4, 12], p=[0.5, 0.3, 0.1, 0.1], size=round(n / 2.7))
        subject = np.repeat(np.arange(len(sizes)), sizes)
    else:
        subject = np.arange(n)
    subjects, n, own = int(subject.max()) + 1, len(subject), 0.8 * clustered
    first, site = rng.random(subjects) < rare, rng.integers(0, 3, subjects)
    latent = own * rng.standard_normal(subjects)[subject] + rng.standard_normal(n)
    label = (latent + 0.8 * first[subject] > 0.7).astype(np.int64)
    noise = own * rng.standard_normal(subjects)[subject] + rng.standard_normal(n)
    score = 2 * label + noise + leak * first[subject]
    member = np.stack([first[subject], *((site == j)[subject] for j in range(3))], axis=1)
    hidden = rng.standard_normal((n, 8)) + own * rng.standard_normal((subjects, 8))[subject]
    hidden[:, 0] += 2 * label
    hidden[:, 1] += leak * first[subject]
    return score, label, member, subject if clustered else None, hidden


def alarms(worlds: int, *, embedding: bool, draws: int, leak: float = 0.0, **kind) -> float:
    """Return the share of worlds with any corrected p-value of at most 0.05."""
    told = 0
    for number in range(worlds):
        rng = np.random.default_rng([41, number])
        score, label, member, subject, hidden = world(rng, leak=leak, **kind)
        options = {"alphas": (0.05,), "draws": draws, "rng": rng}
        if embedding:
            found = crossed_readings(hidden, label, member, subject, **options)
        else:
            found = conditional_readings(score[:, None], label, member, subject, **options)[0]
        told += min(reading.p_value for reading in found) <= 0.05
    return told / worlds


def limit(worlds: int) -> float:
    return 0.05 + 3 * (0.05 * 0.95 / worlds) ** 0.5


@pytest.mark.parametrize("embedding", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_honest_scores_are_seldom_accused(embedding: bool, clustered: bool) -> None:
    share = alarms(150, embedding=embedding, draws=99, n=200, clustered=clustered, rare=0.5)
    assert share <= limit(150)


def test_a_planted_shortcut_is_found() -> None:
    for embedding in (False, True):
        share = alarms(
            40, embedding=embedding, draws=99, leak=1.0, n=400, clustered=False, rare=0.5
        )
        assert share >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("embedding", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("rare", [0.5, 0.05])
@pytest.mark.parametrize("n", [100, 400])
def test_honest_scores_are_seldom_accused_anywhere(
    embedding: bool, clustered: bool, rare: float, n: int
) -> None:
    share = alarms(600, embedding=embedding, draws=199, n=n, clustered=clustered, rare=rare)
    assert share <= limit(600)
