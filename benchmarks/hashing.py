"""Hashing a data set against plain hashlib with as many threads, on the same bytes.

Goal: at least 0.8 of the rate that ``hashlib.sha256`` alone reaches. The peer digests the same
2 GB from memory with nothing around it: no files, no manifest. Ours reads the files (from the
page cache), digests them and writes the index. Paired in one run, in alternating order.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from titian.dataset.survey import source_manifest

GOAL = 0.8
ROUNDS = 5


def quiet(done: int, total: int) -> None:
    """Report to nobody."""
    _ = done, total


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


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


def plain(blocks: list[bytes], threads: int) -> None:
    """Digest each block, and nothing else."""

    def digest(start: int) -> None:
        for block in blocks[start::threads]:
            hashlib.sha256(block).digest()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(digest, range(threads)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=8000)
    parser.add_argument("--size", type=int, default=250_000, help="bytes of one file")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    total = options.files * options.size
    ratios, ours, peer = [], [], []
    with tempfile.TemporaryDirectory(prefix="titian-hashing-") as temporary:
        root = Path(temporary) / "data"
        root.mkdir()
        names = write_files(root, files=options.files, size=options.size)
        blocks = [(root / name).read_bytes() for name in names]
        for turn in range(ROUNDS):
            index = Path(temporary) / f"index{turn}"  # a new one: everything is hashed

            def survey(index: Path = index) -> None:
                source_manifest(
                    root,
                    names,
                    index_file=index,
                    workers=options.threads,
                    progress=quiet,
                )

            pair = [lambda: plain(blocks, options.threads), survey]
            seconds = [timed(one) for one in (pair if turn % 2 else pair[::-1])]
            alone, whole = seconds if turn % 2 else seconds[::-1]
            peer.append(total / alone / 1e6)
            ours.append(total / whole / 1e6)
            ratios.append(alone / whole)
    print(f"hashing {total / 1e9:.1f} GB in {options.files} files, {options.threads} threads")
    print(f"  goal   at least {GOAL:.2f} of hashlib.sha256 alone")
    print(f"  ours   {statistics.median(ours):8.0f} MB/s  manifest from files (warm cache)")
    print(f"  peer   {statistics.median(peer):8.0f} MB/s  hashlib.sha256 alone, from memory")
    print(
        f"  ratio  {statistics.median(ratios):8.2f}       "
        f"median of {ROUNDS} pairs ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
