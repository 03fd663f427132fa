"""An interrupt is raised again at the next word of progress if something swallowed it.

Ctrl-C raises wherever Python happens to be. While a compiled library is being imported that
can be a place that clears any error, and the run would go on as if nobody had asked it to stop.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from titian.pipeline.reporter import Reporter


class InterruptibleReporter:
    """Passes everything on; raises KeyboardInterrupt once somebody has asked to stop."""

    def __init__(self, inner: Reporter) -> None:
        self.inner = inner
        self._asked = False

    def ask(self, signal_number: int, frame: FrameType | None) -> NoReturn:
        """Take the signal: remember it and raise, as Python's own handler does."""
        del signal_number, frame
        self._asked = True
        raise KeyboardInterrupt

    def stage_started(self, name: str, place: int, total: int) -> None:
        """Pass on that a stage begins."""
        self._stop_if_asked()
        self.inner.stage_started(name, place, total)

    def step(self, stage: str, step: str, done: int, total: int) -> None:
        """Pass on how far a step is."""
        self._stop_if_asked()
        self.inner.step(stage, step, done, total)

    def stage_finished(self, name: str, *, seconds: float, cached: bool) -> None:
        """Pass on that a stage ended."""
        self.inner.stage_finished(name, seconds=seconds, cached=cached)
        self._stop_if_asked()

    def note(self, text: str) -> None:
        """Pass a sentence on."""
        self.inner.note(text)

    def _stop_if_asked(self) -> None:
        if self._asked:
            raise KeyboardInterrupt


@contextlib.contextmanager
def interruptible(inner: Reporter) -> Iterator[Reporter]:
    """Watch for Ctrl-C while the reporter is in use, where Python would have raised."""
    handled = threading.current_thread() is threading.main_thread()
    if not handled or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield inner
        return
    reporter = InterruptibleReporter(inner)
    before = signal.signal(signal.SIGINT, reporter.ask)
    try:
        yield reporter
    finally:
        signal.signal(signal.SIGINT, before)
