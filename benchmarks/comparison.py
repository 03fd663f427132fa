"""Print how paired intervals cover and tests reject, and how long a comparison takes.

    python benchmarks/comparison.py [WORLDS]

WORLDS samples a cell of the grid in tests/quality/validation/pairs.py, 150 by default: minutes.
McNemar and DeLong are checked against scipy's binomial test and DeLong's definition.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from scipy.stats import binomtest
from tests.quality.validation.paired import coverage
from tests.quality.validation.pairs import World, draw, grid

from titian.statistics import influence
from titian.statistics.paired import mcnemar, standard_error
from titian.validation.comparison.verdicts import compare

LOW, HIGH = 0.935, 0.97


def cover(worlds: int) -> None:
    start = time.process_time()
    rows = [row for world in grid() for row in coverage(world, worlds=worlds, seed=1)]
    equal = {world.name for world in grid() if world.a == world.b}
    for name in dict.fromkeys(row.measure for row in rows):
        mine = sorted((r for r in rows if r.measure == name), key=lambda r: r.covered)
        mean = sum(r.covered for r in mine) / len(mine)
        null = [r.rejected for r in mine if r.world in equal]
        low = [r for r in mine if r.covered < LOW]
        high = [r for r in mine if r.covered > HIGH]
        print(
            f"{name}: covered {mean:.3f} on average, {mine[0].covered:.3f} to "
            f"{mine[-1].covered:.3f}; {len(low)} of {len(mine)} cells below {LOW:.1%}, "
            f"{len(high)} above {HIGH:.0%}; equal models told apart by the test in "
            f"{sum(null) / len(null):.3f} (worst cell {max(null):.3f})"
        )
        for row in low:
            print(f"  {row.covered:.3f} (width {row.width:.3f}) {row.world}")
    print(f"{worlds} samples a cell, {time.process_time() - start:.0f} s of CPU")


def peers() -> None:
    rng = np.random.default_rng(2)
    worst = 0.0
    for _ in range(1_000):
        a, b = rng.random((2, int(rng.integers(5, 300)))) < rng.random((2, 1))
        found = mcnemar(a, b)
        if found.only_a + found.only_b:
            known = binomtest(found.only_a, found.only_a + found.only_b).pvalue
            worst = max(worst, abs(found.exact - known))
    print(f"McNemar against scipy's binomial test, 1,000 tables: worst difference {worst:.1e}")
    worst = 0.0
    for _ in range(50):
        label = np.arange(400) < 150
        a, b = rng.standard_normal((2, 400)) + label
        error = standard_error(influence.of_auc(b, label) - influence.of_auc(a, label))[0]
        worst = max(worst, abs(error / definition(a, b, label) - 1))
    print(f"DeLong against its definition, 50 samples of 400: worst ratio off by {worst:.1e}")


def definition(a: np.ndarray, b: np.ndarray, label: np.ndarray) -> float:
    parts = [
        (score[label][:, None] > score[~label]) + 0.5 * (score[label][:, None] == score[~label])
        for score in (a, b)
    ]
    found = parts[1] - parts[0]
    spread = [side.var(ddof=1) / len(side) for side in (found.mean(axis=1), found.mean(axis=0))]
    return float(np.sqrt(sum(spread)))


def speed() -> None:
    for n in (1_000, 10_000, 100_000, 1_000_000):
        world = World(cases=n, clusters="few", icc=0.5, prevalence=0.3, a=2.0, b=2.1, rho=0.6)
        pair = draw(world, np.random.default_rng(1))
        start = time.process_time()
        rows = compare(pair, margin=0.05).rows
        spent = time.process_time() - start
        print(f"compare {len(pair.a):,} cases, {len(rows)} rows: {spent:.2f} s of CPU")


if __name__ == "__main__":
    peers()
    speed()
    cover(int(sys.argv[1]) if len(sys.argv) > 1 else 150)
