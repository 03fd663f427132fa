"""A design's cost adds up, never beats its bounds, and follows its inputs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.accelerator.models import small

from titian.accelerator.design import Design, check_design
from titian.accelerator.estimate import estimate
from titian.accelerator.measurements import design_measurements
from titian.accelerator.technology import (
    TECHNOLOGIES,
    dram_pj_per_byte,
    mac_pj,
    sram_pj_per_byte,
    technology,
)
from titian.accelerator.timing import DATAFLOWS
from titian.accelerator.traffic import accesses, external, tiling
from titian.accelerator.workload.graph import read_workload
from titian.accelerator.workload.layers import Layer, Workload, sizes
from titian.errors import InputError

LAYER = Layer(name="a", operator="Gemm", m=100, k=50, n=30, inputs=5000, weights=1500)


def work(*layers: Layer) -> Workload:
    return Workload(name="w", layers=layers)


def test_a_layer_worked_by_hand() -> None:
    design = Design(
        rows=10, cols=10, dataflow="os", machine="scalesim", node="45nm", clock_mhz=1.0
    )
    (cost,) = estimate(work(LAYER), design).layers
    assert cost.cycles == 10 * 3 * (50 + 18) - 1
    assert cost.utilization == 150000 / (2039 * 100)
    # On chip: inputs for each of 3 column tiles, weights for each of 10 row tiles.
    array_reads = 100 * 50 * 3 + 50 * 30 * 10
    assert cost.sram_read_bytes == array_reads + 3000
    assert cost.sram_write_bytes == 3000 + 6500
    assert (cost.dram_read_bytes, cost.dram_write_bytes) == (6500, 3000)
    per_byte = float(sram_pj_per_byte(technology("45nm"), 512 / 3))
    assert cost.energy_pj == pytest.approx(
        150000 * 0.6 + (array_reads + 3000 + 9500) * per_byte + 9500 * dram_pj_per_byte()
    )
    assert cost.stall_cycles == 0


def test_stalls_are_what_double_buffering_cannot_hide() -> None:
    design = Design(
        rows=10, cols=10, dataflow="os", machine="scalesim", clock_mhz=1.0, bandwidth_gbps=0.002
    )
    (cost,) = estimate(work(LAYER), design).layers
    # 2 bytes a cycle: 9500 bytes take 4750 cycles of which 2039 are hidden; the first tile
    # is 50 rows and columns of 10 each.
    assert cost.stall_cycles == 4750 - 2039 + 500


def test_the_base_node_costs_what_was_measured() -> None:
    tech = technology("45nm")
    assert tech.energy.value == pytest.approx(1.0)
    assert tech.area.value == 1.0
    for kib, energy in ((8, 10.0), (32, 20.0), (1024, 100.0)):
        assert float(sram_pj_per_byte(tech, kib)) * 8 == pytest.approx(energy)
    # A 32-bit word: 5 pJ from 8 KiB, 650 pJ from external memory.
    assert float(sram_pj_per_byte(tech, 8)) * 4 == pytest.approx(5.0)
    assert dram_pj_per_byte() * 4 == pytest.approx(650.0)


def test_smaller_nodes_are_smaller_and_thriftier() -> None:
    techs = list(TECHNOLOGIES.values())
    for large, fine in pairwise(techs):
        assert fine.area.value < large.area.value
        assert fine.energy.value < large.energy.value
        assert fine.bitcell_um2.value < large.bitcell_um2.value
        assert mac_pj(fine) < mac_pj(large)
        assert all(c.source and c.unit for c in (fine.area, fine.energy, fine.bitcell_um2))


LAYERS = st.builds(
    lambda m, k, n, repeat: Layer(
        name="x",
        operator="Gemm",
        m=m,
        k=k,
        n=n,
        repeat=repeat,
        inputs=m * k * repeat,
        weights=k * n * repeat,
    ),
    st.integers(1, 500),
    st.integers(1, 500),
    st.integers(1, 500),
    st.integers(1, 3),
)


@given(layer=LAYERS, rows=st.integers(1, 40), cols=st.integers(1, 40), half=st.floats(1, 1e6))
def test_traffic_is_at_least_one_pass_and_falls_with_memory(
    layer: Layer, rows: int, cols: int, half: float
) -> None:
    size = sizes((layer,))
    for flow in DATAFLOWS:
        tiles = tiling(size, rows=rows, cols=cols, dataflow=flow)
        moved = [
            external(size, tiles, input_half=h, weight_half=h, output_half=h)
            for h in (half, 2 * half, 1e12)
        ]
        totals = [float(item.total[0]) for item in moved]
        least = layer.inputs + layer.weights + layer.outputs
        assert totals == sorted(totals, reverse=True)
        assert totals[-1] == least
        on_chip = accesses(size, tiles)
        assert int(on_chip.input_reads[0]) >= layer.inputs
        assert int(on_chip.weight_reads[0]) >= layer.weights
        assert int(on_chip.output_writes[0]) >= layer.outputs


def test_more_bandwidth_never_waits_longer(tmp_path: Path) -> None:
    model = read_workload(small(tmp_path))
    stalls = [
        estimate(model, Design(rows=8, cols=8, bandwidth_gbps=b)).stall_cycles
        for b in (0.1, 1.0, 10.0, 1000.0)
    ]
    assert stalls == sorted(stalls, reverse=True)
    assert estimate(model, Design(rows=8, cols=8)).stall_cycles == 0


def test_a_depthwise_engine_takes_over_depthwise_layers(tmp_path: Path) -> None:
    model = read_workload(small(tmp_path))
    plain = estimate(model, Design(rows=8, cols=8))
    helped = estimate(model, Design(rows=8, cols=8, depthwise_lanes=8))
    assert [x.engine for x in plain.layers] == ["array"] * 3 + ["vector"] * 2
    assert [x.engine for x in helped.layers] == ["array", "depthwise", "array"] + ["vector"] * 2
    assert helped.layers[1].cycles < plain.layers[1].cycles
    assert plain.cycles == sum(layer.cycles for layer in plain.layers)


def test_scalesim_counts_no_vector_work(tmp_path: Path) -> None:
    model = read_workload(small(tmp_path))
    found = estimate(model, Design(rows=8, cols=8, machine="scalesim", depthwise_lanes=8))
    assert [x.engine for x in found.layers] == ["array"] * 3


def test_measurements_hold_what_export_classification_asks(tmp_path: Path) -> None:
    model = read_workload(small(tmp_path))
    design = Design(rows=16, cols=32, node="7nm", clock_mhz=1000.0, bandwidth_gbps=25.6)
    found = {item.name: item for item in design_measurements(estimate(model, design))}
    assert found["mac_units"].value == 512
    assert found["operand_bits"].value == 8
    assert found["clock"].value == 1000
    assert found["dense_tops"].value == pytest.approx(1.024)
    assert found["node"].value == 7
    assert found["memory_bandwidth"].value == 25.6
    assert found["transistors"].value is not None
    assert (found["die_area"].value or 0) > 0
    silent = design_measurements(estimate(model, replace(design, bandwidth_gbps=None)))
    bandwidth = next(item for item in silent if item.name == "memory_bandwidth")
    assert (bandwidth.value, bandwidth.reason) == (None, "no bandwidth was stated")


def test_energy_and_power_agree_with_their_parts(tmp_path: Path) -> None:
    found = estimate(read_workload(small(tmp_path)), Design(rows=8, cols=8, bandwidth_gbps=1))
    dynamic = sum(layer.energy_pj for layer in found.layers) * 1e-9
    assert found.energy_mj > dynamic
    assert found.power_w == pytest.approx(found.energy_mj / found.latency_ms)
    assert np.isclose(
        found.latency_ms, (found.cycles + found.stall_cycles) / (found.design.clock_mhz * 1e3)
    )


def test_all_faults_of_a_design_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        check_design(
            rows=0,
            cols=9999,
            dataflow="rs",
            machine="tpu",
            node="6nm",
            clock_mhz=-1,
            sram_kib=0,
            bandwidth_gbps=0,
            depthwise_lanes=-1,
        )
    assert str(caught.value) == (
        "T-C021: rows is 0; it must be from 1 to 4096. Give another number.\n"
        "T-C021: cols is 9999; it must be from 1 to 4096. Give another number.\n"
        "T-C021: clock-mhz is -1; it must be above 0. Give another number.\n"
        "T-C021: sram-kb is 0; it must be above 0. Give another number.\n"
        "T-C021: bandwidth is 0; it must be above 0. Give another number.\n"
        "T-C021: depthwise-lanes is -1; it must be from 0 to 4096. Give another number.\n"
        "T-C022: dataflow 'rs' is unknown; os, ws, is exist. Name one of them.\n"
        "T-C022: machine 'tpu' is unknown; scalesim, titian exist. Name one of them.\n"
        "T-C020: node '6nm' is not in the table: 55nm, 45nm, 40nm, 28nm, 20nm, 14nm, 10nm, "
        "7nm, 5nm, 3nm. Name one of these."
    )
