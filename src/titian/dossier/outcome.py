"""What the run came to: verdicts, what is not shown, findings and controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from titian.dossier.content import (
    Block,
    Cell,
    Inline,
    Link,
    Paragraph,
    Quote,
    Section,
    Strip,
    Table,
)
from titian.dossier.reference import Evidence, Ref, StatementRef, token
from titian.dossier.svg import extent
from titian.values import Project, Requirement, Severity

_SEVERITIES = tuple(severity.value for severity in reversed(Severity))


def verdict_section(project: Project, verdict: StatementRef, evidence: Evidence) -> Section:
    """Return the verdict table: every row with its interval and the corrected one."""
    needs = {item.id: item for item in project.requirements}
    rows = []
    for pointer, item in verdict.items("verdicts"):
        need = needs.get(item["id"])
        rows.append(
            (
                verdict.at(f"{pointer}/id", form="code"),
                verdict.at(f"{pointer}/verdict", form="mark"),
                _requirement(verdict, pointer, item),
                verdict.at(f"{pointer}/value", form=_form(need), beside=_bound(need)),
                _strip(verdict, pointer, item, need),
                _interval(verdict, pointer, "", item, need),
                _interval(verdict, pointer, "adjusted_", item, need),
                verdict.at(f"{pointer}/n", form="count") if item["n"] is not None else "—",
                _evidence(item, evidence),
            )
        )
    if not rows:
        return Section(
            id="verdicts",
            title="Verdicts",
            lead="The project names no requirement, so there is nothing to judge.",
            blocks=(),
        )
    alpha = verdict.at("/predicate/settings/alpha", form="exact")
    table = Table(
        caption="One row per requirement and group",
        columns=(
            "id",
            "verdict",
            "requirement",
            "estimate",
            "against the bound",
            "interval",
            "corrected interval",
            "n",
            "evidence",
        ),
        rows=tuple(rows),
        numeric=(3, 5, 6, 7),
        widths=(0.55, 1.3, 2.5, 0.95, 1.45, 1.55, 1.6, 0.7, 1.0),
    )
    note = Paragraph(
        cell=(
            "Intervals at alpha ",
            alpha,
            ". Met and not shown are read from the interval; not met is read from the "
            "corrected one, which a family of rows needs so as to accuse nobody by chance.",
        ),
        style="note",
    )
    return Section(
        id="verdicts",
        title="Verdicts",
        lead="Each requirement against the whole interval, not against the estimate alone.",
        blocks=(table, note),
    )


def not_shown_section(verdict: StatementRef) -> Section | None:
    """Return what the evidence leaves open and about what would settle it, or None."""
    rows: list[tuple[Cell, ...]] = [
        (
            verdict.at(f"{pointer}/id", form="code"),
            _requirement(verdict, pointer, item),
            verdict.at(f"{pointer}/reason"),
            ("about ", verdict.at(f"{pointer}/more_cases", form="count"), " more")
            if item["more_cases"] is not None
            else "cannot be said",
        )
        for pointer, item in verdict.items("verdicts")
        if item["verdict"] == "not shown"
    ]
    if not rows:
        return None
    return Section(
        id="not-shown",
        title="What is not shown",
        lead="Open questions, and how many more cases of the measure's denominator would "
        "settle each if the estimate stayed. It cannot be said where the estimate lies too "
        "near the bound or beyond it, or where nothing was measured.",
        blocks=(
            Table(
                caption="Requirements that the evidence does not decide",
                columns=("id", "requirement", "why", "cases needed"),
                rows=tuple(rows),
                numeric=(3,),
                widths=(0.6, 2.2, 3.2, 1.2),
            ),
        ),
    )


def findings_section(evidence: Evidence) -> Section:
    """Return all findings of the run, the gravest first."""
    found = [
        (statement, pointer, item)
        for statement in evidence.statements
        for pointer, item in statement.items("findings")
    ]
    found.sort(key=lambda entry: _SEVERITIES.index(entry[2]["severity"]))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            statement.at(f"{pointer}/severity", form="mark"),
            statement.at(f"{pointer}/what"),
            statement.at(f"{pointer}/where") if item["where"] else "—",
            statement.at(f"{pointer}/remedy"),
            (statement.at(f"{pointer}/code", form="code"), " ", statement_link(statement)),
        )
        for statement, pointer, item in found
    )
    blocks: tuple[Block, ...] = (
        Table(
            caption="Findings by severity",
            columns=("severity", "what", "where", "remedy", "code and stage"),
            rows=rows,
            widths=(1.0, 3.0, 1.8, 2.6, 1.6),
        ),
    )
    return Section(
        id="findings",
        title="Findings",
        lead="What a person should look at. Cases are named by their row in the table."
        if rows
        else "No check of this run found anything. The controls below show that each can.",
        blocks=blocks if rows else (),
    )


def controls_section(evidence: Evidence) -> Section:
    """Return every planted fault and whether its check caught it."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            statement.at(f"{pointer}/check", form="code"),
            statement.at(f"{pointer}/fault"),
            statement.at(f"{pointer}/found", form="caught"),
            statement.at(f"{pointer}/detail") if item["detail"] else "—",
            statement.at(f"{pointer}/false_alarm_rate", form="exact"),
            statement_link(statement),
        )
        for statement in evidence.statements
        for pointer, item in statement.items("controls")
    )
    table = Table(
        caption="Planted faults",
        columns=("check", "planted fault", "outcome", "answer", "false-alarm rate", "stage"),
        rows=rows,
        numeric=(4,),
        widths=(1.8, 2.6, 1.0, 2.4, 0.9, 0.9),
    )
    return Section(
        id="controls",
        title="Controls",
        lead="In this very run each check was also given a planted fault. A check that cannot "
        "fail shows nothing; here is what each did.",
        blocks=(table,) if rows else (),
    )


def statement_link(statement: StatementRef) -> Link:
    """Return a jump to a statement's row in the ledger."""
    return Link(text=statement.stage or "statement", target=f"s-{statement.digest[:16]}")


def subgroup_cell(
    statement: StatementRef, pointer: str, subgroup: Mapping[str, str] | None
) -> tuple[Inline, ...]:
    """Return ``sex = F`` with the value as a reference; nothing for all cases."""
    parts: list[Inline] = []
    for column in subgroup or {}:
        if parts:
            parts.append(", ")
        ref = statement.at(f"{pointer}/subgroup/{token(column)}")
        parts += [Quote(text=column), " = ", ref]
    return tuple(parts)


def _requirement(verdict: StatementRef, pointer: str, item: Mapping[str, Any]) -> Cell:
    parts: list[Inline] = [
        verdict.at(f"{pointer}/measure", form="code"),
        " ",
        verdict.at(f"{pointer}/bound"),
    ]
    group = subgroup_cell(verdict, pointer, item["subgroup"])
    return (*parts, " where ", *group) if group else tuple(parts)


def _bound(need: Requirement | None) -> float | None:
    if need is None:
        return None
    return need.at_least if need.at_least is not None else need.at_most


def _form(need: Requirement | None) -> str:
    return "count" if need is not None and need.finding is not None else "decimal"


def _strip(
    verdict: StatementRef, pointer: str, item: Mapping[str, Any], need: Requirement | None
) -> Cell:
    """Return a picture of the interval on the axis that the requirement's rows share."""
    bound = _bound(need)
    known = (item["value"], item["low"], item["high"])
    if need is None or need.finding is not None or bound is None or None in known:
        return "—"
    shared = [
        end
        for _, row in verdict.items("verdicts")
        if row["id"] == item["id"]
        for end in (row["value"], row["low"], row["high"], bound)
    ]
    return Strip(
        ref=verdict.at(pointer),
        value=item["value"],
        low=item["low"],
        high=item["high"],
        bound=bound,
        at_least=need.at_least is not None,
        span=extent(shared, margin=0.3),
    )


def _interval(
    verdict: StatementRef,
    pointer: str,
    prefix: str,
    item: Mapping[str, Any],
    need: Requirement | None,
) -> Cell:
    if need is not None and need.finding is not None:
        return "exact count" if not prefix else "—"
    if prefix and item["adjusted_alpha"] is None:
        return "—"
    bound = _bound(need)
    ends: tuple[Ref, Ref] = (
        verdict.at(f"{pointer}/{prefix}low", form="decimal", beside=bound),
        verdict.at(f"{pointer}/{prefix}high", form="decimal", beside=bound),
    )
    if item[f"{prefix}low"] is None or item[f"{prefix}high"] is None:
        return ends[0]
    cell: tuple[Inline, ...] = (ends[0], "\u00a0to\u00a0", ends[1])
    if not prefix:
        return cell
    return (*cell, " (alpha\u00a0", verdict.at(f"{pointer}/adjusted_alpha", form="level"), ")")


def _evidence(item: Mapping[str, Any], evidence: Evidence) -> Cell:
    place = item["evidence"]
    if not place or place["statement"] not in evidence:
        return "none"
    return statement_link(evidence[place["statement"]])
