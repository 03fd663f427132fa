"""Facts of a chip that later questions, such as export classification, are answered from."""

from __future__ import annotations

import re

from titian.accelerator.estimate import Estimate
from titian.accelerator.packaging.quotation import Quotation
from titian.values import Measurement

METHOD = "closed form; see docs/explanation/accelerator-costs.md"


def design_measurements(found: Estimate) -> tuple[Measurement, ...]:
    """Return what an estimate says about the chip: units, clock, peak, area, bandwidth.

    TPP (2 x units x clock x bits, in tera) is left to whoever classifies: its parts are here.
    """
    design = found.design
    bandwidth = design.bandwidth_gbps
    return (
        _value("mac_units", design.units, "1"),
        _value("operand_bits", design.bits, "bit"),
        _value("clock", design.clock_mhz, "MHz"),
        _value("dense_tops", found.dense_tops, "10^12 operations per s"),
        _value("die_area", found.area_mm2, "mm2"),
        _value("transistors", found.transistors, "1"),
        _value(
            "memory_bandwidth",
            bandwidth,
            "GB/s",
            reason="" if bandwidth is not None else "no bandwidth was stated",
        ),
        _value("node", nanometres(design.node), "nm"),
        _value("cycles", found.cycles, "cycle"),
        _value("stall_cycles", found.stall_cycles, "cycle"),
        _value("latency", found.latency_ms, "ms"),
        _value("energy", found.energy_mj, "mJ"),
        _value("power", found.power_w, "W"),
        _value("array_utilization", found.utilization, "1"),
        _value("macs", found.workload.macs, "1"),
        _value(
            "accelerated_share",
            found.workload.accelerated_share,
            "1",
            reason=""
            if found.workload.accelerated_share is not None
            else "the work of some nodes that stay with the host is not known",
        ),
    )


def package_measurements(found: Quotation) -> tuple[Measurement, ...]:
    """Return what a quotation says: die area, node, chiplets, yield and prices."""
    cost = found.assembly
    return (
        _value("die_area", float(cost.die_area_mm2), "mm2"),
        _value("dies", found.chiplets, "1"),
        _value("node", nanometres(found.node), "nm", reason="the node's name is no length"),
        _value("die_yield", float(cost.die_yield), "1"),
        _value("gross_dies_per_wafer", float(cost.gross_dies_per_wafer), "1"),
        _value("known_good_die", float(cost.known_good_die_usd), "USD"),
        _value("packaged", float(cost.packaged_usd), "USD"),
    )


def nanometres(node: str) -> float | None:
    """Return the number in a node's name; None where there is none."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)nm", node)
    return float(number.group(1)) if number else None


def _value(name: str, value: float | None, unit: str, *, reason: str = "") -> Measurement:
    return Measurement(
        name=name,
        value=None if value is None else float(value),
        n=1,
        unit=unit,
        method=METHOD,
        reason=reason if value is None else "",
    )
