"""What a scan of model files costs and refuses, beside picklescan, fickling and modelaudit.

Run by `make bench`. CPU seconds of one process, all bytes read (the digest included). Safe
files are made by each format's own library over a spread of its features; a refusal of one
is counted against us, with a Clopper-Pearson interval. Peers run in their own environment,
named by TITIAN_PEERS_PYTHON, on the same files; without it our own numbers alone are
printed. To make that environment:

    python3 -m venv peers
    peers/bin/pip install picklescan fickling modelaudit
    export TITIAN_PEERS_PYTHON=$PWD/peers/bin/python

`python benchmarks/scan.py malicious FOLDER` counts what is allowed of files in a folder.
"""

from __future__ import annotations

import collections
import os
import pickle  # noqa: TID251 - writes what is scanned
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.stats import beta

from titian.validation.scan.scanner import scan

SEED = 2026
PATIENCE_S = 60  # of a peer, for one file
MEGABYTE = 1e6
QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}  # peers that report home

_PEER = """
import sys, time
which, path = sys.argv[1:3]
start = time.process_time()
if which == "picklescan":
    from picklescan.scanner import scan_file_path
    start = time.process_time()
    bad = scan_file_path(path).issues_count
elif which == "fickling":
    import fickling.fickle as f
    from fickling.analysis import check_safety
    start = time.process_time()
    with open(path, "rb") as file:
        bad = not check_safety(f.Pickled.load(file)).severity.name.startswith("LIKELY_SAFE")
else:
    from modelaudit.core import scan_model_directory_or_file
    start = time.process_time()
    bad = len(scan_model_directory_or_file(path).issues)
print(time.process_time() - start, bad)
"""


def opcode_heavy(n: int) -> dict[str, object]:
    """Return objects whose pickles are opcodes more than bytes."""
    rng = random.Random(SEED)  # noqa: S311 - no secret
    return {
        "small integers": [rng.randrange(256) for _ in range(10 * n)],
        "integers": [rng.randrange(1 << 31) for _ in range(5 * n)],
        "numbers": [rng.random() for _ in range(3 * n)],
        "rows": [(i, float(i), str(i)) for i in range(n)],
        "words": [f"w{rng.randrange(10**7)}" for _ in range(2 * n)],
        "records": [
            {"id": i, "name": f"n{i}", "score": rng.random(), "tags": ["a", f"b{i % 7}"]}
            for i in range(n // 2)
        ],
        "lists of lists": [[[i, i + 1], [i, (i, i)]] for i in range(n)],
    }


def cost(path: Path) -> float:
    """Return the CPU seconds of a scan; the file must be allowed."""
    start = time.process_time()
    (report,) = scan([path])
    used = time.process_time() - start
    if not report.allowed:
        sys.exit(f"{path.name} was refused: {report.reasons[0]}")
    return used


def peers(path: Path) -> str:
    """Return the CPU seconds of each peer on the same file."""
    python = os.environ.get("TITIAN_PEERS_PYTHON")
    if not python:
        return "(no peers)"
    words = []
    for which in ("picklescan", "fickling", "modelaudit"):
        command = [python, "-c", _PEER, which, str(path)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
                env=os.environ | QUIET,
            )
        except subprocess.TimeoutExpired:
            words.append(f"{which} > {PATIENCE_S} s")
            continue
        last = done.stdout.split()[-2:]
        words.append(f"{which} {float(last[0]):.1f} s" if len(last) == 2 else f"{which} failed")
    return ", ".join(words)


def speed(folder: Path, n: int) -> None:
    """Print the throughput on opcodes and on arrays."""
    print("throughput, CPU time of the whole scan with its digest")
    for protocol in (2, 4):
        for name, value in opcode_heavy(n).items():
            path = folder / "heavy.pkl"
            path.write_bytes(pickle.dumps(value, protocol=protocol))
            size = path.stat().st_size / MEGABYTE
            used = cost(path)
            verdict = "ok" if size / used >= 100 else "MISSED"
            beside = peers(path) if protocol == 4 and name in {"rows", "numbers"} else ""
            print(
                f"  protocol {protocol} {name:<16} {size:7.1f} MB {size / used:7.0f} MB/s "
                f"(goal 100: {verdict}) {beside}"
            )
    array = np.random.default_rng(SEED).random(1 << 25)
    np.save(folder / "array.npy", array)
    np.savez(folder / "array.npz", a=array, b=array[: 1 << 20])
    (folder / "array.pkl").write_bytes(pickle.dumps({"a": array}, protocol=4))
    for name in ("array.npy", "array.npz", "array.pkl"):
        path = folder / name
        size = path.stat().st_size / MEGABYTE
        used = cost(path)
        verdict = "ok" if size / used >= 400 else "MISSED"
        print(f"  {name:<27} {size:7.1f} MB {size / used:7.0f} MB/s (goal 400: {verdict})")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory of this process, the making of the files included: {peak:.0f} MiB")


def safe_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Make safe files with each format's own library; yield family and path."""
    makers: list[tuple[str, Callable[[Path], Iterator[Path]]]] = [
        ("numpy", _numpy),
        ("state dicts", _state_dicts),
        ("onnx", _onnx),
        ("scikit-learn", _estimators),
        ("plain pickles", _pickles),
    ]
    for family, make in makers:
        place = folder / family
        place.mkdir()
        for path in make(place):
            yield family, path


def _numpy(folder: Path) -> Iterator[Path]:
    rng = np.random.default_rng(SEED)
    dtypes = ["?", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "c16", "S3", "U4", "M8[s]",
              ">i4", "m8[D]", "V5", [("a", "f4"), ("b", "i8", (2,))]]  # fmt: skip
    shapes: list[tuple[int, ...]] = [(), (0,), (5,), (2, 3), (4, 1, 2)]
    for i, dtype in enumerate(dtypes):
        for j, shape in enumerate(shapes):
            array = np.zeros(shape, dtype=dtype)
            if array.dtype.kind == "f":
                array[...] = rng.random(shape)
            path = folder / f"{i}-{j}.npy"
            np.save(path, np.asfortranarray(array) if j % 2 else array)
            yield path
            save = np.savez_compressed if i % 2 else np.savez
            path = folder / f"{i}-{j}.npz"
            save(path, x=array, y=array)
            yield path


def _state_dicts(folder: Path) -> Iterator[Path]:
    import torch
    from torch import nn

    torch.manual_seed(SEED)
    models = [
        nn.Linear(3, 2), nn.Conv2d(1, 2, 3), nn.LSTM(3, 4, 2), nn.GRU(3, 4), nn.BatchNorm1d(3),
        nn.Embedding(9, 3), nn.MultiheadAttention(4, 2), nn.TransformerEncoderLayer(4, 2),
        nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.LayerNorm(3)), nn.Conv1d(2, 2, 1),
    ]  # fmt: skip
    dtypes = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
    for i, model in enumerate(models):
        optimizer = torch.optim.AdamW(model.parameters())
        for j, dtype in enumerate(dtypes):
            state = model.to(dtype).state_dict()
            whole = {"model": state, "optimizer": optimizer.state_dict(), "epoch": j, "lr": 0.1}
            for new in (True, False):
                for k, value in enumerate((state, whole)):
                    path = folder / f"{i}-{j}-{new}-{k}.pt"
                    torch.save(value, path, _use_new_zipfile_serialization=new)
                    yield path
    matrix = torch.arange(12).reshape(3, 4)
    extras = [
        {"view": matrix[1:], "turned": matrix.t(), "none": torch.empty(0, 3)},
        {"tied": matrix, "again": matrix},
        [
            torch.ones(2, dtype=t)
            for t in (torch.bool, torch.uint8, torch.int16, torch.complex64)
        ],
        {"shape": matrix.shape, "dtype": torch.float32, "device": torch.device("cpu")},
        nn.Parameter(torch.ones(2)),
        collections.OrderedDict(a=torch.ones(1), b=np.ones(2)),
    ]
    for i, value in enumerate(extras):
        for new in (True, False):
            path = folder / f"extra-{i}-{new}.pt"
            torch.save(value, path, _use_new_zipfile_serialization=new)
            yield path


def _onnx(folder: Path) -> Iterator[Path]:
    import onnx
    import onnx.backend.test

    root = Path(onnx.backend.test.__file__).parent / "data"
    found = sorted(root.rglob("*.onnx"))
    chosen = random.Random(SEED).sample(found, min(600, len(found)))  # noqa: S311 - no secret
    for i, source in enumerate(chosen):
        model = onnx.load(source)
        known = {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview.training"}
        if any(node.domain not in known for node in model.graph.node):
            continue  # not of standard operators
        path = folder / f"{i}.onnx"
        path.write_bytes(model.SerializeToString())
        yield path


def _estimators(folder: Path) -> Iterator[Path]:
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    x, y = load_iris(return_X_y=True)
    models = [
        Pipeline([("scale", StandardScaler()), ("fit", LogisticRegression())]),
        make_pipeline(MinMaxScaler(), SVC()),
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), GaussianNB()),
        RandomForestClassifier(5, random_state=np.random.RandomState(0)),
        DecisionTreeClassifier(),
    ]
    models[2] = GaussianNB()
    for i, model in enumerate(models):
        model.fit(x, y)
        for protocol in range(6):
            path = folder / f"{i}-{protocol}.pkl"
            path.write_bytes(pickle.dumps(model, protocol=protocol))
            yield path
        for compress in (0, 3, "gzip", "bz2", "xz", "lzma"):
            path = folder / f"{i}-{compress}.joblib"
            joblib.dump(model, path, compress=compress)
            yield path


def _pickles(folder: Path) -> Iterator[Path]:
    for name, value in opcode_heavy(200).items():
        for protocol in range(6):
            path = folder / f"{name}-{protocol}.pkl"
            path.write_bytes(pickle.dumps(value, protocol=protocol))
            yield path


def refusals(folder: Path) -> None:
    """Print how many safe files are refused, by family."""
    print("refusals of safe files (95 % Clopper-Pearson)")
    found: dict[str, list[bool]] = collections.defaultdict(list)
    for family, path in safe_files(folder):
        (report,) = scan([path])
        found[family].append(not report.allowed)
        if not report.allowed:
            print(f"    {path.name}: {report.reasons[0].code} {report.reasons[0].where[:120]}")
    for family, refused in found.items():
        k, n = sum(refused), len(refused)
        low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
        high = beta.ppf(0.975, k + 1, n - k)
        verdict = "ok" if k / n <= 0.02 else "MISSED"
        print(f"  {family:<16} {k:4d} of {n:4d} ({low:.2%} to {high:.2%}; goal 2 %: {verdict})")


def malicious(folder: Path) -> None:
    """Print what is allowed of the files in a folder."""
    reports = scan([folder])
    for report in reports:
        if report.allowed:
            print(f"  allowed: {report.path} ({report.format})")
    print(f"  {sum(r.allowed for r in reports)} of {len(reports)} allowed")


if __name__ == "__main__":
    if sys.argv[1:2] == ["malicious"]:
        malicious(Path(sys.argv[2]))
    else:
        size = 20_000 if "small" in sys.argv else 1_000_000
        with tempfile.TemporaryDirectory() as held:
            refusals(Path(held))
        with tempfile.TemporaryDirectory() as held:
            speed(Path(held), size)
