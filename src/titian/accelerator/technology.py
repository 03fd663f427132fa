"""Energy and area of the parts of an accelerator, by technology node.

Measured at 45 nm and carried to other nodes by published scaling factors. They rank designs;
they do not replace synthesis. ``docs/explanation/accelerator-costs.md`` tells the sources and
what each is good for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from titian.accelerator.constants import Constant
from titian.accelerator.packaging.prices import known_node
from titian.errors import InputError, Problem

Floats = npt.NDArray[np.float64]

HOROWITZ: Final = "Horowitz, Computing's energy problem, ISSCC 2014, figure 1.1.9"
STILLMAKER: Final = "Stillmaker and Baas, Integration 58, 2017, tables 1 and 5"
SZE: Final = (
    "Sze et al., Efficient Processing of Deep Neural Networks, Proc. IEEE 105(12), 2017"
)
DALLY: Final = "Dally, High-performance hardware for machine learning, NIPS tutorial 2015"
EYERISS: Final = "Chen, Emer and Sze, Eyeriss, ISCA 2016, table 4"

CELLS: Final = "six-transistor cells as foundries published them (WikiChip; IEDM 2022)"
CHECKED_CELLS: Final = (14, 7, 5, 3)
"""Nodes in nm whose cell was held against its source; 14 is TSMC's 16 nm. The others are
commonly quoted ones and count as estimates."""

BASE_NODE: Final = "45nm"


def _pj(value: float, source: str = HOROWITZ) -> Constant:
    return Constant(value=value, unit="pJ", source=source, node=BASE_NODE, date="2014")


def _um2(value: float, source: str = DALLY, standing: str = "published") -> Constant:
    return Constant(
        value=value, unit="um2", source=source, node=BASE_NODE, date="2015", standing=standing
    )


MULTIPLY_8: Final = _pj(0.2)
ADD_32: Final = _pj(0.1)
SRAM_POINTS: Final = ((8.0, _pj(10.0)), (32.0, _pj(20.0)), (1024.0, _pj(100.0)))
"""Capacity in KiB and energy of one access of 64 bits; a 32-bit word costs half."""
SRAM_ACCESS_BYTES: Final = 8.0
DRAM_ACCESS: Final = _pj(1300.0)
"""One access of 64 bits, the lower end of 1.3 to 2.6 nJ; a 32-bit word costs 650 pJ."""
DRAM_ACCESS_BYTES: Final = 8.0
REGISTER_RATIO: Final = Constant(value=1.0, unit="1", source=EYERISS, date="2016")
"""Energy of a local register access over that of a multiply-accumulate."""
HOP_RATIO: Final = Constant(value=2.0, unit="1", source=EYERISS, date="2016")
"""Energy of moving one operand to a neighbour over that of a multiply-accumulate."""
VECTOR_OPERATION: Final = _pj(0.1)
"""Pooling and elementwise work: a 32-bit addition each."""
LEAKAGE: Final = Constant(
    value=0.05,
    unit="W per mm2",
    source="ours: a tenth of the 0.5 W per mm2 that air cooling allows",
    node=BASE_NODE,
    standing="estimate",
)
"""Static power; every node is taken alike, for lack of a source."""

MULTIPLIER_8_AREA: Final = _um2(282.0)
ADDER_32_AREA: Final = _um2(137.0)
FLIP_FLOP_AREA: Final = _um2(
    4.5, "FreePDK45 open cell library, DFF_X1 (17 sites of 0.19 x 1.4 um)"
)
FLIP_FLOPS_PER_UNIT: Final = 8 + 8 + 8 + 32
"""Bits kept in each unit: an operand, a weight and its successor, an accumulator."""
PERIPHERY_RATIO: Final = Constant(
    value=0.25, unit="1", source="ours: sequencer, requantiser, wiring", standing="estimate"
)
SRAM_EFFICIENCY: Final = Constant(
    value=0.70,
    unit="1",
    source="31.8 Mib per mm2 with cells of 0.021 um2 (TSMC N3E, IEDM 2022, WikiChip)",
    date="2022",
)
"""Share of a memory's area that is cells."""
PHY_MM2_PER_GBPS: Final = Constant(
    value=0.15,
    unit="mm2 per GB/s",
    source="ours: LPDDR4 x32 interface of about 4 mm2 for 25.6 GB/s at 16 nm",
    standing="estimate",
)
TRANSISTORS_PER_BIT: Final = 6.0
NAND2_TRANSISTORS: Final = 4.0
NAND2_AREA: Final = _um2(
    0.798, "FreePDK45 open cell library, NAND2_X1 (3 sites of 0.19 x 1.4 um)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """How a node scales.

    Attributes:
        node: its name.
        area: logic area over that at 45 nm.
        energy: logic energy over that at 45 nm and 0.9 V.
        bitcell_um2: smallest published six-transistor cell.
        most_mhz: highest clock taken as reachable for an int8 array.
    """

    node: str
    area: Constant
    energy: Constant
    bitcell_um2: Constant
    most_mhz: float


BASE_VOLTS: Final = 0.9
"""Of the measurements at 45 nm (Horowitz 2014)."""

_POLYNOMIALS: Final = {
    65.0: (3.755, -4.398, 1.975),
    45.0: (1.103, -0.362, 0.2767),
    32.0: (0.9559, -0.7823, 0.471),
    20.0: (0.373, -0.1582, 0.04104),
    14.0: (0.2363, -0.09675, 0.02239),
    10.0: (0.2068, -0.09311, 0.02375),
    7.0: (0.1776, -0.09097, 0.02447),
}
"""Energy factor a V^2 + b V + c by node in nm; Stillmaker and Baas, table 5."""
_AREAS: Final = {
    65.0: 1.5,
    45.0: 1.0,
    32.0: 0.46,
    20.0: 0.21,
    14.0: 0.17,
    10.0: 0.10,
    7.0: 0.059,
}
"""Area over that at 45 nm by node in nm; Stillmaker and Baas, table 1."""
_FIVE_AREA: Final = 1 / 1.8
_FIVE_ENERGY: Final = 0.70
_THREE_AREA: Final = 1 / 1.7
_THREE_ENERGY: Final = 0.72
"""Steps from 7 to 5 and from 5 to 3 nm that TSMC announced: density 1.8x and 1.7x, power at
equal speed 30 % and 25 to 30 % lower."""


def _between(table: dict[float, float], nm: float) -> float:
    known = sorted(table)
    logs = np.log([table[key] for key in known])
    return float(np.exp(np.interp(np.log(nm), np.log(known), logs)))


def _technology(nm: float, volts: float, bitcell: float, most_mhz: float) -> Technology:
    base = _factor(45.0, BASE_VOLTS)
    energies = {key: _factor(key, volts) / base for key in _POLYNOMIALS}
    clipped = max(nm, 7.0)
    area, energy = _between(_AREAS, clipped), _between(energies, clipped)
    standing = "published" if nm in _AREAS else "estimate"
    source = STILLMAKER
    if nm < 7.0:
        area, energy = area * _FIVE_AREA, energy * _FIVE_ENERGY
        source = f"{STILLMAKER} to 7 nm, then TSMC's announced steps"
    if nm < 5.0:
        area, energy = area * _THREE_AREA, energy * _THREE_ENERGY
    name = f"{nm:g}nm"
    return Technology(
        node=name,
        area=Constant(value=area, unit="1", source=source, node=name, standing=standing),
        energy=Constant(
            value=energy,
            unit="1",
            source=f"{source}, at {volts:g} V",
            node=name,
            standing=standing,
        ),
        bitcell_um2=Constant(
            value=bitcell,
            unit="um2",
            source=CELLS,
            node=name,
            standing="published" if nm in CHECKED_CELLS else "estimate",
        ),
        most_mhz=most_mhz,
    )


def _factor(nm: float, volts: float) -> float:
    a, b, c = _POLYNOMIALS[nm]
    return a * volts**2 + b * volts + c


TECHNOLOGIES: Final = {
    technology.node: technology
    for technology in (
        _technology(55, 1.0, 0.425, 500),
        _technology(45, 0.9, 0.346, 600),
        _technology(40, 0.9, 0.242, 700),
        _technology(28, 0.9, 0.127, 900),
        _technology(20, 0.9, 0.081, 1000),
        _technology(14, 0.8, 0.070, 1200),
        _technology(10, 0.8, 0.042, 1400),
        _technology(7, 0.75, 0.027, 1600),
        _technology(5, 0.75, 0.021, 1800),
        _technology(3, 0.75, 0.0199, 2000),
    )
}
"""Nodes with a price or a measurement. Voltages are the usual nominal ones; highest clocks are
ours, between the 200 MHz of Eyeriss at 65 nm and about 1.8 GHz of accelerators at 5 nm."""


def technology(node: str) -> Technology:
    """Return a node's scaling.

    Raises:
        InputError: T-C020, the node is not in the table.
    """
    found = TECHNOLOGIES.get(known_node(node))
    if found is None:
        raise InputError(
            Problem(
                code="T-C020",
                message=f"node {node!r} is not in the table: {', '.join(TECHNOLOGIES)}.",
                remedy="Name one of these.",
            )
        )
    return found


def mac_pj(tech: Technology) -> float:
    """Return the energy of an int8 multiply and a 32-bit add with its registers and hops.

    One register access and one hop of each operand, at Eyeriss's relative costs.
    """
    arithmetic = MULTIPLY_8.value + ADD_32.value
    # The ratios are stated for a word of 16 bits; int8 operands move half of it.
    moves = 0.5 * (REGISTER_RATIO.value + HOP_RATIO.value) * MULTIPLY_8.value
    return (arithmetic + moves) * tech.energy.value


def sram_pj_per_byte(tech: Technology, kib: float | Floats) -> Floats:
    """Return the energy of one byte of an access to a memory of `kib` KiB.

    Interpolated on logarithms between the three measured sizes, and beyond them along the
    nearest segment.
    """
    sizes = np.log([size for size, _ in SRAM_POINTS])
    energies = np.log([energy.value for _, energy in SRAM_POINTS])
    x = np.log(np.maximum(np.asarray(kib, dtype=np.float64), 2.0**-10))
    slopes = np.diff(energies) / np.diff(sizes)
    y = np.interp(x, sizes, energies)
    y = np.where(x < sizes[0], energies[0] + slopes[0] * (x - sizes[0]), y)
    y = np.where(x > sizes[-1], energies[-1] + slopes[-1] * (x - sizes[-1]), y)
    return np.asarray(np.exp(y) / SRAM_ACCESS_BYTES * tech.energy.value)


def dram_pj_per_byte() -> float:
    """Return the energy of a byte to or from external memory; it is no part of the node."""
    return DRAM_ACCESS.value / DRAM_ACCESS_BYTES


def unit_um2(tech: Technology) -> float:
    """Return the area of one multiply-accumulate unit with its registers."""
    logic = MULTIPLIER_8_AREA.value + ADDER_32_AREA.value
    return (logic + FLIP_FLOPS_PER_UNIT * FLIP_FLOP_AREA.value) * tech.area.value


def sram_mm2(tech: Technology, kib: float | Floats) -> Floats:
    """Return the area of memories of `kib` KiB."""
    bits = np.asarray(kib, dtype=np.float64) * 1024 * 8
    return np.asarray(bits * tech.bitcell_um2.value / SRAM_EFFICIENCY.value / 1e6)


def die_mm2(
    tech: Technology, *, units: float | Floats, kib: float | Floats, gbps: float | Floats
) -> Floats:
    """Return the area of a die: array, memories, memory interface.

    Args:
        tech: the node.
        units: multiply-accumulate units.
        kib: of on-chip memory.
        gbps: of external memory, in GB/s; analogue area that does not scale with the node.
    """
    array = np.asarray(units) * unit_um2(tech) * (1 + PERIPHERY_RATIO.value) / 1e6
    return np.asarray(array + sram_mm2(tech, kib) + np.asarray(gbps) * PHY_MM2_PER_GBPS.value)


def transistors(tech: Technology, *, units: float, kib: float) -> float:
    """Return an estimate of the transistors: six a memory bit, logic by gate equivalents."""
    logic = units * unit_um2(tech) * (1 + PERIPHERY_RATIO.value)
    gates = logic / (NAND2_AREA.value * tech.area.value)
    return gates * NAND2_TRANSISTORS + kib * 1024 * 8 * TRANSISTORS_PER_BIT
