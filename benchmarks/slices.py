"""What the search for slices costs, beside sliceline, with the same top slices checked.

Run by `make bench`. CPU seconds of one process; peer and ours see the same table in one run.
The peer runs in its own environment, named by TITIAN_SLICES_PEERS_PYTHON; without it our own
costs alone are printed. To make that environment:

    python3 -m venv peers
    peers/bin/pip install 'sliceline==0.3.0'
    export TITIAN_SLICES_PEERS_PYTHON=$PWD/peers/bin/python

Our own runs are made in fresh processes, so that a peak of memory is that of one run.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.validation.slices.feature import Feature
from titian.validation.slices.lattice import grid_of
from titian.validation.slices.report import total_of
from titian.validation.slices.score import Evidence, Score, SliceLine
from titian.validation.slices.search import Ranked, search
from titian.validation.slices.significance import significance

SEED = 2026
REPETITIONS = 3
TOP = 10
LEVEL = 3
WEIGHT = 0.95
DEALS = 199

_PEER = """
import json, sys, time, warnings
import numpy as np
warnings.filterwarnings("ignore")
from sliceline.slicefinder import Slicefinder
data = np.load(sys.argv[1])
weight, top, level, least = json.loads(sys.argv[3])
finder = Slicefinder(alpha=weight, k=top, max_l=level, min_sup=least, verbose=False)
start = time.process_time()
finder.fit(data["code"].T, data["error"])
used = time.process_time() - start
slices = [[None if value is None else int(value) for value in row]
          for row in finder.top_slices_]
scores = [row["slice_score"] for row in finder.top_slices_statistics_]
json.dump({"seconds": used, "slices": slices, "scores": scores}, open(sys.argv[2], "w"))
"""


def table_of(
    n: int, columns: int, *, binary: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Draw columns of 2 to 10 values, half of them skewed, with two planted slices."""
    rng = np.random.default_rng([SEED, n, columns])
    code = np.empty((columns, n), dtype=np.uint8)
    for place in range(columns):
        values = 2 + place % 9
        share = 1 / (1 + np.arange(values)) if place % 2 else np.ones(values)
        code[place] = rng.choice(values, size=n, p=share / share.sum())
    rate = np.full(n, 0.1)
    rate[(code[1] == 1) & (code[4] == 2)] = 0.35
    rate[(code[3] == 2) & (code[5] == 0)] = 0.25
    error = (rng.random(n) < rate).astype(np.float64)
    return code, error if binary else error * rng.uniform(0.5, 1.5, n)


def features_of(code: NDArray[np.uint8]) -> list[Feature]:
    return [
        Feature(
            name=str(place), code=row, values=tuple(str(v) for v in range(int(row.max()) + 1))
        )
        for place, row in enumerate(code)
    ]


def ours(
    code: NDArray[np.uint8], error: NDArray[np.float64], score: Score, least: int
) -> tuple[float, tuple[Ranked, ...]]:
    """Return CPU seconds and the top slices, coding of the columns included."""
    features = features_of(code)
    start = time.process_time()
    total = total_of(error)
    found = search(
        grid_of(features, least),
        error,
        total,
        score=score,
        level=LEVEL,
        least=least,
        top=TOP,
    )
    return time.process_time() - start, found.slices


def paired(n: int, columns: int, *, binary: bool, goal: float) -> None:
    """Print both costs, their ratio and whether slices and scores are the same."""
    code, error = table_of(n, columns, binary=binary)
    least = n // 100
    runs = [ours(code, error, SliceLine(weight=WEIGHT), least) for _ in range(REPETITIONS)]
    mine, found = statistics.median(seconds for seconds, _ in runs), runs[0][1]
    kind = "0/1 errors" if binary else "losses"
    title = f"{n:,} x {columns}, level {LEVEL}, {kind}"
    python = os.environ.get("TITIAN_SLICES_PEERS_PYTHON")
    if not python:
        print(f"  {title:<44} {mine:8.3f} CPU s (no peer)", flush=True)
        return
    with tempfile.TemporaryDirectory() as held:
        source, target = Path(held) / "in.npz", Path(held) / "out.json"
        np.savez(source, code=code, error=error)
        settings = json.dumps([WEIGHT, TOP, LEVEL, least])
        subprocess.run([python, "-c", _PEER, str(source), str(target), settings], check=True)
        peer = json.loads(target.read_text())
    told = [
        tuple((place, value) for place, value in enumerate(row) if value is not None)
        for row in peer["slices"]
    ]
    same = {item.conditions for item in found} == set(told)
    gap = max(
        (abs(item.score - score) for item, score in zip(found, peer["scores"], strict=False)),
        default=0.0,
    )
    ratio = peer["seconds"] / mine
    print(
        f"  {title:<44} {mine:8.3f} CPU s, peer {peer['seconds']:8.1f}: {ratio:7.0f}x "
        f"(goal {goal:.0f}x, {'ok' if ratio >= goal else 'MISSED'}); "
        f"{'same' if same else 'OTHER'} {len(told)} slices, scores differ by {gap:.0e}",
        flush=True,
    )


def own(n: int, columns: int, name: str, kind: str) -> None:
    """Print cost and peak memory of one search, then the cost of a deal."""
    code, error = table_of(n, columns, binary=kind == "binary")
    score = Evidence() if name == "evidence" else SliceLine(weight=WEIGHT)
    least = n // 100
    before = _peak_mib()
    wall = time.perf_counter()
    seconds, found = ours(code, error, score, least)
    wall = time.perf_counter() - wall
    print(
        f"  {n:,} x {columns}, {name}, {kind}: search {seconds:.2f} CPU s ({wall:.1f} s wall), "
        f"peak {_peak_mib():.0f} MiB ({before:.0f} before it), "
        f"worst {found[0].conditions} at {found[0].score:.2f}",
        flush=True,
    )
    total = total_of(error)
    grid = grid_of(features_of(code), least)
    spent = []
    for deals in (2, 8):
        start = time.process_time()
        significance(
            grid,
            error,
            total,
            evidence=[1e6],
            level=LEVEL,
            least=least,
            deals=deals,
            alpha=0.05,
            rng=np.random.default_rng(SEED),
        )
        spent.append(time.process_time() - start)
    each = (spent[1] - spent[0]) / 6
    print(
        f"    a deal {each:.3f} CPU s; {DEALS} deals about "
        f"{spent[0] + each * (DEALS - 2):.0f} CPU s; peak {_peak_mib():.0f} MiB",
        flush=True,
    )


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    if sys.argv[1:2] == ["own"]:
        own(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
        return
    if not os.environ.get("TITIAN_SLICES_PEERS_PYTHON"):
        print("TITIAN_SLICES_PEERS_PYTHON is not set: sliceline is left out.")
    paired(50_000, 10, binary=True, goal=100)
    paired(50_000, 10, binary=False, goal=100)
    print("  Goals: 50,000 x 10 within 200 MB; 1,000,000 x 20 within 60 s.")
    for n, columns in ((50_000, 10), (1_000_000, 20)):
        for name, kind in (
            ("sliceline", "binary"),
            ("evidence", "binary"),
            ("evidence", "loss"),
        ):
            command = [sys.executable, __file__, "own", str(n), str(columns), name, kind]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
