"""Deals keep what they must, and their largest evidence is that of counting each slice."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.validation.slices.brute import every_slice

from titian.validation.slices.faults import plant_slice, simulate
from titian.validation.slices.feature import Feature
from titian.validation.slices.lattice import grid_of, walk
from titian.validation.slices.report import find_slices, total_of
from titian.validation.slices.score import Evidence
from titian.validation.slices.significance import Deal, _Lattice, significance


def random_features(rng, n):
    return [
        Feature(
            name=str(place), code=rng.integers(0, 3, n).astype(np.uint8), values=("a", "b", "c")
        )
        for place in range(4)
    ]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("by_subject", [True, False])
def test_the_largest_evidence_of_a_deal_is_that_of_counting_each_slice(binary, by_subject):
    rng = np.random.default_rng(11)
    n = 240
    features = random_features(rng, n)
    error = (rng.random(n) < 0.2).astype(float) if binary else rng.exponential(size=n)
    total, grid = total_of(error), grid_of(features, 5)
    lattice = _Lattice(grid.stride)
    walk(grid, error, lattice, level=3, least=5, binary=binary)
    deal = Deal(rng.integers(0, 90, n) if by_subject else None, n)
    dealt = [deal.draw(error, rng) for _ in range(4)]
    slices = [mask for _, mask in every_slice(features, error, level=3, least=5)]
    assert lattice.slices == len(slices)
    expected = [
        max(
            float(
                Evidence().of(
                    np.array([float(mask.sum())]), np.array([errors[mask].sum()]), total
                )[0]
            )
            for mask in slices
        )
        for errors in dealt
    ]
    found = lattice.largest(grid, dealt, total, 0.0)
    assert found == pytest.approx(expected, abs=1e-9)
    screen = float(np.median(found))
    screened = lattice.largest(grid, dealt, total, screen)
    assert screened == pytest.approx([x if x >= screen else 0.0 for x in expected], abs=1e-9)


def test_a_deal_by_subject_keeps_each_subject_s_errors_together():
    rng = np.random.default_rng(5)
    subject = np.repeat(np.arange(40), rng.integers(1, 4, 40))
    rng.shuffle(subject)
    error = rng.random(len(subject))
    deal = Deal(subject, len(subject))
    dealt = deal.draw(error, rng)
    before = sorted(tuple(sorted(error[subject == who])) for who in range(40))
    after = sorted(tuple(sorted(dealt[subject == who])) for who in range(40))
    assert before == after
    assert (dealt != error).mean() > 0.5


def test_a_subject_of_a_size_of_its_own_keeps_its_errors():
    subject = np.array([0, 0, 0, 1, 2, 3])
    deal = Deal(subject, 6)
    assert deal.fixed == 1
    dealt = deal.draw(np.arange(6.0), np.random.default_rng(0))
    assert sorted(dealt[:3].tolist()) == [0.0, 1.0, 2.0]


def test_p_values_count_the_observed_deal():
    rng = np.random.default_rng(2)
    features, error = simulate(rng)
    found = significance(
        grid_of(features, 50),
        error,
        total_of(error),
        evidence=[100.0, 0.0],
        level=2,
        least=50,
        deals=99,
        alpha=0.05,
        rng=rng,
    )
    assert found.deals == 99
    assert found.p_values == (0.01, 1.0)
    assert found.critical is not None
    assert 1.5 < found.critical < 6.0


def test_dealing_stops_once_nothing_can_be_significant():
    rng = np.random.default_rng(3)
    features, error = simulate(rng)
    found = significance(
        grid_of(features, 50),
        error,
        total_of(error),
        evidence=[0.1],
        level=2,
        least=50,
        deals=199,
        alpha=0.05,
        rng=rng,
    )
    assert found.deals == 11, "eleven deals above it make p <= 0.05 impossible"
    assert found.p_values == (1.0,)
    assert found.critical is None


def test_progress_tells_of_deals_made_and_wanted():
    rng = np.random.default_rng(4)
    features, error = simulate(rng)
    error, _ = plant_slice(features, error, ((0, 1), (1, 1)), rng=rng)
    told = []
    find_slices(
        features,
        error,
        rng=rng,
        deals=40,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[0] == (0, 40)
    assert told[-1] == (40, 40)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def noisy_tables(worlds, *, subjects):
    """Return the share of tables of pure noise in which a slice is significant."""
    found = 0
    for world in range(worlds):
        rng = np.random.default_rng([2026, world])
        subject = np.repeat(np.arange(150), rng.integers(1, 4, 150))
        n = len(subject)
        code = rng.integers(0, 3, (4, 150))[:, subject]
        code[3] = rng.integers(0, 3, n)
        features = [
            Feature(name=str(place), code=row.astype(np.uint8), values=("a", "b", "c"))
            for place, row in enumerate(code)
        ]
        tendency = rng.beta(0.2, 1.0, 150)[subject] if subjects else np.full(n, 0.15)
        error = (rng.random(n) < tendency).astype(float)
        report = find_slices(
            features,
            error,
            rng=rng,
            support=15,
            deals=99,
            subject=subject if subjects else None,
        )
        found += bool(report.significant)
    return found / worlds


@pytest.mark.parametrize("subjects", [False, True])
def test_pure_noise_rarely_yields_a_finding(subjects):
    # 5 % of 120 tables is 6; 13 or more have a probability of about 1 in 200.
    assert noisy_tables(120, subjects=subjects) <= 12 / 120


@pytest.mark.slow
@pytest.mark.parametrize("subjects", [False, True])
def test_pure_noise_yields_a_finding_in_at_most_one_table_in_twenty(subjects):
    # 2,000 tables: 5 % plus 2.6 standard errors.
    assert noisy_tables(2_000, subjects=subjects) <= 0.0627
