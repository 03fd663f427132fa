"""What disparity costs, beside fairlearn, with equal point values checked.

    python benchmarks/disparity.py [DRAWS]

Six measures in the 40 intersections of 3 attributes, 100,000 rows, 100 bootstrap draws. One
draw costs fairlearn seconds, so it makes DRAWS of them (3 by default; 100 take minutes) and
its time for 100 is put together from its time without draws and its time for each; ours is
measured. CPU seconds of one process, in one run. fairlearn runs in its own environment, named
by TITIAN_FAIRLEARN_PYTHON (or TITIAN_PEERS_PYTHON):

    python3 -m venv peers && peers/bin/pip install 'fairlearn==0.15.*'
    export TITIAN_FAIRLEARN_PYTHON=$PWD/peers/bin/python

Then 1,000,000 rows with 10,000 draws, in fresh processes so that each peak is its own.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.statistics.estimate import Floats
from titian.validation.disparity import Outcomes, disparity
from titian.validation.disparity.bootstrap import draw_clustered, draw_tables, percentiles
from titian.validation.disparity.cells import partition
from titian.validation.disparity.counts import RATES, outcome_codes, shares, tally
from titian.validation.tables import encode

SEED = 2026
ROWS, DRAWS, GOAL = 100_000, 100, 1_000.0
MANY_ROWS, MANY_DRAWS = 1_000_000, 10_000
MOST_SECONDS, MOST_MEGABYTES = 3.0, 400.0
NAMES = (
    "selection_rate",
    "sensitivity",
    "specificity",
    "false_positive_rate",
    "accuracy",
    "ppv",
)
CHOSEN = {name: RATES[name] for name in NAMES}

_PEER = """
import sys, time, warnings
import numpy as np, pandas as pd
from fairlearn.metrics import (MetricFrame, false_positive_rate, selection_rate,
    true_negative_rate, true_positive_rate)
from sklearn.metrics import accuracy_score, precision_score
warnings.filterwarnings("ignore")
source, target, draws = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = np.load(source, allow_pickle=True)
groups = pd.DataFrame({k: data[k].astype(str) for k in data.files if k not in ("y", "p")})
metrics = {"selection_rate": selection_rate, "sensitivity": true_positive_rate,
    "specificity": true_negative_rate, "false_positive_rate": false_positive_rate,
    "accuracy": accuracy_score, "ppv": precision_score}
def run(**more):
    start = time.process_time()
    frame = MetricFrame(metrics=metrics, y_true=data["y"], y_pred=data["p"],
        sensitive_features=groups, **more)
    return frame, time.process_time() - start
frame, point = run()
_, boot = run(n_boot=draws, ci_quantiles=[0.025, 0.975], random_state=1)
by = frame.by_group
np.savez(target, point=point, each=(boot - point) / draws, values=by.to_numpy(float),
    names=np.array(["|".join(key) for key in by.index]),
    gaps=frame.difference().to_numpy(float), ratios=frame.ratio().to_numpy(float))
"""


def table_of(rows: int) -> dict[str, NDArray[np.generic]]:
    """Draw labels, decisions and three attributes of 2, 5 and 4 values."""
    rng = np.random.default_rng(SEED)
    label = (rng.random(rows) < 0.3).astype(np.int64)
    decision = (rng.random(rows) < 0.2 + 0.4 * label).astype(np.int64)
    return {
        "y": label,
        "p": decision,
        "sex": rng.choice(["f", "m"], rows).astype(object),
        "site": rng.choice(["a", "b", "c", "d", "e"], rows).astype(object),
        "age": rng.choice(["<30", "30-50", "50-70", ">70"], rows).astype(object),
    }


def bootstrapped(
    data: dict[str, NDArray[np.generic]], draws: int, subject: NDArray[np.int64] | None = None
) -> tuple[tuple[tuple[str, ...], ...], dict[str, Floats]]:
    """Return the cells' names and six measures, having made their bootstrap intervals."""
    groups = [encode(name, data[name]) for name in ("sex", "site", "age")]
    part = partition(groups, len(data["y"]))
    outcome = outcome_codes(data["y"].astype(np.bool_), data["p"].astype(np.bool_))
    counts = tally(outcome, part)
    rng = np.random.default_rng(SEED)
    tables = (
        draw_tables(counts.cases, draws, rng)
        if subject is None
        else draw_clustered(part.code, subject, outcome, len(part), draws, rng)
    )
    percentiles(tables, CHOSEN, alpha=0.05)
    return part.names, {name: shares(counts, rate).value for name, rate in CHOSEN.items()}


def beside_fairlearn(draws: int) -> None:
    """Print both costs, their ratio and the largest difference of any point value."""
    data = table_of(ROWS)
    bootstrapped(data, 2)  # imports are loaded before anything is timed
    start = time.process_time()
    names, values = bootstrapped(data, DRAWS)
    mine = time.process_time() - start
    title = f"{ROWS} rows, {len(names)} cells, {DRAWS} draws"
    python = os.environ.get("TITIAN_FAIRLEARN_PYTHON") or os.environ.get("TITIAN_PEERS_PYTHON")
    if not python:
        print(f"  {title}: {mine:.4f} CPU s (no peer)")
        return
    with tempfile.TemporaryDirectory() as held:
        source, target = Path(held) / "in.npz", Path(held) / "out.npz"
        np.savez(source, **data)
        subprocess.run([python, "-c", _PEER, str(source), str(target), str(draws)], check=True)
        with np.load(target) as found:
            theirs = float(found["point"] + DRAWS * found["each"])
            order = ["|".join(name) for name in names]
            place = [order.index(name) for name in found["names"].tolist()]
            ours = np.stack([values[name] for name in NAMES], axis=1)
            worst = float(np.abs(ours[place] - found["values"]).max())
            apart = np.abs(ours.max(axis=0) - ours.min(axis=0) - found["gaps"]).max()
            ratios = np.abs(ours.min(axis=0) / ours.max(axis=0) - found["ratios"]).max()
    verdict = "ok" if theirs / mine >= GOAL and worst < 1e-12 else "MISSED"
    print(
        f"  {title}: {mine:.4f} CPU s, fairlearn {theirs:.0f} CPU s ({draws} draws measured): "
        f"{theirs / mine:.0f}x (goal {GOAL:.0f}x, {verdict}); largest difference of a value "
        f"{worst:.1e}, of a gap {float(apart):.1e}, of a ratio {float(ratios):.1e}"
    )


def many(which: str) -> None:
    """Print cost and peak of memory of one large run, in this process."""
    data = table_of(MANY_ROWS)
    # A subject has three cases on average, and his or her own sex, site and age.
    subject = np.random.default_rng(SEED).integers(0, MANY_ROWS // 3, MANY_ROWS)
    _, first, subject = np.unique(subject, return_index=True, return_inverse=True)
    rng = np.random.default_rng(SEED)
    score = np.clip(0.3 * data["y"] + 0.7 * rng.random(MANY_ROWS), 0.0, 1.0)
    start = time.process_time()
    match which:
        case "counts":
            bootstrapped(data, MANY_DRAWS)
        case "subjects":
            for name in ("sex", "site", "age"):
                data[name] = data[name][first][subject]
            start = time.process_time()
            bootstrapped(data, MANY_DRAWS // 10, subject)
        case _:
            disparity(
                Outcomes(
                    label=data["y"].astype(np.bool_),
                    prediction=data["p"].astype(np.bool_),
                    score=score,
                    groups=tuple(encode(name, data[name]) for name in ("sex", "site", "age")),
                ),
                intersections=2,
            )
    used = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    goal = ""
    if which == "counts":
        good = used <= MOST_SECONDS and peak <= MOST_MEGABYTES
        verdict = "ok" if good else "MISSED"
        goal = f" (goal {MOST_SECONDS:.0f} s, {MOST_MEGABYTES:.0f} MB: {verdict})"
    what = {
        "counts": f"{MANY_DRAWS} draws of cases",
        "subjects": f"{MANY_DRAWS // 10} draws of subjects",
        "all": "every measure and gap, pairs of columns",
    }[which]
    print(f"  {MANY_ROWS} rows, {what}: {used:.2f} CPU s, peak {peak:.0f} MB{goal}")


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "many":
        many(sys.argv[2])
    else:
        beside_fairlearn(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
        for part_ in ("counts", "subjects", "all"):
            subprocess.run([sys.executable, __file__, "many", part_], check=True)
