"""What a run says while it works; the command line and the tests each bring their own ears."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Listens to a run. Calls come from one thread, in order; none may raise."""

    def stage_started(self, name: str, place: int, total: int) -> None:
        """Hear that a stage begins; `place` counts from 1 to `total`."""

    def step(self, stage: str, step: str, done: int, total: int) -> None:
        """Hear that `done` of `total` items of a stage's `step` are finished.

        May be called for every item: a listener thins the stream out itself. `total` is 0
        where it is not known.
        """

    def stage_finished(self, name: str, *, seconds: float, cached: bool) -> None:
        """Hear that a stage ended; `cached` when its earlier result was taken."""

    def note(self, text: str) -> None:
        """Hear one sentence that a person should read, such as where a key was made."""


class SilentReporter:
    """Hears everything and says nothing: for library callers and tests."""

    def stage_started(self, name: str, place: int, total: int) -> None:
        """Do nothing."""

    def step(self, stage: str, step: str, done: int, total: int) -> None:
        """Do nothing."""

    def stage_finished(self, name: str, *, seconds: float, cached: bool) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
