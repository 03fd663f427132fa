"""Local work gives the same results in order however it is spread."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from titian.errors import EnvironmentFault, InputError
from titian.pipeline import engine
from titian.pipeline.engine import generator_for, open_engine


def draw(item: int, generator: np.random.Generator) -> tuple[int, float]:
    return item, float(generator.normal())


def nap(item: int, generator: np.random.Generator) -> tuple[float, int]:
    time.sleep(0.05)
    return float(generator.normal()), os.getpid()


def fall(item: int, generator: np.random.Generator) -> int:
    if item == 3:
        msg = "item 3 is bad"
        raise ValueError(msg)
    return item


def die(item: int, generator: np.random.Generator) -> int:
    if item == 1:
        os._exit(9)
    return item


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything goes to worker processes at once."""
    monkeypatch.setattr(engine, "SERIAL_S", 0.0)


def test_results_come_in_order_with_a_generator_for_each_place() -> None:
    with open_engine() as local:
        results = local.map(draw, [5, 6, 7], seed=3, step="train/folds")
    assert [item for item, _ in results] == [5, 6, 7]
    assert [value for _, value in results] == [
        float(generator_for(place, seed=3, step="train/folds").normal()) for place in range(3)
    ]


def test_generators_are_the_children_of_seed_and_step() -> None:
    children = np.random.SeedSequence([3, 0xE8B7BE43]).spawn(4)  # crc32(b"a")
    for place, child in enumerate(children):
        expected = np.random.default_rng(child).random(5)
        assert (generator_for(place, seed=3, step="a").random(5) == expected).all()


def test_steps_and_seeds_have_streams_of_their_own() -> None:
    draws = {
        float(generator_for(place, seed=seed, step=step).random())
        for place in range(5)
        for seed in range(5)
        for step in ("a", "b")
    }
    assert len(draws) == 50


def test_processes_give_what_this_process_gives(no_patience: None) -> None:
    with open_engine("local") as local:
        spread = local.map(nap, range(8), seed=1, step="s")
    alone = [float(generator_for(place, seed=1, step="s").normal()) for place in range(8)]
    assert [value for value, _ in spread] == alone
    if local.workers > 1:
        assert os.getpid() not in {pid for _, pid in spread}


def test_progress_counts_every_item(no_patience: None) -> None:
    heard: list[tuple[int, int]] = []
    with open_engine() as local:
        local.map(
            draw,
            range(5),
            seed=0,
            step="s",
            progress=lambda done, total: heard.append((done, total)),
        )
    assert heard == [(done, 5) for done in range(6)]


def test_no_items_are_no_work() -> None:
    with open_engine() as local:
        assert local.map(draw, [], seed=0, step="s") == []


@pytest.mark.parametrize("patience_s", [0.0, 60.0])
def test_what_the_function_raises_arrives(
    monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    monkeypatch.setattr(engine, "SERIAL_S", patience_s)
    with open_engine() as local, pytest.raises(ValueError, match=r"^item 3 is bad$"):
        local.map(fall, range(6), seed=0, step="s")


def test_a_dead_worker_is_said_and_the_next_map_works(no_patience: None) -> None:
    with open_engine() as local:
        if local.workers == 1:
            pytest.skip("one core: no worker processes")
        with pytest.raises(EnvironmentFault) as fault:
            local.map(die, range(6), seed=0, step="s")
        assert str(fault.value) == (
            "T-X005: engine local lost its workers: TerminatedWorkerError. "
            "Check their memory and logs, then run again; finished stages are kept."
        )
        assert local.map(draw, range(3), seed=0, step="s")[2][0] == 2


@pytest.mark.parametrize(
    "url",
    [
        "spark://h:1",
        "dask://h",
        "dask://:8786",
        "ray://h:0",
        "dask://h:70000",
        "ray://h:1/x",
        "",
    ],
)
def test_an_unknown_engine_is_refused(url: str) -> None:
    with pytest.raises(InputError) as refused:
        open_engine(url)
    assert str(refused.value) == (
        f"T-X001: engine '{url}' is neither 'local' nor dask://HOST:PORT nor "
        "ray://HOST:PORT with a port of 1 to 65535. "
        "Write for instance --engine dask://10.0.0.5:8786."
    )


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:  # bound but not listening: nobody else can take it
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize(("scheme", "library"), [("dask", "distributed"), ("ray", "ray")])
def test_an_unreachable_cluster_is_said(scheme: str, library: str, closed_port: int) -> None:
    pytest.importorskip(library, reason=f"the extra '{scheme}' is not installed")
    url = f"{scheme}://127.0.0.1:{closed_port}"
    with pytest.raises(EnvironmentFault) as fault, open_engine(url):
        pass
    assert str(fault.value) == (
        f"T-X003: engine {url} is out of reach within 10 s: Connection refused. "
        "Start the cluster, correct the address, or leave out --engine."
    )


@pytest.mark.parametrize(("scheme", "library"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_extra_is_said(
    scheme: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(EnvironmentFault) as fault, open_engine(f"{scheme}://127.0.0.1:1"):
        pass
    assert str(fault.value) == (
        f"T-X002: engine {scheme}:// needs the extra '{scheme}', which is not installed. "
        f"Install it: pip install 'titian[{scheme}]'."
    )
