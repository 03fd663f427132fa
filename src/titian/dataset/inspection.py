"""Everything that can be wrong with a table, found in one pass and named with its place."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from titian.dataset.canonical import band, canonical, is_missing, number
from titian.dataset.table import Table
from titian.errors import Problem
from titian.values import Attribute, Data

SHOWN_VALUES = 5


def table_problems(root: Path, table: Table, data: Data) -> list[Problem]:
    """Return all that breaks a rule in the table, looking at no other file.

    Args:
        root: the data folder, for saying which paths leave it.
        table: the table as text.
        data: the project's ``data`` block.
    """
    problems = list(_column_problems(table, data))
    if problems:  # what else is wrong cannot be told before the columns are right
        return problems + _present(table, data, root)
    return _present(table, data, root)


def path_problem(root: Path, path: str, *, place: str) -> Problem | None:
    """Say what is wrong with a path that must stay in the data folder, going by its text."""
    _ = root
    pure = PurePosixPath(path)
    absolute = pure.is_absolute() or PureWindowsPath(path).is_absolute() or "\\" in path
    if absolute or ".." in pure.parts or "\0" in path:
        return Problem(
            code="T-D030",
            message=f"{place}: the path {path!r} leaves the data folder; paths are relative, "
            "with '/', and without '..'.",
            remedy="Move the file into the data folder and name it from there.",
        )
    return None


def feature_columns(table: Table, data: Data) -> tuple[str, ...]:
    """Return the columns of tabular data that are inputs, in the table's order.

    The label, the subject, the column that names the sides and what the project excludes
    are none. Attributes are inputs unless they are excluded.
    """
    if data.image is not None:
        return ()
    apart = {data.label, data.subject, data.split.column, *data.exclude}
    return tuple(name for name in table.columns if name not in apart)


def identical_rows(columns: Iterable[list[str]]) -> list[list[int]]:
    """Return the groups of rows, counted from 0, that are equal in every column."""
    places: dict[tuple[str, ...], list[int]] = {}
    for row, cells in enumerate(zip(*columns, strict=True)):
        places.setdefault(cells, []).append(row)
    return [rows for rows in places.values() if len(rows) > 1]


def _named_columns(data: Data) -> list[tuple[str, str]]:
    """Return (key of the project file, column) for every column that the project names."""
    named = [] if data.readings else [("data.label", data.label)]
    for key, column in (
        ("data.image", data.image),
        ("data.subject", data.subject),
        ("data.split.column", data.split.column),
    ):
        if column is not None:
            named.append((key, column))
    named += [("data.attributes", attribute.column) for attribute in data.attributes]
    return named + [("data.features.exclude", column) for column in data.exclude]


def _column_problems(table: Table, data: Data) -> Iterable[Problem]:
    for key, column in _named_columns(data):
        if column in table.columns:
            continue
        near = difflib.get_close_matches(column, table.columns, n=1, cutoff=0.5)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        known = ", ".join(table.columns)
        yield Problem(
            code="T-D010",
            message=f"{key} names the column {column!r}, which {table.name} lacks{hint}.",
            remedy=f"Name one of its columns: {known}.",
        )


def _present(table: Table, data: Data, root: Path) -> list[Problem]:
    """Check every named column that is there."""
    checks: list[tuple[str | None, Callable[[], Iterable[Problem]]]] = [
        (None if data.readings else data.label, lambda: label_problems(table, data)),
        (data.subject, lambda: _subject_problems(table, data)),
        (data.split.column, lambda: _side_problems(table, data)),
        (data.image, lambda: _image_problems(table, data, root)),
    ]
    problems: list[Problem] = []
    for column, check in checks:
        if column is not None and column in table.columns:
            problems += check()
    for attribute in data.attributes:
        if attribute.bands and attribute.column in table.columns:
            problems += _band_problems(table, attribute, data)
    for column in feature_columns(table, data):
        problems += _feature_problems(table, column)
    if data.image is not None or data.subject is not None:
        problems += _duplicate_problems(table)
    return problems


def label_problems(table: Table, data: Data) -> Iterable[Problem]:
    """Yield what is wrong with the column of labels.

    Labels that come from readings may be missing: a case that nobody read is left out.
    """
    cells = table.columns[data.label]
    blank = [row for row, cell in enumerate(cells) if is_missing(cell, data.missing)]
    if blank and not data.readings:
        yield Problem(
            code="T-D011",
            message=f"column {data.label!r} of {table.name} has {len(blank)} missing labels "
            f"({table.places(blank)}); every case has a label.",
            remedy="Label the cases, or remove their rows.",
        )
    skip = set(blank)
    counts = Counter(canonical(cell) for row, cell in enumerate(cells) if row not in skip)
    if len(counts) == 1:
        yield Problem(
            code="T-D012",
            message=f"column {data.label!r} of {table.name} holds one class, "
            f"{next(iter(counts))!r}; a label has at least two.",
            remedy="Add cases of another class, or name another column under data.label.",
        )
    if data.positive is not None and counts:
        yield from _positive_problems(table, data, counts)
    distinct = len(counts)
    if distinct > 100:
        yield Problem(
            code="T-D014",
            message=f"column {data.label!r} of {table.name} has {distinct} different values; "
            "a label has at most 100 classes.",
            remedy="Name a categorical column under data.label.",
        )


def _positive_problems(table: Table, data: Data, counts: Counter[str]) -> Iterable[Problem]:
    positive = canonical(data.positive or "")
    values = ", ".join(repr(value) for value, _ in counts.most_common(SHOWN_VALUES))
    if positive not in counts:
        yield Problem(
            code="T-D013",
            message=f"data.positive is {positive!r}, which column {data.label!r} of "
            f"{table.name} does not hold; its values are {values}.",
            remedy="Set data.positive to one of them.",
        )
    elif len(counts) > 2:
        yield Problem(
            code="T-D013",
            message=f"data.positive is {positive!r}, but column {data.label!r} of {table.name} "
            f"has {len(counts)} classes ({values}); a positive value goes with two.",
            remedy="Leave data.positive out, or name a column with two values.",
        )


def _subject_problems(table: Table, data: Data) -> Iterable[Problem]:
    cells = table.columns[data.subject or ""]
    blank = [row for row, cell in enumerate(cells) if is_missing(cell, data.missing)]
    if blank:
        yield Problem(
            code="T-D015",
            message=f"column {data.subject!r} of {table.name} has {len(blank)} missing "
            f"subjects ({table.places(blank)}); a split cannot keep an unknown subject on one "
            "side.",
            remedy="Name the subjects, or remove the rows.",
        )


def _side_problems(table: Table, data: Data) -> Iterable[Problem]:
    split = data.split
    held = {canonical(cell) for cell in table.columns[split.column or ""]}
    for part, values in (
        ("train", split.train_values),
        ("tune", split.tune_values),
        ("test", split.test_values),
    ):
        for value in values:
            if canonical(value) not in held:
                shown = ", ".join(repr(v) for v in sorted(held)[:SHOWN_VALUES])
                yield Problem(
                    code="T-D016",
                    message=f"data.split.{part} names {value!r}, which column "
                    f"{split.column!r} of {table.name} does not hold; its values are {shown}.",
                    remedy="Name values that the column holds.",
                )


def _image_problems(table: Table, data: Data, root: Path) -> Iterable[Problem]:
    first: dict[str, int] = {}
    for row, cell in enumerate(table.columns[data.image or ""]):
        path = cell.strip()
        if not path:
            yield Problem(
                code="T-D017",
                message=f"{table.place(row)} of {table.name} names no image; every case has "
                "one.",
                remedy="Name the image, or remove the row.",
            )
            continue
        problem = path_problem(root, path, place=f"{table.place(row)} of {table.name}")
        if problem is not None:
            yield problem
            continue
        path = str(PurePosixPath(path))
        if path in first:
            yield Problem(
                code="T-D018",
                message=f"{table.place(first[path])} and {table.place(row)} of {table.name} "
                f"name the same image {path!r}; a case has an image of its own.",
                remedy="Remove one of the rows.",
            )
        first.setdefault(path, row)


def _band_problems(table: Table, attribute: Attribute, data: Data) -> Iterable[Problem]:
    column, edges = attribute.column, attribute.bands
    wrong: list[int] = []
    outside: list[int] = []
    cells = table.columns[column]
    for row, cell in enumerate(cells):
        if is_missing(cell, data.missing):
            continue
        value = number(cell)
        if value is None or math.isinf(value):
            wrong.append(row)
        elif not band(value, edges):
            outside.append(row)
    if wrong:
        yield Problem(
            code="T-D019",
            message=f"column {column!r} of {table.name} has {len(wrong)} non-numeric values "
            f"(first: {cells[wrong[0]]!r}; {table.places(wrong)}); bands need numbers.",
            remedy="Fix the rows, or list the texts that mean missing under data.missing.",
        )
    if outside:
        yield Problem(
            code="T-D020",
            message=f"column {column!r} of {table.name} has {len(outside)} values outside its "
            f"bands [{edges[0]:g},{edges[-1]:g}) (first: {cells[outside[0]]!r}; "
            f"{table.places(outside)}).",
            remedy="Widen the bands under data.attributes, or fix the rows.",
        )


def _feature_problems(table: Table, column: str) -> Iterable[Problem]:
    cells = np.asarray(table.columns[column])
    infinite = [
        int(row)
        for row in np.flatnonzero(np.char.find(np.char.lower(cells), "inf") >= 0)
        if math.isinf(number(str(cells[row])) or 0.0)
    ]
    if infinite:
        yield Problem(
            code="T-D021",
            message=f"column {column!r} of {table.name} has {len(infinite)} infinite values "
            f"({table.places(infinite)}); inputs are finite.",
            remedy="Fix the rows, or leave the cells blank.",
        )


def _duplicate_problems(table: Table) -> Iterable[Problem]:
    groups = identical_rows(table.columns.values())
    if groups:
        first = " and ".join(table.place(row) for row in groups[0][:3])
        extra = sum(len(rows) - 1 for rows in groups)
        yield Problem(
            code="T-D022",
            message=f"{table.name} has {extra} rows that repeat another row in every column "
            f"(first: {first}); a case stands in the table once.",
            remedy="Remove the repeated rows.",
        )
