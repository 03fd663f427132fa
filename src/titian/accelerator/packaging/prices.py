"""Wafer prices, defect densities and package prices, each with a source and a date.

Prices change; a number of 2020 answers "which design is cheaper", not "what will it cost".
Every price can be replaced by one that the user knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from titian.accelerator.constants import Constant
from titian.accelerator.packaging.dies import ACTUARY

Integration: TypeAlias = Literal["mcm", "fanout", "interposer"]
INTEGRATIONS: Final[tuple[Integration, ...]] = get_args(Integration)

CSET: Final = "Khan and Mann, AI Chips: What They Are and Why They Matter, CSET 2020, table 9"
ACTUARY_PARAMETERS: Final = "Chiplet Actuary's published parameters (2024)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundry:
    """A node's price and quality.

    Attributes:
        node: such as ``5nm``.
        wafer_usd: price of one processed 300 mm wafer.
        defects_per_cm2: density of killing defects.
    """

    node: str
    wafer_usd: Constant
    defects_per_cm2: Constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A redistribution layer or a silicon interposer that dies are bonded to.

    Attributes:
        wafer_usd: price of one wafer of carriers.
        defects_per_cm2: of the carrier.
        clustering: of its defects.
        area_ratio: carrier area over the dies' area.
        bonding_yield: share of dies that are bonded well, each.
    """

    wafer_usd: Constant
    defects_per_cm2: Constant
    clustering: Constant
    area_ratio: Constant
    bonding_yield: Constant


def _usd(value: float, node: str, *, source: str = CSET, date: str = "2020") -> Constant:
    return Constant(value=value, unit="USD per wafer", source=source, node=node, date=date)


def _density(value: float, node: str, *, source: str = ACTUARY) -> Constant:
    return Constant(value=value, unit="per cm2", source=source, node=node, date="2022")


def _ratio(value: float, *, source: str = ACTUARY_PARAMETERS) -> Constant:
    return Constant(value=value, unit="1", source=source, date="2024")


FOUNDRIES: Final = {
    foundry.node: foundry
    for foundry in (
        Foundry(
            node="3nm",
            wafer_usd=_usd(30000, "3nm", source=ACTUARY_PARAMETERS, date="2024"),
            defects_per_cm2=_density(0.20, "3nm", source=ACTUARY_PARAMETERS),
        ),
        *(
            Foundry(
                node=node, wafer_usd=_usd(price, node), defects_per_cm2=_density(defects, node)
            )
            for node, price, defects in (
                ("5nm", 16988, 0.11),
                ("7nm", 9346, 0.09),
                ("10nm", 5992, 0.08),
                ("14nm", 3984, 0.08),
                ("20nm", 3677, 0.07),
                ("28nm", 2891, 0.07),
                ("40nm", 2274, 0.07),
                ("55nm", 1937, 0.07),
            )
        ),
    )
}
"""Known nodes. CSET's 16/12 nm price serves for 14 nm, its 65 nm price for 55 nm, as in
Chiplet Actuary; its authors call their 3 nm numbers inaccurate assumptions."""

CARRIERS: Final[dict[Integration, Carrier]] = {
    "fanout": Carrier(
        wafer_usd=_usd(1200, "RDL", source=ACTUARY_PARAMETERS, date="2024"),
        defects_per_cm2=_density(0.05, "RDL"),
        clustering=_ratio(3),
        area_ratio=_ratio(1.2),
        bonding_yield=_ratio(0.98),
    ),
    "interposer": Carrier(
        wafer_usd=FOUNDRIES["55nm"].wafer_usd,
        defects_per_cm2=_density(0.06, "55nm"),
        clustering=_ratio(6),
        area_ratio=_ratio(1.1),
        bonding_yield=_ratio(0.95),
    ),
}

SUBSTRATE_USD_PER_MM2: Final = Constant(
    value=0.005, unit="USD per mm2", source=ACTUARY_PARAMETERS, date="2024"
)
SUBSTRATE_AREA_RATIO: Final = _ratio(4)
SUBSTRATE_BONDING_YIELD: Final = _ratio(0.99)
C4_BUMPS_USD_PER_MM2: Final = Constant(
    value=0.005, unit="USD per mm2", source=ACTUARY_PARAMETERS, date="2024"
)
MICRO_BUMPS_USD_PER_MM2: Final = Constant(
    value=0.01, unit="USD per mm2", source=ACTUARY_PARAMETERS, date="2024"
)
LAYERS_FACTORS: Final = ((30.0 * 30.0, 2.0), (17.0 * 17.0, 1.75), (0.0, 1.5))
"""Substrate cost factor of several dies by package area above which it holds, in mm2: more
wiring layers. Source: Chiplet Actuary's published implementation (2024)."""


def known_node(name: str) -> str:
    """Return a node's usual name: ``5``, ``N5`` and ``5 NM`` are ``5nm``; others unchanged."""
    number = re.fullmatch(r"[nN]?\s*(\d+(?:\.\d+)?)\s*(?:nm)?", name.strip(), re.IGNORECASE)
    return f"{float(number.group(1)):g}nm" if number else name.strip()
