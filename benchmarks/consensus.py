"""What consensus costs, beside crowd-kit and cleanlab, with equal results checked.

Run by `make bench`. CPU seconds of one process, medians of paired repetitions: peer and ours
alternate on the same votes in one run. Peers run in their own environment, named by
TITIAN_PEERS_PYTHON; without it our own costs alone are printed. To make that environment:

    python3 -m venv peers
    peers/bin/pip install numpy pandas scipy 'scikit-learn<1.6'
    peers/bin/pip install attrs tqdm nltk 'cleanlab==2.9.*'
    peers/bin/pip install --no-deps crowd-kit==1.4.2
    peers/bin/pip install 'krippendorff==0.9.*'
    export TITIAN_PEERS_PYTHON=$PWD/peers/bin/python

(The krippendorff package is the peer of benchmarks/agreement.py.) Equal means: the same model,
start and number of steps. crowd-kit's MACE takes one more E-step after its last, and adds 1e-8
to each task's likelihood in the objective by which it compares starts; here there is one start,
so that the objective chooses nothing, and what is compared is the exact objective of what it
found, with ours.

`python benchmarks/consensus.py large` adds the run of 10,000,000 labels, in a fresh process
so that its peak of memory is its own.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.annotation.consensus.crowdlab import crowdlab
from titian.annotation.consensus.dawid_skene import dawid_skene
from titian.annotation.consensus.glad import glad
from titian.annotation.consensus.mace import Start, mace
from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.votes import gather

SEED = 2026
REPETITIONS = 3
LEAST_SECONDS = 0.5  # of CPU time, in each measurement of ours
NEVER = -1e18  # a tolerance that no gain falls below: equal iterations

_PEER = """
import sys, time, warnings
import numpy as np, pandas as pd
warnings.filterwarnings("ignore")
which, source, target = sys.argv[1:4]
objective = np.nan
data = np.load(source)
frame = pd.DataFrame({c: data[c] for c in ("task", "worker", "label")})
if which == "crowdlab":
    from cleanlab.multiannotator import get_label_quality_multiannotator
    wide = np.full((len(data["model"]), data["worker"].max() + 1), np.nan)
    wide[data["task"], data["worker"]] = data["label"]
    start = time.process_time()
    found = get_label_quality_multiannotator(
        wide, data["model"], verbose=False, return_detailed_quality=False,
        return_annotator_stats=False)
    used = time.process_time() - start
    result = found["label_quality"]["consensus_label"].to_numpy()
else:
    from crowdkit.aggregation import GLAD, MACE, DawidSkene
    model = {"dawid-skene": lambda: DawidSkene(n_iter=10, tol=-1e18),
             "glad": lambda: GLAD(n_iter=5, tol=-1e18),
             "mace": lambda: MACE(n_restarts=1, n_iter=50)}[which]()
    start = time.process_time()
    model.fit(frame)
    used = time.process_time() - start
    table = model.probas_.sort_index()
    result = table.reindex(sorted(table.columns), axis=1).to_numpy()
    if which == "mace":
        codes = {name: pd.factorize(frame[name])[0] for name in frame}
        by_habit = model.spamming_[:, :1] * model.thetas_
        given = by_habit[codes["worker"], codes["label"]]
        score = np.zeros(result.shape)
        np.add.at(score, codes["task"], np.log(given)[:, None])
        known = np.log1p(model.spamming_[codes["worker"], 1] / given)
        np.add.at(score, (codes["task"], codes["label"]), known)
        top = score.max(axis=1, keepdims=True)
        objective = (np.log(np.exp(score - top).mean(axis=1)) + top[:, 0]).sum()
    if which == "glad":  # its history is divided by votes times classes
        objective = model.loss_history_[-1] * len(frame) * result.shape[1]
np.savez(target, result=result, seconds=used, objective=objective)
"""


def votes_of(labels: int, classes: int, workers: int) -> dict[str, NDArray[np.int64]]:
    """Draw five votes a task; workers and labels are numbered by appearance."""
    rng = np.random.default_rng(SEED)
    tasks = labels // 5
    truth = rng.integers(0, classes, tasks)
    task = np.repeat(np.arange(tasks), 5)
    worker = (rng.integers(0, workers, tasks)[:, None] + np.arange(5) * 7) % workers
    worker = worker.ravel()
    accuracy = rng.uniform(0.4, 0.95, workers)
    guess = rng.integers(0, classes, labels)
    label = np.where(rng.random(labels) < accuracy[worker], truth[task], guess)
    # crowd-kit's MACE mixes numbers by appearance with numbers by order; here they agree.
    return {"task": task, "worker": _by_appearance(worker), "label": _by_appearance(label)}


def _by_appearance(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    found: NDArray[np.int64] = rank[which]
    return found


def peer_start(workers: int, classes: int) -> Start:
    """Return the start that crowd-kit's MACE draws from its fixed seed."""
    knowing = 1.0 + 1.5 * np.random.RandomState(0).uniform(size=(workers, 2))
    habit = 1.0 + 1.5 * np.random.RandomState(0).uniform(size=(workers, classes))
    return Start(
        knowing=knowing / knowing.sum(axis=1, keepdims=True),
        habit=habit / habit.sum(axis=1, keepdims=True),
    )


def timed(ours: Callable[[], Fit]) -> tuple[Fit, float]:
    """Return what was found and its mean CPU time, over as many runs as fill half a second.

    A single run of ten milliseconds would measure how cold the caches are.
    """
    start, runs = time.process_time(), 0
    while True:
        fit, runs = ours(), runs + 1
        used = time.process_time() - start
        if used >= LEAST_SECONDS:
            return fit, used / runs


def paired(
    title: str,
    which: str,
    data: dict[str, NDArray[np.int64]],
    ours: Callable[[], Fit],
    goal: float,
    repetitions: int = REPETITIONS,
) -> None:
    """Print the medians of both, their ratio and whether the results are equal."""
    python = os.environ.get("TITIAN_PEERS_PYTHON")
    mine, theirs, equal = [], [], ""
    for _ in range(repetitions):
        fit, used = timed(ours)
        mine.append(used)
        if python:
            with tempfile.TemporaryDirectory() as held:
                source, target = Path(held) / "in.npz", Path(held) / "out.npz"
                np.savez(source, **data)
                command = [python, "-c", _PEER, which, str(source), str(target)]
                subprocess.run(command, check=True)
                with np.load(target) as found:
                    theirs.append(float(found["seconds"]))
                    equal = _equal(fit, found["result"], float(found["objective"]))
    cost = statistics.median(mine)
    if not theirs:
        print(f"  {title:<44} {cost:8.3f} CPU s (no peers)")
        return
    other = statistics.median(theirs)
    ratio = statistics.median(t / m for t, m in zip(theirs, mine, strict=True))
    verdict = "ok" if ratio >= goal else "MISSED"
    print(
        f"  {title:<44} {cost:8.3f} CPU s, peer {other:8.3f}: {ratio:6.1f}x "
        f"(goal {goal:.0f}x, {verdict}); {equal}"
    )


def _equal(fit: Fit, result: NDArray[np.float64], objective: float) -> str:
    if result.ndim == 1:
        same = float((fit.posterior.argmax(axis=1) == result).mean())
        return f"same labels {same:.3%}"
    said = f"largest difference {np.abs(fit.posterior - result).max():.1e}"
    if np.isfinite(objective):
        away = abs(fit.log_likelihood[-1] - objective)
        said += f"; objective {objective:.1f}, ours differs by {away:.1e}"
    return said


def own_cost(labels: int) -> None:
    """Print CPU and peak memory of ten Dawid-Skene steps, sorting included."""
    data = votes_of(labels, 4, 1000)
    used = []
    for _ in range(REPETITIONS):
        start = time.process_time()
        dawid_skene(gather(**data), iterations=10, tolerance=NEVER)
        used.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    cost = statistics.median(used)
    print(
        f"  Dawid-Skene, {labels} labels: {cost:.2f} CPU s, {1e9 * cost / labels:.0f} ns a "
        f"label, peak {peak:.2f} GiB (goal for 10,000,000: 1.4 GiB, 1.3x the cost a label)"
    )


def main() -> None:
    if sys.argv[1:2] == ["own"]:
        own_cost(int(sys.argv[2]))
        return
    if not os.environ.get("TITIAN_PEERS_PYTHON"):
        print("TITIAN_PEERS_PYTHON is not set: crowd-kit and cleanlab are left out.")
    million = votes_of(1_000_000, 4, 1000)
    paired(
        "Dawid-Skene, 1,000,000 labels, 10 steps",
        "dawid-skene",
        million,
        lambda: dawid_skene(gather(**million), iterations=10, tolerance=NEVER),
        15,
    )
    small = votes_of(10_000, 4, 100)
    paired(
        "GLAD, 10,000 labels, 5 steps",
        "glad",
        small,
        lambda: glad(gather(**small), iterations=5, tolerance=NEVER),
        100,
    )
    begin = peer_start(100, 4)
    paired(
        "MACE, 10,000 labels, 50 steps",
        "mace",
        small,
        lambda: mace(
            gather(**small), rng=np.random.default_rng(SEED), begin=begin, iterations=50
        ),
        100,
    )
    both = votes_of(250_000, 5, 200)
    rng = np.random.default_rng(SEED)
    model = rng.dirichlet(np.ones(5), 50_000)
    model[np.arange(50_000), both["label"][::5]] += 0.7  # a model that half agrees
    model /= model.sum(axis=1, keepdims=True)
    paired(
        "CROWDLAB, 50,000 tasks x 200 workers",
        "crowdlab",
        both | {"model": model},
        lambda: crowdlab(gather(**both), model),
        20,
    )
    for labels in (1_000_000, 10_000_000) if "large" in sys.argv else (1_000_000,):
        subprocess.run([sys.executable, __file__, "own", str(labels)], check=True)


if __name__ == "__main__":
    main()
