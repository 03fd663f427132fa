"""Standard output and standard error, for people and for programs."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

    from titian.statistics import Estimate

PIPE_WIDTH_CHARACTERS: Final = 110
"""Width of tables that go to a pipe or a file, where there is no terminal to ask."""


def write_line(text: str) -> None:
    """Write one line to standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_error_line(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def write_json(document: Mapping[str, Any]) -> None:
    """Write one JSON document to standard output; what is not a finite number is null."""
    write_line(json.dumps(_finite(document), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:  # noqa: ANN401 - walks any JSON
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def visible(text: str) -> str:
    """Write out signs that steer a terminal: what a table holds is shown, not obeyed."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def console(*, error: bool = False) -> Console:
    """Return a console that knows whether a person, a pipe or a file is listening."""
    from rich.console import Console

    class PipedConsole(Console):
        def on_broken_pipe(self) -> None:
            # Exit code 1 would say that a requirement is not met; the guard knows better.
            raise BrokenPipeError

    stream = sys.stderr if error else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        # A terminal that cannot show a sign gets a question mark, not a crash.
        stream.reconfigure(errors="replace")
    width = None if stream.isatty() else PIPE_WIDTH_CHARACTERS
    return PipedConsole(file=stream, width=width, highlight=False, soft_wrap=False)


@contextlib.contextmanager
def reserved_output(*, wanted: bool) -> Iterator[None]:
    """Send to standard error what libraries and workers print, so that JSON stands alone.

    Worker processes inherit the file descriptor, so it is turned too, not only `sys.stdout`.
    """
    if not wanted:
        yield
        return
    sys.stdout.flush()
    descriptor = _descriptor(sys.stdout)
    saved = os.dup(descriptor) if descriptor is not None else None
    try:
        if descriptor is not None:
            os.dup2(_descriptor(sys.stderr) or 2, descriptor)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if descriptor is not None and saved is not None:
            os.dup2(saved, descriptor)
            os.close(saved)


def _descriptor(stream: Any) -> int | None:  # noqa: ANN401 - a stream or a test's stand-in
    try:
        return int(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return None


def estimate_row(found: Estimate) -> dict[str, Any]:
    """Return an estimate as JSON: its first interval, or nulls and the reason."""
    interval = found.intervals[0] if found.intervals else None
    return {
        "value": found.value,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "n": found.n,
        "method": found.method,
        "reason": found.reason,
    }
