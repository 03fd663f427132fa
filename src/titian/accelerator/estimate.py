"""What one design costs on one workload: cycles, traffic, energy, area, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.accelerator.design import Design
from titian.accelerator.technology import (
    LEAKAGE,
    VECTOR_OPERATION,
    die_mm2,
    dram_pj_per_byte,
    mac_pj,
    sram_pj_per_byte,
    transistors,
)
from titian.accelerator.timing import (
    cycles,
    titian_depthwise_cycles,
    titian_vector_cycles,
)
from titian.accelerator.traffic import accesses, external, stall_cycles, tiling
from titian.accelerator.workload.layers import Layer, Workload, sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCost:
    """One layer, or one piece of vector work, on one design.

    Attributes:
        name: of the layer.
        operator: such as ``Conv``.
        engine: ``array``, ``depthwise`` or ``vector``.
        m: output pixels.
        k: products a sum.
        n: filters.
        repeat: independent products of this size.
        macs: multiply-accumulates; 0 for vector work.
        cycles: without stalls.
        stall_cycles: waiting for external memory.
        utilization: multiply-accumulates over what the array could do in `cycles`.
        sram_read_bytes: by the array, on chip.
        sram_write_bytes: by the array and by filling the memories.
        dram_read_bytes: from external memory.
        dram_write_bytes: to external memory.
        energy_pj: without leakage.
    """

    name: str
    operator: str
    engine: str
    m: int
    k: int
    n: int
    repeat: int
    macs: int
    cycles: int
    stall_cycles: int
    utilization: float
    sram_read_bytes: int
    sram_write_bytes: int
    dram_read_bytes: int
    dram_write_bytes: int
    energy_pj: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A design's cost on a workload.

    Attributes:
        design: the accelerator.
        workload: the model.
        layers: in the model's order.
        area_mm2: of the die.
        transistors: an estimate.
    """

    design: Design
    workload: Workload
    layers: tuple[LayerCost, ...]
    area_mm2: float
    transistors: float

    @property
    def cycles(self) -> int:
        """Of all layers, without stalls."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def stall_cycles(self) -> int:
        """Of all layers."""
        return sum(layer.stall_cycles for layer in self.layers)

    @property
    def latency_ms(self) -> float:
        """One call, stalls included."""
        return (self.cycles + self.stall_cycles) / (self.design.clock_mhz * 1e3)

    @property
    def utilization(self) -> float:
        """Multiply-accumulates over what the array could do without stalls."""
        return _share(self.workload.macs, self.cycles * self.design.units)

    @property
    def energy_mj(self) -> float:
        """One call, leakage included."""
        dynamic = sum(layer.energy_pj for layer in self.layers) * 1e-9
        return dynamic + LEAKAGE.value * self.area_mm2 * self.latency_ms

    @property
    def power_w(self) -> float:
        """Average while it computes."""
        return self.energy_mj / self.latency_ms if self.latency_ms else 0.0

    @property
    def dense_tops(self) -> float:
        """Peak, two operations a multiply-accumulate."""
        return 2.0 * self.design.units * self.design.clock_mhz / 1e6


def estimate(workload: Workload, design: Design) -> Estimate:
    """Return what a design costs on a workload; every number is a closed form."""
    layers = _array(workload.layers, design)
    if design.machine == "titian":
        layers += tuple(
            LayerCost(
                name=work.name,
                operator=work.operator,
                engine="vector",
                m=0,
                k=0,
                n=0,
                repeat=0,
                macs=0,
                cycles=int(titian_vector_cycles(work.operations, cols=design.cols)),
                stall_cycles=0,
                utilization=0.0,
                sram_read_bytes=work.operations,
                sram_write_bytes=work.operations,
                dram_read_bytes=0,
                dram_write_bytes=0,
                energy_pj=work.operations * _vector_pj(design),
            )
            for work in workload.vector
        )
    tech = design.technology
    return Estimate(
        design=design,
        workload=workload,
        layers=layers,
        area_mm2=float(
            die_mm2(
                tech,
                units=design.units + design.engine_units,
                kib=design.sram_kib,
                gbps=design.bandwidth_gbps or 0.0,
            )
        ),
        transistors=transistors(
            tech, units=design.units + design.engine_units, kib=design.sram_kib
        ),
    )


def _array(layers: tuple[Layer, ...], design: Design) -> tuple[LayerCost, ...]:
    size = sizes(layers)
    took = cycles(
        size.m,
        size.k,
        size.n,
        rows=design.rows,
        cols=design.cols,
        dataflow=design.dataflow,
        machine=design.machine,
    )
    took = took * size.repeat
    tiles = tiling(size, rows=design.rows, cols=design.cols, dataflow=design.dataflow)
    on_chip = accesses(size, tiles)
    halves = design.halves_bytes
    moved = external(
        size, tiles, input_half=halves[0], weight_half=halves[1], output_half=halves[2]
    )
    engines = [_engine(layer, design) for layer in layers]
    own = np.array([engine == "depthwise" for engine in engines], dtype=bool)
    took = np.where(
        own, [depthwise_cycles(layer, lanes=design.depthwise_lanes) for layer in layers], took
    )
    # The line buffers pass each pixel once, whatever the array would have done.
    reads = np.where(
        own,
        size.inputs + size.weights,
        on_chip.input_reads + on_chip.weight_reads + on_chip.output_reads,
    )
    writes = np.where(own, size.outputs, on_chip.output_writes)
    from_memory = np.where(
        own, size.inputs + size.weights, moved.inputs + moved.weights + moved.spilled / 2
    )
    to_memory = np.where(own, size.outputs, moved.outputs + moved.spilled / 2)
    first = np.where(own, 0, tiles.first_bytes)
    stalls = stall_cycles(took, from_memory + to_memory, first, design.bytes_per_cycle)
    tech = design.technology
    # Every byte from outside is also written to a memory on chip, and read out again.
    writes = writes + from_memory
    reads = reads + to_memory
    per_byte = sram_pj_per_byte(tech, design.sram_kib / 3)
    energy = (
        size.macs * mac_pj(tech)
        + (reads + writes) * per_byte
        + (from_memory + to_memory) * dram_pj_per_byte()
    )
    return tuple(
        LayerCost(
            name=layer.name,
            operator=layer.operator,
            engine=engines[place],
            m=layer.m,
            k=layer.k,
            n=layer.n,
            repeat=layer.repeat,
            macs=layer.macs,
            cycles=int(took[place]),
            stall_cycles=int(stalls[place]),
            utilization=_share(layer.macs, int(took[place]) * design.units),
            sram_read_bytes=int(reads[place]),
            sram_write_bytes=int(writes[place]),
            dram_read_bytes=int(from_memory[place]),
            dram_write_bytes=int(to_memory[place]),
            energy_pj=float(energy[place]),
        )
        for place, layer in enumerate(layers)
    )


def _engine(layer: Layer, design: Design) -> str:
    ours = design.machine == "titian" and design.depthwise_lanes > 0
    return "depthwise" if ours and layer.image is not None else "array"


def depthwise_cycles(layer: Layer, *, lanes: int) -> int:
    """Return the cycles of a layer on the depthwise engine; 0 where it cannot run there."""
    if layer.image is None or not lanes:
        return 0
    image = layer.image
    return image.batch * int(
        titian_depthwise_cycles(
            image.height,
            image.width,
            image.channels,
            kernel=image.kernel,
            stride=image.stride,
            lanes=lanes,
        )
    )


def _vector_pj(design: Design) -> float:
    """Return the energy of one operation with its read and its write on chip."""
    tech = design.technology
    moved = 2.0 * float(sram_pj_per_byte(tech, design.sram_kib / 3))
    return VECTOR_OPERATION.value * tech.energy.value + moved


def _share(macs: int, capacity: int) -> float:
    return macs / capacity if capacity else 0.0
