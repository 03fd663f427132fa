"""`titian accelerator package`: what does this die area cost, whole or as chiplets?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import write_json, write_line

if TYPE_CHECKING:
    from titian.accelerator.constants import Constant
    from titian.accelerator.packaging.assembly import Assembly
    from titian.accelerator.packaging.quotation import Quotation


def package(
    node: Annotated[str, typer.Option(metavar="NODE", help="Technology, such as 5nm.")],
    area: Annotated[
        float, typer.Option(metavar="MM2", help="Area of the logic in all dies together.")
    ],
    chiplets: Annotated[int, typer.Option(metavar="N", help="Equal dies it is cut into.")] = 1,
    integration: Annotated[
        str, typer.Option(metavar="KIND", help="mcm, fanout or interposer.")
    ] = "mcm",
    wafer_price: Annotated[
        float | None, typer.Option(metavar="USD", help="Of a 300 mm wafer; else published.")
    ] = None,
    defect_density: Annotated[
        float | None, typer.Option(metavar="D", help="Per cm2; else published.")
    ] = None,
    price_source: Annotated[
        str, typer.Option(metavar="TEXT", help="Source and date of the numbers you give.")
    ] = "given",
    d2d_share: Annotated[
        float,
        typer.Option(metavar="S", help="Area that die-to-die interfaces add to a chiplet."),
    ] = 0.10,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Price a die area: dies per wafer, yield, known-good die, package, sensitivity.

    The model is Chiplet Actuary's (Feng and Ma, DAC 2022), recurring cost only. Prices are
    published ones of 2020 unless you give yours.

    \b
    Examples:
      titian accelerator package --node 5nm --area 800
      titian accelerator package --node 7nm --area 800 --chiplets 5 --integration fanout
      titian accelerator package --node 5nm --area 300 --wafer-price 18500 \\
        --price-source "quotation of 2026-10-01"
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.accelerator.packaging.quotation import quote

    found = quote(
        node,
        area,
        chiplets=chiplets,
        integration=integration,
        wafer_usd=wafer_price,
        defects_per_cm2=defect_density,
        d2d_share=d2d_share,
        source=price_source,
    )
    if json:
        write_json(package_document(found))
    else:
        for line in _lines(found):
            write_line(line)


def package_document(found: Quotation) -> dict[str, Any]:
    """Return the quotation as one JSON document; prices in USD, areas in mm2."""
    from titian.accelerator.measurements import package_measurements
    from titian.cli.accelerator.estimate import measurement_document

    return {
        "node": found.node,
        "area_mm2": found.area_mm2,
        "chiplets": found.chiplets,
        "integration": found.integration,
        "d2d_share": found.d2d_share,
        **_assembly(found.assembly),
        "known_good_dies_usd": float(found.assembly.known_good_die_usd) * found.chiplets,
        "packaged_every_die_bumped_usd": found.every_die_usd,
        "monolithic": None if found.monolithic is None else _assembly(found.monolithic),
        "saving": found.saving,
        "sensitivity": [
            {
                "input": swing.name,
                "low": swing.low,
                "high": swing.high,
                "packaged_low_usd": swing.low_usd,
                "packaged_high_usd": swing.high_usd,
            }
            for swing in found.sensitivity
        ],
        "inputs": {
            "wafer_usd": _constant(found.wafer_usd),
            "defects_per_cm2": _constant(found.defects_per_cm2),
        },
        "measurements": [measurement_document(item) for item in package_measurements(found)],
        "notes": list(found.notes),
    }


def _assembly(cost: Assembly) -> dict[str, float]:
    return {
        "die_area_mm2": float(cost.die_area_mm2),
        "yield": float(cost.die_yield),
        "gross_dies_per_wafer": float(cost.gross_dies_per_wafer),
        "good_dies_per_wafer": float(cost.gross_dies_per_wafer * cost.die_yield),
        "raw_die_usd": float(cost.raw_die_usd),
        "known_good_die_usd": float(cost.known_good_die_usd),
        "dies_usd": float(cost.dies_usd),
        "defects_usd": float(cost.defects_usd),
        "package_usd": float(cost.package_usd),
        "package_defects_usd": float(cost.package_defects_usd),
        "wasted_known_good_dies_usd": float(cost.wasted_usd),
        "packaged_usd": float(cost.packaged_usd),
    }


def _constant(constant: Constant) -> dict[str, Any]:
    return {
        "value": constant.value,
        "unit": constant.unit,
        "source": constant.source,
        "date": constant.date or None,
        "standing": constant.standing,
    }


def _lines(found: Quotation) -> list[str]:
    cost, whole = found.assembly, found.monolithic
    what = "one die" if found.chiplets == 1 else f"{found.chiplets} chiplets"
    lines = [
        f"{found.area_mm2:g} mm2 at {found.node} as {what}, {found.integration}",
        f"  die             {float(cost.die_area_mm2):.4g} mm2, "
        f"{float(cost.gross_dies_per_wafer):.1f} a wafer, yield {float(cost.die_yield):.5f}",
        f"  known-good die  {float(cost.known_good_die_usd):,.3f} USD "
        f"({float(cost.raw_die_usd):,.3f} before yield)",
        f"  packaged        {float(cost.packaged_usd):,.3f} USD",
    ]
    if whole is not None and found.chiplets > 1 and found.saving is not None:
        word = "less" if found.saving >= 0 else "more"
        lines.append(
            f"  monolithic      {float(whole.packaged_usd):,.3f} USD: chiplets cost "
            f"{abs(found.saving):.1%} {word}"
        )
    lines.append("An input 20 % lower or higher:")
    lines += [
        f"  {swing.name:<22}{swing.low_usd:>12,.2f} to {swing.high_usd:,.2f} USD"
        for swing in found.sensitivity
    ]
    for name, constant in (
        ("wafer", found.wafer_usd),
        ("defects", found.defects_per_cm2),
    ):
        dated = f", {constant.date}" if constant.date else ""
        lines.append(f"{name}: {constant.value:g} {constant.unit} ({constant.source}{dated})")
    return lines + list(found.notes)
