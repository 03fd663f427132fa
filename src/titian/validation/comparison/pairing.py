"""Two tables of predictions brought together case by case, or refused with the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from titian.errors import InputError, Problem
from titian.statistics.estimate import Ints
from titian.validation.cases import MISSING, Cases, Text
from titian.validation.tables import (
    SHOWN,
    CaseTable,
    Column,
    class_name,
    places_of,
    read_table_of_cases,
)

MOST_GROUPS = 200
"""Values of a group column; more are names or readings, not groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column holds what; both tables use the same names."""

    case: str
    label: str
    prediction: str | None = None
    score: str | None = None
    groups: tuple[str, ...] = ()
    subject: str | None = None
    positive: str = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two models on the same n cases.

    Attributes:
        a: A's predictions and scores.
        b: B's, in A's order of cases; label, subject and groups are the same.
        place: number of the positive class.
        has_prediction: whether decisions were given.
        has_score: whether scores were given; column `place` of `scores` holds them.
        notes: what a reader should know, one sentence each.
    """

    a: Cases
    b: Cases
    place: int
    has_prediction: bool
    has_score: bool
    notes: tuple[str, ...] = field(default=())


def read_pair(a: Path, b: Path, columns: Columns) -> Pair:
    """Read two tables and bring their cases together.

    Raises:
        InputError: T-V100, T-V101 or T-D002 to T-D009, a table cannot be read; T-V200 empty
            cells; T-V201 a case twice; T-V202 unequal sets of cases; T-V203 different labels;
            T-V204 different groups or subjects; T-V205 bad scores; T-V206 a prediction that
            is no label; T-V207 the positive label does not occur; T-V208 nothing to compare;
            T-V209 too many groups. All problems of both tables together.
    """
    if columns.prediction is None and columns.score is None:
        raise InputError(
            Problem(
                code="T-V208",
                message="neither --prediction nor --score is given; models are compared by "
                "one of them or both.",
                remedy="Name the column of the decisions, of the scores, or both.",
            )
        )
    core = [columns.case, columns.label, *filter(None, (columns.prediction,))]
    shared = [*columns.groups, *filter(None, (columns.subject,))]
    numbers = [] if columns.score is None else [columns.score]
    table_a = read_table_of_cases(a, text=[*core, *shared], numbers=numbers)
    table_b = read_table_of_cases(b, text=core, numbers=numbers)
    told_twice = [name for name in shared if name in table_b.columns]
    extra = read_table_of_cases(b, text=told_twice).text if told_twice else {}
    return pair_tables(table_a, table_b, columns, extra)


def pair_tables(
    a: CaseTable, b: CaseTable, columns: Columns, extra: Mapping[str, Column] | None = None
) -> Pair:
    """Bring the cases of two tables together.

    Args:
        a: with the groups and the subject.
        b: the same cases in any order.
        columns: which column holds what.
        extra: those group and subject columns that B holds too; they must agree with A's.

    Raises:
        InputError: as `read_pair`.
    """
    names = (a.name, b.name) if a.name != b.name else ("A", "B")
    tables = tuple(zip(names, (a, b), strict=True))
    problems = [p for name, table in tables for p in _cell_problems(name, table, columns)]
    problems += _group_problems(a, columns)
    classes, codes, more = _classes(tables, columns)
    problems += more
    order = _order(tables, columns.case, problems)
    if order is not None:
        different = codes["label"][0] != codes["label"][1][order]
        if different.any():
            problems.append(_labels_differ(a, columns, np.flatnonzero(different), names))
        problems += _disagreements(a, extra or {}, order, columns, names)
    if problems or order is None:
        raise InputError(*problems)
    groups = {name: _group_names(a.text[name]) for name in columns.groups}
    subject = None if columns.subject is None else _subjects(a.text[columns.subject])
    place = classes.index(class_name(columns.positive))

    def cases(which: int, take: Ints | slice) -> Cases:
        table, n = (a, b)[which], len(a)
        label: Ints = codes["label"][0]
        decided = codes["prediction"][which][take] if columns.prediction else label
        score = table.numbers[columns.score][take] if columns.score else np.zeros(n)
        scores = np.repeat((1 - score)[:, None], len(classes), axis=1)
        scores[:, place] = score
        return Cases(
            id=np.full(n, "", dtype="<U1"),
            label=label,
            prediction=decided,
            scores=scores,
            classes=classes,
            subject=subject,
            groups=groups,
        )

    return Pair(
        a=cases(0, slice(None)),
        b=cases(1, order),
        place=place,
        has_prediction=columns.prediction is not None,
        has_score=columns.score is not None,
        notes=_notes(classes, columns),
    )


# --- what may be wrong ----------------------------------------------------------------


def _cell_problems(name: str, table: CaseTable, columns: Columns) -> Iterable[Problem]:
    for column in filter(None, (columns.case, columns.label, columns.prediction)):
        blank = np.flatnonzero(table.text[column].blank())
        if len(blank):
            yield Problem(
                code="T-V200",
                message=f"column {column!r} of {name} has {len(blank)} empty cells "
                f"({places_of(blank)}); every case needs one.",
                remedy="Fill them, or drop these cases from both tables.",
            )
    if columns.score is not None:
        score = table.numbers[columns.score]
        bad = np.flatnonzero(~((score >= 0.0) & (score <= 1.0)))
        if len(bad):
            yield Problem(
                code="T-V205",
                message=f"column {columns.score!r} of {name} has {len(bad)} cells that are no "
                f"probability ({places_of(bad)}; first: {score[bad[0]]:g}); scores are numbers "
                "in [0, 1].",
                remedy="Export probabilities of the positive class, one for each case.",
            )


def _group_problems(table: CaseTable, columns: Columns) -> Iterable[Problem]:
    for column in columns.groups:
        values = len(table.text[column].names)
        if values > MOST_GROUPS:
            yield Problem(
                code="T-V209",
                message=f"group column {column!r} has {values} values; at most {MOST_GROUPS} "
                "are compared.",
                remedy="Band its numbers or merge its values, or leave it out.",
            )


Tables = Sequence[tuple[str, CaseTable]]


def _classes(
    tables: Tables, columns: Columns
) -> tuple[tuple[str, ...], dict[str, list[Ints]], list[Problem]]:
    """Number the classes: those of the labels, in one way of writing."""
    problems = []
    positive = class_name(columns.positive)
    labels = {
        class_name(text)
        for _, table in tables
        for text in table.text[columns.label].names
        if text.strip()
    }
    if positive not in labels:
        problems.append(
            Problem(
                code="T-V207",
                message=f"label {columns.positive!r}, the positive one, does not occur in "
                f"column {columns.label!r}; it holds {_listed(sorted(labels))}.",
                remedy="Name the positive label with --positive.",
            )
        )
    known = labels | {positive}
    if len(known) == 1 and columns.prediction is not None:
        # Cases of one class alone: the other class has its name from the decisions.
        known |= {
            class_name(text)
            for _, table in tables
            for text in table.text[columns.prediction].names
            if text.strip()
        }
    classes = tuple(sorted(known))
    if len(classes) == 2:
        classes = (*(name for name in classes if name != positive), positive)
    number = {name: place for place, name in enumerate(classes)}
    codes: dict[str, list[Ints]] = {"label": [], "prediction": []}
    for kind, column in (("label", columns.label), ("prediction", columns.prediction)):
        if column is None:
            continue
        for name, table in tables:
            found = table.text[column]
            place = np.array([number.get(class_name(text), -1) for text in found.names])
            code = place[found.code].astype(np.int64)
            codes[kind].append(code)
            strange = np.flatnonzero((code < 0) & ~found.blank())
            if len(strange):
                text = found.names[found.code[strange[0]]]
                problems.append(
                    Problem(
                        code="T-V206",
                        message=f"column {column!r} of {name} has {len(strange)} predictions "
                        f"that are no label ({places_of(strange)}; first: {text!r}); labels "
                        f"are {_listed(classes)}.",
                        remedy="Write decisions as labels are written; scores belong in "
                        "--score.",
                    )
                )
    return classes, codes, problems


def _order(tables: Tables, column: str, problems: list[Problem]) -> Ints | None:
    """Return where each of A's cases stands in B; None, with problems, where it does not."""
    places = []
    for name, table in tables:
        cases = table.text[column]
        counts = np.bincount(cases.code, minlength=len(cases.names))
        twice = [cases.names[at] for at in np.flatnonzero(counts > 1) if cases.names[at]]
        if twice:
            problems.append(
                Problem(
                    code="T-V201",
                    message=f"{len(twice)} cases stand in {name} more than once (first: "
                    f"{_listed(twice)}); each case has one row.",
                    remedy="Keep one row a case, or name a column that tells cases apart.",
                )
            )
        row = np.empty(len(cases.names), dtype=np.int64)
        row[cases.code] = np.arange(len(table))
        places.append({text: int(at) for text, at in zip(cases.names, row, strict=True)})
    in_a, in_b = places
    for (name, _), own, other in ((tables[0], in_a, in_b), (tables[1], in_b, in_a)):
        alone = [text for text in own if text and text not in other]
        if alone:
            problems.append(
                Problem(
                    code="T-V202",
                    message=f"{len(alone)} of {len(own)} cases stand in {name} alone (first: "
                    f"{_listed(alone)}); models are compared on the same cases.",
                    remedy="Run both models on the same cases; dropping those that one model "
                    "refused would flatter it.",
                )
            )
    if any(problem.code in ("T-V200", "T-V201", "T-V202") for problem in problems):
        return None
    cases = tables[0][1].text[column]
    found = np.array([in_b[text] for text in cases.names], dtype=np.int64)
    return np.asarray(found[cases.code])


def _labels_differ(
    a: CaseTable, columns: Columns, rows: Ints, names: tuple[str, str]
) -> Problem:
    return Problem(
        code="T-V203",
        message=f"{len(rows)} cases have different labels in {names[0]} and {names[1]} (first: "
        f"{_cases_at(a, columns.case, rows)}); both models are judged by one truth.",
        remedy="Take the labels of both tables from one source.",
    )


def _disagreements(
    a: CaseTable,
    extra: Mapping[str, Column],
    order: Ints,
    columns: Columns,
    names: tuple[str, str],
) -> Iterable[Problem]:
    for column, of_b in extra.items():
        of_a = a.text[column]
        number = {class_name(text): place for place, text in enumerate(of_a.names)}
        place = np.array([number.get(class_name(text), -1) for text in of_b.names])
        same = np.array([number[class_name(text)] for text in of_a.names])[of_a.code]
        rows = np.flatnonzero(same != place[of_b.code][order])
        if len(rows):
            yield Problem(
                code="T-V204",
                message=f"column {column!r} differs between {names[0]} and {names[1]} for "
                f"{len(rows)} cases (first: {_cases_at(a, columns.case, rows)}); a case "
                "belongs to one group and one subject.",
                remedy=f"Correct it, or leave it out of {names[1]}.",
            )


def _cases_at(table: CaseTable, column: str, rows: Ints) -> str:
    cases = table.text[column]
    return _listed([cases.names[cases.code[row]] for row in rows[: SHOWN + 1]], of=len(rows))


def _listed(texts: Sequence[str], *, of: int | None = None) -> str:
    named = ", ".join(repr(text) for text in texts[:SHOWN])
    more = (len(texts) if of is None else of) - SHOWN
    return f"{named} and {more} more" if more > 0 else named or "nothing"


# --- what is made of it ---------------------------------------------------------------


def _group_names(column: Column) -> Text:
    names = np.array([text if text.strip() else MISSING for text in column.names])
    return np.asarray(names[column.code])


def _subjects(column: Column) -> Ints:
    """Number the subjects; a blank subject is one of its own."""
    code = column.code.astype(np.int64)
    blank = column.blank()
    code[blank] = len(column.names) + np.arange(int(blank.sum()))
    return code


def _notes(classes: Sequence[str], columns: Columns) -> tuple[str, ...]:
    if len(classes) < 3:
        return ()
    return (
        f"{columns.label} has {len(classes)} classes: accuracy and balanced_accuracy are over "
        f"all of them, the other measures are of class {class_name(columns.positive)} against "
        "the rest; brier and expected_calibration_error need two classes.",
    )
