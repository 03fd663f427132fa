"""The load generator: sends queries to a system and notes when each was due and answered.

Closed loops (single- and multi-stream) call the system in turn. The server scenario is an
open loop: queries leave when they are due, whether or not earlier ones are answered, and
latency counts from the instant they were due (no *coordinated omission*; Tene, 2013).
"""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from array import array
from collections import Counter
from collections.abc import Callable
from queue import SimpleQueue
from time import perf_counter_ns, process_time, sleep
from typing import TypeAlias

import numpy as np

from titian.statistics.estimate import Bools, Ints
from titian.validation.speed.clock import since, undisturbed, wait_until, waited_s
from titian.validation.speed.scenario import MOST_QUERIES, Load, Scenario
from titian.validation.speed.schedule import arrivals
from titian.validation.speed.trace import Failure, Trace

System: TypeAlias = Callable[[int, int], object]
"""Answers a query: (its number, how many samples). It raises where it has no answer."""

Progress: TypeAlias = Callable[[float], None]
"""Hears how much of the run is over, in [0, 1]."""

FAILURES_IN_A_ROW = 10
"""After so many queries without an answer in a row the run ends: nobody is there."""

DRAIN_S = 5.0
"""How long a server run waits after its last query for answers that are still out; at least
twice the latency bound. What is unanswered then counts as over any bound."""

PROGRESS_NS = 200_000_000

ROOM_NS = 500_000
"""Progress of an open loop is told only where the next query is at least this far off."""

MARGIN = 1.1
"""Offline hands over this many times the samples that the calibration expects, as LoadGen."""

ATTEMPTS = 4
"""An offline run that ends too soon is repeated with more samples, so often at most."""

CALIBRATION_CALLS = 1_000
CALIBRATION_NS = 300_000_000
POLL_S = 0.001
REASON_CHARACTERS = 200


def generate(
    system: System,
    load: Load,
    *,
    workers: int = 1,
    batch: int = 1,
    progress: Progress | None = None,
) -> Trace:
    """Run a scenario.

    Args:
        system: called from one thread in closed loops, from `workers` threads otherwise.
        load: what to ask for.
        workers: threads that answer queries of the server and offline scenarios; 0 answers
            in the generator's own thread (a system that never blocks).
        batch: samples that the offline scenario gives to one call.
        progress: called about five times a second, never between due and sent.
    """
    report = progress or _silent
    with undisturbed():
        match load.scenario:
            case Scenario.SINGLE_STREAM | Scenario.MULTI_STREAM:
                return _closed_loop(system, load, report)
            case Scenario.SERVER:
                return _open_loop(system, load, workers, report)
            case Scenario.OFFLINE:
                return _all_at_once(system, load, max(workers, 1), batch, report)


def _silent(_share: float) -> None:
    return


def _closed_loop(system: System, load: Load, progress: Progress) -> Trace:
    begin, end, answered = array("q"), array("q"), bytearray()
    failed: Counter[str] = Counter()
    cut, in_a_row, samples = "", 0, load.samples_per_query
    length = int(load.min_duration_s * 1e9)
    longest = int(load.max_duration_s * 1e9)
    cpu, waited = process_time(), waited_s()
    start = perf_counter_ns()
    heard, count, now = start, 0, start
    while True:
        now = perf_counter_ns()
        elapsed = now - start
        if count >= load.min_queries and count and begin[-1] >= length:
            break
        if elapsed > longest:
            cut = f"the run was cut off after {load.max_duration_s:g} s"
            break
        if now - heard > PROGRESS_NS:
            heard = now
            progress(min(elapsed / length if length else 1.0, count / load.min_queries))
            now = perf_counter_ns()
        begin.append(now - start)
        try:
            system(count, samples)
        except Exception as error:  # noqa: BLE001 - a failed query is a result of the run
            end.append(perf_counter_ns() - start)
            answered.append(0)
            failed[reason_of(error)] += 1
            in_a_row += 1
            if in_a_row == FAILURES_IN_A_ROW:
                cut = f"{in_a_row} queries in a row had no answer"
                break
        else:
            end.append(perf_counter_ns() - start)
            answered.append(1)
            in_a_row = 0
        count += 1
    cpu, waited = process_time() - cpu, since(waited)
    issued = _instants(begin)
    return Trace(
        load=load,
        scheduled_ns=issued,
        issued_ns=issued,
        done_ns=_instants(end),
        answered=np.frombuffer(bytes(answered), dtype=np.bool_),
        samples=np.full(len(issued), samples, dtype=np.int64),
        wall_s=(end[-1] if end else 0) / 1e9,
        cpu_s=cpu,
        waited_s=waited,
        cut=cut,
        failures=_ranked(failed),
    )


class _Board:
    """Where workers write down what became of each query, in absolute nanoseconds."""

    def __init__(self, n: int, workers: int) -> None:
        self.done = array("q", bytes(8 * n))
        self.answered = bytearray(n)
        self.failed: Counter[str] = Counter()
        self.in_a_row = 0
        self.finished = [0] * max(workers, 1)
        self.lock = threading.Lock()

    def answer(self, system: System, query: int, samples: int, worker: int) -> None:
        try:
            system(query, samples)
        except Exception as error:  # noqa: BLE001 - a failed query is a result of the run
            self.done[query] = perf_counter_ns()
            with self.lock:
                self.failed[reason_of(error)] += 1
                self.in_a_row += 1
        else:
            self.done[query] = perf_counter_ns()
            self.answered[query] = 1
            self.in_a_row = 0
        self.finished[worker] += 1

    def wait(self, n: int, longest_s: float) -> bool:
        """Wait until `n` queries are finished; say whether they are."""
        end = perf_counter_ns() + int(longest_s * 1e9)
        while sum(self.finished) < n:
            if perf_counter_ns() > end:
                return False
            sleep(POLL_S)
        return True

    def close(self, n: int, start: int) -> tuple[Bools, Ints]:
        """Return what the first `n` queries came to; later answers come too late."""
        # A worker writes the instant before the flag: read the flags first.
        answered = np.frombuffer(bytes(self.answered), dtype=np.bool_)[:n]
        return answered, _instants(self.done)[:n] - start


def _open_loop(system: System, load: Load, workers: int, progress: Progress) -> Trace:
    scheduled = arrivals(load)
    n = len(scheduled)
    due: list[int] = scheduled.tolist()
    issued = array("q", bytes(8 * n))
    board = _Board(n, workers)
    queue: SimpleQueue[int] = SimpleQueue()
    stop = threading.Event()

    def work(worker: int) -> None:
        while (query := queue.get()) >= 0:
            if not stop.is_set():
                board.answer(system, query, 1, worker)

    pool = _start(work, workers)
    put, answer = queue.put, board.answer
    cut, longest = "", int(load.max_duration_s * 1e9)
    cpu, waited = process_time(), waited_s()
    start = heard = perf_counter_ns()
    sent = 0
    while sent < n:
        at = start + due[sent]
        now = perf_counter_ns()
        if due[sent] > longest:
            # Nothing is due before the end: do not wait for a query that may be hours off.
            wait_until(start + longest)
            cut = f"the run was cut off after {load.max_duration_s:g} s"
            break
        if now < at:
            if now - heard > PROGRESS_NS and at - now > ROOM_NS:
                heard = now
                progress((now - start) / max(due[-1], 1))
            now = wait_until(at)
        issued[sent] = now - start
        if pool:
            put(sent)
        else:
            answer(system, sent, 1, 0)
        sent += 1
        if board.in_a_row >= FAILURES_IN_A_ROW:
            cut = f"{board.in_a_row} queries in a row had no answer"
            break
        if now - start > longest:
            cut = f"the run was cut off after {load.max_duration_s:g} s"
            break
    wait_s = max(DRAIN_S, 2e-3 * (load.target_latency_ms or 0.0))
    if not board.wait(sent, 0.0 if cut else wait_s) and not cut:
        cut = f"answers were still out {wait_s:g} s after the last query"
    stop.set()
    for _ in pool:
        put(-1)
    cpu, waited = process_time() - cpu, since(waited)
    answered, done = board.close(sent, start)
    return Trace(
        load=load,
        scheduled_ns=scheduled[:sent],
        issued_ns=_instants(issued)[:sent],
        done_ns=done,
        answered=answered,
        samples=np.ones(sent, dtype=np.int64),
        wall_s=float(done[answered].max(initial=0)) / 1e9,
        cpu_s=cpu,
        waited_s=waited,
        cut=cut,
        failures=_ranked(board.failed, missing=int((~answered).sum())),
    )


def _all_at_once(
    system: System, load: Load, workers: int, batch: int, progress: Progress
) -> Trace:
    """Hand over all samples in one query, enough of them for the smallest duration.

    How many that takes is learnt from a calibration, whose answers do not count; a run that
    ends too soon is thrown away and repeated with more samples.
    """
    expected = _calibrate(system, batch)
    samples = max(load.min_queries, round(MARGIN * expected * load.min_duration_s * workers))
    trace = _offline(system, load, min(samples, MOST_QUERIES), workers, batch, progress)
    for _ in range(ATTEMPTS - 1):
        if trace.min_duration_met or trace.cut or not trace.answered.any():
            break
        rate = trace.samples.sum() / max(trace.wall_s, 1e-9)
        samples = math.ceil(MARGIN * rate * load.min_duration_s)
        trace = _offline(system, load, min(samples, MOST_QUERIES), workers, batch, progress)
    return trace


def _calibrate(system: System, batch: int) -> float:
    """Return about how many samples a second one thread answers."""
    start = perf_counter_ns()
    calls = 0
    while calls < CALIBRATION_CALLS and perf_counter_ns() - start < CALIBRATION_NS:
        with contextlib.suppress(Exception):
            system(calls, batch)
        calls += 1
    return calls * batch * 1e9 / max(perf_counter_ns() - start, 1)


def _offline(
    system: System, load: Load, samples: int, workers: int, batch: int, progress: Progress
) -> Trace:
    parts = -(-samples // batch)
    sizes = np.full(parts, batch, dtype=np.int64)
    sizes[-1] = samples - batch * (parts - 1)
    board = _Board(parts, workers)
    turn = itertools.count()
    stop = threading.Event()

    def work(worker: int) -> None:
        while not stop.is_set() and (part := next(turn)) < parts:
            size = batch if part < parts - 1 else int(sizes[-1])
            board.answer(system, part, size, worker)
            if board.in_a_row >= FAILURES_IN_A_ROW:
                stop.set()

    cpu, waited = process_time(), waited_s()
    start = perf_counter_ns()
    pool = _start(work, workers)
    end = start + int(load.max_duration_s * 1e9)
    while any(thread.is_alive() for thread in pool) and perf_counter_ns() < end:
        pool[0].join(PROGRESS_NS * 1e-9)
        if not pool[0].is_alive():
            board.wait(parts, 0.0 if stop.is_set() else POLL_S)
        progress(sum(board.finished) / parts)
    cut = ""
    if board.in_a_row >= FAILURES_IN_A_ROW:
        cut = f"{board.in_a_row} queries in a row had no answer"
    elif any(thread.is_alive() for thread in pool):
        cut = f"the run was cut off after {load.max_duration_s:g} s"
    stop.set()
    cpu, waited = process_time() - cpu, since(waited)
    answered, done = board.close(parts, start)
    begin = np.zeros(parts, dtype=np.int64)
    return Trace(
        load=load,
        scheduled_ns=begin,
        issued_ns=begin,
        done_ns=done,
        answered=answered,
        samples=sizes,
        wall_s=float(done[answered].max(initial=0)) / 1e9,
        cpu_s=cpu,
        waited_s=waited,
        cut=cut,
        failures=_ranked(board.failed, missing=int((~answered).sum())),
    )


def _start(work: Callable[[int], None], workers: int) -> list[threading.Thread]:
    # Daemons: a system that hangs must not keep the process alive.
    pool = [threading.Thread(target=work, args=(k,), daemon=True) for k in range(workers)]
    for thread in pool:
        thread.start()
    return pool


def _instants(held: array[int]) -> Ints:
    return np.frombuffer(bytes(held), dtype=np.int64)


def reason_of(error: Exception) -> str:
    """Return the first line of what went wrong, or its kind where it has no words."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:REASON_CHARACTERS]


def _ranked(failed: Counter[str], *, missing: int = 0) -> tuple[Failure, ...]:
    counted = Counter(failed)
    unreached = missing - sum(failed.values())
    if unreached > 0:
        counted["there was no answer before the run ended"] += unreached
    return tuple(Failure(reason=reason, count=n) for reason, n in counted.most_common())
