"""`titian validate compare`: is model B better than model A on the same cases?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import console, visible, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from titian.statistics.estimate import Estimate
    from titian.validation.comparison.verdicts import Compared, Comparison


def compare(
    a: Annotated[
        Path, typer.Argument(metavar="A", help="CSV or Parquet: predictions of model A.")
    ],
    b: Annotated[Path, typer.Argument(metavar="B", help="Predictions of model B.")],
    case: Annotated[str, typer.Option(metavar="COL", help="Column that names the case.")],
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
        typer.Option(metavar="COL", help="Column of A to compare within; may be repeated."),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of A: whom a case is about, if cases repeat."),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Compare this measure only; may be repeated."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(metavar="M", help="Non-inferiority: how much worse B may be, as 0.05."),
    ] = None,
    positive: Annotated[
        str, typer.Option(metavar="VALUE", help="The label of the positive class.")
    ] = "1",
    confidence: Annotated[
        float, typer.Option(help="Coverage of the intervals, above 0.5 and below 1.")
    ] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated draws.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compare two models on the same cases, overall and within each group.

    Both tables use the same column names; their rows may stand in any order. Differences
    are B minus A, tested with McNemar (mid-p), paired DeLong or the paired bootstrap, by
    subject where --subject is given.

    \b
    Example:
      titian validate compare old.csv new.csv --case id --label y --prediction p \\
        --score s --group sex --margin 0.05
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.validation.comparison.pairing import Columns, read_pair
    from titian.validation.comparison.verdicts import compare as judge

    pair = read_pair(
        a,
        b,
        Columns(
            case=case,
            label=label,
            prediction=prediction,
            score=score,
            groups=tuple(dict.fromkeys(group or ())),
            subject=subject,
            positive=positive,
        ),
    )
    found = judge(
        pair, measures=measure or (), margin=margin, alpha=round(1 - confidence, 12), seed=seed
    )
    if json:
        write_json(comparison_document(found, cases=len(pair.a), seed=seed))
    else:
        _print(console(), found, cases=len(pair.a), names=(str(a), str(b)))


def comparison_document(found: Comparison, *, cases: int, seed: int) -> dict[str, Any]:
    """Return the result as one JSON document; an unknown value is null, with a reason."""
    return {
        "cases": cases,
        "confidence": round(1 - found.alpha, 12),
        "margin": found.margin,
        "correction": {"method": "Holm", "family": found.family},
        "comparisons": [_row(row) for row in found.rows],
        "seed": seed,
        "notes": list(found.notes),
    }


def _row(row: Compared) -> dict[str, Any]:
    contrast, test = row.contrast, row.contrast.test
    return {
        "name": contrast.name,
        "subgroup": None if contrast.subgroup is None else dict(contrast.subgroup),
        "better": contrast.better,
        "a": _estimate(contrast.a),
        "b": _estimate(contrast.b),
        "difference": _estimate(contrast.difference),
        "test": None
        if test is None
        else {
            "name": test.name,
            "p_value": test.p_value,
            "adjusted_p_value": row.adjusted_p,
            **(
                {"exact_p_value": test.exact, "only_a": test.only_a, "only_b": test.only_b}
                if test.exact is not None
                else {}
            ),
        },
        "verdict": str(row.verdict),
        "non_inferiority": None if row.non_inferiority is None else str(row.non_inferiority),
        "adjusted_alpha": None if row.adjusted is None else row.adjusted.alpha,
        "adjusted_low": None if row.adjusted is None else row.adjusted.low,
        "adjusted_high": None if row.adjusted is None else row.adjusted.high,
        "more_cases": row.more_cases,
        "reason": row.reason,
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    interval = found.intervals[0] if found.intervals else None
    return {
        "value": found.value,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "n": found.n,
        "unit": "1",
        "method": found.method,
        "reason": found.reason,
    }


def _print(out: Console, found: Comparison, *, cases: int, names: tuple[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    out.print(f"{cases} cases, A = {names[0]}, B = {names[1]}", markup=False, soft_wrap=True)
    measures = list(dict.fromkeys(row.contrast.name for row in found.rows))
    for name in measures:
        rows = [row for row in found.rows if row.contrast.name == name]
        lower = rows[0].contrast.better == "lower"
        table = Table(
            box=None,
            title=f"\n{name}{' (lower is better)' if lower else ''}",
            title_justify="left",
            title_style="bold",
        )
        for heading in ("cases", "A", "B"):
            table.add_column(heading, no_wrap=True)
        table.add_column(f"B - A ({1 - found.alpha:.0%} interval)", no_wrap=True)
        table.add_column("p", no_wrap=True)
        table.add_column("verdict")
        for row in rows:
            table.add_row(*(Text(cell) for cell in _cells(row)))
        out.print(table)
    tests: dict[str, list[str]] = {}
    for row in found.rows:
        if row.contrast.test and row.contrast.name not in tests.get(row.contrast.test.name, []):
            tests.setdefault(row.contrast.test.name, []).append(row.contrast.name)
    for test, of in tests.items():
        out.print(f"p of {', '.join(of)}: {test}.", markup=False, soft_wrap=True)
    for note in found.notes:
        out.print(f"Note: {note}", markup=False, soft_wrap=True)


def _cells(row: Compared) -> tuple[str, ...]:
    contrast = row.contrast
    group = ", ".join(f"{k}={v}" for k, v in (contrast.subgroup or {"all": ""}).items())
    difference = contrast.difference
    if difference.value is None:
        shown = "not shown"
    elif not difference.intervals:
        shown = f"{difference.value:+.3f}"
    else:
        interval = difference.intervals[0]
        shown = f"{difference.value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"
    words = [str(row.verdict)]
    if row.non_inferiority is not None:
        words.append(str(row.non_inferiority))
    verdict = "; ".join(dict.fromkeys(words))
    if row.reason:
        verdict += f": {row.reason}"
    if row.more_cases is not None:
        verdict += f"; about {row.more_cases} more cases"
    p = "" if row.adjusted_p is None else f"{row.adjusted_p:.2g}"
    return (
        visible(group.removesuffix("=")),
        _value(contrast.a),
        _value(contrast.b),
        shown,
        p,
        verdict,
    )


def _value(found: Estimate) -> str:
    return "-" if found.value is None else f"{found.value:.3f}"
