"""`auto` and adaptive redundancy on the real crowd sets, with peers beside.

Run by `make bench`. The sets lie in a folder of folders, each with labels.csv and gold.csv:
TITIAN_CROWDS, else ../shared/data/crowds. Every constant of the methods was fixed on simulated
crowds and committed before each reading of gold (docs/decisions/0007-auto-consensus.md says how
often it was read); the tables are printed as they fall, failures included.

Peers (crowd-kit) run in their own environment, named by TITIAN_PEERS_PYTHON; without it the
table has our own methods alone, and says so. To make that environment:

    python3 -m venv peers
    peers/bin/pip install numpy pandas scipy 'scikit-learn<1.6'
    peers/bin/pip install attrs tqdm nltk 'cleanlab==2.9.*'
    peers/bin/pip install --no-deps crowd-kit==1.4.2
    export TITIAN_PEERS_PYTHON=$PWD/peers/bin/python
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.annotation import Crowd, Gold, Policy, consensus_of, read_crowd, read_gold, replay
from titian.statistics.calibration import expected_calibration_error

METHODS = ("majority", "wawa", "zero-based-skill", "dawid-skene", "one-coin", "glad", "mace")
ADAPTIVE = ("rte", "dog")  # sets with at least nine labels a task
SEED = 2026
GOAL_POINTS = 0.5

_PEERS = """
import sys, warnings
import numpy as np, pandas as pd
warnings.filterwarnings("ignore")
from crowdkit.aggregation import (
    DawidSkene, GLAD, KOS, MACE, MMSR, MajorityVote, OneCoinDawidSkene, Wawa, ZeroBasedSkill)
data = np.load(sys.argv[1])
frame = pd.DataFrame({c: data[c] for c in ("task", "worker", "label")})
found = {}
for name, make in (
    ("majority", MajorityVote), ("wawa", Wawa), ("zero-based-skill", ZeroBasedSkill),
    ("dawid-skene", lambda: DawidSkene(n_iter=100)),
    ("one-coin", lambda: OneCoinDawidSkene(n_iter=100)), ("glad", lambda: GLAD(n_iter=10)),
    ("mace", lambda: MACE(n_restarts=1)), ("mmsr", MMSR), ("kos", KOS),
):
    if name == "kos" and frame.label.nunique() != 2:
        continue
    if name == "glad" and len(frame) > 30_000:
        continue  # half an hour; our own GLAD stands in
    try:
        labels = make().fit_predict(frame)
    except Exception as error:
        print(f"    {name}: {type(error).__name__}: {error}"[:90])
        continue
    found[name] = labels.reindex(range(int(sys.argv[3]))).fillna(-1).to_numpy().astype(int)
np.savez(sys.argv[2], **found)
"""


def folder() -> Path:
    given = os.environ.get("TITIAN_CROWDS")
    return Path(given) if given else Path(__file__).parents[2] / "shared" / "data" / "crowds"


def peers(crowd: Crowd) -> dict[str, NDArray[np.int64]]:
    """Return the labels of each peer that ran; empty without an environment for them."""
    python = os.environ.get("TITIAN_PEERS_PYTHON")
    if not python:
        return {}
    with tempfile.TemporaryDirectory() as held:
        source, target = Path(held) / "in.npz", Path(held) / "out.npz"
        codes = {
            "task": crowd.task.code,
            "worker": crowd.worker.code,
            "label": crowd.label.code,
        }
        np.savez(source, **codes)
        command = [python, "-c", _PEERS, str(source), str(target), str(len(crowd.task.names))]
        subprocess.run(command, check=True)
        with np.load(target) as found:
            return {name: found[name] for name in found.files}


def paired(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return the difference in points, theirs less ours, with its 95 % interval by task."""
    gap = 100.0 * (theirs.astype(float) - ours)
    half = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else 100.0
    return float(gap.mean()), float(gap.mean() - half), float(gap.mean() + half)


def compare(name: str, crowd: Crowd, gold: Gold) -> dict[str, float]:
    """Print one set's row and return the accuracies."""
    votes = crowd.votes()
    known = np.flatnonzero(gold.code >= 0)
    truth = gold.code[known]
    start = time.process_time()
    auto = consensus_of(votes)
    seconds = time.process_time() - start
    right = auto.label[known] == truth
    others = {f"crowd-kit {k}": v[known] == truth for k, v in peers(crowd).items()}
    for method in METHODS:
        limit = 20 if method == "glad" else None
        mine = consensus_of(votes, method=method, iterations=limit)
        others[f"titian {method}"] = mine.label[known] == truth
    best = max(others, key=lambda other: float(others[other].mean()))
    gap, low, high = paired(right, others[best])
    error = expected_calibration_error(
        auto.confidence[known],
        right,
        None,
        alphas=(0.05,),
        rng=np.random.default_rng(SEED),
    )
    verdict = "ok" if gap <= GOAL_POINTS else "MISSED"
    rivals = [other for other in others if other.startswith("crowd-kit")]
    if rivals:
        peer = max(rivals, key=lambda other: float(others[other].mean()))
        behind, least, most = paired(right, others[peer])
        held = "ok" if behind <= GOAL_POINTS else "MISSED"
        print(
            f"  {name:<12} against peers alone: {100 * others[peer].mean():6.2f} ({peer}), gap "
            f"{behind:5.2f} [{least:5.2f}, {most:5.2f}] {held}"
        )
    print(
        f"  {name:<12} auto {100 * right.mean():6.2f}  best {100 * others[best].mean():6.2f} "
        f"({best})  gap {gap:5.2f} [{low:5.2f}, {high:5.2f}] {verdict}; confidence "
        f"{100 * auto.confidence[known].mean():.1f}, calibration error "
        f"{100 * (error.plain):.1f}; {len(known)} gold, {seconds:.1f} CPU s"
    )
    print(f"    why: {auto.why}")
    print("    " + ", ".join(f"{k} {100 * v.mean():.2f}" for k, v in others.items()))
    return {"auto": float(right.mean())} | {k: float(v.mean()) for k, v in others.items()}


def adaptive(name: str, crowd: Crowd, gold: Gold) -> None:
    rng = np.random.default_rng(SEED)
    found = replay(crowd.votes(), gold.code, Policy(), rng=rng, orders=5)
    interval = found.loss.intervals[0]
    saved = ", ".join(f"{order.saved:.1%}" for order in found.orders)
    print(
        f"  {name:<12} saved {found.saved:.1%} ({saved}); fixed "
        f"{100 * (found.fixed_accuracy.value or 0):.2f}, adaptive "
        f"{100 * (found.adaptive_accuracy.value or 0):.2f}, loss "
        f"{100 * (found.loss.value or 0):.2f} points "
        f"[{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
    )


def main() -> None:
    root = folder()
    if not root.is_dir():
        print(f"No crowd sets in {root}: nothing was measured (set TITIAN_CROWDS).")
        return
    if not os.environ.get("TITIAN_PEERS_PYTHON"):
        print("TITIAN_PEERS_PYTHON is not set: crowd-kit is left out.")
    wanted = sys.argv[1:] or sorted(path.name for path in root.iterdir() if path.is_dir())
    rows, sets = [], {}
    print("auto against the best single method of each set, chosen with gold")
    for name in wanted:
        crowd = read_crowd(root / name / "labels.csv")
        gold = read_gold(root / name / "gold.csv", crowd)
        for note in gold.notes:
            print(f"    {note}")
        sets[name] = (crowd, gold)
        rows.append(compare(name, crowd, gold))
    print("  mean over the sets (methods that ran on all of them):")
    for method in rows[0]:
        if all(method in row for row in rows):
            print(f"    {method:<28} {100 * float(np.mean([row[method] for row in rows])):.2f}")
    print(f"adaptive redundancy at confidence {Policy().confidence}, 5 orders")
    for name in wanted:
        if name in ADAPTIVE:
            adaptive(name, *sets[name])


if __name__ == "__main__":
    main()
