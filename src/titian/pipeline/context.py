"""What a running stage is handed: folders, seed, clock, progress and the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from titian.pipeline.engine import Engine
from titian.pipeline.reporter import Reporter

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The Stage protocol's `Context` for one run of one stage."""

    stage: str
    folder: Path
    scratch: Path
    seed: int
    clock: Callable[[], datetime]
    engine: Engine
    reporter: Reporter

    def now(self) -> datetime:
        """Return the time, with its zone."""
        return self.clock()

    def progress(self, step: str, done: int, total: int) -> None:
        """Pass progress on to whoever shows it."""
        self.reporter.step(self.stage, step, done, total)

    def map(
        self,
        function: Callable[[ItemT, np.random.Generator], ResultT],
        items: Iterable[ItemT],
        *,
        step: str,
    ) -> list[ResultT]:
        """Apply `function` to each item on the engine, in order."""
        return self.engine.map(
            function,
            list(items),
            seed=self.seed,
            step=f"{self.stage}/{step}",
            progress=lambda done, total: self.progress(step, done, total),
        )
