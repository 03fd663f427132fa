"""One question answered: what does this die area cost, whole or as chiplets?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from titian.accelerator.constants import Constant
from titian.accelerator.packaging.assembly import Assembly, Rates, assemble, rates
from titian.accelerator.packaging.dies import RETICLE_MM2, RETICLE_SIDES_MM
from titian.accelerator.packaging.prices import (
    FOUNDRIES,
    INTEGRATIONS,
    Integration,
    known_node,
)
from titian.errors import InputError, Problem

D2D_SHARE: Final = 0.10
"""Area that die-to-die interfaces add to each chiplet; Chiplet Actuary's assumption (2022)."""
MOST_CHIPLETS: Final = 256
"""More dies than any package holds; a larger number is a slip."""
SWING: Final = 0.20
"""How far sensitivity moves each input, either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """What one input does to the price.

    Attributes:
        name: of the input.
        low: input 20 % lower.
        high: input 20 % higher.
        low_usd: packaged cost then.
        high_usd: packaged cost then.
    """

    name: str
    low: float
    high: float
    low_usd: float
    high_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    """A price and what it rests on.

    Attributes:
        node: name of the technology.
        area_mm2: of the logic, without die-to-die interfaces.
        chiplets: dies a system.
        integration: how they are joined.
        d2d_share: area added to each chiplet; 0 for one die.
        assembly: costs, arrays of no dimension.
        every_die_usd: packaged cost with the micro-bumps of every die (see `assemble`).
        monolithic: the same area as one die; None where it does not fit the reticle.
        sensitivity: largest effect first.
        wafer_usd: the price with its source.
        defects_per_cm2: the density with its source.
        notes: what a reader must know.
    """

    node: str
    area_mm2: float
    chiplets: int
    integration: Integration
    d2d_share: float
    assembly: Assembly
    every_die_usd: float
    monolithic: Assembly | None
    sensitivity: tuple[Swing, ...]
    wafer_usd: Constant
    defects_per_cm2: Constant
    notes: tuple[str, ...]

    @property
    def saving(self) -> float | None:
        """One minus the price over the monolithic price; None where there is no such die."""
        if self.monolithic is None:
            return None
        return 1.0 - float(self.assembly.packaged_usd) / float(self.monolithic.packaged_usd)


def quote(
    node: str,
    area_mm2: float,
    *,
    chiplets: int = 1,
    integration: str = "mcm",
    wafer_usd: float | None = None,
    defects_per_cm2: float | None = None,
    d2d_share: float = D2D_SHARE,
    source: str = "given",
) -> Quotation:
    """Return yield, known-good-die cost and packaged cost of an area of logic.

    Args:
        node: such as ``5nm``; any other name where price and density are both given.
        area_mm2: of the logic in all dies together.
        chiplets: equal dies it is cut into.
        integration: ``mcm``, ``fanout`` or ``interposer``; of one die, ``mcm`` is the plain
            package.
        wafer_usd: price of a wafer; None takes the node's published one.
        defects_per_cm2: None takes the node's published one.
        d2d_share: area of die-to-die interfaces over a chiplet's logic.
        source: where a given price comes from, with its date.

    Raises:
        InputError: T-C001 to T-C006, all found together.
    """
    name = known_node(node)
    foundry = FOUNDRIES.get(name)
    problems = _faults(area_mm2, chiplets, integration, wafer_usd, defects_per_cm2, d2d_share)
    if foundry is None and (wafer_usd is None or defects_per_cm2 is None):
        problems.append(
            Problem(
                code="T-C001",
                message=f"node {node!r} has no known price; known: {', '.join(FOUNDRIES)}.",
                remedy="Name one of these, or give both --wafer-price and --defect-density.",
            )
        )
    share = 0.0 if chiplets == 1 else d2d_share
    die_mm2 = area_mm2 / max(chiplets, 1) * (1.0 + share)
    if not problems and die_mm2 > RETICLE_MM2:
        problems.append(_over_reticle(die_mm2, area_mm2, chiplets, d2d_share))
    kind = next((word for word in INTEGRATIONS if word == integration), None)
    if problems or kind is None:
        raise InputError(*problems)
    known = (foundry.wafer_usd, foundry.defects_per_cm2) if foundry else (None, None)
    price = _constant(wafer_usd, known[0], "USD per wafer", name, source)
    density = _constant(defects_per_cm2, known[1], "per cm2", name, source)
    now = rates(kind, wafer_usd=price.value, defects_per_cm2=density.value)
    assembly = assemble(die_mm2, chiplets, rates=now)
    if not math.isfinite(float(assembly.packaged_usd)):
        raise InputError(_no_carrier(die_mm2 * chiplets, kind))
    whole = rates("mcm", wafer_usd=price.value, defects_per_cm2=density.value)
    fits = area_mm2 <= RETICLE_MM2
    return Quotation(
        node=name,
        area_mm2=area_mm2,
        chiplets=chiplets,
        integration=kind,
        d2d_share=share,
        assembly=assembly,
        every_die_usd=float(
            assemble(die_mm2, chiplets, rates=now, bumps="every-die").packaged_usd
        ),
        monolithic=assemble(area_mm2, 1, rates=whole) if fits else None,
        sensitivity=_sensitivity(die_mm2, chiplets, now),
        wafer_usd=price,
        defects_per_cm2=density,
        notes=tuple(_notes(name, kind, area_mm2, die_mm2 * chiplets, now, fits=fits)),
    )


def _sensitivity(die_mm2: float, chiplets: int, now: Rates) -> tuple[Swing, ...]:
    def cost(changed: Rates, area: float = die_mm2) -> float:
        return float(assemble(area, chiplets, rates=changed).packaged_usd)

    inputs: list[tuple[str, float, Callable[[float], float]]] = [
        ("die_area_mm2", die_mm2, lambda v: cost(now, v)),
        ("wafer_usd", now.wafer_usd, lambda v: cost(replace(now, wafer_usd=v))),
        (
            "defects_per_cm2",
            now.defects_per_cm2,
            lambda v: cost(replace(now, defects_per_cm2=v)),
        ),
        (
            "substrate_usd_per_mm2",
            now.substrate_usd_per_mm2,
            lambda v: cost(replace(now, substrate_usd_per_mm2=v)),
        ),
        # A yield is moved by its loss: 0.99 becomes 0.988 or 0.992.
        (
            "bonding_loss",
            1.0 - now.bonding_yield,
            lambda v: cost(replace(now, bonding_yield=1.0 - v)),
        ),
    ]
    swings = [
        Swing(
            name=name,
            low=value * (1 - SWING),
            high=value * (1 + SWING),
            low_usd=at(value * (1 - SWING)),
            high_usd=at(value * (1 + SWING)),
        )
        for name, value, at in inputs
    ]
    return tuple(sorted(swings, key=lambda swing: -abs(swing.high_usd - swing.low_usd)))


def _notes(
    node: str, kind: Integration, area: float, dies: float, now: Rates, *, fits: bool
) -> list[str]:
    notes = ["Recurring cost only: design, masks, test time and margin are not in it."]
    if node == "3nm":
        notes.append("The authors of the model call their 3 nm numbers inaccurate assumptions.")
    if not fits:
        notes.append(
            f"One die of {area:g} mm2 would exceed the reticle ({_reticle()}): no monolithic "
            "price."
        )
    if now.carrier is not None:
        notes.append(
            "As published, the micro-bumps of one die a system are counted; "
            "packaged_every_die_bumped_usd counts those of all dies."
        )
        if kind == "interposer" and dies * now.carrier.area_ratio.value > RETICLE_MM2:
            notes.append(
                f"The interposer of {dies * now.carrier.area_ratio.value:.0f} mm2 exceeds the "
                "reticle: it needs stitched exposures."
            )
    return notes


def _constant(
    given: float | None, known: Constant | None, unit: str, node: str, source: str
) -> Constant:
    if given is None and known is not None:
        return known
    return Constant(value=given or 0.0, unit=unit, source=source, node=node, standing="given")


def _faults(
    area_mm2: float,
    chiplets: int,
    integration: str,
    wafer_usd: float | None,
    defects_per_cm2: float | None,
    d2d_share: float,
) -> list[Problem]:
    problems = [
        Problem(
            code="T-C002",
            message=f"{name} is {value:g}; it must be a finite number {rule}.",
            remedy="Give another number.",
        )
        for name, value, rule, right in (
            ("the area (mm2)", area_mm2, "above 0", area_mm2 > 0),
            (
                "the wafer price (USD)",
                wafer_usd,
                "above 0",
                wafer_usd is None or wafer_usd > 0,
            ),
            (
                "the defect density (per cm2)",
                defects_per_cm2,
                "of 0 or more",
                defects_per_cm2 is None or defects_per_cm2 >= 0,
            ),
            ("the die-to-die share", d2d_share, "from 0 to 1", 0 <= d2d_share <= 1),
        )
        if value is not None and not (right and math.isfinite(value))
    ]
    if not 1 <= chiplets <= MOST_CHIPLETS:
        problems.append(
            Problem(
                code="T-C003",
                message=f"{chiplets} chiplets; a package holds 1 to {MOST_CHIPLETS}.",
                remedy="Give another number.",
            )
        )
    if integration not in INTEGRATIONS:
        problems.append(
            Problem(
                code="T-C004",
                message=(
                    f"integration {integration!r} is unknown; {', '.join(INTEGRATIONS)} exist."
                ),
                remedy="Name one of them.",
            )
        )
    return problems


def _over_reticle(die: float, area: float, chiplets: int, share: float) -> Problem:
    least = math.ceil(area * (1.0 + share) / RETICLE_MM2)
    remedy = (
        f"Cut it into chiplets: --chiplets {least} or more fit."
        if least <= MOST_CHIPLETS
        else "Give a smaller area."
    )
    return Problem(
        code="T-C005",
        message=(
            f"a die of {die:g} mm2 ({area:g} mm2 in {chiplets}) exceeds the reticle "
            f"({_reticle()}); no scanner exposes it at once."
        ),
        remedy=remedy,
    )


def _no_carrier(dies: float, kind: str) -> Problem:
    return Problem(
        code="T-C006",
        message=f"{dies:g} mm2 of dies need a carrier ({kind}) larger than a 300 mm wafer.",
        remedy="Give a smaller area or --integration mcm.",
    )


def _reticle() -> str:
    width, height = RETICLE_SIDES_MM
    return f"{width:g} x {height:g} mm = {RETICLE_MM2:g} mm2"
