"""The model card: purpose, data, settings, operating threshold, measures and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from titian.dossier.content import (
    Block,
    Cell,
    Code,
    Digest,
    Facts,
    Fold,
    Inline,
    Paragraph,
    Quote,
    Section,
    Table,
)
from titian.dossier.glossary import LIMITS, MEASURES
from titian.dossier.outcome import subgroup_cell
from titian.dossier.reference import Evidence, Ref, StatementRef, token
from titian.values import Project

_OWN_STAGE = "verdict"  # its settings and counts are the verdict table itself


def card_section(project: Project, evidence: Evidence) -> Section:
    """Return the model card; what no statement holds is printed as *not shown*."""
    blocks: list[Block] = [Facts(rows=tuple(_facts(project, evidence)))]
    headline = _headline(project, evidence)
    if headline:
        blocks.append(
            Table(
                caption="Measures of all cases",
                columns=(
                    "measure",
                    "estimate",
                    "interval",
                    "n",
                    "method",
                    "says",
                    "cannot show",
                ),
                rows=tuple(headline),
                numeric=(1, 2, 3),
                widths=(1.5, 0.8, 1.3, 0.6, 1.3, 1.9, 2.0),
            )
        )
    blocks.append(Paragraph(cell="What these numbers cannot show", style="subhead"))
    blocks += [Paragraph(cell=limit, style="limit") for limit in LIMITS]
    for statement in evidence.statements:
        if statement.stage == _OWN_STAGE:
            continue
        settings = tuple(_settings(statement))
        if settings:
            blocks.append(
                Fold(
                    summary=f"Settings of the stage {statement.stage}",
                    blocks=(Facts(rows=settings),),
                    paper=statement.stage == "train",
                )
            )
        measured = tuple(_measured(statement))
        if measured:
            blocks.append(
                Fold(
                    summary=f"All measurements of the stage {statement.stage}",
                    blocks=(
                        Table(
                            caption=f"Measurements of {statement.stage}",
                            columns=(
                                "measure",
                                "group",
                                "value",
                                "interval",
                                "n",
                                "unit",
                                "method",
                            ),
                            rows=measured,
                            numeric=(2, 3, 4),
                        ),
                    ),
                )
            )
    return Section(
        id="card",
        title="Model card",
        lead="What the model is for, what it was made from, how it did, and what the numbers "
        "cannot show.",
        blocks=tuple(blocks),
    )


def _facts(project: Project, evidence: Evidence) -> Iterator[tuple[str, Cell]]:
    data = project.data
    yield "intended use", Quote(text=project.intended_use)
    kind = "images listed in" if data.image else "the table"
    yield "data", (f"{kind} ", Code(text=data.table))
    source = _first_input(evidence, "source")
    if source is not None:
        yield "digest of the data", source
    label: tuple[Inline, ...] = (Quote(text=data.label),)
    if data.positive is not None:
        label = (*label, ", positive is ", Quote(text=data.positive))
    yield "label", label
    yield (
        "subjects",
        Quote(text=data.subject) if data.subject else "not named: a case is a subject",
    )
    columns: list[Inline] = []
    for attribute in data.attributes:
        columns += (
            [", ", Quote(text=attribute.column)] if columns else [Quote(text=attribute.column)]
        )
    yield "reported by", tuple(columns) or "no attribute"
    yield "model", _first_output(evidence, "model.") or "not shown"
    yield "operating threshold", _threshold(evidence) or "not shown"


def _first_input(evidence: Evidence, kind: str) -> Digest | None:
    for statement in evidence.statements:
        for item in statement.predicate.get("inputs") or ():
            if (item.get("annotations") or {}).get("kind") == kind:
                return Digest(hex=item["digest"]["sha256"])
    return None


def _first_output(evidence: Evidence, prefix: str) -> Cell | None:
    for statement in evidence.statements:
        for at, item in enumerate(statement.statement.get("subject") or ()):
            if str((item.get("annotations") or {}).get("kind", "")).startswith(prefix):
                name = statement.at(f"/subject/{at}/name", form="code")
                return (name, " ", Digest(hex=item["digest"]["sha256"]))
    return None


def _threshold(evidence: Evidence) -> Ref | None:
    """Return the last measurement that is named a threshold."""
    for statement in reversed(evidence.statements):
        for pointer, item in statement.items("measurements"):
            if "threshold" in item["name"] and item["value"] is not None:
                return statement.at(f"{pointer}/value")
    return None


def _headline(project: Project, evidence: Evidence) -> list[tuple[Cell, ...]]:
    """Return a row per known measure, and per class, of the last statement with any."""
    for statement in reversed(evidence.statements):
        rows: list[tuple[Cell, ...]] = []
        for pointer, item in statement.items("measurements"):
            note = MEASURES.get(item["name"])
            group = item.get("subgroup") or {}
            if note is None or not set(group) <= {project.data.label}:
                continue
            name = statement.at(f"{pointer}/name", form="code")
            rows.append(
                (
                    (name, " ", *subgroup_cell(statement, pointer, group)),
                    statement.at(f"{pointer}/value", form="decimal"),
                    _interval(statement, pointer, item),
                    statement.at(f"{pointer}/n", form="count"),
                    statement.at(f"{pointer}/method") if item["method"] else "—",
                    note.meaning,
                    note.silent_on,
                )
            )
        if rows:
            return rows
    return []


def _measured(statement: StatementRef) -> Iterator[tuple[Cell, ...]]:
    for pointer, item in statement.items("measurements"):
        form = "decimal" if item["intervals"] else "auto"
        word = "method" if item["method"] or not item["reason"] else "reason"
        yield (
            statement.at(f"{pointer}/name", form="code"),
            subgroup_cell(statement, pointer, item.get("subgroup")) or "all cases",
            statement.at(f"{pointer}/value", form=form),
            _interval(statement, pointer, item),
            statement.at(f"{pointer}/n", form="count"),
            "—" if item["unit"] == "1" else statement.at(f"{pointer}/unit"),
            statement.at(f"{pointer}/{word}") if item[word] else "—",
        )


def _interval(statement: StatementRef, pointer: str, item: Mapping[str, Any]) -> Cell:
    if not item["intervals"]:
        return "—" if item["value"] is not None and not item["reason"] else "not shown"
    first = f"{pointer}/intervals/0"
    form = "decimal" if item["unit"] == "1" else "auto"
    low, high = (statement.at(f"{first}/{end}", form=form) for end in ("low", "high"))
    return (low, "\u00a0to\u00a0", high)


def _settings(statement: StatementRef) -> Iterator[tuple[str, Cell]]:
    """Yield every setting as (path, reference); a list of values stands in one row."""
    yield from _walk(statement, "/predicate/settings", statement.predicate.get("settings"), "")
    if isinstance(statement.predicate.get("seed"), int):
        yield "seed of the run", statement.at("/predicate/seed", form="exact")


def _walk(
    statement: StatementRef, pointer: str, value: object, path: str
) -> Iterator[tuple[str, Cell]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = f"{path}.{key}" if path else str(key)
            yield from _walk(statement, f"{pointer}/{token(str(key))}", item, name)
    elif isinstance(value, list) and any(isinstance(item, list | dict) for item in value):
        for at, item in enumerate(value):
            yield from _walk(statement, f"{pointer}/{at}", item, f"{path}[{at}]")
    elif isinstance(value, list):
        parts: list[Inline] = []
        for at in range(len(value)):
            ref = statement.at(f"{pointer}/{at}", form="exact")
            parts += [", ", ref] if parts else [ref]
        yield path, tuple(parts) or "none"
    elif value is None or value == "":
        yield path, "none"
    else:
        yield path, statement.at(pointer, form="exact")
