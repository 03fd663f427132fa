"""What the spine costs: its share of a full run, and a run in which nothing changed.

Run by `make bench`. The share is measured on the demo's simulated study, in a fresh process:
CPU time less that of the stages that load images, train and infer; imports of the command
itself are start-up and stand apart. The unchanged run is measured in a fresh process on a
simulated table that names up to 200,000 files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOADING_TRAINING_INFERENCE = ("ingest", "ingest-annotated", "split", "train", "predict")
GOAL_SHARE = 0.05
GOAL_UNCHANGED_CPU_S = 1.0

_UNCHANGED = """
import resource, sys, time
from pathlib import Path
from titian.pipeline.run import run
import titian.pipeline.registry, titian.dataset.survey, pyarrow.parquet
before = time.process_time()
outcome = run(Path(sys.argv[1]))
print(time.process_time() - before, before, all(stage.cached for stage in outcome.stages))
"""


_FULL = """
import resource, sys, time
from pathlib import Path
from titian.pipeline.run import run
import titian.pipeline.registry
before = time.process_time()
outcome = run(Path(sys.argv[1]))
for stage in outcome.stages:
    print(stage.name, stage.cpu_seconds)
children = resource.getrusage(resource.RUSAGE_CHILDREN)
print("loading-processes", children.ru_utime + children.ru_stime)
print("run", time.process_time() - before)
print("start-up", before)
"""


def share_of_a_full_run(folder: Path) -> None:
    from titian.pipeline.demo import make_demo
    from titian.pipeline.reporter import SilentReporter
    from titian.pipeline.store import STATE_FOLDER

    make_demo(folder, SilentReporter())
    for made in (STATE_FOLDER, "dossier"):
        shutil.rmtree(folder / made)
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(folder)], capture_output=True, text=True, check=True
    )
    cpu_s = {name: float(text) for name, text in map(str.split, done.stdout.splitlines())}
    total = cpu_s.pop("run") + cpu_s["loading-processes"]  # images are decoded there
    for name, seconds in cpu_s.items():
        print(f"    {name:<16} {seconds:8.2f} CPU s")
    loading = (*LOADING_TRAINING_INFERENCE, "loading-processes")
    work = sum(cpu_s.get(name, 0.0) for name in loading)
    stages = sum(cpu_s.values()) - cpu_s["start-up"]
    print(
        f"  full run of the demo's study: {total:.1f} CPU s; all but loading, training and "
        f"inference {1 - work / total:.1%}, all but the stages {1 - stages / total:.1%} "
        f"(goal < {GOAL_SHARE:.0%})"
    )


def write_large_study(folder: Path, files: int) -> None:
    """Write a table that names `files` small images, all of them real PNG files."""
    import io

    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(1)
    images = folder / "images"
    rows = ["image,patient,sick"]
    for index in range(files):
        if index % 1000 == 0:
            (images / f"{index // 1000:03d}").mkdir(parents=True)
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(buffer, "png")
        name = f"images/{index // 1000:03d}/{index:06d}.png"
        (folder / name).write_bytes(buffer.getvalue())
        rows.append(f"{name},p{index:06d},{index % 2}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "titian.yaml").write_text(
        "name: many-files\n"
        "intended_use: Measure a run in which nothing changed.\n"
        "data: {table: labels.csv, image: image, label: sick, positive: 1, subject: patient,\n"
        "       split: {train: 0.02, tune: 0.01, test: 0.97}}\n"
        "training: {seed: 1}\n",
        encoding="utf-8",
    )


def unchanged_run(folder: Path, files: int) -> None:
    from titian.pipeline.run import run

    write_large_study(folder, files)
    run(folder)
    best = None
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", _UNCHANGED, str(folder)],
            capture_output=True,
            text=True,
            check=True,
        )
        cpu_s, start_up_s, cached = done.stdout.split()
        if cached != "True":
            raise SystemExit("a stage ran again although nothing changed")
        best = min(best or (float("inf"), ""), (float(cpu_s), start_up_s))
    print(
        f"  unchanged run of {files} files: {best[0]:.2f} CPU s beyond start-up of "
        f"{float(best[1]):.2f} (goal < {GOAL_UNCHANGED_CPU_S})"
    )


if __name__ == "__main__":
    print("the spine's own cost (no peer: the alternatives keep no evidence)")
    with tempfile.TemporaryDirectory() as temporary:
        share_of_a_full_run(Path(temporary) / "demo")
        unchanged_run(Path(temporary) / "many", int(sys.argv[1]) if sys.argv[1:] else 200_000)
