"""What the spine costs: its share of a full run, and a run in which nothing changed.

Run by `make bench`. The share is measured on the demo's simulated study: CPU time of this
process and its children, less the stages that load images, train and infer. The unchanged
run is measured in a fresh process on a simulated table that names up to 200,000 files.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

LOADING_TRAINING_INFERENCE = ("ingest", "split", "train", "predict")
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


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its finished children."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def share_of_a_full_run(folder: Path) -> None:
    from titian.pipeline.demo import make_demo
    from titian.pipeline.reporter import SilentReporter

    before = cpu_seconds()
    outcome = make_demo(folder, SilentReporter())
    total = cpu_seconds() - before
    work = sum(
        stage.cpu_seconds
        for stage in outcome.run.stages
        if stage.name in LOADING_TRAINING_INFERENCE
    )
    for stage in outcome.run.stages:
        print(f"    {stage.name:<10} {stage.cpu_seconds:8.2f} CPU s")
    share = 1 - work / total
    print(
        f"  full run: {total:.1f} CPU s; the spine's own {share:.1%} (goal < {GOAL_SHARE:.0%})"
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
        unchanged_run(Path(temporary) / "many", int(sys.argv[1]) if sys.argv[1:] else 20_000)
