"""Print the coverage of every interval in every world of the fixed grid.

    python benchmarks/coverage.py [WORLDS]

WORLDS samples a cell, 200 by default: minutes on two idle cores; 10000 take hours.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
GRID = Path(__file__).resolve().parents[1] / "tests" / "quality" / "statistics"
os.environ["PYTHONPATH"] = os.pathsep.join([str(GRID), os.environ.get("PYTHONPATH", "")])
sys.path.insert(0, str(GRID))

from grid import grid  # noqa: E402
from joblib import Parallel, delayed  # noqa: E402
from simulation import METHODS, OF_SCORES, coverage  # noqa: E402

LOW, HIGH = 0.935, 0.97


def main(worlds: int) -> None:
    start = time.perf_counter()
    jobs = [
        delayed(coverage)(
            world,
            worlds=worlds,
            seed=1,
            methods={
                name: method
                for name, method in METHODS.items()
                if name in OF_SCORES or world.calibration[0] == "calibrated"
            },
        )
        for world in grid()
    ]
    rows = [row for found in Parallel(n_jobs=-1)(jobs) for row in found]
    for name in METHODS:
        mine = sorted((r for r in rows if r.measure == name), key=lambda r: r.covered)
        low = [r for r in mine if r.covered < LOW]
        high = [r for r in mine if r.covered > HIGH]
        mean = sum(r.covered for r in mine) / len(mine)
        print(
            f"{name}: mean {mean:.3f}, {mine[0].covered:.3f} to {mine[-1].covered:.3f}; "
            f"{len(low)} of {len(mine)} cells below {LOW:.1%}, {len(high)} above {HIGH:.0%}"
        )
        for row in (*low, *high):
            print(
                f"  {row.covered:.3f} (wholly above {row.above:.3f}, below {row.below:.3f}; "
                f"width {row.width:.3f}, bias {row.bias:+.4f}) {row.world}"
            )
    print(f"{worlds} worlds a cell in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
