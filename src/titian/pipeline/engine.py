"""Parallel work through joblib's interface: local processes, a Dask or a Ray cluster.

Every item gets a generator that depends on the seed, the step and the item's place alone,
and every item runs with one thread in the numerical libraries, so that the engine and its
number of workers never change a result.
"""

from __future__ import annotations

import logging
import queue
import re
import socket
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from typing import Any, Generic, Protocol, TypeVar, cast

import numpy as np

from titian.errors import EnvironmentFault, InputError, Problem
from titian.pipeline import closure

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
Progress = Callable[[int, int], None]

CONNECT_TIMEOUT_S = 10.0
PROBE_TIMEOUT_S = 60.0  # a cluster may first have to start a process
SERIAL_S = 0.5  # starting processes that import numpy costs about as much
WORKERLESS_S = 10.0  # a cluster restarts a lost worker well within this time
POLL_S = 0.5
ROUND_ITEMS = 16  # a worker: Ray's backend reports only whole calls of joblib

_URL = re.compile(
    r"(?P<scheme>dask|ray)://(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})"
)


class Engine(Protocol):
    """Where parallel work is done."""

    @property
    def url(self) -> str:
        """``local``, ``dask://HOST:PORT`` or ``ray://HOST:PORT``."""

    @property
    def workers(self) -> int:
        """How many items can run at once."""

    def map(
        self,
        function: Callable[[ItemT, np.random.Generator], ResultT],
        items: Sequence[ItemT],
        *,
        seed: int,
        step: str,
        progress: Progress | None = None,
    ) -> list[ResultT]:
        """Apply `function` to each item, in order.

        Args:
            function: picklable; must not rely on state that an earlier item left behind.
            items: picklable.
            seed: the project's seed, at least 0.
            step: names this work within the run; two steps never share a stream.
            progress: hears (done, total) in the calling thread as items finish.

        Raises:
            EnvironmentFault: a worker or the cluster was lost (T-X005).
            EnvironmentFault: the cluster has other code than this machine (T-X006).
            Exception: what `function` raised, as it raised it.
        """


def open_engine(url: str | None = None) -> AbstractContextManager[Engine]:
    """Open the engine that `url` names and close it after use.

    Args:
        url: None or ``local`` for this machine; ``dask://HOST:PORT`` for a Dask scheduler;
            ``ray://HOST:PORT`` for a Ray cluster's client port.

    Raises:
        InputError: `url` names no engine (T-X001).
        EnvironmentFault: its library is missing (T-X002), it is out of reach (T-X003) or
            it has no worker (T-X004).
    """
    if url is None or url == "local":
        return _local()
    found = _URL.fullmatch(url)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise InputError(
            Problem(
                code="T-X001",
                message=f"engine '{url}' is neither 'local' nor dask://HOST:PORT nor "
                "ray://HOST:PORT with a port of 1 to 65535.",
                remedy="Write for instance --engine dask://10.0.0.5:8786.",
            )
        )
    open_cluster = _dask if found["scheme"] == "dask" else _ray
    return open_cluster(url, found["host"].strip("[]"), int(found["port"]))


def generator_for(place: int, *, seed: int, step: str) -> np.random.Generator:
    """Return the generator of the item at `place` of a step.

    It equals child `place` of ``SeedSequence([seed, crc32(step)]).spawn(n)``.
    """
    entropy = [seed, zlib.crc32(step.encode())]
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(place,)))


class _Call(Generic[ItemT, ResultT]):
    """`function` with all that an item needs on whatever machine it lands."""

    def __init__(
        self, function: Callable[[ItemT, np.random.Generator], ResultT], seed: int, step: str
    ) -> None:
        self.function = function
        self.seed = seed
        self.step = step

    def __call__(self, place: int, item: ItemT) -> tuple[int, ResultT]:
        with _one_thread():
            generator = generator_for(place, seed=self.seed, step=self.step)
            return place, self.function(item, generator)


def _one_thread() -> AbstractContextManager[object]:
    """Hold BLAS and OpenMP to one thread: sums must not depend on who else is working."""
    # A library that was loaded since the last look brought its own thread pool.
    controller = _thread_controller(len(sys.modules))
    return cast("AbstractContextManager[object]", controller.limit(limits=1))


@cache
def _thread_controller(_loaded: int) -> Any:  # noqa: ANN401  (threadpoolctl is untyped)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _Cluster:
    """An engine that leaves the choice of where each item runs to `share`."""

    def __init__(
        self,
        url: str,
        count: Callable[[], int],
        share: Callable[
            [_Call[Any, Any], Sequence[tuple[int, Any]]], Iterator[tuple[int, Any]]
        ],
    ) -> None:
        self.url = url
        self._count = count
        self._share = share

    @property
    def workers(self) -> int:
        """How many items can run at once."""
        return self._count()

    def map(
        self,
        function: Callable[[ItemT, np.random.Generator], ResultT],
        items: Sequence[ItemT],
        *,
        seed: int,
        step: str,
        progress: Progress | None = None,
    ) -> list[ResultT]:
        """Apply `function` to each item, in order; see `Engine.map`."""
        call = _Call(function, seed, step)
        results: dict[int, ResultT] = {}
        if progress is not None:
            progress(0, len(items))
        for place, result in self._share(call, list(enumerate(items))):
            results[place] = result
            if progress is not None:
                progress(len(results), len(items))
        return [results[place] for place in range(len(items))]


def _processors() -> int:
    import joblib  # takes 0.2 s, which a run that finds everything cached can do without

    return int(joblib.cpu_count())


@contextmanager
def _local() -> Iterator[Engine]:
    started = False

    def share(
        call: _Call[Any, Any], work: Sequence[tuple[int, Any]]
    ) -> Iterator[tuple[int, Any]]:
        nonlocal started
        done, begin = 0, time.monotonic()
        while done < len(work) and (
            time.monotonic() - begin < SERIAL_S or len(work) - done == 1 or _processors() == 1
        ):
            yield call(*work[done])
            done += 1
        if done == len(work):
            return
        started = True
        import joblib
        from joblib.externals.loky.process_executor import BrokenProcessPool

        try:
            # Copy-on-write maps: a function may change its item, here as in one process.
            yield from joblib.Parallel(
                n_jobs=_processors(), return_as="generator_unordered", mmap_mode="c"
            )(joblib.delayed(call)(*pair) for pair in work[done:])
        except BrokenProcessPool as error:
            raise _lost("local", f"{type(error).__name__}") from error

    with warnings.catch_warnings():
        # loky retires idle processes and starts new ones; nothing is lost by that.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        try:
            yield _Cluster("local", _processors, share)
        finally:
            if started:
                from joblib.externals.loky import get_reusable_executor

                get_reusable_executor().shutdown(wait=True)


@contextmanager
def _dask(url: str, host: str, port: int) -> Iterator[Engine]:
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise _missing("dask") from error
    import joblib

    _knock(url, host, port)
    address = f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise _unreachable(url, "no Dask scheduler answered there") from error

    def healthy() -> bool:
        try:
            return client.status == "running" and bool(client.ncores())
        except OSError:
            return False

    def share(
        call: _Call[Any, Any], work: Sequence[tuple[int, Any]]
    ) -> Iterator[tuple[int, Any]]:
        def probe() -> str:
            future = client.submit(fingerprint, call.function, pure=False)
            return future.result(timeout=PROBE_TIMEOUT_S)

        def compute() -> Iterator[tuple[int, Any]]:
            with joblib.parallel_config("dask", client=client):
                yield from joblib.Parallel(n_jobs=-1, return_as="generator_unordered")(
                    joblib.delayed(call)(*pair) for pair in work
                )

        try:
            _compare(url, call.function, probe)
            yield from _watched(compute, healthy, url)
        except KilledWorker as error:
            raise _lost(url, "an item brought down every worker that tried it") from error

    try:
        workers = _first_workers(lambda: sum(client.ncores().values()))
        if workers == 0:
            raise _workerless(url)
        yield _Cluster(url, lambda: workers, share)
    finally:
        client.close(timeout=POLL_S * 4)


@contextmanager
def _ray(url: str, host: str, port: int) -> Iterator[Engine]:
    try:
        import grpc
        import ray
        from ray.exceptions import RayError
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise _missing("ray") from error
    import joblib

    _knock(url, host, port)
    try:
        with grpc.insecure_channel(url.removeprefix("ray://")) as channel:
            grpc.channel_ready_future(channel).result(timeout=CONNECT_TIMEOUT_S)
        ray.init(url, logging_level=logging.ERROR, log_to_driver=False)
    except (grpc.FutureTimeoutError, ConnectionError, RuntimeError) as error:
        raise _unreachable(url, "no Ray client server answered there") from error

    def share(
        call: _Call[Any, Any], work: Sequence[tuple[int, Any]]
    ) -> Iterator[tuple[int, Any]]:
        # Files that joblib maps into memory lie on this machine alone: max_nbytes=None.
        many = joblib.Parallel(n_jobs=workers, backend="ray", max_nbytes=None)
        size = ROUND_ITEMS * workers

        def probe() -> str:
            remote = ray.remote(fingerprint).options(num_cpus=0)
            return ray.get(remote.remote(call.function), timeout=PROBE_TIMEOUT_S)

        try:
            _compare(url, call.function, probe)
            with many as parallel:
                for first in range(0, len(work), size):
                    yield from parallel(
                        joblib.delayed(call)(*pair) for pair in work[first : first + size]
                    )
        except (RayError, ConnectionError) as error:
            raise _lost(url, type(error).__name__) from error

    try:
        register_ray()
        workers = _first_workers(lambda: int(ray.cluster_resources().get("CPU", 0)))
        if workers == 0:
            raise _workerless(url)
        yield _Cluster(url, lambda: workers, share)
    finally:
        ray.shutdown()


_END = object()


def _watched(
    compute: Callable[[], Iterator[tuple[int, Any]]], healthy: Callable[[], bool], url: str
) -> Iterator[tuple[int, Any]]:
    """Yield what `compute` yields in a thread; a cluster without workers would wait forever."""
    results: queue.Queue[object] = queue.Queue()

    def work() -> None:
        try:
            for result in compute():
                results.put(result)
            results.put(_END)
        except BaseException as error:  # noqa: BLE001  (raised again by the caller)
            results.put(error)

    threading.Thread(target=work, daemon=True).start()
    sick_since: float | None = None
    while True:
        try:
            result = results.get(timeout=POLL_S)
        except queue.Empty:
            if healthy():
                sick_since = None
            elif sick_since is None:
                sick_since = time.monotonic()
            elif time.monotonic() - sick_since > WORKERLESS_S:
                raise _lost(url, f"no worker for {WORKERLESS_S:.0f} s") from None
            continue
        if result is _END:
            return
        if isinstance(result, BaseException):
            raise result
        yield cast("tuple[int, Any]", result)


def _first_workers(count: Callable[[], int]) -> int:
    """Return the number of workers, waiting a little for a cluster that is starting."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while (workers := count()) == 0 and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return workers


def _knock(url: str, host: str, port: int) -> None:
    """Refuse an address where nobody listens, before a library retries it noisily."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _unreachable(url, error.strerror or str(error)) from error


def fingerprint(function: Callable[..., object]) -> str:
    """Return the digest of the source that `function` reaches where this is run."""
    while isinstance(function, partial):
        function = function.func
    return closure.source_digest(function)


def _compare(url: str, function: Callable[..., object], probe: Callable[[], str]) -> None:
    """Refuse a cluster whose code differs: its results would be another version's."""
    remedy = "Install the same version of Titian on every machine of the cluster."
    try:
        same = probe() == fingerprint(function)
        message = f"engine {url} runs other source than this machine."
    except Exception as error:  # noqa: BLE001  (each library wraps a failed import its own way)
        same = False
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[-1].strip()
        message = f"engine {url} cannot load the code to run: {reason}."
    if not same:
        raise EnvironmentFault(Problem(code="T-X006", message=message, remedy=remedy))


def _missing(extra: str) -> EnvironmentFault:
    return EnvironmentFault(
        Problem(
            code="T-X002",
            message=f"engine {extra}:// needs the extra '{extra}', which is not installed.",
            remedy=f"Install it: pip install 'titian[{extra}]'.",
        )
    )


def _unreachable(url: str, reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        Problem(
            code="T-X003",
            message=f"engine {url} is out of reach within {CONNECT_TIMEOUT_S:.0f} s: {reason}.",
            remedy="Start the cluster, correct the address, or leave out --engine.",
        )
    )


def _workerless(url: str) -> EnvironmentFault:
    return EnvironmentFault(
        Problem(
            code="T-X004",
            message=f"engine {url} has no worker after {CONNECT_TIMEOUT_S:.0f} s.",
            remedy="Start at least one worker, or leave out --engine.",
        )
    )


def _lost(url: str, reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        Problem(
            code="T-X005",
            message=f"engine {url} lost its workers: {reason}.",
            remedy="Check their memory and logs, then run again; finished stages are kept.",
        )
    )
