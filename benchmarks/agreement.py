"""What Krippendorff's alpha costs, beside the krippendorff package, with equal values checked.

Run by `make bench`. CPU seconds of one process, medians of repetitions in which peer and ours
alternate on the same labels; each is called once before it is timed. The peer runs in its own
environment, named by TITIAN_PEERS_PYTHON (see benchmarks/consensus.py), which also needs
`pip install 'krippendorff==0.9.*'`; without it our own costs alone are printed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from titian.annotation.agreement import agreement, krippendorff_alpha

SEED = 2026
REPETITIONS = 5
GOAL = 4.0
LEVELS = ("nominal", "ordinal", "interval", "ratio")

_PEER = """
import sys, time
import numpy as np, krippendorff
matrix, level, form = np.load(sys.argv[1]), sys.argv[2], sys.argv[3]
if form == "counts":
    domain = np.arange(int(np.nanmax(matrix)) + 1)
    counts = np.stack([(matrix == value).sum(axis=0) for value in domain], axis=1)
    call = lambda: krippendorff.alpha(value_counts=counts, level_of_measurement=level)
else:
    call = lambda: krippendorff.alpha(matrix, level_of_measurement=level)
call()
start = time.process_time()
value = call()
print(time.process_time() - start, repr(float(value)))
"""


def labels(tasks: int, workers: int, classes: int) -> NDArray[np.float64]:
    """Draw a table of workers x tasks; every tenth label is missing."""
    rng = np.random.default_rng(SEED)
    truth = rng.integers(classes, size=tasks)
    guess = rng.integers(classes, size=(workers, tasks))
    table = np.where(rng.random((workers, tasks)) < 0.7, truth, guess).astype(np.float64)
    table[rng.random((workers, tasks)) < 0.1] = np.nan
    return table


def paired(table: NDArray[np.float64], level: str, form: str) -> None:
    """Print the medians of both, their ratio and how far the values are apart."""
    worker, task = np.nonzero(~np.isnan(table))
    label = table[worker, task].astype(np.int64)
    python = os.environ.get("TITIAN_PEERS_PYTHON")
    mine: list[float] = []
    theirs: list[float] = []
    value = krippendorff_alpha(task, label, level=level)
    other = float("nan")
    with tempfile.TemporaryDirectory() as held:
        source = Path(held) / "labels.npy"
        np.save(source, table)
        for _ in range(REPETITIONS):
            start = time.process_time()
            value = krippendorff_alpha(task, label, level=level)
            mine.append(time.process_time() - start)
            if python:
                command = [python, "-c", _PEER, str(source), level, form]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                seconds, found = done.stdout.split()
                theirs.append(float(seconds))
                other = float(found)
    title = f"{level}, {len(label):,} labels, peer reads {form}"
    cost = statistics.median(mine)
    if not theirs:
        print(f"  {title:<54} {cost:7.4f} CPU s (no peer)")
        return
    ratio = statistics.median(t / m for t, m in zip(theirs, mine, strict=True))
    verdict = "ok" if ratio >= GOAL else "MISSED"
    print(
        f"  {title:<54} {cost:7.4f} CPU s, peer {statistics.median(theirs):7.4f}: "
        f"{ratio:5.1f}x (goal {GOAL:.0f}x, {verdict}); apart {abs(value - other):.0e}"
    )


def bootstrap(table: NDArray[np.float64]) -> None:
    """Print the cost of an interval of 1,000 draws by task."""
    worker, task = np.nonzero(~np.isnan(table))
    label = table[worker, task].astype(np.int64)
    for level in ("nominal", "ordinal"):
        start = time.process_time()
        found = agreement(
            task,
            worker,
            label,
            names=[str(code) for code in range(4)],
            level=level,
            rng=np.random.default_rng(SEED),
            parts=False,
        )
        used = time.process_time() - start
        interval = found.estimate.intervals[0]
        print(
            f"  {level}, interval of 1,000 draws by task: {used:.3f} CPU s "
            f"({found.estimate.value:.4f}, {interval.low:.4f} to {interval.high:.4f})"
        )


def main() -> None:
    if not os.environ.get("TITIAN_PEERS_PYTHON"):
        print("TITIAN_PEERS_PYTHON is not set: krippendorff is left out.")
    table = labels(int(sys.argv[1]) if len(sys.argv) > 1 else 222_222, 5, 4)
    paired(table, "nominal", "labels")
    paired(table, "nominal", "counts")
    for level in LEVELS[1:]:
        paired(table, level, "labels")
    bootstrap(table)


if __name__ == "__main__":
    main()
