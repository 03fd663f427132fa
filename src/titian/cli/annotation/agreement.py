"""`titian annotation agreement`: how far workers agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import console, estimate_row, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from titian.annotation.agreement import Agreement, Part
    from titian.statistics import Estimate

SHOWN_PAIRS = 5


def agreement(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS",
            help="CSV or Parquet with the columns task, worker, label (optional: site).",
        ),
    ],
    coefficient: Annotated[
        str,
        typer.Option(metavar="NAME", help="krippendorff (default), fleiss, cohen or gwet."),
    ] = "krippendorff",
    level: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="nominal (default), ordinal, interval or ratio."),
    ] = "nominal",
    order: Annotated[
        str | None,
        typer.Option(
            metavar="LOW,...,HIGH", help="Labels from low to high, for --level ordinal."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure how far workers agree, with a 95 % bootstrap interval by task.

    Labels may be missing. Also by class, by site (where LABELS has a column site) and by
    pair of workers. A worker's repeated labels of one task count as separate votes.

    \b
    Examples:
      titian annotation agreement labels.csv
      titian annotation agreement grades.csv --level ordinal --order mild,moderate,severe
    """  # noqa: D301 - \b keeps the help from being rewrapped
    import numpy as np

    from titian.annotation.agreement import agreement as measure
    from titian.annotation.crowds import read_crowd

    crowd = read_crowd(labels)
    site = crowd.text.get("site")
    found = measure(
        crowd.task.code,
        crowd.worker.code,
        crowd.label.code,
        names=crowd.label.names,
        coefficient=coefficient,
        level=level,
        order=None if order is None else [name.strip() for name in order.split(",")],
        workers=crowd.worker.names,
        site=None if site is None else site.code,
        sites=() if site is None else site.names,
        rng=np.random.default_rng(seed),
    )
    notes = (*crowd.notes, *found.notes)
    if json:
        write_json(agreement_document(found, notes, seed))
    else:
        _print(console(), found, notes)


def agreement_document(found: Agreement, notes: tuple[str, ...], seed: int) -> dict[str, Any]:
    """Return the result as one JSON document; an unknown value is null, with a reason."""
    return {
        "coefficient": found.coefficient,
        "level": found.level,
        **estimate_row(found.estimate),
        "labels": found.labels,
        "tasks": found.tasks,
        "workers": found.workers,
        "by_class": [
            {"class": part.name[0], **estimate_row(part.estimate)} for part in found.by_class
        ],
        "by_site": [
            {"site": part.name[0], **estimate_row(part.estimate)} for part in found.by_site
        ],
        "by_pair": [
            {"workers": list(part.name), **estimate_row(part.estimate)}
            for part in found.by_pair
        ],
        "seed": seed,
        "notes": list(notes),
    }


def _print(out: Console, found: Agreement, notes: tuple[str, ...]) -> None:
    out.print(
        f"{_title(found)}: {_shown(found.estimate)}, {found.estimate.n:,} tasks with two "
        f"labels or more ({found.labels:,} labels, {found.tasks:,} tasks, "
        f"{found.workers:,} workers)",
        soft_wrap=True,
    )
    _table(out, "class", found.by_class)
    _table(out, "site", found.by_site)
    lowest = sorted(
        (part for part in found.by_pair if part.estimate.value is not None),
        key=lambda part: part.estimate.value or 0.0,
    )
    _table(out, "workers (lowest agreement)", tuple(lowest[:SHOWN_PAIRS]))
    for note in notes:
        out.print(f"Note: {note}", soft_wrap=True, markup=False)


def _table(out: Console, heading: str, parts: tuple[Part, ...]) -> None:
    if not parts:
        return
    from rich.table import Table

    table = Table(box=None, title_justify="left")
    for name in (heading, "agreement", "tasks"):
        table.add_column(name, no_wrap=True)
    from rich.text import Text

    for part in parts:
        table.add_row(
            Text(" and ".join(part.name)), _shown(part.estimate), f"{part.estimate.n:,}"
        )
    out.print()
    out.print(table)


def _title(found: Agreement) -> str:
    name = {
        "krippendorff": "Krippendorff's alpha",
        "fleiss": "Fleiss' kappa",
        "cohen": "Cohen's kappa",
        "gwet": "Gwet's AC1" if found.level == "nominal" else "Gwet's AC2",
    }[found.coefficient]
    return f"{name} ({found.level})"


def _shown(estimate: Estimate) -> str:
    if estimate.value is None:
        return f"not shown: {estimate.reason}"
    if not estimate.intervals:
        return f"{estimate.value:.3f} (no interval: {estimate.reason})"
    interval = estimate.intervals[0]
    return f"{estimate.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
