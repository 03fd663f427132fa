"""The Stage protocol: a step that turns artifacts into artifacts, measurements and findings.

A stage lives with its domain (``validation/stage.py``) as a frozen object with a name, the
kinds it reads and writes, and two functions. `titian.pipeline.registry` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from titian.values import Control, Figure, Finding, Measurement, Project, Replay, Verdict

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
SettingsT = TypeVar("SettingsT")


class Context(Protocol):
    """What a running stage may touch besides its inputs."""

    @property
    def folder(self) -> Path:
        """A fresh, empty output folder; write every artifact here."""

    @property
    def scratch(self) -> Path:
        """A folder that survives a kill of this very run: for checkpoints."""

    @property
    def seed(self) -> int:
        """The project's seed."""

    def now(self) -> datetime:
        """Return the time, with its zone."""

    def progress(self, step: str, done: int, total: int) -> None:
        """Report that `done` of `total` items of `step` are finished."""

    def map(
        self,
        function: Callable[[ItemT, np.random.Generator], ResultT],
        items: Iterable[ItemT],
        *,
        step: str,
    ) -> list[ResultT]:
        """Apply a picklable function to each item on the engine, in order.

        Each call gets a generator spawned from the seed, `step` and the item's place, so
        that every engine and any number of workers give the same result.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """What a stage's run came to.

    Attributes:
        artifacts: kind -> file in the context's folder; at least one.
        verdicts: only the ``verdict`` stage fills this.
        replay: how closely the measurements can be derived again.
    """

    artifacts: Mapping[str, Path]
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[Finding, ...] = ()
    figures: tuple[Figure, ...] = ()
    controls: tuple[Control, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    replay: Replay = field(
        default_factory=lambda: Replay(derivable=True, tolerance=0.0, reason="deterministic")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[SettingsT]):
    """One step of the road, as data.

    Attributes:
        name: a verb, such as ``train``; unique.
        summary: one sentence for ``titian status`` and the reference.
        reads: kinds of artifact it needs. ``source`` is the data folder itself,
            ``statements`` the JSON list of this run's earlier statements.
        writes: kinds of artifact it makes.
        configure: the project -> this run's settings (a frozen dataclass of JSON-like
            values), or None when the project does not want the stage.
        run: the work; a module-level function, so that its source can be digested.
        block: top-level key of `titian.yaml` that this stage owns, or None.
        block_type: the frozen dataclass that the block is read into.
    """

    name: str
    summary: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    configure: Callable[[Project], SettingsT | None]
    run: Callable[[SettingsT, Mapping[str, Path], Context], StageResult]
    block: str | None = None
    block_type: type[object] | None = None
