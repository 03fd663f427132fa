"""A context without an engine, and small studies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest


@dataclass
class PlainContext:
    """Runs everything in this process, in order."""

    folder: Path
    scratch: Path
    seed: int = 0
    steps: list[tuple[str, int, int]] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def progress(self, step: str, done: int, total: int) -> None:
        self.steps.append((step, done, total))

    def map(self, function, items, *, step):
        items = list(items)
        self.progress(step, len(items), len(items))
        return [function(item, np.random.default_rng(0)) for item in items]


@pytest.fixture
def context(tmp_path: Path) -> PlainContext:
    for name in ("out", "scratch"):
        (tmp_path / name).mkdir()
    return PlainContext(folder=tmp_path / "out", scratch=tmp_path / "scratch")


def table(n: int, *, classes: int = 2, seed: int = 0):
    """Return (features, codes): two numbers with gaps and a text that tell the class."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, n)
    first = codes + rng.normal(0, 0.7, n)
    second = rng.normal(0, 1, n) * 1e3
    first[rng.random(n) < 0.2] = np.nan
    kind = np.where(rng.random(n) < 0.7, np.asarray(list("xyz"))[codes], "w")
    kind[rng.random(n) < 0.1] = ""
    return {"first": first, "second": second, "kind": kind}, codes


def pictures(n: int, *, side: int = 24, classes: int = 2, seed: int = 0):
    """Return (images, codes): noise, with a bright square that grows with the class."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % classes
    images = rng.random((n, side, side), dtype=np.float32) * 0.5
    for image, code in zip(images, codes, strict=True):
        image[4 : 4 + 5 * code, 4 : 4 + 5 * code] += 0.45
    return images, codes
