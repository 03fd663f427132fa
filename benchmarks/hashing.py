"""Hashing a data set against plain hashlib with as many threads, on the same bytes.

Goal: at least 0.8 of the rate that ``hashlib.sha256`` alone reaches. Two peers, in one run and
in alternating order: ``hashlib.sha256`` digests the same 2 GB from memory with nothing around
it, no files and no manifest; ``hashlib.file_digest`` reads the same files. Ours reads the files
(from the page cache), digests them, looks whether they changed meanwhile and writes the index.
CPU time is given beside the wall: on a busy machine only its ratio means something.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from titian.dataset.survey import source_manifest

GOAL = 0.8
ROUNDS = 5


def quiet(done: int, total: int) -> None:
    """Report to nobody."""
    _ = done, total


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Return seconds by the wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def write_files(root: Path, *, files: int, size: int) -> list[str]:
    rng = np.random.default_rng(0)
    names = []
    for place in range(files):
        folder = root / f"{place % 40:02d}"
        folder.mkdir(exist_ok=True)
        name = f"{place % 40:02d}/{place:06d}.dcm"
        (root / name).write_bytes(rng.bytes(size))
        names.append(name)
    return names


def shared(digest: Callable[[Any], object], items: Sequence[Any], threads: int) -> None:
    """Digest every item by threads, and nothing else."""

    def digest_some(start: int) -> None:
        for item in items[start::threads]:
            digest(item)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(digest_some, range(threads)))


def digest_block(block: bytes) -> bytes:
    return hashlib.sha256(block).digest()


def digest_file(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").digest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=8000)
    parser.add_argument("--size", type=int, default=250_000, help="bytes of one file")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    threads = options.threads
    total = options.files * options.size
    seconds: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="titian-hashing-") as temporary:
        root = Path(temporary) / "data"
        root.mkdir()
        names = write_files(root, files=options.files, size=options.size)
        blocks = [(root / name).read_bytes() for name in names]
        files = [root / name for name in names]
        for turn in range(ROUNDS):
            index = Path(temporary) / f"index{turn}"  # a new one: everything is hashed

            def survey(index: Path = index) -> None:
                source_manifest(root, names, index_file=index, workers=threads, progress=quiet)

            ways = [
                ("ours", survey),
                ("memory", lambda: shared(digest_block, blocks, threads)),
                ("files", lambda: shared(digest_file, files, threads)),
            ]
            for name, way in ways[:: -1 if turn % 2 else 1]:
                seconds.setdefault(name, []).append(timed(way))
    print(f"hashing {total / 1e9:.1f} GB in {options.files} files, {threads} threads")
    print(f"  goal   at least {GOAL:.2f} of hashlib.sha256 alone")
    mine = seconds["ours"]
    print(f"  {'ours':7s}{_rate(total, mine):8.0f} MB/s  manifest from files (warm cache)")
    for name, label in (
        ("memory", "hashlib.sha256 alone, from memory"),
        ("files", "hashlib.file_digest, the same files"),
    ):
        wall, cpu = (
            [theirs[kind] / our[kind] for our, theirs in zip(mine, seconds[name], strict=True)]
            for kind in (0, 1)
        )
        print(
            f"  {name:7s}{_rate(total, seconds[name]):8.0f} MB/s  {label}; ours is "
            f"{statistics.median(wall):.2f} of it by the wall "
            f"({min(wall):.2f} to {max(wall):.2f}), "
            f"{statistics.median(cpu):.2f} by CPU, {ROUNDS} pairs"
        )


def _rate(total: int, seconds: list[tuple[float, float]]) -> float:
    return total / statistics.median(wall for wall, _ in seconds) / 1e6


if __name__ == "__main__":
    main()
