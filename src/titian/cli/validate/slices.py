"""`titian validate slices`: the worst subgroups that nobody named."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import console, visible, write_json
from titian.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

    from titian.pipeline.reporter import Reporter
    from titian.statistics.estimate import Floats
    from titian.validation.slices import Feature, Slice, SliceReport
    from titian.validation.slices.score import Score
    from titian.validation.tables import CaseTable, Column

BAR_CELLS = 12
"""Width of the bar that shows a slice's error beside the largest."""


def slices(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or Parquet, one row a case.")
    ],
    features: Annotated[
        str, typer.Option(metavar="A,B,...", help="Columns to search, or all.")
    ],
    error: Annotated[
        str | None,
        typer.Option(
            metavar="COL", help="Column of the error: 0 and 1, or any loss from 0 on."
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COL", help="Column of the true label.")
    ] = None,
    prediction: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of the decision; wrong ones are errors."),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column of whom a case is about, if cases repeat."),
    ] = None,
    max_level: Annotated[
        int, typer.Option(min=1, metavar="N", help="Most conditions of a slice.")
    ] = 3,
    min_support: Annotated[
        str | None,
        typer.Option(
            metavar="N|SHARE",
            help="Fewest cases of a slice; without it the larger of 32 and 1 %.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Slices to show.")] = 10,
    score: Annotated[
        str, typer.Option(metavar="NAME", help="Rank by evidence or by sliceline.")
    ] = "evidence",
    weight: Annotated[
        float | None,
        typer.Option(metavar="ALPHA", help="SliceLine's weight of error against size (0.95)."),
    ] = None,
    permutations: Annotated[
        int, typer.Option(min=0, metavar="N", help="Deals of the errors; 0 for no p-values.")
    ] = 199,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the permutations.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find the subgroups where a model errs most, without naming any beforehand.

    A slice is one value or band for each of up to --max-level columns. The search is exact.
    p-values are corrected for having searched: where errors have nothing to do with the
    columns, at most 5 % of tables show a slice with p <= 0.05. Slices that say the same are
    folded into one.

    \b
    Examples:
      titian validate slices scored.csv --label y --prediction p --features sex,age,site
      titian validate slices scored.parquet --error loss --features all --min-support 0.02
    """  # noqa: D301 - \b keeps the help from being rewrapped
    support = _support(min_support)
    ranking = _score(score, weight)
    _require_one_error(error, label, prediction)
    import numpy as np

    from titian.cli.annotation.tables import step
    from titian.cli.output import reserved_output
    from titian.cli.progress import open_reporter
    from titian.validation.slices import find_slices

    steps = 4 if permutations else 3
    roles = [name for name in (error, label, prediction, subject) if name is not None]
    with reserved_output(wanted=json), open_reporter(plain=json) as reporter:
        with step(reporter, "read", 1, steps):
            columns, table = _read(file, features, roles, error)
        with step(reporter, "band", 2, steps):
            searched = _features(columns, table)
            errors = _errors(table, error, label, prediction)
            subjects = None if subject is None else _subjects(table.text[subject], table)
        search = _Search(reporter, steps)
        report = find_slices(
            searched,
            errors,
            rng=np.random.default_rng(seed),
            score=ranking,
            level=max_level,
            support=support,
            top=top,
            deals=permutations,
            subject=subjects,
            progress=search.dealt,
        )
        search.finish()
    if json:
        write_json(slices_document(report, seed))
    else:
        _print(console(), report)


class _Search:
    """Tells of the search and of the permutations as two steps, each with its time."""

    def __init__(self, reporter: Reporter, steps: int) -> None:
        self._reporter, self._steps = reporter, steps
        self._begin("search", 3)

    def dealt(self, done: int, wanted: int) -> None:
        """Hear of permutations; the first call ends the search."""
        if not done:
            self.finish()
            self._begin("permutations", 4)
        self._reporter.step("permutations", "done", done, wanted)

    def finish(self) -> None:
        """End the step that is under way."""
        seconds = time.perf_counter() - self._start
        self._reporter.stage_finished(self._name, seconds=seconds, cached=False)

    def _begin(self, name: str, place: int) -> None:
        self._name, self._start = name, time.perf_counter()
        self._reporter.stage_started(name, place, self._steps)


def _support(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(
            Problem(
                code="T-V145",
                message=f"--min-support is {text!r}; it is a number of cases or a share.",
                remedy="Give a number such as 100, or a share such as 0.01.",
            )
        ) from None


def _score(name: str, weight: float | None) -> Score:
    from titian.validation.slices import Evidence, SliceLine

    if name == "evidence" and weight is None:
        return Evidence()
    if name == "sliceline" and (weight is None or 0.0 < weight <= 1.0):
        return SliceLine() if weight is None else SliceLine(weight=weight)
    given = f"--score {name}" + ("" if weight is None else f" --weight {weight:g}")
    raise InputError(
        Problem(
            code="T-V149",
            message=f"{given} is no ranking; --score is evidence, or sliceline with a --weight "
            "above 0 and at most 1.",
            remedy="Leave both out to rank by evidence.",
        )
    )


def _require_one_error(error: str | None, label: str | None, prediction: str | None) -> None:
    if error is not None and label is None and prediction is None:
        return
    if error is None and label is not None and prediction is not None:
        return
    named = {"--error": error, "--label": label, "--prediction": prediction}
    given = ", ".join(option for option, column in named.items() if column is not None)
    raise InputError(
        Problem(
            code="T-V147",
            message=f"the error is told by {given or 'nothing'}; it is a column (--error), or "
            "a label and a prediction that differ (--label and --prediction).",
            remedy="Give --error, or both --label and --prediction.",
        )
    )


def _read(
    file: Path, features: str, roles: Sequence[str], error: str | None
) -> tuple[list[str], CaseTable]:
    """Read the columns; `all` means those with no other role."""
    from titian.validation.tables import read_table_of_cases

    text = [name for name in roles if name != error]
    numbers = [] if error is None else [error]
    names = [name.strip() for name in features.split(",") if name.strip()]
    if names == ["all"]:
        known = read_table_of_cases(file, text=text, numbers=numbers).columns
        names = [name for name in known if name not in roles]
    problems = [
        _no_feature(f"column {name!r} is named {names.count(name)} times")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    problems += [
        _no_feature(f"column {name!r} is also what errors are told by, or the subject")
        for name in dict.fromkeys(names)
        if name in roles
    ]
    if not names:
        problems.append(_no_feature("there is none"))
    if problems:
        raise InputError(*problems)
    return names, read_table_of_cases(file, text=[*text, *names], numbers=numbers)


def _no_feature(what: str) -> Problem:
    return Problem(
        code="T-V143",
        message=f"--features: {what}; it names columns, each once and with no other role.",
        remedy="Name columns with commas between them, or all.",
    )


def _features(names: Sequence[str], table: CaseTable) -> list[Feature]:
    """Make the features, telling of every one that cannot be one."""
    from titian.validation.slices import feature_of_codes

    made: list[Feature] = []
    problems: list[Problem] = []
    for name in names:
        column = table.text[name]
        try:
            made.append(feature_of_codes(name, column.code, column.names))
        except InputError as refused:
            problems += refused.problems
    if problems:
        raise InputError(*problems)
    return made


def _errors(
    table: CaseTable, error: str | None, label: str | None, prediction: str | None
) -> Floats:
    import numpy as np

    from titian.validation.tables import class_name

    if error is not None:
        return table.numbers[error]
    one, other = table.text[str(label)], table.text[str(prediction)]
    _require_cells(one, table)
    _require_cells(other, table)
    names = [class_name(text) for text in one.names]
    place = {name: code for code, name in enumerate(dict.fromkeys(names))}
    truth = np.array([place[name] for name in names])
    told = np.array([place.get(class_name(text), -1) for text in other.names])
    wrong: Floats = (told[other.code] != truth[one.code]).astype(np.float64)
    return wrong


def _subjects(column: Column, table: CaseTable) -> Any:  # noqa: ANN401 - an array of integers
    _require_cells(column, table)
    return column.code


def _require_cells(column: Column, table: CaseTable) -> None:
    import numpy as np

    from titian.validation.tables import places_of

    empty = np.flatnonzero(column.blank())
    if len(empty):
        raise InputError(
            Problem(
                code="T-V148",
                message=f"{table.name}: column {column.name!r} is empty in {places_of(empty)}; "
                "label, prediction and subject are known for every case.",
                remedy="Fill the cells or leave those rows out.",
            )
        )


def slices_document(report: SliceReport, seed: int) -> dict[str, Any]:
    """Return the report as one JSON document."""
    return {
        "cases": report.n,
        "error": report.error,
        "features": list(report.features),
        "max_level": report.level,
        "min_support": report.least,
        "score": report.score,
        "alpha": report.alpha,
        "searched": report.searched,
        "permutations": report.deals,
        "critical_evidence": report.critical,
        "significant": len(report.significant),
        "slices": [
            {
                **_row(group.slice, report),
                "folded": [
                    {
                        **_row(member.slice, report),
                        "relation": member.relation.value,
                        "overlap": member.overlap,
                    }
                    for member in group.folded
                ],
            }
            for group in report.groups
        ],
        "ranked": [_row(each, report) for each in report.ranked],
        "seed": seed,
        "notes": list(report.notes),
    }


def _row(each: Slice, report: SliceReport) -> dict[str, Any]:
    return {
        "slice": dict(each.conditions),
        "n": each.n,
        "share": each.share,
        "error": each.error,
        "rest": each.rest,
        "ratio": each.ratio,
        "share_of_error": each.share_of_error,
        "score": each.score,
        "evidence": each.evidence,
        "p_value": each.p_value,
        "significant": None if each.p_value is None else each.p_value <= report.alpha,
    }


def _print(out: Console, report: SliceReport) -> None:
    from rich.table import Table

    noun = "Error rate" if report.binary else "Mean error"
    out.print(
        f"{noun} {report.error:.4g} in {report.n:,} cases. {report.searched:,} slices of at "
        f"least {report.least:,} cases searched, up to {report.level} conditions of "
        f"{len(report.features)} columns.",
        soft_wrap=True,
        markup=False,
    )
    if not report.groups:
        out.print("No slice is worse than the rest.")
        return
    out.print()
    table = Table(box=None, title_justify="left")
    table.add_column("slice", overflow="fold")
    for name in ("cases", "error", "rest"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for name in ("p", "folded"):
        table.add_column(name, justify="right", no_wrap=True)
    shown = [each for group in report.groups for each in (group.slice, group.within) if each]
    largest = max(each.error for each in shown)
    for group in report.groups:
        folded = str(group.explained) if group.explained else ""
        table.add_row(*_cells(group.slice, largest), folded)
        if group.within:
            table.add_row(*_cells(group.within, largest, inside=True), "", style="dim")
    out.print(table)
    out.print()
    for line in _closing(report):
        out.print(line, soft_wrap=True, markup=False)


def _cells(each: Slice, largest: float, *, inside: bool = False) -> tuple[Text, ...]:
    from rich.text import Text

    named = visible(each.name)
    name = f"  worst inside: {named}" if inside else named
    return (
        Text(name),
        Text(f"{each.n:,}"),
        Text(f"{each.error:.4g}"),
        Text("" if each.rest is None else f"{each.rest:.4g}"),
        Text(_bar(each.error / largest)),
        Text("not made" if each.p_value is None else f"{each.p_value:.3g}"),
    )


def _bar(share: float) -> str:
    return "█" * max(round(share * BAR_CELLS), 1)


def _closing(report: SliceReport) -> list[str]:
    lines = []
    if report.deals:
        count = len(report.significant)
        lines.append(
            f"{count or 'No'} slice{'' if count == 1 else 's'} at p <= {report.alpha:g} after "
            f"{report.deals} permutations, corrected for the search"
            + ("." if count else ": what stands above is what noise gives.")
        )
    folded = sum(group.explained for group in report.groups)
    if folded:
        lines.append(f"{folded} overlapping slices are folded into these; --json lists them.")
    lines += [f"Note: {note}" for note in report.notes]
    return lines
