"""Coverage by simulation: a few worlds at every run, the whole grid when there is time."""

import pytest
from grid import grid, short_grid
from simulation import METHODS, OF_SCORES, coverage

CHEAP = {name: method for name, method in METHODS.items() if name not in OF_SCORES}
LEAST = 0.90
"""Below this a method is broken; 'near 95 %' is what benchmarks/coverage.py reports."""


@pytest.mark.parametrize(
    "world", [w for w in short_grid() if w.calibration[0] == "calibrated"], ids=lambda w: w.name
)
def test_intervals_hold_the_truth(world):
    for row in coverage(world, worlds=120, seed=5, methods=CHEAP):
        assert row.covered >= LEAST - 3 * row.error, row


@pytest.mark.parametrize("world", short_grid(), ids=lambda w: w.name)
def test_intervals_of_scores_hold_the_truth(world):
    methods = {name: METHODS[name] for name in OF_SCORES}
    for row in coverage(world, worlds=40, seed=6, methods=methods):
        assert row.covered >= LEAST - 3 * row.error, row


@pytest.mark.slow
@pytest.mark.parametrize("world", grid(), ids=lambda w: w.name)
def test_the_whole_grid_is_covered(world):
    for row in coverage(world, worlds=400, seed=7):
        assert row.covered >= LEAST - 3 * row.error, row
