"""An interrupt that something swallowed is raised again at the next word of progress."""

from __future__ import annotations

import contextlib
import signal

import pytest

from titian.cli.interrupt import interruptible
from titian.pipeline.reporter import SilentReporter


def test_a_swallowed_interrupt_is_raised_at_the_next_step():
    before = signal.getsignal(signal.SIGINT)
    with interruptible(SilentReporter()) as reporter:
        reporter.step("train", "epochs", 1, 3)
        with contextlib.suppress(KeyboardInterrupt):  # as a library's import may do
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            reporter.step("train", "epochs", 2, 3)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_finished_stage_is_told_before_the_run_stops():
    with interruptible(SilentReporter()) as reporter:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            reporter.stage_finished("train", seconds=1.0, cached=False)


def test_a_job_that_ignores_interrupts_goes_on_ignoring_them():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        inner = SilentReporter()
        with interruptible(inner) as reporter:
            assert reporter is inner
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
