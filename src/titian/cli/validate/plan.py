"""`titian validate plan`: how many cases a study needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import console, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from titian.validation.planning.study import Plan


def plan(
    measure: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="sensitivity, specificity, ppv, npv, accuracy or auc."
        ),
    ],
    expect: Annotated[
        float,
        typer.Option(metavar="X", help="The measure you expect; with --gap, the gap."),
    ],
    at_least: Annotated[
        float | None,
        typer.Option(metavar="X", help="The whole interval must lie at or above this."),
    ] = None,
    at_most: Annotated[
        float | None,
        typer.Option(metavar="X", help="The whole interval must lie at or below this."),
    ] = None,
    power: Annotated[
        float, typer.Option(metavar="P", help="Chance that the study shows it.")
    ] = 0.9,
    confidence: Annotated[
        float, typer.Option(help="Coverage of the interval, above 0.5 and below 1.")
    ] = 0.95,
    prevalence: Annotated[
        float | None, typer.Option(metavar="P", help="Share of positives among the cases.")
    ] = None,
    cases_per_subject: Annotated[
        int, typer.Option(metavar="M", help="Cases of each subject.")
    ] = 1,
    icc: Annotated[
        float, typer.Option(metavar="RHO", help="Correlation of two cases of one subject.")
    ] = 0.0,
    group_share: Annotated[
        list[float] | None,
        typer.Option(
            metavar="S",
            help="A group's share of all cases; each group must clear the bound. May be "
            "repeated. With --gap: the share of the worse group (default 0.5).",
        ),
    ] = None,
    gap: Annotated[
        bool, typer.Option("--gap", help="Plan the gap between two groups instead.")
    ] = False,
    around: Annotated[
        float | None,
        typer.Option(metavar="X", help="With --gap: the measure in the better group."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated studies.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find how many cases a study needs so that its interval can clear a bound.

    The power is that of the interval which Titian will show: exact for a share of
    independent cases, simulated for the AUC, for gaps and for several cases a subject.

    \b
    Examples:
      titian validate plan --measure sensitivity --expect 0.9 --at-least 0.85 --prevalence 0.1
      titian validate plan --measure auc --expect 0.9 --at-least 0.85 --prevalence 0.1
      titian validate plan --measure sensitivity --gap --around 0.9 --expect 0.03 \\
        --at-most 0.1 --prevalence 0.1 --group-share 0.3
    """  # noqa: D301 - \b keeps the help from being rewrapped
    import numpy as np

    from titian.validation.planning.design import Design
    from titian.validation.planning.study import plan as find

    found = find(
        Design(
            measure=measure,
            expect=expect,
            at_least=at_least,
            at_most=at_most,
            power=power,
            alpha=round(1 - confidence, 12),
            prevalence=prevalence,
            cases_per_subject=cases_per_subject,
            icc=icc,
            group_shares=tuple(group_share or ()),
            gap=gap,
            around=around,
        ),
        rng=np.random.default_rng(seed),
    )
    if json:
        write_json(plan_document(found, seed))
    else:
        _print(console(), found)


def plan_document(found: Plan, seed: int) -> dict[str, Any]:
    """Return the plan as one JSON document; what is not known is null."""
    design = found.design
    return {
        "measure": design.measure,
        "gap": design.gap,
        "expect": design.expect,
        "around": design.around,
        "at_least": design.at_least,
        "at_most": design.at_most,
        "confidence": round(1 - design.alpha, 12),
        "prevalence": design.prevalence,
        "cases_per_subject": design.cases_per_subject,
        "icc": design.icc,
        "design_effect": design.design_effect,
        "group_shares": list(design.group_shares),
        "cases": found.cases,
        "subjects": found.subjects,
        "denominator": None
        if found.denominator is None
        else {"counts": found.counted, "n": found.denominator},
        "power": found.power,
        "power_wanted": design.power,
        "curve": [{"n": point.cases, "power": point.power} for point in found.curve],
        "curve_counts": _counted(found),
        "method": found.method,
        "seed": seed,
        "notes": list(found.notes),
    }


def _counted(found: Plan) -> str:
    return "cases" if found.cases is not None else found.counted


def _print(out: Console, found: Plan) -> None:
    from rich.table import Table

    design = found.design
    sign, edge = (
        (">=", design.at_least) if design.at_least is not None else ("<=", design.at_most)
    )
    what = f"gap of {design.measure}" if design.gap else design.measure
    lines = [
        f"To show {what} {sign} {edge:g} where {design.expect:g} is expected, with "
        f"{design.power:.0%} power at {1 - design.alpha:.0%} confidence:"
    ]
    if found.denominator is not None:
        where = (
            " in both groups together"
            if design.gap
            else " in the smallest group"
            if design.group_shares
            else ""
        )
        lines.append(f"  {found.denominator} {found.counted}{where}")
    if found.cases is not None and (found.denominator is None or found.counted != "cases"):
        of = f" of {found.subjects} subjects" if design.cases_per_subject > 1 else ""
        lines.append(f"  {found.cases} cases{of}, the number of each kind left to chance")
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
    table = Table(box=None)
    table.add_column(_counted(found), justify="right")
    table.add_column("power", justify="right")
    table.add_column("")
    for point in found.curve:
        table.add_row(str(point.cases), f"{point.power:.3f}", "#" * round(40 * point.power))
    out.print()
    out.print(table)
    out.print(f"Power: {found.method}.", markup=False, soft_wrap=True)
    for note in found.notes:
        out.print(f"Note: {note}", markup=False, soft_wrap=True)
