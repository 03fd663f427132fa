"""Real two-worker Dask and Ray clusters on this machine give what local work gives."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from titian.errors import EnvironmentFault
from titian.pipeline import engine
from titian.pipeline.engine import open_engine

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[3]
START_S = 180.0  # a busy machine starts Ray slowly
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(ROOT),  # workers import this file by its name, as they would a package
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "180000",  # a busy machine starts its agents slowly
    "PYTHONWARNINGS": "ignore",
}


def work(item: int, generator: np.random.Generator) -> tuple[int, float, int]:
    time.sleep(0.02)
    matrix = generator.normal(size=(60, 60))
    return item, float(np.linalg.inv(matrix).sum()), os.getpid()


def fall(item: int, generator: np.random.Generator) -> int:
    if item == 3:
        msg = "item 3 is bad"
        raise ValueError(msg)
    return item


def die(item: int, generator: np.random.Generator) -> int:
    os._exit(9)


def code_of_this_machine_alone() -> Callable[[int, np.random.Generator], int]:
    module = types.ModuleType("nowhere")
    exec("def here(item, generator):\n    return item\n", module.__dict__)  # noqa: S102
    sys.modules["nowhere"] = module
    return module.here


@contextlib.contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process group of its own and end the group afterwards."""
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            env=ENVIRONMENT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(timeout=20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def wait_for_workers(count: Callable[[], int], expected: int) -> None:
    deadline = time.monotonic() + START_S
    while (workers := count()) != expected:
        assert time.monotonic() < deadline, f"{workers} workers, not {expected}"
        time.sleep(0.2)


def dask_workers(url: str) -> int:
    from distributed import Client

    with Client(url.replace("dask", "tcp"), timeout=START_S, set_as_default=False) as client:
        return len(client.ncores())


def ray_workers(url: str) -> int:
    try:
        with open_engine(url) as cluster:
            return cluster.workers
    except EnvironmentFault:  # not up yet
        return 0


@pytest.fixture
def dask_cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    port = free_port()
    at_home = ("--host", "127.0.0.1", "--no-dashboard")
    worker = ("dask", "worker", f"tcp://127.0.0.1:{port}", "--nthreads", "1", *at_home)
    with contextlib.ExitStack() as stack:
        stack.enter_context(started("dask", "scheduler", "--port", str(port), *at_home))
        wait_for_port(port)
        workers = [stack.enter_context(started(*worker, "--no-nanny")) for _ in range(2)]
        url = f"dask://127.0.0.1:{port}"
        wait_for_workers(lambda: dask_workers(url), 2)
        yield url, workers


@pytest.fixture
def ray_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Ray cluster of one node that runs two workers."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    monkeypatch.setattr(engine, "CONNECT_TIMEOUT_S", START_S)
    port, client_port = free_port(), free_port()
    url = f"ray://127.0.0.1:{client_port}"
    # Ray's sockets need a short path; pytest's own folders may be too deep.
    with (
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,
        started(
            *("ray", "start", "--block", "--head", "--num-cpus=2", f"--port={port}"),
            *("--node-ip-address=127.0.0.1", f"--ray-client-server-port={client_port}"),
            *("--min-worker-port=0", "--max-worker-port=0", f"--temp-dir={folder}"),
            *("--object-store-memory=80000000", "--include-dashboard=false"),
            "--disable-usage-stats",
        ),
    ):
        wait_for_port(client_port)
        wait_for_workers(lambda: ray_workers(url), 2)
        yield url


def local_values(count: int) -> list[tuple[int, float]]:
    with open_engine() as local:
        results = local.map(work, range(count), seed=5, step="s")
    return [(item, value) for item, value, _ in results]


def test_dask_gives_what_local_gives_and_survives_a_killed_worker(
    dask_cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:
    url, workers = dask_cluster
    with warnings.catch_warnings(record=True) as leaked, open_engine(url) as cluster:
        warnings.simplefilter("always")
        assert cluster.workers == 2
        results = cluster.map(work, range(40), seed=5, step="s")
        assert len({pid for *_, pid in results}) == 2
        assert [(item, value) for item, value, _ in results] == local_values(40)

        with pytest.raises(ValueError, match=r"^item 3 is bad$"):
            cluster.map(fall, range(6), seed=5, step="s")

        with pytest.raises(EnvironmentFault) as fault:
            cluster.map(code_of_this_machine_alone(), range(6), seed=5, step="s")
        assert str(fault.value) == (
            f"T-X006: engine {url} cannot load the code to run: No module named 'nowhere'. "
            "Install the same version of Titian on every machine of the cluster."
        )

        heard: list[int] = []

        def hear(done: int, total: int) -> None:
            heard.append(done)
            if done == 10:
                workers[0].kill()

        results = cluster.map(work, range(60), seed=5, step="s", progress=hear)
        assert heard == list(range(61))
        assert [(item, value) for item, value, _ in results] == local_values(60)
    assert [str(warning.message) for warning in leaked] == []


def test_a_dask_cluster_that_loses_every_worker_is_said(
    dask_cluster: tuple[str, list[subprocess.Popen[bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WORKERLESS_S", 2.0)
    url, _ = dask_cluster
    with open_engine(url) as cluster, pytest.raises(EnvironmentFault) as fault:
        cluster.map(die, range(20), seed=5, step="s")
    assert str(fault.value) == (
        f"T-X005: engine {url} lost its workers: no worker for 2 s. "
        "Check their memory and logs, then run again; finished stages are kept."
    )


def test_a_dask_scheduler_without_workers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    monkeypatch.setattr(engine, "CONNECT_TIMEOUT_S", 3.0)
    port = free_port()
    with started("dask", "scheduler", "--host", "127.0.0.1", "--port", str(port)):
        wait_for_port(port)
        url = f"dask://127.0.0.1:{port}"
        with pytest.raises(EnvironmentFault) as fault, open_engine(url):
            pass
    assert str(fault.value) == (
        f"T-X004: engine {url} has no worker after 3 s. "
        "Start at least one worker, or leave out --engine."
    )


def test_ray_gives_what_local_gives(ray_cluster: str) -> None:
    url = ray_cluster
    with warnings.catch_warnings(record=True) as leaked, open_engine(url) as cluster:
        warnings.simplefilter("always")
        assert cluster.workers == 2
        heard: list[int] = []
        results = cluster.map(
            work, range(40), seed=5, step="s", progress=lambda done, _: heard.append(done)
        )
        assert heard == list(range(41))
        assert len({pid for *_, pid in results}) == 2
        assert [(item, value) for item, value, _ in results] == local_values(40)

        with pytest.raises(ValueError, match=r"item 3 is bad"):
            cluster.map(fall, range(6), seed=5, step="s")
    assert [str(warning.message) for warning in leaked] == []


def test_a_lost_ray_worker_is_said(ray_cluster: str) -> None:
    url = ray_cluster
    with open_engine(url) as cluster, pytest.raises(EnvironmentFault) as fault:
        cluster.map(die, range(20), seed=5, step="s")
    assert str(fault.value).startswith(f"T-X005: engine {url} lost its workers: ")
