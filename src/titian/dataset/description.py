"""How a data set is made up: counts, distributions, missing values and oddities."""

from __future__ import annotations

from collections import Counter

import numpy as np

from titian.dataset.canonical import is_missing
from titian.dataset.inspection import feature_columns, identical_rows
from titian.dataset.leaks import cases
from titian.dataset.records import Records, Text
from titian.dataset.split import PARTS
from titian.dataset.table import Table
from titian.values import BarFigure, Data, Figure, Finding, Measurement, Severity, TableFigure

MOST_CATEGORIES = 24  # bars that fit a page; the rest are added up


def count(name: str, value: int, *, unit: str = "cases", **subgroup: str) -> Measurement:
    """Return a count as a measurement: known exactly, so without an interval."""
    return Measurement(
        name=name,
        value=float(value),
        n=value,
        unit=unit,
        method="count",
        subgroup=subgroup or None,
        reason="a count has no interval",
    )


def case_counts(records: Records, data: Data) -> tuple[Measurement, ...]:
    """Count cases, subjects, and cases of each class."""
    counts = [count("cases", len(records))]
    if records.subject is not None:
        subjects = len(np.unique(records.subject))
        counts.append(count("subjects", subjects, unit="subjects"))
    for label in records.classes:
        held = int((records.label == label).sum())
        counts.append(count("cases", held, **{data.label: label}))
    return tuple(counts)


def part_counts(records: Records, part: Text) -> tuple[Measurement, ...]:
    """Count the cases and subjects of each part."""
    counts = []
    for name in PARTS:
        rows = part == name
        counts.append(count("cases", int(rows.sum()), part=name))
        if records.subject is not None:
            subjects = len(np.unique(records.subject[rows]))
            counts.append(count("subjects", subjects, unit="subjects", part=name))
    return tuple(counts)


def distribution_figures(records: Records, data: Data) -> tuple[Figure, ...]:
    """Draw how the labels fall, overall and by each attribute."""
    figures: list[Figure] = [
        BarFigure(
            name="labels",
            title="Labels",
            caption="How many cases each class has; a scarce class makes wide intervals.",
            y_label="cases",
            categories=records.classes,
            series=("cases",),
            values=(tuple(float((records.label == c).sum()) for c in records.classes),),
        )
    ]
    for column, values in records.attributes.items():
        order = [value for value, _ in Counter(values.tolist()).most_common(MOST_CATEGORIES)]
        groups = sorted(order, key=lambda value: (value == "", _sort_key(value)))
        figures.append(
            BarFigure(
                name=f"labels by {column}",
                title=f"Labels by {column}",
                caption=f"Cases of each class in each group of {column}, which is reported by; "
                "a group in which a class is scarce will be hard to judge.",
                y_label="cases",
                categories=tuple(value or "missing" for value in groups),
                series=records.classes,
                values=tuple(
                    tuple(
                        float(((values == group) & (records.label == label)).sum())
                        for group in groups
                    )
                    for label in records.classes
                ),
            )
        )
    _ = data
    return tuple(figures)


def missing_figure(table: Table, data: Data) -> tuple[Figure, ...]:
    """List the used columns that have missing values, if any has."""
    used = [attribute.column for attribute in data.attributes]
    used += [name for name in feature_columns(table, data) if name not in used]
    rows = []
    for name in used:
        missing = sum(is_missing(cell, data.missing) for cell in table.columns[name])
        if missing:
            rows.append((name, missing, missing / len(table)))
    if not rows:
        return ()
    return (
        TableFigure(
            name="missing values",
            title="Missing values",
            caption="Columns in use with missing values; all others are complete.",
            columns=("column", "missing", "share"),
            rows=tuple(rows),
        ),
    )


def part_figure(records: Records, part: Text) -> BarFigure:
    """Draw how many cases of each class each part has."""
    return BarFigure(
        name="split",
        title="Split",
        caption="Cases of each class in each part; the test part alone is reported on.",
        y_label="cases",
        categories=PARTS,
        series=records.classes,
        values=tuple(
            tuple(float(((part == name) & (records.label == label)).sum()) for name in PARTS)
            for label in records.classes
        ),
    )


def table_findings(table: Table, records: Records, data: Data) -> tuple[Finding, ...]:
    """Return what is odd about the table but may be honest."""
    findings = []
    for column, values in records.attributes.items():
        held, first, counts = np.unique(values, return_index=True, return_counts=True)
        for value, place in zip(held[counts == 1], first[counts == 1], strict=True):
            if value:
                findings.append(
                    Finding(
                        code="data.rare_value",
                        severity=Severity.WARNING,
                        what=f"Attribute {column!r} has the value {str(value)!r} once; nothing "
                        "can be said about a group of one.",
                        where=cases([int(records.case[place])]),
                        remedy="Check the spelling, or merge the group with another.",
                    )
                )
    if data.image is None and data.subject is None:
        findings += [
            Finding(
                code="data.duplicate_rows",
                severity=Severity.WARNING,
                what=f"{len(rows)} rows are equal in every column; without a subject column "
                "nothing tells whether they are one subject.",
                where=cases(rows),
                remedy="Check whether they are one subject; then keep one, or name a subject "
                "column.",
            )
            for rows in identical_rows(table.columns.values())
        ]
    return tuple(findings)


def _sort_key(value: str) -> tuple[float, str]:
    """Order bands by their lower edge and numbers by size, before other text."""
    lower = value.removeprefix("[").split(",", maxsplit=1)[0]
    try:
        return float(lower), value
    except ValueError:
        return float("inf"), value
