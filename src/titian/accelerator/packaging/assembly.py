"""From known-good dies to a tested package: recurring cost of one good system.

Vectorised over areas and numbers of chiplets; the integration is one word.

    monolithic   one die on an organic substrate
    mcm          dies side by side on an organic substrate with more layers
    fanout       dies on a redistribution layer (chip last) on a substrate
    interposer   dies on a silicon interposer on a substrate

Bad bonds and bad carriers waste the known-good dies on them; that waste is part of the price.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from titian.accelerator.packaging.dies import (
    Floats,
    Numbers,
    die_yield,
    gross_dies_per_wafer,
)
from titian.accelerator.packaging.prices import (
    C4_BUMPS_USD_PER_MM2,
    CARRIERS,
    LAYERS_FACTORS,
    MICRO_BUMPS_USD_PER_MM2,
    SUBSTRATE_AREA_RATIO,
    SUBSTRATE_BONDING_YIELD,
    SUBSTRATE_USD_PER_MM2,
    Carrier,
    Integration,
)

Bumps: TypeAlias = Literal["published", "every-die"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The prices that one assembly is computed with; what sensitivity varies.

    Attributes:
        wafer_usd: of the dies' node.
        defects_per_cm2: of the dies' node.
        substrate_usd_per_mm2: organic substrate.
        bonding_yield: of a die on its carrier (fan-out, interposer) or substrate (MCM).
        carrier: redistribution layer or interposer; None for MCM.
    """

    wafer_usd: float
    defects_per_cm2: float
    substrate_usd_per_mm2: float = SUBSTRATE_USD_PER_MM2.value
    bonding_yield: float = SUBSTRATE_BONDING_YIELD.value
    carrier: Carrier | None = None


def rates(integration: Integration, *, wafer_usd: float, defects_per_cm2: float) -> Rates:
    """Return the rates of an integration with the published package prices."""
    carrier = CARRIERS.get(integration)
    plain = Rates(wafer_usd=wafer_usd, defects_per_cm2=defects_per_cm2, carrier=carrier)
    if carrier is None:
        return plain
    return replace(plain, bonding_yield=carrier.bonding_yield.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """Cost of one good system; arrays of one shape.

    Attributes:
        die_area_mm2: of one die.
        die_yield: share of good dies.
        gross_dies_per_wafer: good and bad.
        raw_die_usd: one die, good or bad.
        known_good_die_usd: one good die.
        dies_usd: all raw dies of the system with their bumps.
        defects_usd: what bad dies add to that.
        package_usd: substrate, carrier.
        package_defects_usd: bad substrates and carriers.
        wasted_usd: known-good dies lost with them.
        packaged_usd: the sum.
    """

    die_area_mm2: Floats
    die_yield: Floats
    gross_dies_per_wafer: Floats
    raw_die_usd: Floats
    known_good_die_usd: Floats
    dies_usd: Floats
    defects_usd: Floats
    package_usd: Floats
    package_defects_usd: Floats
    wasted_usd: Floats
    packaged_usd: Floats


def assemble(
    die_area_mm2: Numbers, chiplets: Numbers, *, rates: Rates, bumps: Bumps = "published"
) -> Assembly:
    """Return the cost of systems of `chiplets` equal dies.

    Args:
        die_area_mm2: of one die, die-to-die interfaces included.
        chiplets: dies a system, 1 or more.
        rates: prices.
        bumps: ``published`` counts the micro-bumps of one die a system on fan-out and
            interposer, as the published implementation does (its printed results cannot be
            had otherwise); ``every-die`` counts those of all.

    Returns:
        Costs in USD; infinite where no die fits the wafer.
    """
    area, count = np.broadcast_arrays(
        np.asarray(die_area_mm2, np.float64), np.asarray(chiplets, np.float64)
    )
    gross = gross_dies_per_wafer(area)
    share = die_yield(area, rates.defects_per_cm2)
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = np.asarray(rates.wafer_usd / gross)
        good = np.asarray(raw / share)
        cost = _organic if rates.carrier is None else _carried
        dies, defects, package, package_defects, wasted = cost(
            area, count, raw, good, rates, bumps
        )
    return Assembly(
        die_area_mm2=area,
        die_yield=share,
        gross_dies_per_wafer=gross,
        raw_die_usd=raw,
        known_good_die_usd=good,
        dies_usd=dies,
        defects_usd=defects,
        package_usd=package,
        package_defects_usd=package_defects,
        wasted_usd=wasted,
        packaged_usd=dies + defects + package + package_defects + wasted,
    )


def _organic(
    area: Floats, count: Floats, raw: Floats, good: Floats, rates: Rates, _bumps: Bumps
) -> tuple[Floats, ...]:
    package_area = area * count * SUBSTRATE_AREA_RATIO.value
    factor = np.select(
        [package_area > above for above, _ in LAYERS_FACTORS],
        [value for _, value in LAYERS_FACTORS],
        LAYERS_FACTORS[-1][1],
    )
    package = package_area * rates.substrate_usd_per_mm2 * np.where(count == 1, 1.0, factor)
    lost = 1.0 / rates.bonding_yield**count - 1.0
    dies = (raw + area * C4_BUMPS_USD_PER_MM2.value) * count
    defects = (good - raw) * count
    return dies, defects, package, package * lost, (dies + defects) * lost


def _carried(
    area: Floats, count: Floats, raw: Floats, good: Floats, rates: Rates, bumps: Bumps
) -> tuple[Floats, ...]:
    carrier = rates.carrier
    if carrier is None:  # pragma: no cover - the caller chose
        raise AssertionError
    carrier_area = area * count * carrier.area_ratio.value
    carrier_usd = (
        carrier.wafer_usd.value / gross_dies_per_wafer(carrier_area)
        + carrier_area * C4_BUMPS_USD_PER_MM2.value
    )
    substrate = carrier_area * SUBSTRATE_AREA_RATIO.value * rates.substrate_usd_per_mm2
    bumped = count if bumps == "every-die" else np.ones_like(count)
    dies = raw * count + area * MICRO_BUMPS_USD_PER_MM2.value * bumped
    defects = (good - raw) * count
    whole = die_yield(
        carrier_area, carrier.defects_per_cm2.value, clustering=carrier.clustering.value
    )
    bonded = rates.bonding_yield**count
    seated = SUBSTRATE_BONDING_YIELD.value
    package_defects = carrier_usd * (1.0 / (whole * bonded * seated) - 1.0) + substrate * (
        1.0 / seated - 1.0
    )
    wasted = (dies + defects) * (1.0 / (bonded * seated) - 1.0)
    return dies, defects, carrier_usd + substrate, package_defects, wasted
