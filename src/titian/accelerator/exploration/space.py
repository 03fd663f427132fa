"""The grid of designs that an exploration covers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

from titian.accelerator.design import Design
from titian.accelerator.packaging.prices import FOUNDRIES, INTEGRATIONS, Integration, known_node
from titian.accelerator.technology import TECHNOLOGIES
from titian.accelerator.timing import DATAFLOWS, Dataflow, Machine
from titian.errors import InputError, Problem

Split: TypeAlias = tuple[float, float, float]

SIDES: Final = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
MEMORIES_KIB: Final = (64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0)
SPLITS: Final[tuple[Split, ...]] = (
    (0.4, 0.4, 0.2),
    (0.6, 0.2, 0.2),
    (0.2, 0.6, 0.2),
    (0.25, 0.25, 0.5),
    (0.45, 0.45, 0.1),
)
BANDWIDTHS_GBPS: Final = (3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8)
CLOCKS_MHZ: Final = (100.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0, 1400.0)
NODES: Final = ("40nm", "28nm", "14nm", "7nm", "5nm")
CHIPLETS: Final = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A grid; every combination is a design.

    Attributes:
        rows: of the array of one die.
        cols: of the array of one die.
        dataflows: what stays in the array.
        sram_kib: on-chip memory of one die.
        splits: shares for inputs, weights and outputs.
        bandwidths_gbps: external memory of the whole system.
        clocks_mhz: a node leaves out those above its own highest.
        nodes: with a known price.
        chiplets: equal dies a system.
        integration: how several dies are joined.
        machine: whose timing.
        depthwise_lanes: of the depthwise engine of one die.
    """

    rows: tuple[int, ...] = SIDES
    cols: tuple[int, ...] = SIDES
    dataflows: tuple[Dataflow, ...] = DATAFLOWS
    sram_kib: tuple[float, ...] = MEMORIES_KIB
    splits: tuple[Split, ...] = SPLITS
    bandwidths_gbps: tuple[float, ...] = BANDWIDTHS_GBPS
    clocks_mhz: tuple[float, ...] = CLOCKS_MHZ
    nodes: tuple[str, ...] = NODES
    chiplets: tuple[int, ...] = CHIPLETS
    integration: Integration = "mcm"
    machine: Machine = "titian"
    depthwise_lanes: int = 0

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Combinations of what cycles depend on."""
        return tuple(
            Block(rows=rows, cols=cols, dataflow=flow, chiplets=dies)
            for dies in self.chiplets
            for flow in self.dataflows
            for rows in self.rows
            for cols in self.cols
        )

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Memories, splits, bandwidths, clocks, nodes: the designs of one block."""
        return (
            len(self.sram_kib),
            len(self.splits),
            len(self.bandwidths_gbps),
            len(self.clocks_mhz),
            len(self.nodes),
        )

    @property
    def points(self) -> int:
        """Designs whose node reaches their clock."""
        reached = sum(
            clock <= TECHNOLOGIES[node].most_mhz
            for node in self.nodes
            for clock in self.clocks_mhz
        )
        return len(self.blocks) * math.prod(self.shape[:3]) * reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Designs that share array, dataflow and number of dies."""

    rows: int
    cols: int
    dataflow: Dataflow
    chiplets: int


def design_at(space: Space, block: Block, place: tuple[int, ...]) -> Design:
    """Return the die at a place of a block's grid; its bandwidth is its share."""
    memory, split, bandwidth, clock, node = place
    return Design(
        rows=block.rows,
        cols=block.cols,
        dataflow=block.dataflow,
        machine=space.machine,
        node=space.nodes[node],
        clock_mhz=space.clocks_mhz[clock],
        sram_kib=space.sram_kib[memory],
        split=space.splits[split],
        bandwidth_gbps=space.bandwidths_gbps[bandwidth] / block.chiplets,
        depthwise_lanes=space.depthwise_lanes,
    )


def make_space(
    *,
    nodes: tuple[str, ...] = NODES,
    integration: str = "mcm",
    depthwise_lanes: int = 0,
) -> Space:
    """Return the usual grid, for the nodes that a person named.

    Raises:
        InputError: T-C004 integration; T-C023 a node without price or scaling.
    """
    known = [name for name in FOUNDRIES if name in TECHNOLOGIES]
    problems = [
        Problem(
            code="T-C023",
            message=f"node {name!r} cannot be explored; {', '.join(known)} can.",
            remedy="Name one of these.",
        )
        for name in nodes
        if known_node(name) not in known
    ]
    kind = next((word for word in INTEGRATIONS if word == integration), None)
    if kind is None:
        problems.append(
            Problem(
                code="T-C004",
                message=(
                    f"integration {integration!r} is unknown; {', '.join(INTEGRATIONS)} exist."
                ),
                remedy="Name one of them.",
            )
        )
    if problems or kind is None:
        raise InputError(*problems)
    return Space(
        nodes=tuple(known_node(name) for name in nodes),
        integration=kind,
        depthwise_lanes=depthwise_lanes,
    )
