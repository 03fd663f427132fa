"""`titian validate predictions`: every measure for each group, with the gaps between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from titian.cli.output import write_json


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
        int, typer.Option(min=1, help="Combine up to this many group columns.")
    ] = 1,
    subject: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of whom a case is about, if cases repeat."),
    ] = None,
    positive: Annotated[
        str, typer.Option(metavar="VALUE", help="The label of the positive class.")
    ] = "1",
    confidence: Annotated[
        float, typer.Option(help="Coverage of the intervals, above 0.5 and below 1.")
    ] = 0.95,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure predictions for each group, with gaps between groups and their intervals.

    \b
    Example:
      titian validate predictions scored.csv --label y --prediction p --group sex
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.validation.tables import read_table_of_cases

    columns = [label, *(group or []), *filter(None, (prediction, subject))]
    table = read_table_of_cases(file, text=columns, numbers=[] if score is None else [score])
    asked = {"intersections": intersections, "positive": positive, "confidence": confidence}
    if json:
        write_json({"cases": len(table), **asked, "measurements": [], "gaps": []})
