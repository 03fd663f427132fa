"""`titian validate predictions`: every measure for each group, with the gaps between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import console, visible, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from titian.validation.disparity import Disparity, Gap, Row

NOT_SHOWN = "not shown"
MEASURES_AT_A_GLANCE = ("selection_rate", "sensitivity", "specificity", "ppv", "auc", "brier")


def predictions(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV or Parquet, one row a case."),
    ],
    label: Annotated[str, typer.Option(metavar="COL", help="Column of the true label.")],
    prediction: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of the decision.")
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of the positive class's probability."),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="COL", help="Column to compare groups by; may be repeated."),
    ] = None,
    intersections: Annotated[
        int, typer.Option(metavar="N", help="Combine up to this many group columns.")
    ] = 1,
    subject: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of whom a case is about, if cases repeat."),
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of how many cases each case stands for."),
    ] = None,
    positive: Annotated[
        str, typer.Option(metavar="VALUE", help="The label of the positive class.")
    ] = "1",
    confidence: Annotated[
        float, typer.Option(help="Coverage of the intervals, above 0.5 and below 1.")
    ] = 0.95,
    min_cases: Annotated[
        int,
        typer.Option(metavar="N", help="Fewer in a measure's denominator: not shown."),
    ] = 10,
    max_gap: Annotated[
        float | None,
        typer.Option(metavar="X", help="Largest difference allowed; gives verdicts."),
    ] = None,
    min_ratio: Annotated[
        float | None,
        typer.Option(metavar="X", help="Smallest ratio allowed; gives verdicts."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of simulated draws.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure predictions for each group, with gaps between groups and their intervals.

    Intervals of gaps are corrected for the number of groups. A group too small to say
    anything about is not shown, and widens the gaps it is part of. Exits 1 if a stated
    bound is not met.

    \b
    Examples:
      titian validate predictions scored.csv --label y --prediction p --group sex
      titian validate predictions scored.csv --label y --prediction p --score s \\
        --group sex --group race --intersections 2 --max-gap 0.1 --json
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.validation.disparity import Roles, disparity, read_outcomes
    from titian.values import VerdictValue

    outcomes = read_outcomes(
        file,
        Roles(
            label=label,
            prediction=prediction,
            score=score,
            groups=tuple(group or ()),
            subject=subject,
            weight=weight,
            positive=positive,
        ),
    )
    found = disparity(
        outcomes,
        alpha=1.0 - confidence,
        intersections=intersections,
        least=min_cases,
        max_gap=max_gap,
        min_ratio=min_ratio,
        seed=seed,
    )
    if json:
        write_json(predictions_document(found))
    else:
        _print(console(), found)
    if any(gap.verdict is VerdictValue.NOT_MET for gap in found.gaps):
        raise typer.Exit(1)


def predictions_document(found: Disparity) -> dict[str, Any]:
    """Return what was found as one JSON document; what is not shown is null, with a reason."""
    return {
        "cases": found.cases,
        "confidence": round(1.0 - found.alpha, 12),
        "measurements": [_measurement(row) for row in found.rows],
        "gaps": [_gap(gap) for gap in found.gaps],
        "notes": list(found.notes),
    }


def _measurement(row: Row) -> dict[str, Any]:
    item = row.measurement
    document: dict[str, Any] = {
        "name": item.name,
        "subgroup": None if item.subgroup is None else dict(item.subgroup),
        "value": item.value,
        "low": item.low,
        "high": item.high,
        "n": item.n,
        "unit": item.unit,
        "method": item.method,
    }
    if item.value is None:
        document |= {
            "verdict": NOT_SHOWN,
            "reason": item.reason,
            "cases_needed": row.lacking,
        }
    return document


def _gap(gap: Gap) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": gap.name,
        "by": list(gap.by),
        "value": gap.value,
        "low": gap.low,
        "high": gap.high,
        "n": gap.n,
        "unit": "1",
        "method": gap.method,
        "groups": gap.groups,
        "lowest": None if gap.lowest is None else dict(gap.lowest),
        "highest": None if gap.highest is None else dict(gap.highest),
        "not_shown": [
            {
                "subgroup": dict(item.subgroup),
                "n": item.n,
                "cases_needed": item.lacking,
                "reason": item.reason,
            }
            for item in gap.unshown
        ],
    }
    if gap.value is None:
        document |= {"verdict": NOT_SHOWN, "reason": gap.reason}
    elif gap.verdict is not None:
        document |= {"verdict": gap.verdict.value, "more_cases": gap.more_cases}
    return document


def _print(out: Console, found: Disparity) -> None:
    from rich.table import Table
    from rich.text import Text

    names = [row.measurement.name for row in found.rows]
    columns = [name for name in MEASURES_AT_A_GLANCE if name in names]
    table = Table(box=None, title=f"{found.cases} cases", title_justify="left")
    table.add_column("group", overflow="fold")
    for name in columns:
        table.add_column(name.replace("_", " "), justify="right")
    for label, cells in _by_group(found).items():
        table.add_row(Text(label), *(_shown(cells.get(name)) for name in columns))
    out.print(table)
    _print_gaps(out, found)
    for label, cells in _by_group(found).items():
        hidden = [row for row in cells.values() if row.measurement.value is None]
        reasons = dict.fromkeys(row.measurement.reason for row in hidden)
        if hidden:
            out.print(
                f"Not shown for {label}: {', '.join(reasons)}.", soft_wrap=True, markup=False
            )
    for note in found.notes:
        out.print(f"Note: {visible(note)}", soft_wrap=True, markup=False)
    out.print("--json gives every measure with its interval.")


def _print_gaps(out: Console, found: Disparity) -> None:
    from rich.table import Table
    from rich.text import Text

    for by in dict.fromkeys(gap.by for gap in found.gaps):
        gaps = [gap for gap in found.gaps if gap.by == by]
        judged = any(gap.verdict is not None for gap in gaps)
        table = Table(box=None, title=f"Gaps by {' x '.join(by)}", title_justify="left")
        table.add_column("gap", no_wrap=True)
        table.add_column("value", no_wrap=True)
        table.add_column("interval", no_wrap=True)
        table.add_column("lowest")
        table.add_column("highest")
        if judged:
            table.add_column("verdict", no_wrap=True)
        for gap in gaps:
            known = gap.value is not None
            row = [
                gap.name,
                f"{gap.value:.3f}" if known else NOT_SHOWN,
                f"{gap.low:.3f} to {gap.high:.3f}" if known else "",
                visible(", ".join((gap.lowest or {}).values())) if known else gap.reason,
                visible(", ".join((gap.highest or {}).values())),
            ]
            if judged:
                row.append("" if gap.verdict is None else gap.verdict.value)
            table.add_row(*(Text(cell) for cell in row))
        out.print()
        out.print(table)


def _by_group(found: Disparity) -> dict[str, dict[str, Row]]:
    grouped: dict[str, dict[str, Row]] = {}
    for row in found.rows:
        label = _name(row.measurement.subgroup) or "all cases"
        grouped.setdefault(label, {})[row.measurement.name] = row
    return grouped


def _name(subgroup: Mapping[str, str] | None) -> str:
    return visible(", ".join(f"{column}={value}" for column, value in (subgroup or {}).items()))


def _shown(row: Row | None) -> str:
    if row is None or row.measurement.value is None:
        return NOT_SHOWN
    return f"{row.measurement.value:.3f}"
