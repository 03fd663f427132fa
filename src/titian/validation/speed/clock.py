"""Waiting until an instant, closely and without wearing out a processor.

A sleeping thread on Linux wakes up to 50 microseconds late by default, since the kernel
gathers timers (*timer slack*); `undisturbed` asks for none of that for the calling thread.
What is left of the lateness is taken off the sleep, and the rest is waited out awake.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter_ns, sleep

SPIN_NS = 20_000
"""The last stretch before a query is due is waited out awake: waking takes about this long."""

SWITCH_S = 0.0005
"""How long a thread that computes in Python may keep the others waiting during a run."""

_SCHEDSTAT = Path("/proc/thread-self/schedstat")
_SET_TIMERSLACK, _GET_TIMERSLACK = 29, 30
_FINEST_NS = 1


def wait_until(due_ns: int) -> int:
    """Wait until `perf_counter_ns` reaches `due_ns`; return what it says then."""
    now = perf_counter_ns()
    left = due_ns - now
    if left > SPIN_NS:
        sleep((left - SPIN_NS) * 1e-9)
        now = perf_counter_ns()
    while now < due_ns:
        now = perf_counter_ns()
    return now


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the kernel's timers and the interpreter from delaying queries.

    This thread's sleeps end on time, threads give way to each other sooner, and what is in
    memory already is not walked through by the garbage collector again and again. All three
    are as they were afterwards. Where the system lacks such a setting, queries leave later,
    and the measured overhead says so.
    """
    control, before = None, 0
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "linux":
            control = ctypes.CDLL(None, use_errno=True).prctl
            before = control(_GET_TIMERSLACK, 0, 0, 0, 0)
            control(_SET_TIMERSLACK, ctypes.c_ulong(_FINEST_NS), 0, 0, 0)
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    freeze = gc.get_freeze_count() == 0
    if freeze:
        gc.freeze()
    try:
        yield
    finally:
        if freeze:
            gc.unfreeze()
        sys.setswitchinterval(interval_s)
        if control is not None and before > 0:
            control(_SET_TIMERSLACK, ctypes.c_ulong(before), 0, 0, 0)


def waited_s() -> float | None:
    """Return how long this thread was ready to run and got no processor, since its start.

    None where the system does not tell (Linux: ``schedstat``).
    """
    try:
        return int(_SCHEDSTAT.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def since(before_s: float | None) -> float | None:
    """Return how much of `waited_s` was added; None where the system does not tell."""
    now = waited_s()
    return None if before_s is None or now is None else now - before_s
