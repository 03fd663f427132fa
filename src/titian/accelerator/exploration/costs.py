"""Latency, energy and price of all designs of one block at once.

The closed forms of `titian.accelerator.estimate`, factored: cycles and on-chip accesses
depend on the block alone, external traffic on the memories too, stalls on bandwidth over
clock, energy and price on the node. Equal layers are counted once.

Several dies share each layer: its repeats, its output pixels or its filters are dealt out,
whichever takes the fewest cycles. The operand that all dies need is read once and passed on
between dies. Overlapping edges of pictures are not counted twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from titian.accelerator.constants import Constant
from titian.accelerator.design import KIB, Design
from titian.accelerator.estimate import depthwise_cycles
from titian.accelerator.exploration.space import Block, Space
from titian.accelerator.packaging.assembly import assemble, rates
from titian.accelerator.packaging.dies import RETICLE_MM2
from titian.accelerator.packaging.prices import FOUNDRIES
from titian.accelerator.packaging.quotation import D2D_SHARE
from titian.accelerator.technology import (
    LEAKAGE,
    TECHNOLOGIES,
    VECTOR_OPERATION,
    die_mm2,
    dram_pj_per_byte,
    mac_pj,
    sram_pj_per_byte,
)
from titian.accelerator.timing import cycles, folds, titian_vector_cycles
from titian.accelerator.traffic import Tiling, accesses, external, tiling
from titian.accelerator.workload.layers import Sizes, Workload, sizes

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]

D2D_ENERGY: Final = Constant(
    value=4.0,
    unit="pJ per byte",
    source="UCIe 1.0 target for standard packages: 0.5 pJ per bit",
    date="2022",
)
"""Energy of a byte from one die to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Costs of a block; arrays of the space's shape (memory, split, bandwidth, clock, node).

    Attributes:
        latency_ms: of one call, stalls included.
        energy_mj: of one call, leakage included.
        price_usd: of one packaged system; infinite where a die cannot be made.
        area_mm2: of all dies.
    """

    latency_ms: Floats
    energy_mj: Floats
    price_usd: Floats
    area_mm2: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """What one die of a block does; one row a distinct layer."""

    cycles: Integers
    size: Sizes
    tiles: Tiling
    on_chip_bytes: float
    active: Integers
    input_copies: Integers
    weight_copies: Integers


class Costing:
    """Costs of a workload over a space; keeps what blocks share."""

    def __init__(self, workload: Workload, space: Space) -> None:
        distinct = Counter(replace(layer, name="", operator="") for layer in workload.layers)
        self.space = space
        self._layers = tuple(distinct)
        self._times = np.array(list(distinct.values()), dtype=np.int64)
        self._size = sizes(self._layers)
        ours = space.machine == "titian"
        self._vector = [work.operations for work in workload.vector] if ours else []
        self._technologies = [TECHNOLOGIES[node] for node in space.nodes]
        self._macs = workload.macs
        self.reached = np.array(
            [
                [clock <= tech.most_mhz for tech in self._technologies]
                for clock in space.clocks_mhz
            ]
        )
        self._engine = np.zeros(len(self._layers), dtype=bool)
        if ours and space.depthwise_lanes:
            self._engine = np.array([layer.image is not None for layer in self._layers])
        self._prices: dict[tuple[int, int], tuple[Floats, Floats]] = {}

    # Bounds --------------------------------------------------------------------------------

    def bounds(self, block: Block) -> Floats:
        """Return what no design of a block undercuts: shape (nodes, 3).

        Latency without a stall at the node's highest clock; energy with each operand moved
        once, the thriftiest memory, and the smallest die leaking for that latency; the lowest
        price of the block.
        """
        share = self._share(block)
        took = float(np.sum(share.cycles * self._times)) + self._vector_cycles(block)
        least = (
            share.size.inputs * share.input_copies
            + share.size.weights * share.weight_copies
            + share.size.outputs * share.active
        )
        moved = float(np.sum(least * self._times))
        price, area = self._price(block)
        rows = []
        for place, tech in enumerate(self._technologies):
            clocks = np.asarray(self.space.clocks_mhz)[self.reached[:, place]]
            fastest = float(clocks.max()) if len(clocks) else np.inf
            per_byte = float(np.min(sram_pj_per_byte(tech, self._memories() / 3)))
            energy = (
                self._macs * mac_pj(tech)
                + (share.on_chip_bytes + moved) * per_byte
                + moved * dram_pj_per_byte()
                + self._vector_pj(place, per_byte)
            )
            latency = took / (fastest * 1e3)
            leaked = LEAKAGE.value * float(np.min(area[:, :, place])) * latency
            # Sums in another order may differ in their last bits; a bound must not.
            rows.append(
                [
                    latency * (1 - 1e-12),
                    (energy * 1e-9 + leaked) * (1 - 1e-9),
                    float(np.min(price[:, :, place])),
                ]
            )
        return np.asarray(rows)

    # All designs of a block ----------------------------------------------------------------

    def costs(self, block: Block) -> Costs:
        """Return latency, energy, price and area of every design of a block."""
        space = self.space
        share = self._share(block)
        halves = self._memories()[:, None, None, None] * KIB / 2
        parts = np.asarray(space.splits)[None, :, :, None]
        moved = external(
            share.size,
            share.tiles,
            input_half=(halves * parts[:, :, 0:1])[:, :, 0],
            weight_half=(halves * parts[:, :, 1:2])[:, :, 0],
            output_half=(halves * parts[:, :, 2:3])[:, :, 0],
        )
        own = self._engine
        inputs = np.where(own, share.size.inputs, moved.inputs) * share.input_copies
        weights = np.where(own, share.size.weights, moved.weights) * share.weight_copies
        spilled = np.where(own, 0.0, moved.spilled)
        total = inputs + weights + (moved.outputs + spilled) * share.active
        # Bytes passed from die to die: what all need, once for each further die.
        passed = inputs * (share.active // share.input_copies - 1) + weights * (
            share.active // share.weight_copies - 1
        )
        latency = self._latency(block, share, total)
        outside = np.sum(total * self._times, axis=-1)
        between = np.sum(passed * self._times, axis=-1)
        price, area = self._price(block)
        energy = np.empty(space.shape)
        for place, tech in enumerate(self._technologies):
            per_byte = sram_pj_per_byte(tech, self._memories() / 3)[:, None]
            dynamic = (
                self._macs * mac_pj(tech)
                + (share.on_chip_bytes + outside + between) * per_byte
                + outside * dram_pj_per_byte()
                + between * D2D_ENERGY.value
                + self._vector_pj(place, per_byte)
            )
            leaked = LEAKAGE.value * area[:, None, :, None, place] * latency
            energy[..., place] = dynamic[:, :, None, None] * 1e-9 + leaked
        whole = space.shape
        usable = np.where(self.reached, 1.0, np.inf)
        return Costs(
            latency_ms=np.broadcast_to(latency[..., None], whole),
            energy_mj=energy,
            price_usd=np.broadcast_to(price[:, None, :, None, :] * usable, whole),
            area_mm2=np.broadcast_to(area[:, None, :, None, :], whole),
        )

    def _latency(self, block: Block, share: _Share, total: Floats) -> Floats:
        clocks = np.asarray(self.space.clocks_mhz)
        rate = np.asarray(self.space.bandwidths_gbps)[:, None] * 1e3 / clocks
        per_cycle, back = np.unique(rate, return_inverse=True)
        first = np.where(self._engine, 0, share.tiles.first_bytes) * share.active
        filling = np.ceil(first / per_cycle[:, None]) @ self._times
        stalls = np.empty((*total.shape[:2], len(per_cycle)))
        for place, speed in enumerate(per_cycle):
            late = np.ceil(total / speed)
            late -= share.cycles
            np.maximum(late, 0.0, out=late)
            stalls[:, :, place] = late @ self._times.astype(np.float64)
        stalls += filling
        took = float(share.cycles @ self._times) + self._vector_cycles(block)
        waiting = stalls[:, :, back.reshape(rate.shape)]
        return np.asarray((took + waiting) / (clocks * 1e3))

    # Parts ---------------------------------------------------------------------------------

    def _memories(self) -> Floats:
        return np.asarray(self.space.sram_kib, dtype=np.float64)

    def _vector_cycles(self, block: Block) -> int:
        return sum(
            int(titian_vector_cycles(int(folds(work, block.chiplets)), cols=block.cols))
            for work in self._vector
        )

    def _vector_pj(self, place: int, per_byte: float | Floats) -> float | Floats:
        tech = self._technologies[place]
        return sum(self._vector) * (VECTOR_OPERATION.value * tech.energy.value + 2.0 * per_byte)

    def _share(self, block: Block) -> _Share:
        size, dies = self._size, block.chiplets
        ways = _ways(size, dies)
        took = np.stack([self._cycles(way.size, block) for way in ways])
        chosen = np.argmin(took, axis=0)
        part = Sizes(
            **{
                name: np.choose(chosen, [getattr(way.size, name) for way in ways])
                for name in ("m", "k", "n", "repeat", "inputs", "weights")
            }
        )
        tiles = tiling(part, rows=block.rows, cols=block.cols, dataflow=block.dataflow)
        used = accesses(part, tiles)
        by_array = used.input_reads + used.weight_reads + used.output_reads + used.output_writes
        by_engine = part.inputs + part.weights + part.outputs
        active = np.choose(chosen, [way.active for way in ways])
        on_chip = np.where(self._engine, by_engine, by_array) * active
        return _Share(
            cycles=np.min(took, axis=0),
            size=part,
            tiles=tiles,
            on_chip_bytes=float(np.sum(on_chip * self._times)),
            active=active,
            input_copies=np.choose(chosen, [way.input_copies for way in ways]),
            weight_copies=np.choose(chosen, [way.weight_copies for way in ways]),
        )

    def _cycles(self, size: Sizes, block: Block) -> Integers:
        space = self.space
        took = size.repeat * cycles(
            size.m,
            size.k,
            size.n,
            rows=block.rows,
            cols=block.cols,
            dataflow=block.dataflow,
            machine=space.machine,
        )
        if not self._engine.any():
            return np.asarray(took)
        engine = [
            depthwise_cycles(layer, lanes=space.depthwise_lanes) if own else 0
            for layer, own in zip(self._layers, self._engine, strict=True)
        ]
        return np.where(self._engine, folds(np.array(engine), block.chiplets), took)

    def _price(self, block: Block) -> tuple[Floats, Floats]:
        """Return price and area of all dies, both of shape (memory, bandwidth, node)."""
        key = (block.rows * block.cols, block.chiplets)
        if key not in self._prices:
            self._prices[key] = self._priced(*key)
        return self._prices[key]

    def _priced(self, units: int, dies: int) -> tuple[Floats, Floats]:
        space = self.space
        design = Design(rows=1, cols=1, depthwise_lanes=space.depthwise_lanes)
        prices, areas = [], []
        for tech in self._technologies:
            die = die_mm2(
                tech,
                units=float(units + design.engine_units),
                kib=self._memories()[:, None],
                gbps=np.asarray(space.bandwidths_gbps) / dies,
            ) * (1.0 if dies == 1 else 1.0 + D2D_SHARE)
            foundry = FOUNDRIES[tech.node]
            now = rates(
                "mcm" if dies == 1 else space.integration,
                wafer_usd=foundry.wafer_usd.value,
                defects_per_cm2=foundry.defects_per_cm2.value,
            )
            cost = assemble(die, float(dies), rates=now).packaged_usd
            prices.append(np.where(die <= RETICLE_MM2, cost, np.inf))
            areas.append(die * dies)
        return np.stack(prices, axis=-1), np.stack(areas, axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A way to deal layers out: one die's part, how many dies work, who reads what.

    Attributes:
        size: one die's part of each layer.
        active: dies that get a part.
        input_copies: dies that read inputs of their own; 1 where all share them.
        weight_copies: the same for weights.
    """

    size: Sizes
    active: Integers
    input_copies: Integers
    weight_copies: Integers


def _ways(size: Sizes, dies: int) -> list[_Way]:
    """Return the ways to deal layers out: by output pixels, by filters, by repeats."""
    one = np.ones_like(size.m)
    ways = []
    for name in ("m", "n", "repeat"):
        whole: Integers = getattr(size, name)
        part = folds(whole, dies)
        active = folds(whole, part)
        inputs = size.inputs if name == "n" else folds(size.inputs * part, whole)
        weights = size.weights if name == "m" else folds(size.weights * part, whole)
        ways.append(
            _Way(
                size=replace(size, **{name: part}, inputs=inputs, weights=weights),
                active=active,
                input_copies=one if name == "n" else active,
                weight_copies=one if name == "m" else active,
            )
        )
        if dies == 1:
            break
    return ways
