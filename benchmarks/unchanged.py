"""What an unchanged data set costs: a second survey of 200,000 files.

Goal: a run in which nothing changed takes under 1.0 s of CPU beyond start-up. `measure` gives
the survey's share of it. The peer is a bare loop of ``os.stat`` over the same paths: no change
can be noticed for less without trusting the folder.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from titian.dataset import index
from titian.dataset.survey import survey
from titian.values import Data

GOAL_S = 1.0
ROUNDS = 5
FOLDERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU seconds, user and system, of this process."""

    first_s: float
    unchanged_s: float
    stat_s: float


def quiet(done: int, total: int) -> None:
    """Report to nobody."""
    _ = done, total


def cpu_s(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def write_study(root: Path, *, files: int) -> Data:
    """Write a table and as many small files as it names."""
    rows = ["image,label"]
    for place in range(files):
        folder = f"{place % FOLDERS:03d}"
        (root / folder).mkdir(exist_ok=True)
        name = f"{folder}/{place:06d}.png"
        (root / name).write_bytes(b"%d" % place)
        rows.append(f"{name},{place % 2}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return Data(table="labels.csv", label="label", image="image")


def measure(*, files: int, rounds: int = ROUNDS) -> Cost:
    """Measure surveys of `files` files that nobody changed."""
    with tempfile.TemporaryDirectory(prefix="titian-unchanged-") as temporary:
        root = Path(temporary) / "data"
        root.mkdir()
        data = write_study(root, files=files)
        time.sleep(index.RACY_NS / 1e9 + 0.5)  # so that the last files are not racily clean

        def look() -> None:
            survey(
                root,
                data,
                index_file=Path(temporary) / "index",
                workers=2,
                progress=quiet,
            )

        names = [f"{place % FOLDERS:03d}/{place:06d}.png" for place in range(files)]

        def stat() -> None:
            base = os.open(root, os.O_RDONLY)
            for name in names:
                os.stat(name, dir_fd=base)
            os.close(base)

        first = cpu_s(look)
        pairs = [(cpu_s(look), cpu_s(stat)) for _ in range(rounds)]
    return Cost(
        first_s=first,
        unchanged_s=statistics.median(pair[0] for pair in pairs),
        stat_s=statistics.median(pair[1] for pair in pairs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200_000)
    options = parser.parse_args()
    cost = measure(files=options.files)
    print(f"survey of {options.files} unchanged files, CPU of this process")
    print(f"  goal   under {GOAL_S:.1f} s for the whole run")
    print(f"  ours   {cost.unchanged_s:6.2f} s  (the first survey took {cost.first_s:.1f} s)")
    print(f"  peer   {cost.stat_s:6.2f} s  os.stat of each file, and nothing else")
    print(f"  ratio  {cost.unchanged_s / cost.stat_s:6.2f}")


if __name__ == "__main__":
    main()
