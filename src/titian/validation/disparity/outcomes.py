"""What is compared: labels, decisions and scores of n cases, admitted with their groups.

Doubtful tables are refused, all problems together; what can be measured in spite of a doubt
is measured, and the doubt is a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from titian.errors import InputError, Problem
from titian.statistics.estimate import Bools, Floats, Ints
from titian.validation.cases import MISSING
from titian.validation.tables import (
    SHOWN,
    CaseTable,
    Column,
    class_name,
    place_of,
    places_of,
    read_table_of_cases,
)

MOST_VALUES = 100
"""Values of a group column; beyond, each group is a handful of cases: an id or a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which column says what.

    Attributes:
        label: the true class.
        prediction: the decision.
        score: the positive class's probability.
        groups: columns to compare by.
        subject: whom a case is about.
        weight: how many cases of the population a case stands for.
        positive: the label of the positive class.
    """

    label: str
    prediction: str | None = None
    score: str | None = None
    groups: tuple[str, ...] = ()
    subject: str | None = None
    weight: str | None = None
    positive: str = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """n admitted cases.

    Attributes:
        label: shape (n,), True for the positive class.
        prediction: shape (n,), likewise; None where only scores are given.
        score: shape (n,), in [0, 1]; None where only decisions are given.
        groups: the columns to compare by, `MISSING` for empty cells.
        subject: shape (n,), numbered from 0; None when every case is its own subject.
        weight: shape (n,), at least 0; None when all count alike.
        notes: what a reader should know, one sentence each.
    """

    label: Bools
    prediction: Bools | None = None
    score: Floats | None = None
    groups: tuple[Column, ...] = ()
    subject: Ints | None = None
    weight: Floats | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.label)


def read_outcomes(path: Path, roles: Roles) -> Outcomes:
    """Read and admit a table of predictions.

    Raises:
        InputError: as `read_table_of_cases` and `admit`.
    """
    named = [roles.label, roles.prediction, roles.subject, *roles.groups]
    numbers = [name for name in (roles.score, roles.weight) if name is not None]
    _refuse_roles(roles)
    table = read_table_of_cases(
        path, text=[name for name in named if name is not None], numbers=numbers
    )
    return admit(table, roles)


def admit(table: CaseTable, roles: Roles) -> Outcomes:
    """Turn a table's columns into outcomes.

    Raises:
        InputError: T-V102 empty cells, T-V103 values that are no class, T-V104 scores
            outside [0, 1], T-V105 decisions that are opposite to the scores, T-V106 a group
            column of too many values, T-V107 weights below 0, T-V108 columns in two roles,
            T-V109 neither decisions nor scores. All of them together.
    """
    _refuse_roles(roles)
    problems: list[Problem] = []
    notes: list[str] = []
    given = [table.text[name] for name in (roles.label, roles.prediction) if name is not None]
    problems += [problem for column in given for problem in _blanks(column, table.name)]
    problems += _classes(given, roles.positive, table.name)
    score = None if roles.score is None else table.numbers[roles.score]
    if score is not None:
        problems += _scores(score, str(roles.score), table.name)
    weight = None if roles.weight is None else table.numbers[roles.weight]
    if weight is not None:
        problems += _weights(weight, str(roles.weight), table.name)
    for name in roles.groups:
        problems += _group(table.text[name], table.name)
    if problems:
        raise InputError(*problems)
    notes += _against(given[0], roles.positive)
    label = _positive(given[0], roles.positive)
    prediction = None if roles.prediction is None else _positive(given[1], roles.positive)
    groups = tuple(_named(table.text[name]) for name in roles.groups)
    if score is not None and prediction is not None:
        notes += _reconcile(prediction, score, groups, roles, table.name)
    subject = None
    if roles.subject is not None:
        column = table.text[roles.subject]
        subject, lone = _subjects(column)
        if lone:
            notes.append(f"{lone} cases without {column.name} count as subjects of their own.")
    return Outcomes(
        label=label,
        prediction=prediction,
        score=score,
        groups=groups,
        subject=subject,
        weight=weight,
        notes=tuple(notes),
    )


def _refuse_roles(roles: Roles) -> None:
    problems = []
    single = [roles.label, roles.prediction, roles.score, roles.subject, roles.weight]
    used = [name for name in (*single, *roles.groups) if name is not None]
    twice = sorted({name for name in used if used.count(name) > 1})
    if twice:
        problems.append(
            Problem(
                code="T-V108",
                message=f"{', '.join(map(repr, twice))} is named for two roles; a column has "
                "one of --label, --prediction, --score, --group, --subject and --weight.",
                remedy="Name another column for one of them.",
            )
        )
    if roles.prediction is None and roles.score is None:
        problems.append(
            Problem(
                code="T-V109",
                message="neither --prediction nor --score is given; a label alone says "
                "nothing of a model.",
                remedy="Name the column of the decision, of the score, or both.",
            )
        )
    if problems:
        raise InputError(*problems)


def _blanks(column: Column, table: str) -> Iterator[Problem]:
    rows = np.flatnonzero(column.blank())
    if len(rows):
        yield Problem(
            code="T-V102",
            message=f"column {column.name!r} of {table} is empty in {len(rows)} rows "
            f"({places_of(rows)}); every case has one.",
            remedy="Complete the cells, or leave the rows out and say why.",
        )


def _classes(given: Sequence[Column], positive: str, table: str) -> Iterator[Problem]:
    """Two classes over label and prediction together, one of them the positive one."""
    values = sorted({name for column in given for name in column.names if name.strip()})
    label = [name for name in given[0].names if name.strip()]
    if label and not any(_same(name, positive) for name in values):
        shown = ", ".join(map(repr, values[:10])) + (", ..." if len(values) > 10 else "")
        yield Problem(
            code="T-V103",
            message=f"--positive is {positive!r}, which column {given[0].name!r} of {table} "
            f"does not hold; its values are {shown}.",
            remedy="Give --positive one of them.",
        )
        return
    if len({class_name(name) for name in values}) <= 2:
        return  # Cases of one class alone: the other class has its name from the decisions.
    strange = sorted({n for c in given[1:] for n in c.names if n.strip()} - set(label))
    for name in strange:
        if _same(name, positive) or any(_same(name, known) for known in label):
            continue
        column = given[1]
        row = int(np.flatnonzero(column.equals(name))[0])
        yield Problem(
            code="T-V103",
            message=f"column {column.name!r} of {table} holds {name!r} (first: "
            f"{place_of(row)}), which no label is; labels are "
            f"{', '.join(map(repr, sorted(label)[:10]))}.",
            remedy="Write decisions as labels are written.",
        )


def _against(column: Column, positive: str) -> Iterator[str]:
    """Tell of classes that are set against the positive one together."""
    others: dict[str, int] = {}
    for name, count in zip(column.names, np.bincount(column.code).tolist(), strict=True):
        if not _same(name, positive):
            others[class_name(name)] = others.get(class_name(name), 0) + count
    if len(others) > 1:
        ranked = sorted(others.items(), key=lambda item: (-item[1], item[0]))
        shown = ", ".join(f"{name!r} ({count} cases)" for name, count in ranked[:SHOWN])
        more = f" and {len(ranked) - SHOWN} more" if len(ranked) > SHOWN else ""
        yield (
            f"{column.name} has {len(others) + 1} classes: {positive!r} is set against "
            f"{shown}{more} taken together."
        )


def _same(name: str, other: str) -> bool:
    """Say whether two texts mean one class: alike, or equal as numbers or truth values."""
    return class_name(name) == class_name(other)


def _positive(column: Column, positive: str) -> Bools:
    chosen = np.array([_same(name, positive) for name in column.names], dtype=np.bool_)
    return np.asarray(chosen[column.code], dtype=np.bool_)


def _scores(score: Floats, name: str, table: str) -> Iterator[Problem]:
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~((score >= 0.0) & (score <= 1.0)))
    if len(bad):
        first = score[bad[0]]
        shown = "no number" if np.isnan(first) else f"{first:g}"
        yield Problem(
            code="T-V104",
            message=f"column {name!r} of {table} has {len(bad)} cells outside [0, 1] (first: "
            f"{shown} in {place_of(int(bad[0]))}); a score is the positive class's "
            "probability.",
            remedy="Put the scores through a sigmoid or softmax, and complete missing ones.",
        )


def _weights(weight: Floats, name: str, table: str) -> Iterator[Problem]:
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0.0)))
    if len(bad) or not weight.any():
        what = (
            f"{len(bad)} cells that are no number of at least 0 (first: {weight[bad[0]]:g} in "
            f"{place_of(int(bad[0]))})"
            if len(bad)
            else "only zeros"
        )
        yield Problem(
            code="T-V107",
            message=f"column {name!r} of {table} has {what}; a weight says how many cases of "
            "the population a case stands for.",
            remedy="Correct the weights, or leave --weight out.",
        )


def _group(column: Column, table: str) -> Iterator[Problem]:
    if len(column.names) > MOST_VALUES:
        yield Problem(
            code="T-V106",
            message=f"group column {column.name!r} of {table} has {len(column.names)} "
            f"different values over {len(column.code)} cases; at most {MOST_VALUES} groups "
            "are compared.",
            remedy="Name a column of groups, not of ids or numbers; band numbers first "
            "(age to decades).",
        )


def _named(column: Column) -> Column:
    """Give empty cells the name `MISSING` and order the groups by their names."""
    texts = [name if name.strip() else MISSING for name in column.names]
    names = sorted(set(texts), key=_group_order)
    place = {name: code for code, name in enumerate(names)}
    table = np.array([place[name] for name in texts], dtype=np.int32)
    return Column(name=column.name, code=table[column.code], names=tuple(names))


def _group_order(name: str) -> tuple[int, float, str]:
    """Order numbers and bands by their lower edge, other names by themselves, blank last."""
    if name == MISSING:
        return (2, 0.0, name)
    try:
        return (0, float(name.removeprefix("[").split(",")[0]), name)
    except ValueError:
        return (1, 0.0, name)


def _subjects(column: Column) -> tuple[Ints, int]:
    """Number the subjects; a case without one is a subject of its own."""
    blank = column.blank()
    code = column.code.astype(np.int64)
    lone = int(blank.sum())
    code[blank] = len(column.names) + np.arange(lone)
    return np.unique(code, return_inverse=True)[1].astype(np.int64), lone


def _reconcile(
    prediction: Bools,
    score: Floats,
    groups: Sequence[Column],
    roles: Roles,
    table: str,
) -> Iterator[str]:
    """Compare decisions with scores: one threshold, one for each group, or neither.

    Raises:
        InputError: T-V105, decisions run against the scores: called cases score lower.
    """
    if prediction.all() or not prediction.any():
        return
    if score[prediction].min() >= score[~prediction].max():
        return
    if score[prediction].mean() <= score[~prediction].mean():
        raise InputError(
            Problem(
                code="T-V105",
                message=f"in {table} the cases called positive by {roles.prediction!r} score "
                f"{score[prediction].mean():.3f} on average by {roles.score!r} and the others "
                f"{score[~prediction].mean():.3f}; no threshold makes such decisions.",
                remedy="Give the probability of the positive class (--positive), and score "
                "and prediction of one model.",
            )
        )
    odd = _crossed(prediction, score, np.zeros(len(score), dtype=np.int64))
    cell = np.zeros(len(score), dtype=np.int64)
    for column in groups:
        cell = cell * len(column.names) + column.code
    within = _crossed(prediction, score, np.unique(cell, return_inverse=True)[1])
    if within == 0 and groups:
        yield "The decisions follow from the scores by thresholds that differ between groups."
    else:
        yield (
            f"No threshold of {roles.score} gives {roles.prediction}: at the best one "
            f"{odd} of {len(score)} cases are decided otherwise. Measures of decisions and "
            "of scores may be about two models."
        )


def _crossed(prediction: Bools, score: Floats, cell: Ints) -> int:
    """Return the fewest cases on the wrong side, each cell at its best threshold."""
    order = np.lexsort((score, cell))
    chosen, value, place = prediction[order], score[order], cell[order]
    last = np.append((value[1:] != value[:-1]) | (place[1:] != place[:-1]), True)
    signed = np.cumsum(np.where(chosen, 1, -1))
    cells = int(place[-1]) + 1
    calls = np.bincount(cell, weights=~prediction, minlength=cells)
    ends = np.searchsorted(place, np.arange(cells), "right") - 1
    before = np.append(0, signed[ends[:-1]])
    # Threshold above all of a run: its called cases are wrong, its others right.
    best = np.minimum(
        np.minimum.reduceat(
            np.where(last, signed, np.iinfo(np.int64).max), np.append(0, ends[:-1] + 1)
        )
        - before,
        0,
    )
    return int((calls + best).sum())
