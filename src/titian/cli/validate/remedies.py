"""`titian validate remedies`: what could be done about a disparity, and what it would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import console, estimate_row, visible, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from titian.statistics.estimate import Estimate
    from titian.validation.remedies.effects import Effect, Gap
    from titian.validation.remedies.options import Option, Remedies


def remedies(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or Parquet, one row a case.")
    ],
    label: Annotated[str, typer.Option(metavar="COL", help="Column of the true label.")],
    score: Annotated[
        str, typer.Option(metavar="COL", help="Column of the positive class's probability.")
    ],
    group: Annotated[
        list[str], typer.Option(metavar="COL", help="Column of the groups; may be repeated.")
    ],
    part: Annotated[
        str, typer.Option(metavar="COL", help="Column that says which part a case is in.")
    ],
    fit: Annotated[
        str, typer.Option(metavar="VALUE", help="Part on which options are worked out.")
    ] = "tune",
    held_back: Annotated[
        str, typer.Option(metavar="VALUE", help="Part on which they are measured.")
    ] = "test",
    measure: Annotated[
        str, typer.Option(metavar="NAME", help="sensitivity (default) or specificity.")
    ] = "sensitivity",
    threshold: Annotated[
        float, typer.Option(help="A score at or above it is called positive.")
    ] = 0.5,
    within: Annotated[
        float,
        typer.Option(metavar="X", help="Half-width to which more cases shall narrow a group."),
    ] = 0.05,
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
    seed: Annotated[int, typer.Option(min=0, help="Seed of simulated draws.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Offer what could be done about a disparity, with its effect on a held-back part.

    Thresholds for each group, weights for training, or more cases. Nothing is applied.

    \b
    Example:
      titian validate remedies scored.csv --label y --score s --group sex --part split
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.validation.disparity import Roles, admit
    from titian.validation.remedies.options import remedies as work_out
    from titian.validation.remedies.trial import Trial
    from titian.validation.tables import read_table_of_cases

    named = [label, part, *group, *filter(None, (subject,))]
    table = read_table_of_cases(file, text=named, numbers=[score])
    outcomes = admit(
        table,
        Roles(
            label=label, score=score, groups=tuple(group), subject=subject, positive=positive
        ),
    )
    parts = table.text[part]
    found = [
        work_out(
            Trial(
                label=outcomes.label,
                score=table.numbers[score],
                column=column.name,
                group=column.code.astype("int64"),
                names=column.names,
                fit=parts.equals(fit),
                held_back=parts.equals(held_back),
                subject=outcomes.subject,
            ),
            measure=measure,
            threshold=threshold,
            alpha=round(1 - confidence, 12),
            within=within,
            seed=seed,
        )
        for column in outcomes.groups
    ]
    if json:
        write_json(
            {
                "confidence": confidence,
                "fit": {"part": fit, "cases": int(parts.equals(fit).sum())},
                "held_back": {"part": held_back, "cases": int(parts.equals(held_back).sum())},
                "remedies": [remedies_document(item, seed) for item in found],
                "seed": seed,
                "notes": list(outcomes.notes),
            }
        )
    else:
        for item in found:
            _print(console(), item)


def remedies_document(found: Remedies, seed: int) -> dict[str, Any]:
    """Return one column's options as a JSON document; what is not shown is null."""
    return {
        "column": found.column,
        "measure": found.measure,
        "threshold": found.threshold,
        "rates": [
            {"subgroup": {found.column: name}, **estimate_row(rate)}
            for name, rate in found.rates.items()
        ],
        "gap": _gap(found.gap),
        "options": [_option(option, seed) for option in found.options],
    }


def _option(option: Option, seed: int) -> dict[str, Any]:
    return {
        "name": option.name,
        "values": dict(option.values),
        "effect": None if option.effect is None else _effect(option.effect, seed),
        "not_shown": option.not_shown,
        "notes": list(option.notes),
    }


def _effect(effect: Effect, seed: int) -> dict[str, Any]:
    from titian.cli.validate.compare import comparison_document

    (first, *_) = effect.overall.rows
    return {
        "against": effect.against,
        "gap_before": _gap(effect.before),
        "gap_after": _gap(effect.after),
        "best": effect.best,
        "worst": effect.worst,
        "change_of_difference": estimate_row(effect.difference),
        "verdict": str(effect.change),
        "comparisons": comparison_document(
            effect.overall, cases=first.contrast.difference.n, seed=seed
        )["comparisons"],
    }


def _gap(gap: Gap | None) -> dict[str, float] | None:
    return None if gap is None else {"value": gap.value, "low": gap.low, "high": gap.high}


def _print(out: Console, found: Remedies) -> None:
    from rich.table import Table
    from rich.text import Text

    def say(text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    say(
        f"{found.column}: gap of {found.measure} on the held-back part {_gap_text(found.gap)}, "
        f"threshold {found.threshold:g}. Nothing is applied."
    )
    for option in found.options:
        say(f"\n{option.name}")
        table = Table(box=None)
        table.add_column("group")
        table.add_column({"cases": "more cases"}.get(option.name, option.name.rstrip("s")))
        for name, value in option.values.items():
            shown = f"{value:.0f}" if option.name == "cases" else f"{value:.4g}"
            table.add_row(Text(visible(name)), shown)
        out.print(table)
        if option.effect is not None:
            _print_effect(say, option.effect)
        if option.not_shown:
            say(f"  Not shown: {option.not_shown}.")
        for note in option.notes:
            say(f"  Note: {note}")
    say("")


def _print_effect(say: Any, effect: Effect) -> None:  # noqa: ANN401 - a function of text
    say(
        f"  gap {_gap_text(effect.before)} -> {_gap_text(effect.after)} (against "
        f"{effect.against})"
    )
    say(
        f"  {effect.best} less {effect.worst}, which the fit part chose, changes by "
        f"{_span(effect.difference)}: {effect.change}"
    )
    for row in effect.overall.rows:
        if row.contrast.subgroup is None:
            say(
                f"  overall {row.contrast.name} changes by {_span(row.contrast.difference)}: "
                f"{row.verdict}"
            )


def _span(found: Estimate) -> str:
    if found.value is None or not found.intervals:
        return "not shown"
    interval = found.intervals[0]
    return f"{found.value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def _gap_text(gap: Gap | None) -> str:
    return "not shown" if gap is None else f"{gap.value:.3f} ({gap.low:.3f} to {gap.high:.3f})"
