"""One accelerator: its array, memories, clock, node."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, get_args

from titian.accelerator.technology import Technology, technology
from titian.accelerator.timing import DATAFLOWS, MACHINES, Dataflow, Machine
from titian.errors import InputError, Problem

MOST_SIDE: Final = 4096
"""Rows or columns; larger arrays than any that was built are slips."""
DEFAULT_SPLIT: Final = (0.4, 0.4, 0.2)
"""Shares of on-chip memory for inputs, weights and outputs; ours."""
KIB: Final = 1024
ENGINE_WINDOW: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """An accelerator of one die.

    Attributes:
        rows: of multiply-accumulate units.
        cols: of multiply-accumulate units.
        dataflow: what stays in the array: outputs, weights or inputs.
        machine: whose schedule.
        node: technology.
        clock_mhz: of array and memories.
        sram_kib: on-chip memory, both halves of the double buffers.
        split: shares of it for inputs, weights and outputs; they sum to 1.
        bandwidth_gbps: of external memory in 10^9 bytes a second; None does not count stalls.
        depthwise_lanes: channels of the depthwise engine; 0 leaves them to the array.
        bits: of an operand.
    """

    rows: int
    cols: int
    dataflow: Dataflow = "os"
    machine: Machine = "titian"
    node: str = "28nm"
    clock_mhz: float = 500.0
    sram_kib: float = 512.0
    split: tuple[float, float, float] = DEFAULT_SPLIT
    bandwidth_gbps: float | None = None
    depthwise_lanes: int = 0
    bits: int = 8

    @property
    def units(self) -> int:
        """Multiply-accumulate units of the array."""
        return self.rows * self.cols

    @property
    def engine_units(self) -> int:
        """Multiply-accumulate units of the depthwise engine: a window of 3 x 3 a lane."""
        return self.depthwise_lanes * ENGINE_WINDOW

    @property
    def technology(self) -> Technology:
        """The node's scaling."""
        return technology(self.node)

    @property
    def bytes_per_cycle(self) -> float:
        """External bandwidth; infinite where none was stated."""
        if self.bandwidth_gbps is None:
            return math.inf
        return self.bandwidth_gbps * 1e3 / self.clock_mhz

    @property
    def halves_bytes(self) -> tuple[float, float, float]:
        """Half of each memory: while one half is read, the other is filled."""
        whole = self.sram_kib * KIB / 2
        first, second, third = self.split
        return (whole * first, whole * second, whole * third)


def check_design(
    *,
    rows: int,
    cols: int,
    dataflow: str,
    machine: str,
    node: str,
    clock_mhz: float,
    sram_kib: float,
    bandwidth_gbps: float | None,
    depthwise_lanes: int,
) -> Design:
    """Return a design of numbers that a person typed.

    Raises:
        InputError: T-C020 node, T-C021 a number out of range, T-C022 an unknown dataflow or
            machine; all found together.
    """
    problems = [
        Problem(
            code="T-C021",
            message=f"{name} is {value:g}; it must be {rule}.",
            remedy="Give another number.",
        )
        for name, value, rule, right in (
            ("rows", rows, f"from 1 to {MOST_SIDE}", 1 <= rows <= MOST_SIDE),
            ("cols", cols, f"from 1 to {MOST_SIDE}", 1 <= cols <= MOST_SIDE),
            ("clock-mhz", clock_mhz, "above 0", 0 < clock_mhz < math.inf),
            ("sram-kb", sram_kib, "above 0", 0 < sram_kib < math.inf),
            (
                "bandwidth",
                bandwidth_gbps,
                "above 0",
                bandwidth_gbps is None or 0 < bandwidth_gbps < math.inf,
            ),
            (
                "depthwise-lanes",
                depthwise_lanes,
                f"from 0 to {MOST_SIDE}",
                0 <= depthwise_lanes <= MOST_SIDE,
            ),
        )
        if value is not None and not right
    ]
    flow = next((word for word in get_args(Dataflow) if word == dataflow), None)
    kind = next((word for word in get_args(Machine) if word == machine), None)
    problems += [
        Problem(
            code="T-C022",
            message=f"{what} {word!r} is unknown; {', '.join(known)} exist.",
            remedy="Name one of them.",
        )
        for what, word, known, found in (
            ("dataflow", dataflow, DATAFLOWS, flow),
            ("machine", machine, MACHINES, kind),
        )
        if found is None
    ]
    try:
        name = technology(node).node
    except InputError as error:
        problems += error.problems
        name = ""
    if problems or flow is None or kind is None:
        raise InputError(*problems)
    return Design(
        rows=rows,
        cols=cols,
        dataflow=flow,
        machine=kind,
        node=name,
        clock_mhz=clock_mhz,
        sram_kib=sram_kib,
        bandwidth_gbps=bandwidth_gbps,
        depthwise_lanes=depthwise_lanes,
    )
