"""A whole network runs from descriptors, to the bit and to the cycle."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.unit.accelerator.small_networks import NETWORKS, inputs_for

pytest.importorskip("amaranth", reason="pip install 'titian[accelerator]'")

from amaranth.sim import Simulator

from titian.accelerator.quantization.network import Network
from titian.accelerator.quantization.quantizer import quantize
from titian.accelerator.quantization.reading import read_network
from titian.accelerator.quantization.reference import run_network
from titian.accelerator.rtl.build import program_document, write_images
from titian.accelerator.rtl.driver import Driver
from titian.accelerator.rtl.machine import Machine, Sizes
from titian.accelerator.rtl.program import Program, compile_network, pack, unpack
from titian.accelerator.rtl.timing import layer_cycles


def network_of(kind: str) -> Network:
    make, shape = NETWORKS[kind]
    made = quantize(make(), inputs_for(shape, 16), name="small.onnx")
    return read_network(onnx.load_model_from_string(made.content), name="small.onnx")


def run_driver(
    program: Program, network: Network, values: np.ndarray, folder: Path
) -> tuple[np.ndarray, list[int]]:
    """Run the shipped driver against the circuit in Amaranth's simulator."""
    write_images(program, folder)
    (folder / "program.json").write_text(json.dumps(program_document(program, network)))
    machine = Machine(
        Sizes(
            rows=program.rows,
            cols=program.cols,
            layers=len(network.layers),
            weights=len(program.weights),
            parameters=len(program.parameters),
            activations=program.activations,
        )
    )
    simulator = Simulator(machine)
    simulator.add_clock(1e-6)
    found: list[Any] = []

    async def bench(context: Any) -> None:
        # The driver is plain Python: its calls are gathered here and played one by one.
        def port() -> Any:
            import queue
            import threading

            asked: queue.Queue[Any] = queue.Queue()
            told: queue.Queue[Any] = queue.Queue()

            def write(address: int, word: int) -> None:
                asked.put(("write", address, word))
                told.get()

            def read(address: int) -> int:
                asked.put(("read", address, 0))
                return int(told.get())

            def work() -> None:
                driver = Driver(folder, write, read)
                driver.load()
                found.append(driver.run(values))
                found.append(driver.cycles())
                asked.put(None)

            threading.Thread(target=work, daemon=True).start()
            return asked, told

        asked, told = port()
        while (call := asked.get()) is not None:
            kind, address, word = call
            context.set(machine.address, address)
            context.set(machine.write_data, word)
            context.set(machine.write, int(kind == "write"))
            await context.tick()
            context.set(machine.write, 0)
            if kind == "read":
                await context.tick()
            told.put(context.get(machine.read_data))

    simulator.add_testbench(bench)
    simulator.run()
    return found[0], found[1]


@pytest.mark.parametrize(
    ("kind", "rows", "cols"), [("mlp", 2, 4), ("cnn", 2, 4), ("cnn", 3, 2), ("mlp", 1, 1)]
)
def test_output_and_cycles_are_those_predicted(
    kind: str, rows: int, cols: int, tmp_path: Path
) -> None:
    network = network_of(kind)
    program = compile_network(network, rows=rows, cols=cols)
    rng = np.random.default_rng(3)
    values = rng.integers(-128, 128, network.shape).astype(np.int8)
    output, cycles = run_driver(program, network, values, tmp_path)
    assert np.array_equal(output, run_network(network, values[None])[network.exit][0])
    assert cycles == [layer_cycles(x, rows=rows, cols=cols) for x in program.extents]


def test_channels_without_a_certificate_take_the_exact_unit(tmp_path: Path) -> None:
    network = network_of("mlp")
    layers = tuple(
        # A half has ties both ways, which no affine map can follow.
        dataclasses.replace(layer, scales=np.full_like(layer.scales, 2.0**-9))
        for layer in network.layers
    )
    network = dataclasses.replace(network, layers=layers)
    program = compile_network(network, rows=2, cols=4)
    assert all(c.affine is None for found in program.certificates.values() for c in found)
    values = np.random.default_rng(4).integers(-128, 128, network.shape).astype(np.int8)
    output, _ = run_driver(program, network, values, tmp_path)
    assert np.array_equal(output, run_network(network, values[None])[network.exit][0])


@pytest.mark.parametrize("cols", [1, 3, 4, 7])
def test_packing_and_unpacking_return_the_tensor(cols: int) -> None:
    network = network_of("cnn")
    place = compile_network(network, rows=2, cols=cols).places[network.entry]
    values = np.random.default_rng(5).integers(-128, 128, (3, *network.shape)).astype(np.int8)
    assert np.array_equal(unpack(pack(values, cols), place), values)
