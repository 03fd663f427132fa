"""`titian annotation issues`: likely label errors, ranked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import console, write_json

if TYPE_CHECKING:
    from titian.annotation.crowds import Crowd, Probabilities
    from titian.annotation.label_errors import LabelErrors

SHOWN = 20


def issues(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS", help="CSV or Parquet with the columns task, worker, label."
        ),
    ],
    probabilities: Annotated[
        Path,
        typer.Argument(
            metavar="PROBABILITIES",
            help="CSV or Parquet with a column task and one column per label, out of fold.",
        ),
    ],
    rule: Annotated[
        str,
        typer.Option(metavar="RULE", help="noise-rate (default) or confident-joint."),
    ] = "noise-rate",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List likely label errors, the likeliest first, with their expected precision.

    The model's probabilities must be out of fold: made by a model that did not see the
    task's label. Tasks with labels of several workers are brought to one label first
    (consensus, method auto).

    \b
    Example:
      titian annotation issues labels.csv probabilities.csv --json > issues.json
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.annotation.crowds import read_crowd, read_probabilities
    from titian.annotation.label_errors import find_label_errors

    crowd = read_crowd(labels)
    model = read_probabilities(probabilities, crowd)
    crowd = crowd.with_classes(model.names)
    given, notes = _one_label(crowd)
    notes = (*notes, *model.notes)
    found = find_label_errors(given, model.value, rule=rule)
    if json:
        write_json(issues_document(found, crowd, model, notes))
    else:
        _print(found, crowd, model, notes)


def issues_document(
    found: LabelErrors, crowd: Crowd, model: Probabilities, notes: tuple[str, ...]
) -> dict[str, Any]:
    """Return the issues as one JSON document."""
    rows = zip(
        found.case.tolist(),
        found.given.tolist(),
        found.suggested.tolist(),
        found.quality.tolist(),
        found.chance.tolist(),
        found.precision.tolist(),
        strict=True,
    )
    return {
        "tasks": found.cases,
        "found": len(found.case),
        "rule": found.rule,
        "expected_precision": float(found.precision[-1]) if len(found.case) else None,
        "estimated_noise_rate": found.noise_rate,
        "labels": list(model.names),
        "joint": found.joint.tolist(),
        "noise": found.noise.tolist(),
        "issues": [
            {
                "task": crowd.task.names[case],
                "label": model.names[given],
                "suggested": model.names[suggested],
                "probability_of_label": quality,
                "chance_wrong": chance,
                "expected_precision": precision,
            }
            for case, given, suggested, quality, chance, precision in rows
        ],
        "notes": list(notes),
    }


def _one_label(crowd: Crowd) -> tuple[Any, tuple[str, ...]]:
    """Return one label per task, in the order of tasks, and what to say about it."""
    import numpy as np

    tasks = len(crowd.task.names)
    if len(crowd) == tasks:
        given = np.empty(tasks, dtype=np.int64)
        given[crowd.task.code] = crowd.label.code
        return given, crowd.notes
    from titian.annotation.consensus import consensus_of

    votes = crowd.votes()
    agreed = consensus_of(votes, method="auto")
    several = int((votes.per_task() > 1).sum())
    note = (
        f"{several} of {tasks} tasks have several labels: their consensus (auto) is looked at, "
        "not each label."
    )
    return agreed.label, (*crowd.notes, note, *agreed.notes)


def _print(
    found: LabelErrors, crowd: Crowd, model: Probabilities, notes: tuple[str, ...]
) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    if len(found.case):
        out.print(
            f"{len(found.case)} of {found.cases} labels are likely wrong; about "
            f"{found.precision[-1]:.0%} of these are expected to be.",
            soft_wrap=True,
        )
        table = Table(box=None)
        for name in ("task", "label", "suggested", "chance wrong", "expected precision"):
            table.add_column(name)
        for place in range(min(len(found.case), SHOWN)):
            table.add_row(
                Text(crowd.task.names[found.case[place]]),
                Text(model.names[found.given[place]]),
                Text(model.names[found.suggested[place]]),
                f"{found.chance[place]:.2f}",
                f"{found.precision[place]:.2f}",
            )
        out.print(table)
        if len(found.case) > SHOWN:
            out.print(f"and {len(found.case) - SHOWN} more (all with --json)")
    else:
        out.print(f"None of {found.cases} labels is likely wrong.")
    for note in notes:
        out.print(f"Note: {note}", soft_wrap=True, markup=False)
