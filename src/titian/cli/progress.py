"""Progress on standard error: bars in a terminal, plain lines in a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from titian.cli.output import console
from titian.pipeline.reporter import Reporter

PLAIN_INTERVAL_S: Final = 1.0
"""A pipe hears of one step at most this often: a log is read line by line."""


@contextlib.contextmanager
def open_reporter(*, plain: bool) -> Iterator[Reporter]:
    """Give bars where a person watches a terminal, lines otherwise or when `plain`."""
    terminal = sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"
    if plain or not terminal:
        yield PlainReporter(sys.stderr)
        return
    with BarReporter(console(error=True)) as reporter:
        yield reporter


@dataclass(slots=True)
class Pace:
    """How fast one step goes, from when it was first heard of.

    A step that carries on after a kill begins with some items done: they count as no work.
    """

    first_done: int
    first_s: float

    def rate(self, done: int, now_s: float) -> float | None:
        """Return items a second; None before anything was finished."""
        seconds, items = now_s - self.first_s, done - self.first_done
        return items / seconds if seconds > 0 and items > 0 else None

    def words(self, done: int, total: int, now_s: float) -> str:
        """Return rate and time left, such as ``12.3/s, 4 s left``; empty when unknown."""
        rate = self.rate(done, now_s)
        if rate is None:
            return ""
        words = f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each"
        if total > done:
            words += f", {duration((total - done) / rate)} left"
        return words


def duration(seconds: float) -> str:
    """Return a length of time as a person says it: ``4 s``, ``2 min 5 s``, ``1 h 3 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _heading(name: str, place: int, total: int) -> str:
    # The survey of the data comes before the numbered stages and has no place of its own.
    return f"[{place}/{total}] {name}" if total else name


def _ending(seconds: float, *, cached: bool) -> str:
    return "taken from an earlier run" if cached else f"done in {duration(seconds)}"


class PlainReporter:
    """Writes plain lines: for pipes, logs and screen readers."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._heading = ""
        self._paces: dict[tuple[str, str], Pace] = {}
        self._last_s: dict[tuple[str, str], float] = {}

    def stage_started(self, name: str, place: int, total: int) -> None:
        """Write that a stage begins."""
        self._heading = _heading(name, place, total)
        self._write(self._heading)

    def step(self, stage: str, step: str, done: int, total: int) -> None:
        """Write how far a step is, at most once a second."""
        now, key = self._clock(), (stage, step)
        pace = self._paces.setdefault(key, Pace(done, now))
        due = now - self._last_s.get(key, pace.first_s) >= PLAIN_INTERVAL_S
        if not due:
            return
        self._last_s[key] = now
        count = f"{done:,} of {total:,}" if total else f"{done:,}"
        words = pace.words(done, total, now)
        self._write(f"{self._heading}: {step} {count}" + (f" ({words})" if words else ""))

    def stage_finished(self, name: str, *, seconds: float, cached: bool) -> None:
        """Write that a stage ended."""
        self._write(f"{self._heading or name}: {_ending(seconds, cached=cached)}")
        self._paces.clear()
        self._last_s.clear()

    def note(self, text: str) -> None:
        """Write a sentence."""
        self._write(text)

    def _write(self, line: str) -> None:
        # A log that cannot be written to is no reason to lose a run.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


class BarReporter:
    """Draws a bar for each step of the current stage; finished stages leave one line."""

    def __init__(self, target: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = target
        self._clock = clock
        self._heading = ""
        self._tasks: dict[str, TaskID] = {}
        self._paces: dict[str, Pace] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[count]}", markup=False),
            TextColumn("{task.fields[pace]}", markup=False, style="dim"),
            console=target,
            transient=True,
        )

    def __enter__(self) -> BarReporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage_started(self, name: str, place: int, total: int) -> None:
        """Draw a bar that only says that the stage is at work."""
        self._clear()
        self._heading = _heading(name, place, total)
        self._add("", total=None)

    def step(self, stage: str, step: str, done: int, total: int) -> None:
        """Move the step's bar."""
        now = self._clock()
        pace = self._paces.setdefault(step, Pace(done, now))
        if step not in self._tasks:
            if "" in self._tasks:
                self._progress.remove_task(self._tasks.pop(""))
            self._heading = self._heading or stage
            self._add(step, total=total or None)
        self._progress.update(
            self._tasks[step],
            completed=done,
            total=total or None,
            visible=not total or done < total or len(self._tasks) == 1,
            count=f"{done:,}/{total:,}" if total else f"{done:,}",
            pace=pace.words(done, total, now),
        )

    def stage_finished(self, name: str, *, seconds: float, cached: bool) -> None:
        """Leave one line for the stage."""
        self._clear()
        heading = self._heading or name
        self._progress.console.print(
            f"{heading}: {_ending(seconds, cached=cached)}", markup=False, highlight=False
        )

    def note(self, text: str) -> None:
        """Print a sentence above the bars."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _add(self, step: str, *, total: int | None) -> None:
        description = f"{self._heading}: {step}" if step else self._heading
        self._tasks[step] = self._progress.add_task(description, total=total, count="", pace="")

    def _clear(self) -> None:
        for task in self._tasks.values():
            self._progress.remove_task(task)
        self._tasks.clear()
        self._paces.clear()
