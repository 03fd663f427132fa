"""What confident learning costs, beside cleanlab, with equal issues checked.

Run by `make bench`. CPU seconds of one process, medians of repetitions in which peer and ours
alternate on the same 1,000,000 x 10 probabilities; each is called once before it is timed. Ours
always ranks and estimates precision; the peer is timed both ranking and finding only. The peer
runs in its own environment, named by TITIAN_PEERS_PYTHON (see benchmarks/consensus.py);
without it our own costs alone are printed.
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

from titian.annotation.label_errors import find_label_errors

SEED = 2026
REPETITIONS = 3
GOAL = 4.0
FILTERS = {"noise-rate": "prune_by_noise_rate", "confident-joint": "confident_learning"}

_PEER = """
import sys, time, warnings
import numpy as np
from cleanlab.filter import find_label_issues
warnings.filterwarnings("ignore")
folder, rule, ranked, target = sys.argv[1:5]
label, p = np.load(folder + "/label.npy"), np.load(folder + "/p.npy")
by = "self_confidence" if ranked == "ranked" else None
call = lambda: find_label_issues(
    label, p, filter_by=rule, return_indices_ranked_by=by, n_jobs=1)
call()
start = time.process_time()
found = call()
print(time.process_time() - start)
np.save(target, found if by else np.flatnonzero(found))
"""


def study(
    n: int, classes: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Draw given labels, a model's probabilities, and true labels; 15 % are wrong."""
    rng = np.random.default_rng(SEED)
    true = rng.integers(classes, size=n)
    noise = np.full((classes, classes), 0.08 / (classes - 1))
    np.fill_diagonal(noise, 0.85)
    noise[np.arange(classes), (np.arange(classes) + 1) % classes] += 0.07
    given = (rng.random(n)[:, None] > noise[true].cumsum(axis=1)).sum(axis=1)
    score = rng.normal(size=(n, classes))
    score[np.arange(n), true] += 2.5
    p = np.exp(2.5 * score)
    p /= p.sum(axis=1, keepdims=True)
    return np.minimum(given, classes - 1), p @ noise, true


def paired(
    folder: Path,
    rule: str,
    ranked: str,
    data: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]],
) -> None:
    """Print the medians of both, their ratio and how alike the issues are."""
    given, p, true = data
    python = os.environ.get("TITIAN_PEERS_PYTHON")
    found = find_label_errors(given, p, rule=rule)
    mine, theirs, alike = [], [], ""
    for _ in range(REPETITIONS):
        start = time.process_time()
        found = find_label_errors(given, p, rule=rule)
        mine.append(time.process_time() - start)
        if python:
            target = folder / "found.npy"
            command = [python, "-c", _PEER, str(folder), FILTERS[rule], ranked, str(target)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            theirs.append(float(done.stdout))
            other = np.load(target)
            both = len(np.intersect1d(found.case, other))
            alike = f"Jaccard {both / len(np.union1d(found.case, other)):.4f}"
    cost = statistics.median(mine)
    right = float((given[found.case] != true[found.case]).mean())
    quality = f"precision {right:.3f}, expected {found.precision[-1]:.3f}"
    title = f"{rule}, {len(p):,} x {p.shape[1]}, peer {ranked}"
    if not theirs:
        print(f"  {title:<52} {cost:6.3f} CPU s (no peer); {quality}")
        return
    ratio = statistics.median(t / m for t, m in zip(theirs, mine, strict=True))
    verdict = "ok" if ratio >= GOAL else "MISSED"
    print(
        f"  {title:<52} {cost:6.3f} CPU s, peer {statistics.median(theirs):6.3f}: "
        f"{ratio:4.1f}x (goal {GOAL:.0f}x, {verdict}); {alike}; {quality}"
    )


def main() -> None:
    if not os.environ.get("TITIAN_PEERS_PYTHON"):
        print("TITIAN_PEERS_PYTHON is not set: cleanlab is left out.")
    data = study(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, 10)
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        np.save(folder / "label.npy", data[0])
        np.save(folder / "p.npy", data[1])
        for rule in FILTERS:
            for ranked in ("ranked", "unranked"):
                paired(folder, rule, ranked, data)


if __name__ == "__main__":
    main()
