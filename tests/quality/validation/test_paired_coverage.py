"""Paired intervals hold the true difference; equal models are seldom told apart."""

from __future__ import annotations

import pytest
from tests.quality.validation.paired import called, coverage
from tests.quality.validation.pairs import equal_worlds, grid

LEAST = 0.935
"""The goal of each cell; a simulated share may fall short of it by three standard errors."""

SHORT = [
    world
    for world in grid()
    if world.cases == 200 and (world.prevalence, world.rho) == (0.3, 0.9) and world.a == 2.0
]


@pytest.mark.parametrize("world", SHORT, ids=lambda w: w.name)
def test_paired_intervals_hold_the_true_difference(world) -> None:
    for row in coverage(world, worlds=60, seed=5):
        assert row.covered >= LEAST - 3 * row.error, row


def test_equal_models_are_seldom_told_apart() -> None:
    world = next(w for w in equal_worlds() if w.cases == 200 and w.clusters == "few")
    overall, groups = called(world, worlds=150, seed=6)
    limit = 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5
    assert overall <= limit
    assert groups <= limit


@pytest.mark.slow
@pytest.mark.parametrize("world", grid(), ids=lambda w: w.name)
def test_the_whole_grid_of_pairs_is_covered(world) -> None:
    for row in coverage(world, worlds=400, seed=7):
        assert row.covered >= LEAST - 3 * row.error, row


@pytest.mark.slow
@pytest.mark.parametrize("world", equal_worlds(), ids=lambda w: w.name)
def test_equal_models_are_seldom_told_apart_anywhere(world) -> None:
    limit = 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    assert max(called(world, worlds=400, seed=8)) <= limit
