"""Commands and stage on real crowds: what comes out is whole, verbatim and within memory."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from titian.annotation.block import AnnotateBlock
from titian.annotation.stage import ANNOTATE
from titian.dataset.labels import read_labels
from titian.values import Data, Project, to_json

SETS = ("adult", "cf", "dog", "ms", "product", "rte", "sp", "trec", "web", "zencrowd_us")
PEAK_BYTES = 1_600_000_000


@dataclass(frozen=True)
class FakeContext:
    folder: Path
    seed: int = 7

    def progress(self, step, done, total):
        assert 0 <= done <= total


def titian(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "titian", "annotation", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.data
@pytest.mark.parametrize("name", SETS)
def test_every_task_of_a_real_crowd_comes_back(shared_data, tmp_path, name):
    source, out = shared_data / "crowds" / name, tmp_path / "consensus.csv"
    words = ("--out", out, "--gold", source / "gold.csv", "--json")
    done = titian("consensus", source / "labels.csv", *words)
    assert done.returncode == 0, done.stderr
    document, labels = json.loads(done.stdout), rows(source / "labels.csv")
    table = {row["task"]: row["label"] for row in rows(out)}
    assert set(table) == {row["task"] for row in labels}
    assert set(table.values()) <= {row["label"] for row in labels}
    told = document["reliability"]
    known = {row["task"]: row["label"] for row in rows(source / "gold.csv")}
    right = [table[task] == label for task, label in known.items() if task in table]
    assert told["n"] == len(right)
    assert told["accuracy"] == pytest.approx(np.mean(right))


@pytest.mark.data
def test_a_replay_of_a_real_crowd_adds_up(shared_data):
    source = shared_data / "crowds" / "rte"
    words = ("--gold", source / "gold.csv", "--confidence", 0.98, "--orders", 2, "--json")
    done = titian("replay", source / "labels.csv", *words)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [row["stored"] for row in document["orders"]] == [8000, 8000]
    mean = np.mean([1 - row["asked"] / 8000 for row in document["orders"]])
    assert document["mean"]["saved"] == pytest.approx(mean)


@pytest.mark.data
@pytest.mark.parametrize("name", ["rte", "sp", "trec"])
def test_the_stage_answers_for_a_real_crowd(shared_data, tmp_path, name):
    source = shared_data / "crowds" / name / "labels.csv"
    tasks = sorted({row["task"] for row in rows(source)})
    (tmp_path / "table.csv").write_text("id\n" + "\n".join(tasks) + "\n")
    (tmp_path / "labels.csv").write_bytes(source.read_bytes())
    block = AnnotateBlock(labels="labels.csv", task="id")
    data = Data(table="table.csv", label="y")
    settings = ANNOTATE.configure(
        Project(name="p", intended_use="", data=data, blocks={"annotate": block})
    )
    (tmp_path / "out").mkdir()
    ran = ANNOTATE.run(settings, {"source": tmp_path}, FakeContext(tmp_path / "out"))
    to_json([ran.measurements, ran.findings, ran.figures, ran.controls])
    assert len(read_labels(ran.artifacts["labels"]).case) == len(tasks)
    assert [control.check for control in ran.controls if not control.found] == []


@pytest.mark.slow
def test_ten_million_labels_fit_a_narrow_memory(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import csv as arrow_csv

    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(2_000_000), 5)
    columns = {
        "task": task,
        "worker": rng.integers(0, 5_000, len(task)),
        "label": np.where(rng.random(len(task)) < 0.8, task % 4, rng.integers(0, 4, len(task))),
    }
    arrow_csv.write_csv(pa.table(columns), tmp_path / "labels.csv")
    del columns
    words = ("--out", tmp_path / "consensus.csv", "--method", "dawid-skene")
    done = titian("consensus", tmp_path / "labels.csv", *words)
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit < PEAK_BYTES
    with (tmp_path / "consensus.csv").open() as file:
        assert sum(1 for _ in file) == 2_000_001
