"""What a run came to, for people (a table) and for programs (a document)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from titian.values import Finding, Severity, Verdict, VerdictValue, to_json

if TYPE_CHECKING:
    from titian.pipeline.demo import DemoOutcome
    from titian.pipeline.run import RunOutcome

MOST_ALIKE: Final = 3
"""How many findings of one code a terminal shows; the dossier shows all."""

# A sign, a word and a colour say the same: none is needed to read the others.
_SIGNS: Final = {
    VerdictValue.MET: ("+", "green"),
    VerdictValue.NOT_MET: ("x", "bold red"),
    VerdictValue.NOT_SHOWN: ("?", "yellow"),
}
_SEVERITY_ORDER: Final = (Severity.ERROR, Severity.WARNING, Severity.INFO)
_SEVERITY_STYLES: Final = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "dim",
}


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Return 1 if any requirement is not met, else 0."""
    return int(any(verdict.verdict is VerdictValue.NOT_MET for verdict in verdicts))


def run_document(outcome: RunOutcome) -> dict[str, Any]:
    """Return what ``titian run --json`` prints."""
    return {
        "dossier": str(outcome.dossier),
        "verdicts": [to_json(verdict) for verdict in outcome.verdicts],
        "findings": [to_json(finding) for finding in outcome.findings],
        "stages": [
            {"name": stage.name, "cached": stage.cached, "seconds": round(stage.seconds, 3)}
            for stage in outcome.stages
        ],
        "key_id": outcome.key_id,
    }


def print_outcome(out: Console, outcome: RunOutcome) -> None:
    """Print verdicts, findings, where the dossier is and how to check it."""
    out.print()
    if outcome.verdicts:
        out.print(verdict_table(outcome.verdicts))
        _print_notes(out, outcome.verdicts)
        out.print()
        out.print(_counts(outcome.verdicts), style="bold")
    else:
        out.print("The project names no requirements, so there is nothing to judge.")
    _print_findings(out, outcome.findings)
    out.print()
    out.print(f"Dossier: {outcome.dossier / 'index.html'}", markup=False, soft_wrap=True)
    out.print(f"Check it: titian verify {outcome.dossier}", markup=False, soft_wrap=True)


def print_planted(out: Console, outcome: DemoOutcome) -> None:
    """Print which planted faults were found."""
    table = Table(title="Planted faults", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "fault", "where the run says so"):
        table.add_column(heading)
    for item in outcome.planted:
        mark = Text("+ found", "green") if item.found else Text("x MISSED", "bold red")
        table.add_row(mark, Text(item.fault), Text(item.evidence))
    out.print()
    out.print(table)
    found = sum(item.found for item in outcome.planted)
    out.print(f"{found} of {len(outcome.planted)} planted faults were found.")
    verdict = "verifies" if outcome.verified else "DOES NOT VERIFY"
    out.print(f"The dossier {verdict}.")


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """Return the verdict table: one row per requirement and group."""
    table = Table(title="Verdicts", title_justify="left", box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("requirement", overflow="fold")
    table.add_column("group", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("interval", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for row in verdicts:
        sign, style = _SIGNS[row.verdict]
        counted = is_count(row)
        table.add_row(
            Text(row.id),
            Text(f"{sign} {row.verdict.value}", style),
            Text(f"{row.measure} {row.bound}"),
            Text(group_words(row)),
            number(row.value, count=counted),
            "" if counted else interval(row.low, row.high),
            "" if row.n is None else f"{row.n:,}",
        )
    return table


def is_count(row: Verdict) -> bool:
    """Say whether a row counts findings: their codes have a dot, measures none."""
    return "." in row.measure


def group_words(row: Verdict) -> str:
    """Return the subgroup of a row as ``sex = F``, or ``all``."""
    if not row.subgroup:
        return "all"
    return ", ".join(f"{column} = {value}" for column, value in row.subgroup.items())


def number(value: float | None, *, count: bool = False) -> str:
    """Return a measure with three decimals, a count as a whole number, ``-`` for none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if count else f"{value:.3f}"


def interval(low: float | None, high: float | None) -> str:
    """Return an interval as ``0.612 to 0.734``; empty when it is unknown."""
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _print_notes(out: Console, verdicts: Sequence[Verdict]) -> None:
    """Print why rows are not shown, what would settle them, and the corrected intervals."""
    noted = [(row, words) for row in verdicts if (words := _note(row))]
    if noted:
        out.print()
    for row, words in noted:
        name = row.id if not row.subgroup else f"{row.id}, {group_words(row)}"
        out.print(Text.assemble((f"{name}: ", "bold"), f"{words}."))


def _note(row: Verdict) -> str:
    words = [row.reason] if row.reason else []
    if row.more_cases is not None:
        words.append(f"about {row.more_cases:,} more cases would settle it")
    adjusted = (row.adjusted_low, row.adjusted_high)
    # Only an accusation is corrected for its family: beside "met" it would mislead.
    accused = row.verdict is not VerdictValue.MET and row.adjusted_alpha is not None
    if accused and adjusted not in ((None, None), (row.low, row.high)):
        words.append(f"corrected for its family {interval(*adjusted)}")
    return "; ".join(words)


def _counts(verdicts: Sequence[Verdict]) -> str:
    counts = [
        f"{sum(row.verdict is value for row in verdicts)} {value.value}" for value in _SIGNS
    ]
    return ", ".join(counts) + "."


def _print_findings(out: Console, findings: Sequence[Finding]) -> None:
    if not findings:
        out.print("\nNo findings.")
        return
    out.print(f"\nFindings ({len(findings)})", style="italic")
    by_code: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        by_code.setdefault((finding.severity, finding.code), []).append(finding)
    for severity, code in sorted(by_code, key=lambda item: _SEVERITY_ORDER.index(item[0])):
        alike = by_code[severity, code]
        for finding in alike[:MOST_ALIKE]:
            line = Text.assemble(
                (f"{severity.value:<8}", _SEVERITY_STYLES[severity]),
                (code, "bold"),
                f"  {finding.what}",
                f" ({finding.where})" if finding.where else "",
            )
            out.print(line)
            out.print(Text(f"        {finding.remedy}", "dim"))
        if len(alike) > MOST_ALIKE:
            more = len(alike) - MOST_ALIKE
            out.print(Text(f"        ... and {more:,} more of {code}: see the dossier."))
